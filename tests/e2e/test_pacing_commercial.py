"""Pacing against AWS's quotas: the call log is the judge."""

import pytest

from tests.e2e.pacing import pace


@pytest.mark.long
@pytest.mark.timeout(950)
def test_three_hundred_accounts() -> None:
    """300 accounts with three contacts each are written without a single throttled call.

    How fast is a figure, not a bound: this machine may be slower than AWS's quotas.
    """
    found = pace(300)
    assert found["state"] == "success"
    assert found["throttled"] == 0
    written = found["details"]["updated"]
    assert written == found["writes"]
    assert written >= 3 * 290

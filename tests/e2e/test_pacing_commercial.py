"""Pacing against AWS's quotas: the call log is the judge."""

import pytest

from tests.e2e.pacing import pace


@pytest.mark.long
@pytest.mark.timeout(950)
def test_hundred_accounts() -> None:
    """A hundred accounts with three contacts each are written without a single throttled call.

    That is more than any burst that AWS allows. How fast is a figure, not a bound: this machine may be slower than
    AWS's quotas. tests/parity/test_celery.py has 200 accounts, and two workers that share the limiter.
    """
    found = pace(100)
    assert found["state"] == "success"
    assert found["throttled"] == 0
    written = found["details"]["updated"]
    assert written == found["writes"]
    assert written >= 3 * 96

"""Pacing against AWS's quotas in China: the call log is the judge."""

import pytest

from tests.e2e.pacing import pace


@pytest.mark.long
@pytest.mark.timeout(950)
def test_rates_of_china() -> None:
    """With the rates of China on both sides no call is throttled either."""
    found = pace(40, "--preset", "china")
    assert found["state"] == "success"
    assert found["throttled"] == 0


@pytest.mark.long
@pytest.mark.timeout(950)
def test_without_the_limiter() -> None:
    """Without the limiter AWS refuses many calls; with it, and the same rates, it refused none."""
    found = pace(20, "--preset", "china", "--no-limiter")
    assert found["throttled"] > 60

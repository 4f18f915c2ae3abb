"""The pace of calls, from AWS's quotas and what operators configure."""

from typing import Any

import pytest

from contactsync.account_management.api_operations import ApiOperation
from contactsync.account_management.quotas import QUOTAS, RatePreset, RatesConfig
from contactsync.errors import ConfigurationInvalidError
from contactsync.pacing.rates import Pace, Rate, jitter
from tests.support.builders import configuration

GET, PUT, DELETE = (
    ApiOperation.GET_ALTERNATE_CONTACT,
    ApiOperation.PUT_ALTERNATE_CONTACT,
    ApiOperation.DELETE_ALTERNATE_CONTACT,
)
PRIMARY = ApiOperation.PUT_CONTACT_INFORMATION


@pytest.mark.parametrize("preset", RatePreset)
def test_presets(preset: RatePreset) -> None:
    """Every preset has a quota for every operation."""
    assert set(QUOTAS[preset]) == set(ApiOperation)


@pytest.mark.parametrize(
    ("settings", "api", "paced"),
    [
        ({}, GET, (10, 5)),
        ({}, PUT, (5, 3)),
        ({}, DELETE, (1, 5)),
        ({"clock_skew": 0}, GET, (10, 15)),
        ({"clock_skew": 0.5}, GET, (10, 10)),
        ({"preset": "china"}, GET, (3, 2)),
        ({"preset": "china"}, PRIMARY, (1, 1)),
        ({"operations": {GET: {"rate": 2, "burst": 4}}}, GET, (2, 2)),
        ({"operations": {GET: {"rate": 2, "burst": 4}}}, PUT, (5, 3)),
    ],
)
def test_paced(settings: dict[str, Any], api: ApiOperation, paced: tuple[float, int]) -> None:
    """The limiter gives out AWS's rate, and AWS's burst less what clock differences can add to it."""
    rate = RatesConfig.model_validate(settings).paced(api)
    assert (rate.rate, rate.burst) == paced


def test_small_burst() -> None:
    """A burst that is too small for the clocks makes single calls slower instead: here 3 s apart, not 1 s."""
    rates = RatesConfig(operations={PUT: Rate(rate=1, burst=1)}, clock_skew=2)
    assert rates.paced(PUT).burst == 1
    assert rates.paced(PUT).rate == pytest.approx(1 / 3)


def test_pace() -> None:
    """An interval between calls is never rounded to less than AWS allows."""
    rates = RatesConfig(operations={PUT: Rate(rate=3, burst=5)}, max_wait=2.5)
    assert rates.pace(PUT) == Pace(interval=333_334, tolerance=333_334, longest=2_500_000)


def test_wait() -> None:
    """A call may be early by the tolerance, and a queue has an end."""
    pace = Pace(interval=100, tolerance=400, longest=1000)
    assert [pace.wait(arrival, 5000) for arrival in (0, 5000, 5400, 5401, 6000)] == [0, 0, 0, 1, 600]
    assert pace.wait(pace.last_arrival(5000), 5000) == pace.longest
    assert pace.impossible_arrival(5000) > pace.last_arrival(5000)


@pytest.mark.parametrize(
    "rates",
    [
        {"max_wait": 0},
        {"max_wait": 3601},
        {"clock_skew": -1},
        {"preset": "moon"},
        {"operations": {"GetAlternateContact": {"rate": 0, "burst": 1}}},
        {"operations": {"GetAlternateContact": {"rate": 1, "burst": 0}}},
        {"operations": {"GetEverything": {"rate": 1, "burst": 1}}},
    ],
)
def test_refused(rates: dict[str, Any]) -> None:
    """A pace that cannot be kept is refused before it is stored."""
    with pytest.raises(ConfigurationInvalidError):
        configuration(rates=rates)


def test_jitter() -> None:
    """Jitter lies between nothing and its bound, and differs."""
    found = [jitter(3.0) for _ in range(50)]
    assert all(0 <= seconds <= 3 for seconds in found)
    assert len(set(found)) > 1

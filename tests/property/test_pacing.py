"""The limiter against AWS's token bucket: whatever the callers' clocks say, AWS refuses nothing."""

from collections.abc import Iterable
from datetime import timedelta
from fractions import Fraction

from hypothesis import example, given
from hypothesis import strategies as st

from contactsync.account_management.api_operations import ApiOperation
from contactsync.account_management.quotas import QUOTAS, RatePreset, RatesConfig
from contactsync.pacing.rates import Rate
from tests.support.fakes.pacing import FakeLimiter, FakeLimiterItems
from tests.support.fakes.surroundings import START, FakeClock

PUT = ApiOperation.PUT_ALTERNATE_CONTACT
MICROSECOND = timedelta(microseconds=1)

documented = st.sampled_from([quota for preset in RatePreset for quota in QUOTAS[preset].values()])
configured = st.builds(Rate, rate=st.floats(0.1, 200), burst=st.integers(1, 60))
microseconds = st.integers(0, 1_000_000)
skews = st.sampled_from([0.0, 0.25, 1.0, 2.0])


class TokenBucket:
    """What AWS is taken to do: so many tokens at most, refilled at a rate; a call without a token is refused."""

    def __init__(self, quota: Rate) -> None:
        """Begin full."""
        self._burst, self._rate = Fraction(quota.burst), Fraction(quota.rate) / 1_000_000
        self._tokens, self._since = self._burst, 0

    def take(self, now: int) -> bool:
        """Tell whether a call at this microsecond is let through."""
        self._tokens = min(self._burst, self._tokens + (now - self._since) * self._rate)
        self._since = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def refused(quota: Rate, moments: Iterable[int]) -> int:
    """Return how many of these calls AWS refuses."""
    bucket = TokenBucket(quota)
    return sum(not bucket.take(moment) for moment in sorted(moments))


class Callers:
    """Workers of one run that share the limiter; time is true time in microseconds, and their clocks are wrong."""

    def __init__(self, quota: Rate, skew: float) -> None:
        """Take AWS's quota, and how far the clocks may differ."""
        self.rates = RatesConfig(operations={PUT: quota}, clock_skew=skew, max_wait=3600)
        self._limiters = FakeLimiterItems()

    def released(self, now: int, wrong: int) -> int:
        """Return when the call of a worker goes out that asks now, with its clock ahead by so much."""
        clock = FakeClock(START + (now + wrong) * MICROSECOND)
        wait = FakeLimiter(clock, self._limiters).reserve(PUT, self.rates)
        return now + round(wait * 1_000_000)


@example(quota=Rate(rate=1 / 3, burst=1), skew=0.0, asked=[(0, 0), (0, 0)])  # three seconds are a hair too short
@given(
    quota=documented | configured,
    skew=skews,
    asked=st.lists(st.tuples(st.integers(0, 3_000_000), microseconds), min_size=1, max_size=120),
)
def test_no_refusal(quota: Rate, skew: float, asked: list[tuple[int, int]]) -> None:
    """Callers that ask at any time, with clocks that differ by any part of the allowed skew, are never refused."""
    callers = Callers(quota, skew)
    now, moments = 0, []
    for gap, ahead in asked:
        moments.append(callers.released(now, int(ahead * skew)))
        now += gap // 10 if len(moments) % 7 else gap
    assert refused(quota, moments) == 0


@given(quota=documented | configured, ahead=st.lists(microseconds, min_size=20, max_size=200))
def test_crowd(quota: Rate, ahead: list[int]) -> None:
    """Hundreds that ask at the same moment are never refused either, and wait no longer than the rate demands."""
    callers = Callers(quota, 1.0)
    moments = [callers.released(0, wrong) for wrong in ahead]
    assert refused(quota, moments) == 0
    rate = callers.rates.paced(PUT).rate
    assert max(moments) <= (len(moments) / rate + 1) * 1_000_000 + len(moments)


@given(quota=documented, ahead=st.lists(microseconds, min_size=8, max_size=8))
def test_throughput(quota: Rate, ahead: list[int]) -> None:
    """Workers that always have another call use what AWS allows, less a second for their clocks."""
    callers = Callers(quota, 1.0)
    free, moments = dict.fromkeys(range(len(ahead)), 0), []
    for _ in range(150):
        worker = min(free, key=free.__getitem__)
        moments.append(callers.released(free[worker], ahead[worker]))
        free[worker] = moments[-1]
    assert refused(quota, moments) == 0
    expected = len(moments) / callers.rates.paced(PUT).rate
    assert max(moments) / 1_000_000 <= expected * 1.02 + 1


@given(quota=documented)
def test_judge(quota: Rate) -> None:
    """The bucket that judges does refuse: one call more than the burst at once, and calls faster than the rate."""
    assert refused(quota, [0] * quota.burst) == 0
    assert refused(quota, [0] * (quota.burst + 1)) == 1
    hasty = int(900_000 / quota.rate)
    assert refused(quota, [number * hasty for number in range(200)]) > 0


@given(quota=documented)
def test_skew_matters(quota: Rate) -> None:
    """Without the reduction of the burst, a second's difference of clocks alone would make AWS refuse calls."""
    callers = Callers(quota, 0.0)
    moments = [callers.released(0, wrong) for wrong in (0, 1_000_000) for _ in range(quota.burst)]
    assert refused(quota, moments) > 0

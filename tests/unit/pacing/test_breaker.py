"""The breaker's states: each change is a new state, and the same state means no change."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from contactsync.account_management.api_operations import ApiOperation
from contactsync.errors import ConfigurationInvalidError
from contactsync.pacing.breaker import KEPT_TRANSITIONS, BreakerConfig, BreakerState, CallCounts, Phase
from tests.support.builders import configuration
from tests.support.fakes.surroundings import START

PUT = ApiOperation.PUT_ALTERNATE_CONTACT
CODE = "InternalServerException"
CONFIG = BreakerConfig(open_for=15, probe_lease=60, window=60, max_pause=1800)


def after(seconds: float) -> Any:
    """Return the time so many seconds after the start."""
    return START + timedelta(seconds=seconds)


CLOSED = BreakerState(PUT)
OPEN = CLOSED.tripped(START, CODE, episode=0)
PROBED = OPEN.claimed("me", after(15), CONFIG)


@pytest.mark.parametrize(
    ("newest_first", "trips"),
    [
        ([], False),
        ([(19, 0)], False),
        ([(20, 0)], True),
        ([(20, 20)], True),
        ([(20, 21)], False),
        ([(500, 501)], False),
        ([(10, 0), (10, 20)], True),
        ([(10, 1), (10, 20)], False),
        ([(20, 0), (0, 600)], True),
        ([(19, 0), (0, 600)], False),
        ([(0, 20), (20, 0)], True),
        ([(0, 21), (20, 0)], False),
        ([(5, 5)] * 4, True),
        ([(5, 6)] * 4, False),
    ],
)
def test_trips(newest_first: list[tuple[int, int]], trips: bool) -> None:  # noqa: FBT001 -- a column of the table
    """Enough failures, and enough of the newest calls: a few in a big healthy run are not an outage."""
    config = BreakerConfig(threshold=20, failure_ratio=0.5)
    assert config.trips(CallCounts(*counts) for counts in newest_first) is trips


def test_bucket() -> None:
    """A window is counted in twelve buckets, each in its episode."""
    first, last = CONFIG.bucket_at(START, 3), CONFIG.bucket_at(after(60), 3)
    assert (first.episode, first.seconds) == (3, 5)
    assert last.earlier(12) == first
    assert first.end - first.seconds <= START.timestamp() < first.end


def test_opens() -> None:
    """It opens with the cause and the time, and says since when."""
    assert (OPEN.phase, OPEN.cause, OPEN.since, OPEN.version) == (Phase.OPEN, CODE, START, 1)
    (change,) = OPEN.transitions
    assert (change.api_operation, change.time, change.before, change.after) == (PUT, START, Phase.CLOSED, Phase.OPEN)


def test_opens_once() -> None:
    """Further failures change nothing, nor do those of calls that began before a recovery."""
    assert OPEN.tripped(after(1), CODE, episode=0) is OPEN
    assert PROBED.tripped(after(16), CODE, episode=0) is PROBED
    closed = PROBED.succeeded("me", after(16))
    assert closed.tripped(after(17), CODE, episode=0) is closed
    assert closed.tripped(after(17), CODE, episode=1).phase is Phase.OPEN


@pytest.mark.parametrize("seconds", [0, 14.9, -14.9])
def test_not_yet(seconds: float) -> None:
    """Nobody probes before its time, on whatever side of it a clock is."""
    assert OPEN.seconds_to_wait(after(seconds), CONFIG) == pytest.approx(15 - abs(seconds))
    assert OPEN.claimed("me", after(seconds), CONFIG) is OPEN


@pytest.mark.parametrize("seconds", [15, 16, -15, -86_400])
def test_probe(seconds: float) -> None:
    """Then one may; a clock that was set back by far does not keep everybody waiting."""
    state = OPEN.claimed("me", after(seconds), CONFIG)
    assert state.phase is Phase.HALF_OPEN
    assert state.is_probed_by("me")
    assert state.seconds_to_wait(after(seconds), CONFIG) == 60


def test_one_probe() -> None:
    """While one probes nobody else does, until its lease ends."""
    assert PROBED.claimed("other", after(74.9), CONFIG) is PROBED
    other = PROBED.claimed("other", after(75), CONFIG)
    assert other.is_probed_by("other")
    assert not other.is_probed_by("me")
    assert len(other.transitions) == len(PROBED.transitions)


@pytest.mark.parametrize("state", [CLOSED, OPEN, PROBED.claimed("other", after(75), CONFIG)])
def test_not_the_probe(state: BreakerState) -> None:
    """The end of any other call changes nothing: of one from before, or of a probe whose lease another has got."""
    assert state.succeeded("me", after(80)) is state
    assert state.failed("me", after(80), CODE) is state
    assert state.released("me") is state


def test_success_closes() -> None:
    """The probe's success closes it, and begins a new episode without any of the outage's traces."""
    closed = PROBED.succeeded("me", after(16))
    assert closed.phase is Phase.CLOSED
    assert (closed.since, closed.tried, closed.cause, closed.probe) == (None, None, None, None)
    assert closed.episode == 1
    assert [change.after for change in closed.transitions] == [Phase.OPEN, Phase.HALF_OPEN, Phase.CLOSED]


def test_late_success() -> None:
    """A probe that ends after its lease still counts when nobody else has begun one."""
    assert PROBED.succeeded("me", after(500)).phase is Phase.CLOSED


def test_failure_opens_again() -> None:
    """The probe's failure opens it again for the whole time; the outage goes on since its start."""
    again = PROBED.failed("me", after(20), "ReadTimeoutError")
    assert (again.phase, again.since, again.cause, again.probe) == (Phase.OPEN, START, "ReadTimeoutError", None)
    assert again.seconds_to_wait(after(20), CONFIG) == 15


def test_start_in_the_future() -> None:
    """A start that a wrong clock has put into the future is fixed by the next failure."""
    ahead = replace(PROBED, since=after(86_400))
    assert ahead.failed("me", after(20), CODE).since == after(20)


def test_released() -> None:
    """A probe that ends with neither lets the next one begin at once."""
    released = PROBED.released("me")
    assert released.seconds_to_wait(after(16), CONFIG) == 0
    assert released.claimed("other", after(16), CONFIG).is_probed_by("other")
    assert released.phase is Phase.HALF_OPEN


def test_overdue() -> None:
    """An outage is too long when it is longer than calls may pause, and a due probe is allowed all the same."""
    assert not OPEN.is_overdue(after(1800), CONFIG)
    assert OPEN.is_overdue(after(1801), CONFIG)
    assert not CLOSED.is_overdue(after(10**6), CONFIG)
    late = PROBED.failed("me", after(1790), CODE).claimed("other", after(1805), CONFIG)
    assert late.is_overdue(after(1805), CONFIG)
    assert late.is_probed_by("other")


def test_silence() -> None:
    """When nobody has tried for long it may be another outage, so its time is counted again."""
    assert CONFIG.silence == 135
    assert OPEN.claimed("me", after(135), CONFIG).since == START
    assert OPEN.claimed("me", after(136), CONFIG).since == after(136)
    assert PROBED.claimed("other", after(15 + 136), CONFIG).since == after(151)


def test_restarted() -> None:
    """An outage that lasted too long is counted again, with a probe at once; a younger one stays as it is."""
    assert OPEN.restarted(after(1800), CONFIG) is OPEN
    assert CLOSED.restarted(after(1801), CONFIG) is CLOSED
    fresh = OPEN.restarted(after(1801), CONFIG)
    assert (fresh.phase, fresh.since) == (Phase.HALF_OPEN, after(1801))
    assert fresh.seconds_to_wait(after(1801), CONFIG) == 0
    assert fresh.restarted(after(1801), CONFIG) is fresh


def test_restarted_while_probed() -> None:
    """A probe that is on its way goes on."""
    fresh = PROBED.restarted(after(1816), CONFIG)
    assert fresh.is_probed_by("me")
    assert fresh.since == after(1816)


def test_transitions() -> None:
    """Only the newest transitions are kept."""
    state, now = CLOSED, START
    for episode in range(KEPT_TRANSITIONS):
        state = state.tripped(now, CODE, episode=episode)
        now += timedelta(seconds=15)
        state = state.claimed("me", now, CONFIG).succeeded("me", now)
    assert len(state.transitions) == KEPT_TRANSITIONS
    assert state.transitions[-1].after is Phase.CLOSED
    assert state.version == 3 * KEPT_TRANSITIONS


@pytest.mark.parametrize(
    "breaker",
    [
        {"threshold": 0},
        {"failure_ratio": 0},
        {"failure_ratio": 1.1},
        {"open_for": 0},
        {"max_pause": -1},
        {"window": 86_401},
        {"check_interval": -1},
    ],
)
def test_refused(breaker: dict[str, Any]) -> None:
    """A configuration under which it could not work is refused before it is stored."""
    with pytest.raises(ConfigurationInvalidError):
        configuration(breaker=breaker)

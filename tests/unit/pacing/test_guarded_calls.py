"""The guard: when a call is made, when it waits, and when the task pauses."""

import logging
from typing import Any

import pytest

from contactsync.errors import (
    ContactSyncError,
    ThrottledError,
    WaitingError,
)
from contactsync.pacing.breaker import CallCounts
from tests.support.builders import configuration
from tests.support.worlds.workers import (
    DENIED,
    GET,
    PUT,
    TABLE_THROTTLED,
    THROTTLED,
    UNAVAILABLE,
    Service,
    Workers,
    service,
)


def test_call(workers: Workers) -> None:
    """A call in a healthy world is made once and at once, and writes nothing about itself."""
    called = service()
    assert workers.guarded_calls().call(PUT, called) == "done"
    assert called.calls == 1
    assert workers.clock.slept == []
    assert workers.breakers.writes == 0


def test_glance(workers: Workers) -> None:
    """The breaker is read once for calls that follow each other within a second."""
    guarded = workers.guarded_calls()
    for _ in range(3):
        guarded.call(PUT, service())
    assert workers.breakers.reads == 1
    workers.wait(1)
    guarded.call(PUT, service())
    assert workers.breakers.reads == 2


def test_turns(workers: Workers) -> None:
    """Calls beyond the burst wait for their turn, whichever task makes them."""
    for _ in range(5):
        workers.guarded_calls().call(PUT, service())
    assert workers.clock.slept == [0.2, 0.2]


def test_unpaced(workers: Workers) -> None:
    """With the limiter off nothing waits."""
    workers.settings = configuration(rates={"enabled": False})
    for _ in range(20):
        workers.guarded_calls().call(PUT, service())
    assert workers.clock.slept == []
    assert workers.limiter.reserved == []


def test_long_wait(workers: Workers, caplog: pytest.LogCaptureFixture) -> None:
    """A long wait stands in the task's log, a short one does not."""
    caplog.set_level(logging.INFO)
    slow = {PUT: {"rate": 0.1, "burst": 1}}
    workers.settings = configuration(rates={"operations": slow, "clock_skew": 0})
    workers.guarded_calls().call(PUT, service())
    assert caplog.messages == []
    workers.guarded_calls().call(PUT, service())
    assert caplog.messages == ["PutAlternateContact waits 10.0 s for its turn (AWS's quota)."]


def test_backlog(workers: Workers) -> None:
    """When its turn is too far away the task pauses, without a call and without a turn."""
    slow = {PUT: {"rate": 0.1, "burst": 1}}
    workers.settings = configuration(rates={"operations": slow, "clock_skew": 0, "max_wait": 9})
    workers.guarded_calls().call(PUT, service())
    called = service()
    with pytest.raises(WaitingError) as caught:
        workers.guarded_calls().call(PUT, called)
    assert caught.value.code == "Backlog"
    assert caught.value.resume_in >= 9
    assert called.calls == 0
    assert len(workers.limiter.reserved) == 1


def test_throttled(workers: Workers) -> None:
    """A throttled call waits and is made again, in a turn of its own and after `before`."""
    called, before = service(THROTTLED, THROTTLED), Service()
    assert workers.guarded_calls().call(PUT, called, before=before) == "done"
    assert (called.calls, before.calls, len(workers.limiter.reserved)) == (3, 3, 3)
    assert len(workers.clock.slept) >= 2


def test_throttled_for_long(workers: Workers) -> None:
    """After the last try the task pauses, so that it uses no retry; AWS's error is the cause."""
    called = service(*[THROTTLED] * 10)
    with pytest.raises(WaitingError) as caught:
        workers.guarded_calls().call(PUT, called)
    assert called.calls == 6
    assert caught.value.code == "TooManyRequestsException"
    assert 8 <= caught.value.resume_in <= 16
    assert caught.value.__cause__ is THROTTLED
    assert all(seconds <= 8 for seconds in workers.clock.slept)


@pytest.mark.parametrize("error", [THROTTLED, UNAVAILABLE, DENIED, WaitingError("Mark", 1), ValueError("a bug")])
def test_before_raises(workers: Workers, error: Exception) -> None:
    """What `before` raises goes out unchanged, is not repeated and counts for nothing; no call is made."""
    called, before = service(), service(error)
    guarded = workers.guarded_calls()
    with pytest.raises(type(error)) as caught:
        guarded.call(PUT, called, before=before)
    guarded.finish()
    assert caught.value is error
    assert (called.calls, before.calls) == (0, 1)
    assert workers.outcome_counts == CallCounts()


def test_unreadable(workers: Workers) -> None:
    """Without knowing the breaker there is no call; the table's error goes out, for Airflow to retry."""
    workers.breakers.error = TABLE_THROTTLED
    called = service()
    with pytest.raises(ThrottledError) as caught:
        workers.guarded_calls().call(PUT, called)
    assert caught.value is TABLE_THROTTLED
    assert called.calls == 0
    assert workers.clock.slept == []


def test_no_limiter(workers: Workers) -> None:
    """Nor is there one without a turn."""
    workers.limiter.error = TABLE_THROTTLED
    called = service()
    with pytest.raises(ThrottledError) as caught:
        workers.guarded_calls().call(PUT, called)
    assert caught.value is TABLE_THROTTLED
    assert called.calls == 0


@pytest.mark.parametrize("answer", [None, DENIED, UNAVAILABLE])
def test_bookkeeping_fails(workers: Workers, caplog: pytest.LogCaptureFixture, answer: ContactSyncError | None) -> None:
    """Once AWS has answered, that is what goes out: a breaker that cannot be told is only logged."""
    workers.open()
    workers.wait(15)
    guarded = workers.guarded_calls()

    def call() -> Any:
        workers.breakers.error = TABLE_THROTTLED
        return service(answer)()

    if answer is None:
        assert guarded.call(PUT, call) == "done"
    else:
        with pytest.raises(type(answer)) as caught:
            guarded.call(PUT, call)
        assert caught.value is answer
    assert "The results of calls were not stored at the breaker of PutAlternateContact" in caplog.text


def test_finish(workers: Workers) -> None:
    """The answers of a task are counted together when it ends, for each operation, and only once."""
    guarded = workers.guarded_calls()
    for _ in range(3):
        guarded.call(PUT, service())
    guarded.call(GET, service())
    assert workers.outcome_counts == CallCounts()
    guarded.finish()
    guarded.finish()
    assert workers.outcome_counts == CallCounts(answers=3)
    assert workers.breakers.writes == 2


def test_finish_never_raises(workers: Workers, caplog: pytest.LogCaptureFixture) -> None:
    """A finished account does not fail because its answers could not be counted."""
    guarded = workers.guarded_calls()
    guarded.call(PUT, service())
    workers.breakers.error = TABLE_THROTTLED
    guarded.finish()
    assert "were not stored at the breaker" in caplog.text


def test_order(workers: Workers) -> None:
    """`before` runs after the wait for the turn, immediately before the call."""
    order: list[str] = []
    guarded = workers.guarded_calls()
    for _ in range(4):
        guarded.call(PUT, service())
    plain_sleep = workers.clock.sleep
    workers.clock.sleep = lambda seconds: (order.append("sleep"), plain_sleep(seconds))[1]  # type: ignore[method-assign]
    guarded.call(PUT, lambda: order.append("call"), before=lambda: order.append("before"))
    assert order == ["sleep", "before", "call"]

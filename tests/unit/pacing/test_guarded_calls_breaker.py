"""The guard and the breaker: what opens it, who probes, and what the others do meanwhile."""

from contextlib import suppress

import pytest

from contactsync.errors import (
    AccessDeniedError,
    ContactSyncError,
    OutageError,
    ServiceUnavailableError,
    WaitingError,
)
from contactsync.pacing.breaker import CallCounts, Phase
from tests.support.builders import configuration
from tests.support.worlds.workers import (
    DENIED,
    GET,
    PUT,
    THROTTLED,
    UNAVAILABLE,
    Workers,
    service,
)


def test_single_failure(workers: Workers) -> None:
    """One failure of the service is the account's own: it goes out for Airflow to retry."""
    with pytest.raises(ServiceUnavailableError) as caught:
        workers.guarded_calls().call(PUT, service(UNAVAILABLE))
    assert caught.value is UNAVAILABLE
    assert workers.outcome_counts == CallCounts(failures=1)
    assert workers.phase is Phase.CLOSED


def test_opening(workers: Workers) -> None:
    """The failure that opens the breaker pauses its own task as well; AWS's error is the cause."""
    for _ in range(2):
        with pytest.raises(ServiceUnavailableError):
            workers.guarded_calls().call(PUT, service(UNAVAILABLE))
    with pytest.raises(WaitingError) as caught:
        workers.guarded_calls().call(PUT, service(UNAVAILABLE))
    assert caught.value.code == "InternalServerException"
    assert caught.value.__cause__ is UNAVAILABLE
    assert workers.phase is Phase.OPEN


def test_failure_while_open(workers: Workers) -> None:
    """A call that was under way when the breaker opened pauses too, whatever its own failure counts for."""
    guarded = workers.guarded_calls()

    def late() -> str:
        workers.open()
        raise UNAVAILABLE

    with pytest.raises(WaitingError):
        guarded.call(PUT, late)
    assert [change.after for change in workers.breakers.get(PUT).transitions] == [Phase.OPEN]


def test_open(workers: Workers) -> None:
    """While it is open no task calls; each comes back at another time after it may be tried again."""
    workers.open()
    workers.wait(5)
    called, waits = service(), []
    for _ in range(20):
        with pytest.raises(WaitingError) as caught:
            workers.guarded_calls().call(PUT, called)
        waits.append(caught.value.resume_in)
    assert called.calls == 0
    assert min(waits) >= 10
    assert max(waits) <= 25
    assert len(set(waits)) > 1
    assert workers.guarded_calls().call(GET, service()) == "done"


def test_breaker_before_turn(workers: Workers) -> None:
    """A task that pauses takes nobody's turn."""
    workers.open()
    reserved = len(workers.limiter.reserved)
    with pytest.raises(WaitingError):
        workers.guarded_calls().call(PUT, service())
    assert len(workers.limiter.reserved) == reserved


def test_opens_during_wait(workers: Workers) -> None:
    """A task that has waited for its turn asks again: the breaker may have opened meanwhile."""
    workers.settings = configuration(
        breaker={"threshold": 3}, rates={"operations": {PUT: {"rate": 0.1, "burst": 1}}, "clock_skew": 0}
    )
    guarded, called = workers.guarded_calls(), service()
    guarded.call(PUT, service())
    plain_sleep = workers.clock.sleep

    def sleep(seconds: float) -> None:
        workers.clock.sleep = plain_sleep  # type: ignore[method-assign]
        plain_sleep(seconds)
        workers.breakers.change(PUT, lambda found: found.tripped(workers.clock.now(), "ReadTimeoutError", 0))

    workers.clock.sleep = sleep  # type: ignore[method-assign]
    with pytest.raises(WaitingError):
        guarded.call(PUT, called)
    assert called.calls == 0


def test_probe_succeeds(workers: Workers) -> None:
    """After its time one task probes, and its good answer lets everybody go on."""
    workers.open()
    workers.wait(15)
    others: list[ContactSyncError] = []

    def probe() -> str:
        try:
            workers.guarded_calls().call(PUT, service())
        except WaitingError as error:
            others.append(error)
        return "done"

    assert workers.guarded_calls().call(PUT, probe) == "done"
    assert len(others) == 1
    assert workers.phase is Phase.CLOSED
    assert workers.guarded_calls().call(PUT, service()) == "done"


@pytest.mark.parametrize("answer", [DENIED, THROTTLED])
def test_probe_is_answered(workers: Workers, answer: ContactSyncError) -> None:
    """A probe that is denied or throttled has found a living service."""
    workers.open()
    workers.wait(15)
    with suppress(AccessDeniedError):
        workers.guarded_calls().call(PUT, service(answer))
    assert workers.phase is Phase.CLOSED


def test_fresh_start(workers: Workers) -> None:
    """After a recovery the failures from before it count no more."""
    workers.open()
    workers.wait(15)
    workers.guarded_calls().call(PUT, service())
    with pytest.raises(ServiceUnavailableError):
        workers.guarded_calls().call(PUT, service(UNAVAILABLE))
    assert workers.phase is Phase.CLOSED


def test_probe_fails(workers: Workers) -> None:
    """The probe's failure pauses everybody again, its own task too."""
    workers.open()
    since = workers.breakers.get(PUT).since
    workers.wait(15)
    with pytest.raises(WaitingError) as caught:
        workers.guarded_calls().call(PUT, service(UNAVAILABLE))
    assert caught.value.__cause__ is UNAVAILABLE
    assert workers.phase is Phase.OPEN
    assert workers.breakers.get(PUT).since == since


def test_probe_dies(workers: Workers) -> None:
    """A probe that never reports blocks the others for no longer than its lease."""
    workers.open()
    workers.wait(15)
    with pytest.raises(KeyboardInterrupt):
        workers.guarded_calls().call(PUT, service(KeyboardInterrupt()))  # type: ignore[arg-type]
    workers.wait(59)
    with pytest.raises(WaitingError):
        workers.guarded_calls().call(PUT, service())
    workers.wait(1)
    assert workers.guarded_calls().call(PUT, service()) == "done"
    assert workers.phase is Phase.CLOSED


def test_probe_without_a_call(workers: Workers) -> None:
    """A task whose call turned out unnecessary leaves the probe to the next one when it ends."""
    workers.open()
    workers.wait(15)
    guarded = workers.guarded_calls()
    with pytest.raises(ValueError, match="unnecessary"):
        guarded.call(PUT, service(), before=lambda: (_ for _ in ()).throw(ValueError("unnecessary")))
    with pytest.raises(WaitingError):
        workers.guarded_calls().call(PUT, service())
    guarded.finish()
    assert workers.guarded_calls().call(PUT, service()) == "done"


def test_probe_again(workers: Workers) -> None:
    """The task that holds the probe may use it for its next call."""
    workers.open()
    workers.wait(15)
    guarded = workers.guarded_calls()
    with pytest.raises(ValueError, match="unnecessary"):
        guarded.call(PUT, service(), before=lambda: (_ for _ in ()).throw(ValueError("unnecessary")))
    assert guarded.call(PUT, service()) == "done"
    assert workers.phase is Phase.CLOSED


def test_lease_ends(workers: Workers) -> None:
    """A task that has kept the probe for longer than its lease claims it again before it calls."""
    workers.open()
    workers.wait(15)
    guarded, called = workers.guarded_calls(), service()
    with pytest.raises(ValueError, match="unnecessary"):
        guarded.call(PUT, service(), before=lambda: (_ for _ in ()).throw(ValueError("unnecessary")))
    workers.wait(60)

    def probe() -> str:
        with pytest.raises(WaitingError):
            workers.guarded_calls().call(PUT, called)
        return "done"

    assert guarded.call(PUT, probe) == "done"
    assert called.calls == 0


def test_pause_while_probed(workers: Workers) -> None:
    """While another task probes nobody pauses for its whole lease: a probe usually ends soon."""
    workers.open()
    workers.wait(15)

    def probe() -> str:
        with pytest.raises(WaitingError) as caught:
            workers.guarded_calls().call(PUT, service())
        assert 15 <= caught.value.resume_in <= 30
        return "done"

    assert workers.guarded_calls().call(PUT, probe) == "done"


def test_outage(workers: Workers) -> None:
    """An outage that lasts longer than calls may pause ends the pauses, and says how long that is."""
    workers.settings = configuration(breaker={"threshold": 3, "max_pause": 30})
    workers.open()
    for _ in range(2):
        workers.wait(15)
        with pytest.raises(WaitingError):
            workers.guarded_calls().call(PUT, service(UNAVAILABLE))
    workers.wait(1)
    with pytest.raises(OutageError, match=r"breaker\.max_pause") as caught:
        workers.guarded_calls().call(PUT, service())
    assert caught.value.code == "InternalServerException"


def test_outage_ends(workers: Workers) -> None:
    """However long it lasted, a due probe is made: its failure is an outage, its success ends it."""
    workers.settings = configuration(breaker={"threshold": 3, "max_pause": 10})
    workers.open()
    workers.wait(15)
    with pytest.raises(OutageError) as caught:
        workers.guarded_calls().call(PUT, service(UNAVAILABLE))
    assert caught.value.__cause__ is UNAVAILABLE
    workers.wait(15)
    assert workers.guarded_calls().call(PUT, service()) == "done"


def test_reset(workers: Workers) -> None:
    """After an operator has cleared a halted run calls probe at once, and pause again when that fails."""
    workers.settings = configuration(breaker={"threshold": 3, "max_pause": 5})
    workers.open()
    workers.wait(6)
    with pytest.raises(OutageError):
        workers.guarded_calls().call(PUT, service())
    workers.guarded_calls().reset()
    with pytest.raises(WaitingError):
        workers.guarded_calls().call(PUT, service(UNAVAILABLE))


def test_reset_nothing(workers: Workers) -> None:
    """Where nothing is overdue there is nothing to reset, and nothing is written."""
    workers.open()
    writes = workers.breakers.writes
    workers.guarded_calls().reset()
    assert workers.breakers.writes == writes
    assert workers.phase is Phase.OPEN


def test_no_breaker(workers: Workers) -> None:
    """Without a breaker nothing is read, counted or reset, and errors go out as they are."""
    workers.settings = configuration(breaker={"enabled": False, "threshold": 1})
    guarded = workers.guarded_calls()
    for error in (UNAVAILABLE, DENIED):
        with pytest.raises(type(error)):
            guarded.call(PUT, service(error))
    guarded.call(PUT, service())
    guarded.reset()
    guarded.finish()
    assert (workers.breakers.reads, workers.breakers.writes) == (0, 0)

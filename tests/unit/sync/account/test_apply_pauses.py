"""Tasks that wait for their turn or for the service, without using up a try."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

import pytest

from contactsync.account_management.api_operations import ApiOperation
from contactsync.errors import (
    AccountsFailedError,
    ContactSyncError,
    HaltedError,
    ServiceUnavailableError,
    ThrottledError,
    WaitingError,
)
from contactsync.operations.operation import OutcomeDetail, OutcomeStatus
from contactsync.pacing.breaker import Phase
from tests.support.builders import account, alternate, configuration
from tests.support.fakes.pacing import FakeLimiter
from tests.support.fakes.surroundings import ContactCall, Fault
from tests.support.worlds.one_account import (
    ALL_FIELDS,
    BILLING,
    DENIED,
    ONE,
    PAUSED,
    PRIMARY,
    SECURITY,
    THROTTLED,
    TWO,
    UNANSWERED,
    UNAVAILABLE,
    UPDATED,
    ending,
    failed,
    halted,
    paused,
    planned,
    raised,
    record,
    stored,
    wait,
    writes,
)
from tests.support.worlds.world import World

THROTTLE_TRIES = 6
PUT = ApiOperation.PUT_ALTERNATE_CONTACT


def throttled(method: str = "write", times: int | None = THROTTLE_TRIES, **settings: object) -> World:
    """Return a planned world in which AWS throttles one method so many times."""
    world = planned(**settings)
    world.contacts.faults.append(Fault(THROTTLED, method, times=times))
    return world


@pytest.mark.parametrize("method", ["read", "write"])
def test_throttled_for_a_moment(method: str) -> None:
    """A throttled call waits inside the task and is made again; that is no failure and no try of its own."""
    world = throttled(method, THROTTLE_TRIES - 1)
    world.sync(ONE)
    assert ending(world) == UPDATED
    assert [attempt.try_number for attempt in stored(world).attempts] == [1]
    assert len(world.clock.slept) >= THROTTLE_TRIES - 1


@pytest.mark.parametrize("method", ["read", "write"])
def test_throttled(method: str) -> None:
    """A call that AWS throttles again and again pauses its task, with no try used up and since when it waits."""
    world = throttled(method)
    started = world.clock.now()
    pause = paused(world)
    assert pause.cause == "TooManyRequestsException"
    assert pause.resume_in > 0
    assert ending(world) == PAUSED
    assert (stored(world).attempts, stored(world).paused_since) == ((), started)
    assert stored(world).error_code == "TooManyRequestsException"
    assert (ONE, SECURITY) not in world.contacts.stored


def test_throttled_leaves_no_mark() -> None:
    """A throttled write was not carried out, so that nobody has to wait it out."""
    world = throttled()
    paused(world)
    assert record(world).mark is None
    assert record(world).fingerprint is None


@pytest.mark.parametrize("method", ["read", "write"])
def test_resumed(method: str) -> None:
    """A task that goes on after a pause settles its account in the same try, and nothing tells of the pause."""
    world = throttled(method)
    pause = paused(world)
    wait(world, pause.resume_in)
    world.sync(ONE)
    assert ending(world) == UPDATED
    assert [attempt.try_number for attempt in stored(world).attempts] == [1]
    assert (stored(world).paused_since, stored(world).error_code) == (None, None)


def test_paused_again() -> None:
    """However often a task pauses, it is paused since the first time."""
    world = throttled(times=None)
    started = world.clock.now()
    for _ in range(3):
        wait(world, paused(world).resume_in)
    assert stored(world).paused_since == started
    assert stored(world).attempts == ()


def test_paused_too_long() -> None:
    """An account that is throttled for as long as calls may pause is failed, and its task may try again."""
    world = throttled(times=None, breaker={"max_pause": 600})
    started = world.clock.now()
    while isinstance(error := raised(ContactSyncError, world), WaitingError):
        wait(world, error.resume_in)
    assert isinstance(error, AccountsFailedError)
    assert error.retryable
    assert (world.clock.now() - started).total_seconds() > 600
    assert ending(world) == (OutcomeStatus.FAILED, OutcomeDetail.THROTTLED)
    assert stored(world).error_code == "TooManyRequestsException"
    assert [attempt.detail for attempt in stored(world).attempts] == [OutcomeDetail.THROTTLED]
    assert stored(world).paused_since is None
    assert record(world).mark is None


def test_next_try_pauses_anew() -> None:
    """The time of a pause counts for one try: the next one may pause as long."""
    world = throttled(times=None, breaker={"max_pause": 60})
    paused(world)
    wait(world, 100)
    failed(world)
    paused(world, 2)
    assert ending(world) == PAUSED
    assert [attempt.try_number for attempt in stored(world).attempts] == [1]


def test_earlier_failure_is_not_told_while_paused() -> None:
    """A paused account's outcome says what it waits for, not what an earlier try had met."""
    world = planned()
    world.contacts.faults += [
        Fault(UNAVAILABLE, "write", times=1),
        Fault(THROTTLED, "write", times=THROTTLE_TRIES),
    ]
    failed(world)
    wait(world, 2)
    paused(world, 2)
    assert stored(world).error_code == "TooManyRequestsException"
    assert "InternalServerException" not in (stored(world).error_message or "")
    assert [attempt.detail for attempt in stored(world).attempts] == [OutcomeDetail.UNAVAILABLE]


def test_backlog() -> None:
    """A queue that is too long pauses the task before any call."""
    world = planned()
    limiter = FakeLimiter(world.clock, world.limiters, error=WaitingError("Backlog", 90.0))
    crowded = replace(world.account_sync, call_guard=replace(world.call_guard, limiter=limiter))
    with pytest.raises(WaitingError, match="90 s"):
        crowded.sync(world.operation(), configuration(), ONE, 1)
    assert ending(world) == PAUSED
    assert stored(world).error_code == "Backlog"
    assert world.contacts.calls == []


def test_long_backlog() -> None:
    """A long queue alone fails nobody, however long an account stands in it."""
    world = planned(breaker={"max_pause": 60})
    limiter = FakeLimiter(world.clock, world.limiters, error=WaitingError("Backlog", 90.0))
    crowded = replace(world.account_sync, call_guard=replace(world.call_guard, limiter=limiter))
    for _ in range(5):
        with pytest.raises(WaitingError):
            crowded.sync(*world.account_sync.open(world.operation().dag_run_id), ONE, 1)
        wait(world, 90)
    assert ending(world) == PAUSED


def test_settled_before_the_pause() -> None:
    """A type that the same try had settled before it paused is not touched again."""
    world = planned("billing", "security")
    world.contacts.faults.append(Fault(THROTTLED, "write", contact_type=SECURITY, times=THROTTLE_TRIES))
    paused(world)
    before = stored(world, BILLING)
    assert before.status is OutcomeStatus.SUCCESS
    world.contacts.calls.clear()
    wait(world, 10)
    assert world.sync(ONE) == [before, stored(world)]
    assert {call.contact_type for call in world.contacts.calls} == {SECURITY}


def test_settled_by_an_earlier_plan() -> None:
    """A type that was settled before the run was planned again is settled again, also in a try of the same number."""
    world = planned()
    world.sync(ONE)
    world.contacts.stored[None, SECURITY] = alternate(Name="Newer")
    wait(world, 60)
    world.plan()
    world.sync(ONE)
    assert world.contacts.stored[ONE, SECURITY] == alternate(Name="Newer")


def test_pause_takes_failures_along() -> None:
    """While one type pauses, one that failed in the same try is tried again with it, still in that try."""
    world = planned("primary", "security")
    world.contacts.faults += [
        Fault(UNAVAILABLE, "write", contact_type=PRIMARY, times=1),
        Fault(THROTTLED, "write", contact_type=SECURITY, times=THROTTLE_TRIES),
    ]
    paused(world)
    assert ending(world, PRIMARY) == (OutcomeStatus.FAILED, OutcomeDetail.UNAVAILABLE)
    wait(world, 10)
    world.sync(ONE)
    assert ending(world, PRIMARY) == ending(world) == UPDATED
    assert [attempt.try_number for attempt in stored(world, PRIMARY).attempts] == [1]


def test_final_failure_beside_a_pause() -> None:
    """What AWS forbids is not asked again when the other type goes on, and is raised then."""
    world = planned("billing", "security")
    world.contacts.faults += [
        Fault(DENIED, "read", contact_type=BILLING),
        Fault(THROTTLED, "write", contact_type=SECURITY, times=THROTTLE_TRIES),
    ]
    paused(world)
    wait(world, 10)
    world.contacts.calls.clear()
    assert not failed(world).retryable
    assert BILLING not in {call.contact_type for call in world.contacts.calls}
    assert ending(world) == UPDATED


def failing(error: ServiceUnavailableError, times: int | None = None, **breaker: object) -> World:
    """Return a planned world in which writes fail for everyone; the third failure opens the breaker."""
    world = planned(count=4, breaker={"threshold": 3, "failure_ratio": 0.1, **breaker})
    world.contacts.faults.append(Fault(error, "write", times=times))
    return world


def phase(world: World) -> Phase:
    """Return the phase of the breaker of the put."""
    return world.breakers.get(PUT).phase


def test_unavailable_for_one() -> None:
    """While the breaker is closed a service error fails its account, and is counted."""
    world = failing(UNAVAILABLE)
    assert failed(world).retryable
    assert ending(world) == (OutcomeStatus.FAILED, OutcomeDetail.UNAVAILABLE)
    assert phase(world) is Phase.CLOSED
    assert sum(outcome_counts.failures for outcome_counts in world.breakers.counters.values()) == 1


@pytest.mark.parametrize("error", [UNAVAILABLE, UNANSWERED], ids=["500", "timeout"])
def test_breaker_opens(error: ServiceUnavailableError) -> None:
    """The failure that opens the breaker pauses its task; what it may have written is told, as one attempt."""
    world = failing(error)
    for number in (2, 3):
        raised(AccountsFailedError, world, account_id=account(number).account_id)
    pause = paused(world)
    assert pause.cause == error.code
    assert phase(world) is Phase.OPEN
    assert ending(world) == PAUSED
    assert [(a.try_number, a.detail, a.written_fields) for a in stored(world).attempts] == [
        (1, OutcomeDetail.PAUSED, ALL_FIELDS)
    ]


@pytest.mark.parametrize("faults", [[], [Fault(DENIED, "write")]], ids=["well", "failed"])
def test_answers_are_counted(faults: list[Fault]) -> None:
    """However a task ends, it reports the calls that were answered: the breaker opens on a share of them."""
    world = planned()
    world.contacts.faults += faults
    world.breakers.counters.clear()
    with suppress(AccountsFailedError):
        world.sync(ONE)
    assert sum(outcome_counts.answers for outcome_counts in world.breakers.counters.values()) == len(
        world.contacts.calls
    )


def opened(error: ServiceUnavailableError = UNAVAILABLE, **breaker: object) -> World:
    """Return a world whose breaker is open, after three failures of other accounts."""
    world = failing(error, 3, **breaker)
    for number in (2, 3, 4):
        raised(ContactSyncError, world, account_id=account(number).account_id)
    world.contacts.calls.clear()
    assert phase(world) is Phase.OPEN
    return world


def test_breaker_is_open() -> None:
    """While the breaker is open no write is made, no record is marked, and no attempt is told."""
    world = opened()
    paused(world)
    assert writes(world) == []
    assert record(world).version == 0
    assert (ending(world), stored(world).attempts) == (PAUSED, ())


def test_probe_succeeds() -> None:
    """When it is time one account probes; its success closes the breaker, and the others go on."""
    world = opened()
    wait(world, 20)
    world.sync(ONE)
    assert phase(world) is Phase.CLOSED
    assert ending(world) == UPDATED
    world.sync(account(4).account_id)
    world.sync(TWO, 2)
    assert {outcome.status for outcome in world.outcomes().values()} == {
        OutcomeStatus.SUCCESS,
        OutcomeStatus.FAILED,
    }


def test_probe_fails() -> None:
    """A probe that fails pauses its task again: no number of failed probes uses up a try."""
    world = opened()
    world.contacts.faults.append(Fault(UNAVAILABLE, "write", times=4))
    for _ in range(4):
        wait(world, 20)
        paused(world)
    wait(world, 20)
    world.sync(ONE)
    assert ending(world) == UPDATED
    assert [attempt.try_number for attempt in stored(world).attempts] == [1]


def test_written_before_the_pause() -> None:
    """A write that arrived before its task paused is credited when the task goes on, in the same try."""
    world = failing(UNAVAILABLE)
    world.contacts.faults[0].applied = True
    world.contacts.faults[0].times = 3
    for number in (2, 3):
        raised(AccountsFailedError, world, account_id=account(number).account_id)
    paused(world)
    wait(world, 20)
    world.sync(ONE)
    assert ending(world) == UPDATED
    assert [(a.try_number, a.written_fields) for a in stored(world).attempts] == [(1, ALL_FIELDS)]
    assert stored(world).changed_fields == ALL_FIELDS


@dataclass
class LateFault(Fault):
    """A fault that begins when something has happened."""

    begins: Callable[[], bool] = lambda: True

    def meets(self, call: ContactCall) -> bool:
        """Tell whether this call fails."""
        return self.begins() and super().meets(call)


def test_paused_while_verifying() -> None:
    """A task that pauses between its write and the look at it tells the write, and goes on with the look."""
    world = planned()

    def written() -> bool:
        return (ONE, SECURITY) in world.contacts.stored

    world.contacts.faults.append(LateFault(THROTTLED, "read", times=THROTTLE_TRIES, begins=written))
    paused(world)
    assert written()
    assert stored(world).attempts[-1].written_fields == ALL_FIELDS
    wait(world, 10)
    world.sync(ONE)
    assert writes(world) == ["write"]
    assert ending(world) == UPDATED


def test_halted_beside_a_pause() -> None:
    """A type that paused is halted with the operation when another one of the account meets the cause."""
    world = planned("billing", "security")
    world.contacts.faults += [
        Fault(THROTTLED, "write", contact_type=BILLING),
        Fault(DENIED, "read", contact_type=SECURITY),
    ]
    wait(world, 60)
    world.organization.trusted = False
    assert isinstance(halted(world), HaltedError)
    assert ending(world, BILLING) == ending(world) == (OutcomeStatus.FAILED, OutcomeDetail.HALTED)


def test_paused_and_excluded() -> None:
    """An account that is excluded while its task pauses is left alone when it goes on."""
    world = throttled()
    wait(world, paused(world).resume_in)
    world.configurations.store(configuration(excluded_accounts=[ONE]))
    world.sync(ONE)
    assert (ONE, SECURITY) not in world.contacts.stored
    assert ending(world) == (OutcomeStatus.SKIPPED, OutcomeDetail.EXCLUDED)


def test_throttled_table() -> None:
    """A throttled table of ours is no reason to pause: the try fails and is repeated."""
    world = planned()
    world.configurations.latest_error = ThrottledError("Query", "ProvisionedThroughputExceededException")
    assert failed(world).retryable
    assert ending(world) == (OutcomeStatus.FAILED, OutcomeDetail.ERROR)

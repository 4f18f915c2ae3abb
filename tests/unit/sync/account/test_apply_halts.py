"""Halted operations: what their tasks do, and how a cleared one goes on when the cause is fixed."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from contactsync.account_management.api_operations import ApiOperation
from contactsync.errors import (
    AccessDeniedError,
    ContactSyncError,
)
from contactsync.operations.operation import Halt, OutcomeDetail, OutcomeStatus
from contactsync.pacing.breaker import BreakerState, Phase
from tests.support.builders import request
from tests.support.fakes.surroundings import START, Fault
from tests.support.worlds.one_account import (
    BILLING,
    CAUSES,
    CHECK_INTERVAL,
    DENIED,
    HALTED,
    ONE,
    SECURITY,
    TWO,
    UNAVAILABLE,
    UPDATED,
    ending,
    failed,
    fix,
    halted,
    mistake_caller,
    paused,
    planned,
    raised,
    record,
    refused,
    stored,
    switch_off,
    wait,
    writes,
)
from tests.support.worlds.world import World


def stopped(cause: Callable[[World], None] = switch_off, *, types: tuple[str, ...] = ("security",)) -> World:
    """Return a world whose operation is halted: one account was refused, for a cause that concerns all."""
    world = refused(types=types)
    cause(world)
    halted(world)
    return world


def test_others_are_halted() -> None:
    """Tasks that start after a halt make no call, neither to AWS nor for a check, and say the same."""
    world = stopped()
    world.contacts.calls.clear()
    fix(world)
    error = halted(world, account_id=TWO)
    assert world.contacts.calls == []
    assert world.outcomes()[TWO, SECURITY].detail is OutcomeDetail.HALTED
    assert world.outcomes()[TWO, SECURITY].error_message == str(error)
    assert world.operation().halt is not None


def test_all_types_are_halted() -> None:
    """When one type meets the cause, the account's later ones make no call."""
    world = refused(types=("security", "billing"))
    world.contacts.faults.append(Fault(DENIED, "read", ONE, BILLING))
    switch_off(world)
    halted(world)
    assert ending(world, BILLING) == ending(world, SECURITY) == HALTED
    assert len(world.contacts.calls) == 1


def test_ruled_out_is_not_halted() -> None:
    """What the plan ruled out stays as it is in a halted operation."""
    excluded = {"contact_types": {"billing": {"exclude": {"accounts": [ONE]}}}}
    world = planned("billing", "security", scope=excluded)
    world.contacts.faults.append(Fault(DENIED, "read", ONE))
    wait(world, 60)
    switch_off(world)
    halted(world)
    assert stored(world, BILLING).detail is OutcomeDetail.EXCLUDED
    assert ending(world) == HALTED


def test_success_is_not_halted() -> None:
    """What an earlier try brought to the desired contact stays a success when the next one is halted."""
    world = planned("billing", "security")
    world.contacts.faults.append(Fault(UNAVAILABLE, "write", ONE, SECURITY, times=1))
    failed(world)
    wait(world, 60)
    world.operations.halt(world.operation(), Halt("TrustedAccessOff", "It is off.", world.clock.now()))
    halted(world, 2)
    assert ending(world, BILLING) == UPDATED
    assert ending(world) == HALTED


def test_cleared_and_mended() -> None:
    """A task that was halted and then cleared looks again, lifts the halt when the cause is fixed, and goes on."""
    world = stopped()
    fix(world)
    wait(world, 60)
    world.sync(ONE, 2, first_try=2)
    assert ending(world) == UPDATED
    assert world.operation().halt is None
    world.sync(TWO, 1)
    assert world.outcomes()[TWO, SECURITY].status is OutcomeStatus.SUCCESS


@pytest.mark.parametrize(("cause", "kind"), CAUSES)
def test_cleared_and_not_mended(cause: Callable[[World], None], kind: type[ContactSyncError]) -> None:
    """A cleared task that finds the cause again makes no other call, and tells what it found."""
    world = stopped(cause)
    world.contacts.calls.clear()
    wait(world, 60)
    error = halted(world, 2, first_try=2)
    assert kind.__name__.removesuffix("Error") in error.code or issubclass(kind, AccessDeniedError)
    assert world.contacts.calls == []
    assert ending(world) == HALTED
    halt = world.operation().halt
    assert halt is not None
    assert halt.at == world.clock.now()


def test_cleared_and_another_cause() -> None:
    """A cleared task that finds another cause stores that one."""
    world = stopped(switch_off)
    fix(world)
    mistake_caller(world)
    wait(world, 60)
    halted(world, 2, first_try=2)
    halt = world.operation().halt
    assert halt is not None
    assert halt.code == "CallerMismatch"


def test_only_cleared_tasks_look() -> None:
    """A retry of a halted task is halted without a look: nobody has fixed anything yet."""
    world = stopped()
    fix(world)
    wait(world, 60)
    halted(world, 2)
    assert world.operation().halt is not None


def test_one_of_many_cleared_tasks_looks() -> None:
    """Of a thousand tasks that are cleared at once, one looks again while the cause stands; the others trust it."""
    world = stopped()
    halted(world, account_id=TWO)
    wait(world, 60)
    halted(world, 2, first_try=2)
    found = world.operation().halt
    wait(world, CHECK_INTERVAL - 1)
    fix(world)
    halted(world, 2, first_try=2, account_id=TWO)
    assert world.operation().halt == found


def test_refused_before_the_halt() -> None:
    """An account that was refused just before the halt is cleared with the others, and needs no second clearing."""
    world = planned(breaker={"check_interval": CHECK_INTERVAL})
    world.contacts.faults.append(Fault(DENIED, "read"))
    switch_off(world)
    failed(world)  # moments after the plan, which found all well
    wait(world, 60)
    halted(world, account_id=TWO)
    fix(world)
    wait(world, 60)
    world.sync(ONE, 2, first_try=2)
    assert ending(world) == UPDATED


def test_killed_before_the_halt_was_recorded() -> None:
    """A task that was killed after it stored the halt looks again when it is cleared, whatever its outcome says."""
    world = planned()
    world.operations.halt(world.operation(), Halt("TrustedAccessOff", "It is off.", world.clock.now()))
    world.reporter.report(world.operation().dag_run_id, {ONE: "failed"}, has_plan=True)
    wait(world, 60)
    world.sync(ONE, 2, first_try=2)
    assert ending(world) == UPDATED


def test_halt_of_an_older_plan() -> None:
    """A task of a plan that was overtaken does not halt the operation of the newer one."""
    world = refused()
    older, settings = world.account_sync.open(world.operation().dag_run_id)
    world.plan()
    wait(world, 60)
    switch_off(world)
    with pytest.raises(ContactSyncError):
        world.account_sync.sync(older, settings, ONE, 1)
    assert world.operation().halt is None


def test_plan_lifts_the_halt() -> None:
    """A run that is planned again begins without a halt."""
    world = stopped()
    fix(world)
    world.plan()
    world.sync(ONE, 2, first_try=2)
    assert ending(world) == UPDATED


def outage(api: ApiOperation, *, lasts: float) -> World:
    """Return a world in which a call has failed for everyone for so long, and is probed all the time."""
    world = planned(breaker={"max_pause": 1000})
    wait(world, 2000)
    began, now = world.clock.now() - timedelta(seconds=lasts), world.clock.now()
    world.breakers.states[api] = BreakerState(
        api, 1, Phase.OPEN, since=began, tried=now - timedelta(seconds=1), cause="InternalServerException"
    )
    return world


@pytest.mark.parametrize("api", [ApiOperation.GET_ALTERNATE_CONTACT, ApiOperation.PUT_ALTERNATE_CONTACT])
def test_outage(api: ApiOperation) -> None:
    """An outage that lasts for longer than calls may pause halts the operation."""
    world = outage(api, lasts=1100)
    error = halted(world)
    assert error.code == "InternalServerException"
    assert "1000 s" in str(error)
    assert ending(world) == HALTED
    assert writes(world) == []
    assert record(world).mark is None
    assert world.operation().halt is not None


def test_shorter_outage() -> None:
    """A shorter one only pauses."""
    world = outage(ApiOperation.GET_ALTERNATE_CONTACT, lasts=900)
    paused(world)
    assert world.operation().halt is None


def test_cleared_after_an_outage() -> None:
    """A task that an outage halted tries again when it is cleared, and counts the outage's time again."""
    world = outage(ApiOperation.GET_ALTERNATE_CONTACT, lasts=1100)
    halted(world)
    wait(world, 60)
    world.sync(ONE, 2, first_try=2)
    assert ending(world) == UPDATED
    assert world.breakers.get(ApiOperation.GET_ALTERNATE_CONTACT).phase is Phase.CLOSED


def test_cleared_and_outage_goes_on() -> None:
    """When the outage still goes on the cleared task pauses as in a new one, and does not halt at once."""
    world = outage(ApiOperation.GET_ALTERNATE_CONTACT, lasts=1100)
    halted(world)
    wait(world, 60)
    world.contacts.faults.append(Fault(UNAVAILABLE, "read"))
    raised(ContactSyncError, world, 2, first_try=2)
    assert world.operation().halt is None
    assert ending(world)[1] in {OutcomeDetail.PAUSED, OutcomeDetail.UNAVAILABLE}


def test_other_operation_is_not_halted() -> None:
    """A halt is one operation's: another run finds out for itself."""
    world = stopped()
    fix(world)
    world.plan(request(dag_run_id="another run"))
    world.sync(ONE, run="another run")
    assert world.outcomes("another run")[ONE, SECURITY].status is OutcomeStatus.SUCCESS
    assert world.operation().halt is not None
    assert world.clock.now() > START

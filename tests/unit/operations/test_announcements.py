"""What contact synchronization announces: in the transaction of the change, once, and without contact values."""

from dataclasses import replace
from typing import Any

import pytest

from contactsync.bus.envelope import Announcement
from contactsync.bus.events import (
    AccountFailed,
    AccountsWritten,
    SyncOperationCompleted,
    SyncOperationFailed,
    SyncOperationHalted,
    SyncOperationStarted,
)
from contactsync.contacts import ContactType
from contactsync.errors import (
    AccessDeniedError,
    AccountsFailedError,
    OperationMissingError,
    ServiceUnavailableError,
)
from contactsync.operations.announcements import account_failed
from contactsync.operations.operation import Halt, sync_id_of
from tests.support.builders import RUN, account, change_of, request
from tests.support.fakes.surroundings import START, Fault
from tests.support.worlds.world import World

IDS = tuple(account(number).account_id for number in (1, 2, 3))
DENIED = AccessDeniedError("GetAlternateContact", "AccessDeniedException", IDS[0])
UNAVAILABLE = ServiceUnavailableError("PutAlternateContact", "InternalServerException", IDS[0])
SECURITY = ContactType.SECURITY


def ran(*faults: Fault, **settings: Any) -> World:
    """Return a world whose run of three accounts has come to its report."""
    world = World.of(3, contact_types=["security"], **settings)
    world.contacts.faults += faults
    for account_id in world.plan():
        try:
            world.sync(account_id)
        except AccountsFailedError:
            continue
    return world


def report(world: World) -> None:
    """Report, with Airflow's states as the outcomes have them."""
    world.reporter.report(RUN, dict.fromkeys(IDS, "success"), has_plan=True)


def sent(world: World, kind: type) -> list[Announcement]:
    """Return what was announced of one type."""
    return [announced for announced in world.announcer.sent if isinstance(announced.data, kind)]


def test_started() -> None:
    """A plan announces its operation with what started it."""
    world = World.of(2, contact_types=["security"])
    world.plan()
    (started,) = sent(world, SyncOperationStarted)
    assert isinstance(started.data, SyncOperationStarted)
    assert started.data.sync_id == started.subject == sync_id_of(RUN)
    assert started.data.contact_types == (SECURITY,)
    assert (started.time, started.correlation_id) == (START, RUN)
    assert world.state.outbox == []


def test_planned_again() -> None:
    """A cleared plan starts the operation again, as another event."""
    world = World.of(2, contact_types=["security"])
    world.plan()
    world.clock.sleep(60)
    world.plan()
    first, second = sent(world, SyncOperationStarted)
    assert first.id != second.id
    assert first.subject == second.subject


def test_correlation() -> None:
    """Everything that a change led to carries the change's event id."""
    world = World.of(1, contact_types=["security"])
    event_id = "0c5a3c9e-8f5f-4b1e-9f0d-2f4a6c1f7d10"
    world.plan(request(dag_run_id="another-run", change=change_of("security", event_id=event_id)))
    (started,) = sent(world, SyncOperationStarted)
    assert started.correlation_id == event_id


def test_completed() -> None:
    """A report that finds no failure announces the end with its counts, and no account."""
    world = ran()
    report(world)
    (ended,) = sent(world, SyncOperationCompleted)
    assert isinstance(ended.data, SyncOperationCompleted)
    assert ended.data.counts == {"success": 3}
    assert sent(world, AccountFailed) == []
    assert world.state.outbox == []


def test_failed() -> None:
    """A report with failures announces them before the end, each with its account, type and error code."""
    world = ran(Fault(UNAVAILABLE, "write", IDS[0]), Fault(DENIED, "read", IDS[1]))
    report(world)
    assert [type(announced.data) for announced in world.announcer.sent] == [
        SyncOperationStarted,
        AccountFailed,
        AccountFailed,
        AccountsWritten,
        SyncOperationFailed,
    ]
    details = {
        a.data.account_id: a.data.detail for a in sent(world, AccountFailed) if isinstance(a.data, AccountFailed)
    }
    assert details == {IDS[0]: "unavailable", IDS[1]: "permission_denied"}


def test_announced_once() -> None:
    """A report that runs again announces no account again, and the same end as the same event."""
    world = ran(Fault(UNAVAILABLE, "write", IDS[0]))
    report(world)
    world.clock.sleep(30)
    report(world)
    assert len(sent(world, AccountFailed)) == 1
    assert len({ended.id for ended in sent(world, SyncOperationFailed)}) == 1


def test_ends_again() -> None:
    """Failed, cleared and completed, cleared and failed as before: three events, so that listeners end at the last."""
    world = ran(Fault(UNAVAILABLE, "write", IDS[0]))
    report(world)
    settled = world.outcomes()[IDS[0], SECURITY]
    world.contacts.faults.clear()
    world.sync(IDS[0], 2, first_try=2)
    report(world)
    world.operations.settle_outcome(
        world.operation(), replace(settled, attempts=world.outcomes()[IDS[0], SECURITY].attempts)
    )
    report(world)
    ends = [a for a in world.announcer.sent if isinstance(a.data, (SyncOperationFailed, SyncOperationCompleted))]
    assert [type(a.data) for a in ends] == [SyncOperationFailed, SyncOperationCompleted, SyncOperationFailed]
    assert ends[0].data.counts == ends[2].data.counts  # type: ignore[union-attr] # both are failed ends
    assert len({a.id for a in ends}) == 3
    assert world.operation().ends == 3


def test_failed_again() -> None:
    """An account that fails once more after a clear is announced once more; the end that differs is another event."""
    world = ran(Fault(UNAVAILABLE, "write", IDS[0]), Fault(UNAVAILABLE, "write", IDS[1]))
    report(world)
    world.clock.sleep(60)
    world.contacts.faults[:] = [Fault(UNAVAILABLE, "write", IDS[0])]
    for account_id in IDS[:2]:
        try:
            world.sync(account_id, 2, first_try=2)
        except AccountsFailedError:
            continue
    report(world)
    failed = [announced.subject for announced in sent(world, AccountFailed)]
    assert sorted(failed) == sorted([IDS[0], IDS[1], IDS[0]])
    assert len({ended.id for ended in sent(world, SyncOperationFailed)}) == 2


def test_halted() -> None:
    """A halted operation has one event with its cause."""
    world = ran()
    world.operations.halt(world.operation(), Halt("TrustedAccessOff", "Switch it on.", START))
    report(world)
    (halted,) = sent(world, SyncOperationHalted)
    assert isinstance(halted.data, SyncOperationHalted)
    assert (halted.data.code, halted.data.message) == ("TrustedAccessOff", "Switch it on.")


def test_without_plan() -> None:
    """A report of a run whose plan failed announces a failed operation."""
    world = World.of(1, contact_types=["security"])
    world.plan()
    with pytest.raises(OperationMissingError):
        world.reporter.report(RUN, {}, has_plan=False)
    assert len(sent(world, SyncOperationFailed)) == 1


def test_closed() -> None:
    """An operation that housekeeping closes is announced as ended, once."""
    world = World.of(2, contact_types=["security"])
    world.plan()
    world.housekeeper.close_abandoned(lambda _: None)
    world.housekeeper.close_abandoned(lambda _: None)
    assert len(sent(world, SyncOperationFailed)) == 1


def test_settled_meanwhile() -> None:
    """An account that a task settles between the report's look and its mark is left to the next report."""
    world = ran(Fault(UNAVAILABLE, "write", IDS[0]))
    operations = world.operations
    (failed,) = (outcome for outcome in operations.outcomes(sync_id_of(RUN)) if outcome.account_id == IDS[0])
    made = account_failed(world.operation(), failed)
    assert made
    world.clock.sleep(5)
    world.contacts.faults.clear()
    world.sync(IDS[0], 2)
    assert list(operations.announce_failures(world.operation(), [(failed, made)])) == []
    assert failed.error_code == "InternalServerException"


def test_follow_up_keeps_correlation() -> None:
    """A follow-up run belongs to the change that started the first one."""
    world = ran()
    world.contacts.stored[None, SECURITY] = None
    found = world.reporter.report(RUN, dict.fromkeys(IDS, "success"), has_plan=True)
    assert found.follow_up is not None
    assert found.follow_up.conf["correlation_id"] == RUN

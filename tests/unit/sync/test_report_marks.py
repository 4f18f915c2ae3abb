"""Marks that the tasks of an operation left behind: writes that nobody settled."""

from dataclasses import replace

import pytest

from contactsync.contacts import ContactType
from contactsync.errors import AccountsFailedError, ContactSyncError, OperationFailedError, ServiceUnavailableError
from contactsync.operations.account_record import Mark
from contactsync.operations.operation import Halt, OperationStatus, OutcomeDetail, OutcomeStatus
from contactsync.sync.report import Report
from tests.support.builders import RUN, account, alternate, request
from tests.support.fakes.state import FakeRecords
from tests.support.fakes.surroundings import START, Fault
from tests.support.worlds.world import World

SECURITY, BILLING = ContactType.SECURITY, ContactType.BILLING
IDS = tuple(account(number).account_id for number in (1, 2, 3))
UNSETTLED = (OutcomeStatus.FAILED, OutcomeDetail.UNSETTLED)
SUCCESS = dict.fromkeys(IDS, "success")


def ran(*contact_types: str, count: int = 3) -> World:
    """Return a world whose run went well."""
    world = World.of(count, contact_types=list(contact_types or ("security",)))
    for account_id in world.plan():
        world.sync(account_id)
    return world


def leave_mark(world: World, account_id: str, contact_type: ContactType = SECURITY, owner: str | None = None) -> None:
    """Leave a mark behind, as a task whose process was killed does; of this operation unless told otherwise."""
    mark = Mark("a token", owner or world.operation().sync_id, 1, START)
    assert world.records.replace(world.records.get(account_id, contact_type), mark=mark)


def report(world: World, run: str = RUN) -> Report:
    """Report, all tasks having succeeded."""
    return world.reporter.report(run, SUCCESS, has_plan=True)


def test_left_behind() -> None:
    """An account with a mark of the operation left behind is failed, whatever its outcome was, and says what to do."""
    world = ran()
    leave_mark(world, IDS[0])
    found = report(world)
    outcome = world.outcomes()[IDS[0], SECURITY]
    assert (outcome.status, outcome.detail, outcome.error_code) == (*UNSETTLED, "Unsettled")
    assert "clear the task `sync_account` of this account with Downstream selected" in (outcome.error_message or "")
    assert found.outcome_counts.counts == {"success": 2, "failed": 1}
    assert world.operation().status is OperationStatus.FAILED
    with pytest.raises(OperationFailedError, match=r"1 of 3.*unsettled also clear the task `sync_account`"):
        found.check()


def test_one_type() -> None:
    """Only the contact type that was marked is failed."""
    world = ran("billing", "security")
    leave_mark(world, IDS[0], BILLING)
    report(world)
    failed = [key for key, outcome in world.outcomes().items() if outcome.status is OutcomeStatus.FAILED]
    assert failed == [(IDS[0], BILLING)]


def test_another_operation_s() -> None:
    """A mark of another operation is that one's to account for."""
    world = ran()
    leave_mark(world, IDS[0], owner="another operation")
    report(world).check()


def test_many_accounts() -> None:
    """Marks are found however many accounts there are: a read takes a hundred records at most."""
    world = World.of(230, contact_types=["security"], rates={"enabled": False})
    accounts = world.plan()
    for account_id in accounts:
        world.sync(account_id)
    for account_id in (accounts[0], accounts[120], accounts[229]):
        leave_mark(world, account_id)
    assert report(world).outcome_counts.details == {"updated": 227, "unsettled": 3}


def test_failure_keeps_its_reason() -> None:
    """A failed account whose write was not answered keeps the reason that its task gave."""
    world = World.of(1, contact_types=["security"])
    error = ServiceUnavailableError("PutAlternateContact", "ReadTimeoutError", IDS[0], answered=False)
    world.contacts.faults.append(Fault(error, "write"))
    world.plan()
    with pytest.raises(AccountsFailedError):
        world.sync(IDS[0])
    report(world)
    outcome = world.outcomes()[IDS[0], SECURITY]
    assert (outcome.detail, outcome.error_code) == (OutcomeDetail.UNAVAILABLE, "ReadTimeoutError")


def test_cleared() -> None:
    """A task that is cleared waits the mark out and writes, and the run turns green."""
    world = ran()
    leave_mark(world, IDS[0])
    report(world)
    world.contacts.calls.clear()
    world.sync(IDS[0], 2, first_try=2)
    assert [call.method for call in world.contacts.changes()] == ["write"]
    report(world).check()
    assert world.outcomes()[IDS[0], SECURITY].status is OutcomeStatus.SUCCESS


def test_settled_by_another_run() -> None:
    """A mark that a later run has waited out is left behind no more."""
    world = ran()
    leave_mark(world, IDS[0])
    world.contacts.stored[None, SECURITY] = alternate(Name="Newer")
    world.plan(request(dag_run_id="newer"))
    world.sync(IDS[0], run="newer")
    report(world).check()


def test_reported_twice() -> None:
    """A report that runs twice judges the same."""
    world = ran()
    leave_mark(world, IDS[0])
    assert report(world).outcome_counts == report(world).outcome_counts


class UnreadableRecords(FakeRecords):
    """Records that cannot be read."""

    def many(self, keys: object, unreadable: object = None) -> object:  # type: ignore[override]  # noqa: ARG002 -- the port's
        """Refuse."""
        raise ServiceUnavailableError("BatchGetItem", f"InternalServerError-{type(keys).__name__}")


def test_unreadable() -> None:
    """Without the records nothing is called well: the report fails, stores no status, and is tried again."""
    world = ran()
    reporter = replace(world.reporter, records=UnreadableRecords(world.state))
    with pytest.raises(ContactSyncError) as caught:
        reporter.report(RUN, SUCCESS, has_plan=True)
    assert caught.value.retryable
    assert world.operation().status is OperationStatus.IN_PROGRESS


def test_unreadable_record() -> None:
    """An account whose record cannot be read may carry a mark: it is failed and says so, and no other is."""
    world = ran()
    records = FakeRecords(world.state)
    records.unreadable = {(IDS[0], SECURITY)}
    found = replace(world.reporter, records=records).report(RUN, SUCCESS, has_plan=True)
    outcome = world.outcomes()[IDS[0], SECURITY]
    assert (outcome.status, outcome.detail, outcome.error_code) == (*UNSETTLED, "Unsettled")
    assert "record cannot be read" in (outcome.error_message or "")
    assert found.outcome_counts.counts == {"success": 2, "failed": 1}


def test_unreadable_record_of_dry_run() -> None:
    """A dry run writes to no account, so that no record can hold a mark of it."""
    world = World.of(1, contact_types=["security"])
    (account_id,) = world.plan(request(dry_run=True))
    world.sync(account_id)
    world.records.replace(world.records.get(account_id, SECURITY), generation=1)
    records = FakeRecords(world.state)
    records.unreadable = {(account_id, SECURITY)}
    assert replace(world.reporter, records=records).report(RUN, SUCCESS, has_plan=True).outcome_counts.failures == 0


def test_halted() -> None:
    """A mark left behind in a halted operation is told like any other."""
    world = ran()
    leave_mark(world, IDS[0])
    world.operations.halt(world.operation(), Halt("TrustedAccessOff", "It is off.", START))
    report(world)
    assert world.outcomes()[IDS[0], SECURITY].detail is OutcomeDetail.UNSETTLED


@pytest.mark.parametrize("detail", [OutcomeDetail.EXCLUDED, OutcomeDetail.NOT_ACTIVE])
def test_out_of_reach(detail: OutcomeDetail) -> None:
    """A mark on an account that may not be touched any more fails nothing: no further try could settle it."""
    world = ran()
    outcome = world.outcomes()[IDS[0], SECURITY]
    world.operations.settle_outcome(world.operation(), replace(outcome, status=OutcomeStatus.SKIPPED, detail=detail))
    leave_mark(world, IDS[0])
    assert report(world).outcome_counts.failures == 0

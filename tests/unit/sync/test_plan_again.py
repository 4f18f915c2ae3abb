"""A plan that is tried again, repeated, interrupted or overtaken, and a run that was deleted and is started again."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from contactsync.accounts import Account
from contactsync.contacts import ContactType
from contactsync.errors import (
    AccessDeniedError,
    AccountsFailedError,
    OvertakenError,
    ServiceUnavailableError,
    ThrottledError,
)
from contactsync.operations.desired import DesiredContact
from contactsync.operations.operation import AccountOutcome, OperationStatus, OutcomeStatus, SyncOperation
from tests.support.builders import MANAGEMENT_ACCOUNT, RUN, account, alternate, configuration, request
from tests.support.fakes.state import FakeOperations
from tests.support.fakes.surroundings import START, FakeOrganization, Fault
from tests.support.worlds.world import World

SECURITY, PRIMARY = ContactType.SECURITY, ContactType.PRIMARY
IDS = tuple(account(number).account_id for number in (1, 2, 3))


class RunsMeanwhile(FakeOrganization):
    """An organization that lets something happen the first time its accounts are listed."""

    happen: Callable[[], object] | None = None

    def accounts(self) -> Iterator[Account]:
        """Let it happen, then list."""
        happen, self.happen = self.happen, None
        if happen:
            happen()
        return super().accounts()


def test_taken_for_dead() -> None:
    """A try that was taken for dead, and stores its plan after the next try's, changes nothing any more."""
    world = World.of(1, contact_types=["security"])
    world.organization = RunsMeanwhile(world.organization.members, MANAGEMENT_ACCOUNT)

    def next_try() -> None:
        world.clock.sleep(30)
        world.plan()
        world.sync(IDS[0])
        world.clock.sleep(30)
        world.contacts.stored[None, SECURITY] = alternate(Name="Somebody Else")

    world.organization.happen = next_try
    with pytest.raises(OvertakenError):
        world.plan()
    assert world.operation().planned == START + timedelta(seconds=30)
    assert world.state.desired[SECURITY].contact == world.contacts.stored[IDS[0], SECURITY]


@pytest.mark.parametrize("ahead", [0, 5, 10])
def test_after_a_try_on_a_clock_ahead(ahead: float) -> None:
    """A plan that is tried again on a worker whose clock is behind the first one's, as far as is allowed, counts."""
    world = World.of(2, contact_types=["security"])
    world.plan()
    world.clock.sleep(-ahead)
    world.plan()
    for account_id in (account(1).account_id, account(2).account_id):
        world.sync(account_id)
    assert {outcome.status for outcome in world.outcomes().values()} == {OutcomeStatus.SUCCESS}


def test_after_a_try_far_ahead() -> None:
    """A clock that is further ahead than any may be stays an error."""
    world = World.of(2, contact_types=["security"])
    world.plan()
    world.clock.sleep(-11)
    with pytest.raises(OvertakenError):
        world.plan()


def test_overtaken() -> None:
    """A plan that is overtaken between counting and storing leaves the newer desired contact in place."""
    world = World.of(1, contact_types=["security"])
    newer = DesiredContact(SECURITY, 9, "another", alternate(Name="Newer"))

    class Overtaken(FakeOperations):
        def raise_generation(self, contact_type: ContactType) -> int:
            raised = super().raise_generation(contact_type)
            self._state.desired[SECURITY] = newer
            return raised

    replace(world.planner, operations=Overtaken(world.state)).plan(request(), map_limit=10)
    assert world.state.desired[SECURITY] is newer
    assert world.operation().plans[SECURITY].generation == 1


class WatchedOperations(FakeOperations):
    """Operations that note the operation's status whenever its outcomes are written, and can fail then."""

    seen: list[OperationStatus]
    error: Exception | None = None

    def store_outcomes(self, operation: SyncOperation, outcomes: Iterable[AccountOutcome]) -> None:
        """Note the status."""
        super().store_outcomes(operation, outcomes)
        self._note(operation)

    def remove_outcomes(self, operation: SyncOperation, outcomes: Iterable[AccountOutcome]) -> None:
        """Note the status, then fail if the test says so."""
        super().remove_outcomes(operation, outcomes)
        self._note(operation)
        if self.error:
            raise self.error

    def _note(self, operation: SyncOperation) -> None:
        stored = self.get(operation.sync_id)
        self.seen = [*getattr(self, "seen", []), stored.status if stored else OperationStatus.FAILED]


def test_pending_until_outcomes_are_stored() -> None:
    """The operation is in progress only when all of its outcomes are there, also when it is planned again."""
    world = World.of(2)
    operations = WatchedOperations(world.state)
    for _ in range(2):
        replace(world.planner, operations=operations).plan(request(), map_limit=9)
        assert world.operation().status is OperationStatus.IN_PROGRESS
    assert set(operations.seen) == {OperationStatus.PENDING}


def test_interrupted() -> None:
    """A plan that ends before all outcomes are stored leaves an operation that is not in progress."""
    world = World.of(2)
    world.plan()
    operations = WatchedOperations(world.state)
    operations.error = ThrottledError("BatchWriteItem", "ThrottlingException")
    with pytest.raises(ThrottledError):
        replace(world.planner, operations=operations).plan(request(), map_limit=9)
    assert world.operation().status is OperationStatus.PENDING


def test_times_of_a_repeated_plan() -> None:
    """A repeated plan keeps the operation's first time, from which it expires, and notes its own."""
    world = World.of(1)
    world.plan()
    assert (world.operation().timestamp, world.operation().planned) == (START, START)
    world.clock.sleep(3600)
    world.plan()
    assert (world.operation().timestamp, world.operation().planned) == (START, START + timedelta(hours=1))


def test_deleted_run_again() -> None:
    """A run that was deleted in Airflow and started again with its id counts tries from 1, and is settled again."""
    world = World.of(2, contact_types=["security"], rates={"enabled": False})
    error = ServiceUnavailableError("PutAlternateContact", "InternalServerException", IDS[0])
    world.contacts.faults.append(Fault(error, "write", IDS[0], times=3))
    world.plan()
    for number in (1, 2, 3):
        world.clock.sleep(60)
        with pytest.raises(AccountsFailedError):
            world.sync(IDS[0], number)
    world.sync(IDS[1])
    world.contacts.stored[None, SECURITY] = alternate(Name="Newer")
    world.clock.sleep(60)
    world.plan()
    for account_id in IDS[:2]:
        world.sync(account_id, 1)
        assert world.contacts.stored[account_id, SECURITY] == alternate(Name="Newer")
        assert world.outcomes()[account_id, SECURITY].status is OutcomeStatus.SUCCESS
        assert world.outcomes()[account_id, SECURITY].attempts[-1].started == world.clock.now()
    world.reporter.report(RUN, dict.fromkeys(IDS[:2], "success"), has_plan=True).check()


def test_deleted_run_again_after_denial() -> None:
    """What AWS refused in a run that was deleted is tried again when the run is started again with its id."""
    world = World.of(1, contact_types=["security"])
    world.contacts.faults.append(
        Fault(AccessDeniedError("GetAlternateContact", "AccessDeniedException", IDS[0]), "read", IDS[0], times=1)
    )
    world.plan()
    with pytest.raises(AccountsFailedError):
        world.sync(IDS[0], 1)
    world.clock.sleep(60)
    world.plan()
    world.sync(IDS[0], 1)
    assert world.contacts.stored[IDS[0], SECURITY] == alternate()


def test_repeated_with_fewer_types() -> None:
    """A plan that is repeated after a contact type was taken out of the configuration still stores its operation."""
    world = World.of(1)
    world.state.generations[PRIMARY] = 40
    world.plan()
    world.configurations.store(configuration(contact_types=["security"]))
    world.plan()
    assert world.operation().contact_types == (SECURITY,)

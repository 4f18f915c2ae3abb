"""A plan that is cleared without what comes after it: nothing is green over what only an earlier plan had settled."""

from collections.abc import Callable

import pytest

from contactsync.contacts import ContactType
from contactsync.errors import OperationFailedError
from contactsync.operations.operation import OutcomeDetail, SyncOperation
from contactsync.sync.housekeeping import RunState
from tests.support.builders import RUN, account, alternate, configuration, members, request
from tests.support.worlds.world import World

SECURITY = ContactType.SECURITY
ONE, TWO, THREE = IDS = tuple(account(number).account_id for number in (1, 2, 3))
TYPES = {"contact_types": ["security"]}


def ran(world: World | None = None, **parts: object) -> World:
    """Return a world whose run has ended; a minute later."""
    world = world or World.of(3, **TYPES)
    listed = world.plan(request(**parts))
    for account_id in listed:
        world.sync(account_id)
    world.reporter.report(RUN, dict.fromkeys(listed, "success"), has_plan=True, listed=listed).check()
    world.clock.sleep(60)
    return world


def report(world: World, listed: tuple[str, ...]) -> SyncOperation:
    """Clear the report alone."""
    found = world.reporter.report(RUN, dict.fromkeys(IDS, "success"), has_plan=True, listed=listed)
    with pytest.raises(OperationFailedError):
        found.check()
    return found.operation


def housekeep(world: World, listed: tuple[str, ...]) -> SyncOperation:
    """Let housekeeping find the run, which Airflow calls green: no other task of it is open."""
    del listed
    (closed,) = world.housekeeper.close_abandoned(lambda _: RunState.SUCCESS)
    return closed


def change_contact(world: World) -> None:
    """Put another contact in the management account."""
    world.contacts.stored[None, SECURITY] = alternate(Name="Newer")


def change_nothing(world: World) -> None:
    """Leave all as it is: the plan asks for a look at each account all the same."""


def delete_contact(world: World) -> None:
    """Delete the contact, which the policy propagates."""
    world.contacts.stored[None, SECURITY] = None  # type: ignore[assignment] # as the fake answers it
    world.configurations.store(configuration(**TYPES, deletion={"policy": "propagate"}))


@pytest.mark.parametrize("close", [report, housekeep])
@pytest.mark.parametrize("happens", [change_contact, change_nothing, delete_contact])
def test_green_over_an_earlier_plan(
    happens: Callable[[World], None], close: Callable[[World, tuple[str, ...]], SyncOperation]
) -> None:
    """What the accounts were brought to by an earlier plan is no success of the latest one."""
    world = ran()
    happens(world)
    listed = world.plan()
    closed = close(world, listed)
    assert (closed.status, closed.counts) == ("failed", {"failed": 3})
    outcome = world.outcomes()[ONE, SECURITY]
    assert outcome.detail is OutcomeDetail.NO_OUTCOME
    assert "clear the task `plan` with Downstream selected" in (outcome.error_message or "")


@pytest.mark.parametrize("close", [report, housekeep])
def test_as_advised(close: Callable[[World, tuple[str, ...]], SyncOperation]) -> None:
    """Cleared as it is said there, the run ends green and every account carries the newest contact."""
    world = ran()
    change_contact(world)
    close(world, world.plan())
    world.clock.sleep(60)
    listed = world.plan()
    for account_id in listed:
        world.sync(account_id, 2, first_try=2)
    world.reporter.report(RUN, dict.fromkeys(listed, "success"), has_plan=True, listed=listed).check()
    assert {world.contacts.stored[account_id, SECURITY] for account_id in IDS} == {alternate(Name="Newer")}


def test_included_meanwhile() -> None:
    """An account that the earlier plan found excluded, and that no task has met since, is not left out quietly."""
    world = World.of(3, **TYPES, excluded_accounts=[ONE])
    ran(world)
    world.configurations.store(configuration(**TYPES))
    world.plan()
    closed = housekeep(world, ())
    assert closed.status == "failed"
    assert "`plan`" in (world.outcomes()[ONE, SECURITY].error_message or "")


def test_account_created_meanwhile() -> None:
    """An account that has no task, because only the plan ran again, is failed, and it says what to clear."""
    world = ran(World.of(2, **TYPES))
    world.organization.members = members(3)
    world.plan()
    assert housekeep(world, ()).counts == {"failed": 3}
    assert "`plan`" in (world.outcomes()[THREE, SECURITY].error_message or "")


def test_dry_run() -> None:
    """What an earlier plan of a dry run found is no finding of the latest one."""
    world = ran(dry_run=True)
    change_contact(world)
    closed = housekeep(world, world.plan(request(dry_run=True)))
    assert closed.counts == {"failed": 3}


def test_clock_behind() -> None:
    """A task on a worker whose clock is behind the plan's is one of that plan."""
    world = ran()
    change_contact(world)
    listed = world.plan()
    world.clock.sleep(-10)
    for account_id in listed:
        world.sync(account_id, 2, first_try=2)
    world.reporter.report(RUN, dict.fromkeys(listed, "success"), has_plan=True, listed=listed).check()


def test_newer_contact_of_another_run() -> None:
    """An account that another run has brought further than this plan meant to is no failure of it."""
    world = ran()
    listed = world.plan()
    world.plan(request(dag_run_id="another"))
    for account_id in listed:
        world.sync(account_id, 2, first_try=2)
    world.reporter.report(RUN, dict.fromkeys(listed, "success"), has_plan=True, listed=listed).check()

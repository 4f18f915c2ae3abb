"""Every write of an operation is announced, once, however the operation came to its end."""

from collections import Counter
from dataclasses import replace

import pytest

from contactsync.bus.events import ACCOUNTS_AT_MOST, AccountFailed, AccountsWritten
from contactsync.contacts import ContactType
from contactsync.errors import AccountsFailedError, ServiceUnavailableError
from contactsync.operations.announcements import accounts_written
from contactsync.operations.operation import OutcomeDetail, OutcomeStatus
from contactsync.operations.writes import unannounced
from tests.support.builders import RUN, account, configuration, request
from tests.support.fakes.surroundings import Fault
from tests.support.worlds.world import World

SECURITY = ContactType.SECURITY
BILLING = ContactType.BILLING
IDS = tuple(account(number).account_id for number in (1, 2, 3))
UNAVAILABLE = ServiceUnavailableError("PutAlternateContact", "InternalServerException", IDS[0])


def sync_all(world: World, account_ids: tuple[str, ...] | list[str], **tries: int) -> None:
    """Run the task of each account; failures stay in the outcomes."""
    for account_id in account_ids:
        try:
            world.sync(account_id, **tries)
        except AccountsFailedError:
            continue


def report(world: World) -> None:
    """Report, with nothing that Airflow says against the outcomes."""
    world.reporter.report(RUN, {}, has_plan=True)


def written(world: World) -> list[AccountsWritten]:
    """Return what was announced of writes."""
    return [sent.data for sent in world.announcer.sent if isinstance(sent.data, AccountsWritten)]


def accounts(world: World) -> Counter[tuple[str, ContactType]]:
    """Count how often each account and type was announced as written."""
    return Counter((account_id, data.contact_type) for data in written(world) for account_id in data.account_ids)


def ran(*faults: Fault, **settings: object) -> World:
    """Return a world of three accounts whose tasks have run once."""
    world = World.of(3, **{"contact_types": ["security"], **settings})
    world.contacts.faults += faults
    sync_all(world, world.plan())
    return world


def test_written_once() -> None:
    """The accounts of one kind of write are in one event, and a repeated report adds none."""
    world = ran()
    report(world)
    report(world)
    (data,) = written(world)
    assert (data.contact_type, data.detail, sorted(data.account_ids)) == (SECURITY, "updated", sorted(IDS))
    assert data.written_fields == tuple(sorted(world.outcomes()[IDS[0], SECURITY].changed_fields))
    assert data.generation == world.operation().plans[SECURITY].generation
    assert data.first_settled <= data.last_settled


def test_nothing_written() -> None:
    """Accounts that carried the contact already, and those of a dry run, are not announced."""
    world = ran()
    report(world)
    world.plan(request(dag_run_id="again"))
    for account_id in IDS:
        world.sync(account_id, run="again")
    world.reporter.report("again", {}, has_plan=True)
    world.contacts.stored[IDS[0], SECURITY] = None
    world.plan(request(dag_run_id="dry", dry_run=True))
    for account_id in IDS:
        world.sync(account_id, run="dry")
    world.reporter.report("dry", {}, has_plan=True)
    assert len(written(world)) == 1


def test_cleared_and_unchanged() -> None:
    """A run that is cleared as a whole and finds what it wrote itself announces no second write."""
    world = ran()
    report(world)
    world.clock.sleep(60)
    world.plan()
    sync_all(world, IDS, try_number=2, first_try=2)
    report(world)
    assert {outcome.detail for outcome in world.outcomes().values()} == {OutcomeDetail.UPDATED}
    assert accounts(world) == dict.fromkeys([(account_id, SECURITY) for account_id in IDS], 1)


def test_written_again() -> None:
    """What somebody changed in an account, so that a cleared task writes it again, is another write."""
    world = ran()
    report(world)
    world.clock.sleep(60)
    world.contacts.stored[IDS[0], SECURITY] = None
    world.plan()
    sync_all(world, IDS, try_number=2, first_try=2)
    report(world)
    assert accounts(world)[IDS[0], SECURITY] == 2
    assert accounts(world)[IDS[1], SECURITY] == 1
    first, second = written(world)
    assert first.account_ids != second.account_ids


def test_failed_then_written() -> None:
    """An account that failed is announced as failed, and as written once it is."""
    world = ran(Fault(UNAVAILABLE, "write", IDS[0]))
    report(world)
    assert accounts(world)[IDS[0], SECURITY] == 0
    world.clock.sleep(60)
    world.contacts.faults.clear()
    sync_all(world, IDS[:1], try_number=2, first_try=2)
    report(world)
    assert accounts(world) == dict.fromkeys([(account_id, SECURITY) for account_id in IDS], 1)


def test_deleted() -> None:
    """A deletion that the policy propagates says that it is one."""
    world = World.of(3, contact_types=["security"], deletion={"policy": "propagate"})
    for account_id in IDS:
        world.contacts.stored[account_id, SECURITY] = world.contacts.stored[None, SECURITY]
    world.contacts.stored[None, SECURITY] = None
    sync_all(world, world.plan())
    report(world)
    (data,) = written(world)
    assert (data.detail, len(data.account_ids)) == ("deleted", 3)


def test_excluded_after_the_write() -> None:
    """A write that was not reported before a new plan leaves the account alone is announced all the same."""
    world = ran()
    world.clock.sleep(60)
    world.configurations.versions.append(configuration(contact_types=["security"], excluded_accounts=[IDS[0]]))
    world.plan()
    sync_all(world, IDS[1:], try_number=2, first_try=2)
    report(world)
    assert world.outcomes()[IDS[0], SECURITY].detail is OutcomeDetail.EXCLUDED
    assert accounts(world) == dict.fromkeys([(account_id, SECURITY) for account_id in IDS], 1)


def test_closed_by_housekeeping() -> None:
    """An operation without a report is announced by housekeeping."""
    world = ran()
    world.housekeeper.close_abandoned(lambda _: None)
    world.housekeeper.close_abandoned(lambda _: None)
    assert accounts(world) == dict.fromkeys([(account_id, SECURITY) for account_id in IDS], 1)


@pytest.mark.parametrize("number", [ACCOUNTS_AT_MOST - 1, ACCOUNTS_AT_MOST, ACCOUNTS_AT_MOST + 1, 205])
def test_many(number: int) -> None:
    """Every account is in one event, and no event has more than one transaction can mark."""
    world = World.of(number, contact_types=["security", "billing"])
    listed = world.plan()
    sync_all(world, listed)
    report(world)
    assert max(len(data.account_ids) for data in written(world)) <= ACCOUNTS_AT_MOST
    assert set(accounts(world).values()) == {1}
    assert len(accounts(world)) == 2 * number


def test_settled_meanwhile() -> None:
    """An account that a task settles between the look and the mark is left to the next report."""
    world = ran()
    outcomes = list(world.operations.outcomes(world.operation().sync_id))
    found = [one for outcome in outcomes if (one := unannounced(world.operation(), outcome))]
    write, marked = found[0].write, [one.marked for one in found]
    world.clock.sleep(60)
    later = replace(outcomes[0], timestamp=world.clock.now())
    world.state.outcomes[world.operation().sync_id, *later.key] = later
    made = world.operations.announce_writes(
        world.operation(), marked, lambda some: accounts_written(world.operation(), write, some)
    )
    assert made
    assert isinstance(made.data, AccountsWritten)
    assert made.data.account_ids == tuple(outcome.account_id for outcome in outcomes[1:])
    report(world)
    assert accounts(world)[later.key] == 1


def test_failure_names_what_was_written() -> None:
    """An account that failed after a write says which fields may have been written."""
    world = ran()
    outcome = world.outcomes()[IDS[0], SECURITY]
    failed = replace(outcome, status=OutcomeStatus.FAILED, detail=OutcomeDetail.ERROR, error_code="X")
    world.state.outcomes[world.operation().sync_id, *outcome.key] = failed
    report(world)
    (told,) = (sent.data for sent in world.announcer.sent if isinstance(sent.data, AccountFailed))
    assert told.written_fields == outcome.changed_fields

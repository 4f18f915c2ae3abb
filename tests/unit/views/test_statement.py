"""The statement of state: what accounts carry, how that stands to the desired contacts, and why some are left alone."""

from dataclasses import replace

import pytest

from contactsync.accounts import AccountState
from contactsync.configuration.reach import Reach
from contactsync.configuration.schema import Configuration
from contactsync.contacts import ContactType
from contactsync.operations.account_record import UNKNOWN, AccountRecord, Mark
from contactsync.views.statement import Standing, StatedContact, StatementState, settled_since
from tests.support.builders import MANAGEMENT_ACCOUNT, account, alternate, configuration, members, request
from tests.support.fakes.surroundings import START
from tests.support.worlds.world import World

SECURITY, BILLING = ContactType.SECURITY, ContactType.BILLING
ONE, TWO, THREE = (account(number).account_id for number in (1, 2, 3))


def stated(world: World, settings: Configuration | None = None) -> dict[tuple[str, ContactType], StatedContact]:
    """Return the statement of a world by account and type."""
    settings = settings or world.configurations.latest().configuration
    reach = Reach(world.organization, MANAGEMENT_ACCOUNT)
    latest = {kind: world.state.desired.get(kind) for kind in settings.contact_types}
    desired = {kind: found.generation if found else None for kind, found in latest.items()}
    state = StatementState(
        accounts=reach.accounts,
        management_account=MANAGEMENT_ACCOUNT,
        scope=reach.scope(settings),
        desired=desired,
        records=world.state.records,
        since=settled_since(world.state.outcomes.values(), desired),
    )
    return {(contact.account_id, contact.contact_type): contact for contact in state.contacts()}


def standings(world: World, settings: Configuration | None = None) -> dict[str, Standing]:
    """Return how the accounts' security contacts stand."""
    return {account_id: c.standing for (account_id, kind), c in stated(world, settings).items() if kind is SECURITY}


def carried(**settings: object) -> World:
    """Return three accounts that one run brought to the contact."""
    world = World.of(3, contact_types=["security"], **settings)
    for account_id in world.plan(request(dag_run_id="first")):
        world.sync(account_id, run="first")
    return world


def test_carries() -> None:
    """Accounts that a run settled carry its generation, since then, and it says who wrote it."""
    world = carried()
    contact = stated(world)[ONE, SECURITY]
    assert contact == StatedContact(
        ONE,
        "member-1",
        SECURITY,
        Standing.CARRIES,
        generation=1,
        desired_generation=1,
        since=world.outcomes("first")[ONE, SECURITY].timestamp,
        verified_at=world.state.records[ONE, SECURITY].verified_at,
        written_by=world.operation("first").sync_id,
    )
    assert standings(world)[MANAGEMENT_ACCOUNT] is Standing.MANAGEMENT


def test_behind() -> None:
    """An account whose task of a later run has not ended well is behind, and not counted as carrying since."""
    world = carried()
    world.contacts.stored[None, SECURITY] = alternate(Name="Newer")
    world.plan(request(dag_run_id="second"))
    world.sync(ONE, run="second")
    assert standings(world) == {
        MANAGEMENT_ACCOUNT: Standing.MANAGEMENT,
        ONE: Standing.CARRIES,
        TWO: Standing.BEHIND,
        THREE: Standing.BEHIND,
    }
    assert stated(world)[TWO, SECURITY].since is None


def test_left_alone() -> None:
    """Accounts out of scope are named with the reason in force now, whatever they carry."""
    world = carried()
    suspended = replace(account(3), state=AccountState.SUSPENDED)
    world.organization.members = [*members(2), suspended]
    settings = configuration(
        contact_types=["security"], excluded_accounts=[ONE], scope={"include": {"accounts": [ONE, THREE]}}
    )
    assert standings(world, settings) == {
        MANAGEMENT_ACCOUNT: Standing.MANAGEMENT,
        ONE: Standing.EXCLUDED,
        TWO: Standing.OUTSIDE,
        THREE: Standing.NOT_ACTIVE,
    }
    assert stated(world, settings)[ONE, SECURITY].generation == 1


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (None, Standing.NEVER_SEEN),
        (AccountRecord(ONE, SECURITY, mark=Mark("token", "operation", 1, START)), Standing.UNSETTLED),
        (AccountRecord(ONE, SECURITY, generation=1, mark=Mark("token", "operation", 2, START)), Standing.UNSETTLED),
        (AccountRecord(ONE, SECURITY, generation=1, verified_at=START), Standing.CARRIES),
        (AccountRecord(ONE, SECURITY, generation=1), Standing.UNSETTLED),
        (AccountRecord(ONE, SECURITY, generation=1, fingerprint=UNKNOWN, verified_at=START), Standing.UNSETTLED),
        (AccountRecord(ONE, SECURITY, fingerprint=UNKNOWN), Standing.UNSETTLED),
    ],
)
def test_records(record: AccountRecord | None, expected: Standing) -> None:
    """Without a record an account was never seen; with a mark, or a write not seen, nobody knows what it carries."""
    world = carried()
    world.state.records.pop((ONE, SECURITY))
    if record:
        world.state.records[ONE, SECURITY] = record
    assert standings(world)[ONE] is expected


def test_nothing_desired() -> None:
    """A type that no run has found in the management account is desired of nobody."""
    world = carried()
    settings = configuration(contact_types=["security", "billing"])
    assert stated(world, settings)[ONE, BILLING].standing is Standing.NOTHING_DESIRED

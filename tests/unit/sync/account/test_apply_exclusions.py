"""Accounts that are excluded while their task is under way."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from contactsync.accounts import AccountState, UnitPath
from contactsync.contacts import Contact, ContactType
from contactsync.errors import (
    AccessDeniedError,
    ConfigurationInvalidError,
    ConfigurationMissingError,
    ContactSyncError,
    NotInOrganizationError,
    ThrottledError,
)
from contactsync.operations.operation import OutcomeDetail, OutcomeStatus
from tests.support.builders import account, configuration
from tests.support.fakes.surroundings import FakeAccountContacts, FakeOrganization, Fault
from tests.support.worlds.one_account import (
    ONE,
    SECURITY,
    THROTTLED,
    ending,
    failed,
    methods,
    planned,
    record,
    stored,
    writes,
)
from tests.support.worlds.world import World

EXCLUDED = (OutcomeStatus.SKIPPED, OutcomeDetail.EXCLUDED)
UNREADABLE = [
    ConfigurationMissingError("config", "default"),
    ConfigurationInvalidError(["contact_types: empty"]),
    ThrottledError("Query", "ThrottlingException"),
    AccessDeniedError("Query", "AccessDeniedException"),
]


def exclude(world: World) -> None:
    """Store a configuration that excludes the account."""
    world.configurations.store(configuration(excluded_accounts=[ONE]))


def test_before_the_task() -> None:
    """An account that was excluded after the plan is not even read."""
    world = planned()
    exclude(world)
    world.sync(ONE)
    assert world.contacts.calls == []
    assert ending(world) == EXCLUDED


def test_by_pinned() -> None:
    """An account that the pinned configuration excludes stays excluded although the current one does not."""
    world = World.of(2, excluded_accounts=[ONE], contact_types=["security"])
    world.plan()
    world.configurations.store(configuration())
    world.contacts.calls.clear()
    world.sync(ONE)
    assert world.contacts.calls == []
    assert ending(world) == EXCLUDED


RULES: dict[str, dict[str, Any]] = {
    "unit": {"scope": {"exclude": {"organizational_units": ["Closed"]}}},
    "tag": {"scope": {"exclude": {"tags": {"contacts": ["own"]}}}},
    "include": {"scope": {"contact_types": {"security": {"include": {"organizational_units": ["Open"]}}}}},
    "id": {"excluded_accounts": [ONE]},
}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
@pytest.mark.parametrize("later", [False, True], ids=["in force", "replaced by a later one"])
def test_number_of_a_restored_version(rule: dict[str, Any], later: bool) -> None:  # noqa: FBT001 -- a column of the table
    """After a restore of its table another version may have the pinned one's number: its rules were never asked."""
    world = World.of(3, contact_types=["security"])
    world.organization.places = {account(1).account_id: "Closed", account(2).account_id: "Open"}
    world.organization.tags = {ONE: {"contacts": "own"}}
    world.configurations.store(configuration(contact_types=["security"]))
    world.plan()
    world.configurations.versions[1:] = [configuration(contact_types=["security"], **rule)]
    if later:
        world.configurations.store(configuration(contact_types=["security"], **rule))
    for one in (ONE, account(2).account_id):
        world.sync(one)
    assert ending(world) == EXCLUDED
    assert writes(world) == ["write"]


def test_same_version_after_a_restore() -> None:
    """A version that came back as it was makes no account ask once more."""
    world = World.of(2, contact_types=["security"], **RULES["tag"])
    world.plan()
    world.configurations.versions = [configuration(contact_types=["security"], **RULES["tag"])]
    world.organization.asked.clear()
    world.sync(ONE)
    assert world.organization.asked == []


@pytest.mark.parametrize("error", UNREADABLE, ids=lambda error: type(error).__name__)
def test_unreadable(error: ContactSyncError) -> None:
    """While the current configuration cannot be read nothing is written or even read, and the outcome says why."""
    world = planned()
    world.configurations.latest_error = error
    caught = failed(world)
    assert list(caught.errors) == [error]
    assert caught.retryable == error.retryable
    assert world.contacts.calls == []
    assert ending(world) == (OutcomeStatus.FAILED, OutcomeDetail.ERROR)
    assert stored(world).error_code == error.code


class EventfulContacts(FakeAccountContacts):
    """Contacts at whose calls something happens, once: after a read, or instead of the answer to a write."""

    after_read: Callable[[], None] | None = None
    at_write: Callable[[], None] | None = None

    def read(self, contact_type: ContactType, account_id: str | None) -> Contact | None:
        """Read, then let it happen."""
        found = super().read(contact_type, account_id)
        happening, self.after_read = self.after_read, None
        if happening:
            happening()
        return found

    def write(self, contact_type: ContactType, account_id: str, contact: Contact) -> None:
        """Let it happen, then write."""
        happening, self.at_write = self.at_write, None
        if happening:
            happening()
        super().write(contact_type, account_id, contact)


def eventful() -> tuple[World, EventfulContacts]:
    """Return a planned world and its contacts."""
    world = planned()
    contacts = EventfulContacts(world.contacts.stored)
    world.contacts = contacts
    return world, contacts


def test_between_read_and_write() -> None:
    """An account that is excluded between the task's read and its write is not written, and nothing is announced."""
    world, contacts = eventful()
    contacts.after_read = lambda: exclude(world)
    world.sync(ONE)
    assert methods(world) == ["read"]
    assert ending(world) == EXCLUDED
    assert record(world).version == 0


def test_between_two_tries_of_a_write() -> None:
    """An account that is excluded while AWS throttles its write is not written by the next try of the call."""
    world, contacts = eventful()
    contacts.faults.append(Fault(THROTTLED, "write", times=1))
    contacts.at_write = lambda: exclude(world)
    world.sync(ONE)
    assert writes(world) == ["write"]
    assert (ONE, SECURITY) not in contacts.stored
    assert ending(world) == EXCLUDED
    assert record(world).mark is None


def test_unreadable_between_read_and_write() -> None:
    """A configuration that cannot be read before the write means no write, and no mark."""
    world, contacts = eventful()
    error = ConfigurationInvalidError(["contact_types: empty"])

    def spoil() -> None:
        world.configurations.latest_error = error

    contacts.after_read = spoil
    assert list(failed(world).errors) == [error]
    assert methods(world) == ["read"]
    assert record(world).version == 0


def test_dry_run() -> None:
    """A dry run calls an excluded account excluded, too."""
    world = planned(dry_run=True)
    exclude(world)
    world.sync(ONE)
    assert ending(world) == EXCLUDED
    assert world.contacts.calls == []


@dataclass
class MovingOrganization(FakeOrganization):
    """An organization in which a unit is removed while somebody climbs from an account to the root."""

    def units_of(self, account_id: str) -> UnitPath:
        """Meet a unit that is not there any more."""
        raise NotInOrganizationError("DescribeOrganizationalUnit", "OrganizationalUnitNotFoundException", account_id)


def moving() -> World:
    """Return a planned world whose configuration by now asks where the account is, which cannot be told."""
    world = planned()
    world.organization = MovingOrganization(world.organization.members, world.organization.caller)
    scope = {"exclude": {"organizational_units": ["Sandbox"]}}
    world.configurations.store(configuration(scope=scope))
    world.contacts.calls.clear()
    return world


def test_moved_meanwhile() -> None:
    """An account that is moved while it is looked at is not taken for one that left: the task looks again."""
    world = moving()
    assert failed(world).retryable
    assert ending(world) == (OutcomeStatus.FAILED, OutcomeDetail.ERROR)
    assert world.contacts.calls == []


@pytest.mark.parametrize("state", [AccountState.SUSPENDED, None])
def test_left_meanwhile(state: AccountState | None) -> None:
    """One that left, or was closed, is skipped."""
    world = moving()
    world.organization.members[1:2] = [account(1, state)] if state else []
    world.sync(ONE)
    assert ending(world) == (OutcomeStatus.SKIPPED, OutcomeDetail.NOT_ACTIVE)
    assert world.contacts.calls == []

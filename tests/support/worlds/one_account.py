"""A planned run and the task of its first account, for the tests of what one task does."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, TypeVar

import pytest

from contactsync.contacts import Contact, ContactType
from contactsync.errors import (
    AccessDeniedError,
    AccountsFailedError,
    CallerMismatchError,
    ContactSyncError,
    HaltedError,
    RequestInvalidError,
    ServiceUnavailableError,
    ThrottledError,
    TrustedAccessOffError,
    UnexpectedAwsError,
    WaitingError,
)
from contactsync.fingerprints import fingerprint
from contactsync.operations.account_record import AccountRecord
from contactsync.operations.operation import AccountOutcome, OutcomeDetail, OutcomeStatus
from tests.support.builders import KEY, account, request
from tests.support.fakes.surroundings import FakeAccountContacts, FakeClock, FakeOrganization, Fault
from tests.support.worlds.world import World

SECURITY, PRIMARY, BILLING = ContactType.SECURITY, ContactType.PRIMARY, ContactType.BILLING
ONE, TWO = account(1).account_id, account(2).account_id

THROTTLED = ThrottledError("PutAlternateContact", "TooManyRequestsException", ONE)
DENIED = AccessDeniedError("PutAlternateContact", "AccessDeniedException", ONE)
INVALID = RequestInvalidError("PutAlternateContact", "ValidationException", ONE)
UNEXPECTED = UnexpectedAwsError("PutAlternateContact", "SomethingNewException", ONE)
UNAVAILABLE = ServiceUnavailableError("PutAlternateContact", "InternalServerException", ONE)
UNANSWERED = ServiceUnavailableError("PutAlternateContact", "ReadTimeoutError", ONE, answered=False)

UPDATED: Final = (OutcomeStatus.SUCCESS, OutcomeDetail.UPDATED)
UNCHANGED: Final = (OutcomeStatus.SUCCESS, OutcomeDetail.UNCHANGED)
PERMISSION_DENIED: Final = (OutcomeStatus.SKIPPED, OutcomeDetail.PERMISSION_DENIED)
NOT_ACTIVE: Final = (OutcomeStatus.SKIPPED, OutcomeDetail.NOT_ACTIVE)
HALTED: Final = (OutcomeStatus.FAILED, OutcomeDetail.HALTED)
PAUSED: Final = (OutcomeStatus.PENDING, OutcomeDetail.PAUSED)
"""What a task makes of a contact: the outcome's status and detail."""

ALL_FIELDS: Final = ("EmailAddress", "Name", "PhoneNumber", "Title")
MARK_WAIT: Final = 25.0
"""The longest wait for a foreign mark in the tests' world."""

CHECK_INTERVAL: Final = 10
"""For so many seconds a permission that was confirmed is trusted in the worlds of `refused`."""

E = TypeVar("E", bound=ContactSyncError)


def planned(*contact_types: str, dry_run: bool = False, count: int = 2, **settings: Any) -> World:
    """Return a world whose run is planned, with the plan's own calls forgotten."""
    parts = {"deletion": {"policy": "propagate"}, "contact_types": list(contact_types or ("security",)), **settings}
    world = World.of(count, **parts)
    world.plan(request(dry_run=dry_run))
    world.contacts.calls.clear()
    return world


def raised(kind: type[E], world: World, try_number: int = 1, *, first_try: int = 1, account_id: str = ONE) -> E:
    """Run the task and return what it raises."""
    with pytest.raises(kind) as caught:
        world.sync(account_id, try_number, first_try=first_try)
    return caught.value


def failed(world: World, try_number: int = 1) -> AccountsFailedError:
    """Run the task and return the failures of its accounts."""
    return raised(AccountsFailedError, world, try_number)


def paused(world: World, try_number: int = 1) -> WaitingError:
    """Run the task and return why it pauses."""
    return raised(WaitingError, world, try_number)


def halted(world: World, try_number: int = 1, *, first_try: int = 1, account_id: str = ONE) -> HaltedError:
    """Run the task and return why it is halted."""
    return raised(HaltedError, world, try_number, first_try=first_try, account_id=account_id)


def methods(world: World) -> list[str]:
    """Return the calls' methods, in order."""
    return [call.method for call in world.contacts.calls]


def writes(world: World) -> list[str]:
    """Return the methods of the calls that were not reads."""
    return [call.method for call in world.contacts.changes()]


def stored(world: World, contact_type: ContactType = SECURITY) -> AccountOutcome:
    """Return the stored outcome of the account."""
    return world.outcomes()[ONE, contact_type]


def ending(world: World, contact_type: ContactType = SECURITY) -> tuple[OutcomeStatus, OutcomeDetail | None]:
    """Return the status and detail of the account's outcome."""
    return stored(world, contact_type).status, stored(world, contact_type).detail


def record(world: World, contact_type: ContactType = SECURITY) -> AccountRecord:
    """Return the account's record."""
    return world.records.get(ONE, contact_type)


def wait(world: World, seconds: float) -> None:
    """Let time pass outside of any task."""
    world.clock.time += timedelta(seconds=seconds)


class EventfulClock(FakeClock):
    """A clock on which things happen while somebody sleeps."""

    def __init__(self) -> None:
        """Begin without a happening."""
        super().__init__()
        self.happenings: list[tuple[float, Callable[[], None]]] = []

    def after(self, seconds: float, happening: Callable[[], None]) -> None:
        """Let something happen when so many seconds have passed."""
        self.happenings.append((self.monotonic() + seconds, happening))

    def sleep(self, seconds: float) -> None:
        """Pass time, and let happen what is due."""
        super().sleep(seconds)
        for event in [event for event in self.happenings if event[0] <= self.monotonic()]:
            self.happenings.remove(event)
            event[1]()


@dataclass
class ScriptedContacts(FakeAccountContacts):
    """Contacts at whose writes, one after the other, something happens; what it raises is the call's answer."""

    at_writes: Iterator[Callable[[], None]] = field(default_factory=lambda: iter(()))

    def write(self, contact_type: ContactType, account_id: str, contact: Contact) -> None:
        """Let the next thing happen, then write."""
        next(self.at_writes, lambda: None)()
        super().write(contact_type, account_id, contact)


def unpaced(*contact_types: str) -> World:
    """Return a planned world without a limiter, on a clock on which things happen."""
    world = planned(*contact_types, rates={"enabled": False})
    world.clock = EventfulClock()
    return world


def scripted(*at_writes: Callable[[World], None]) -> World:
    """Return such a world at whose writes these things happen, one after the other."""
    world = unpaced()
    world.contacts = ScriptedContacts(
        world.contacts.stored, at_writes=iter([lambda step=step: step(world) for step in at_writes])
    )
    return world


def fingerprint_of(contact: Contact | None) -> str:
    """Return the fingerprint of a contact as records have it."""
    return fingerprint(SECURITY, contact, KEY)


def apply(world: World, contact: Contact, run: str) -> None:
    """Let another run bring the account to another contact."""
    world.contacts.stored[None, SECURITY] = contact
    world.plan(request(dag_run_id=run))
    world.sync(ONE, run=run)


def refused(method: str = "read", times: int | None = None, *, types: tuple[str, ...] = ("security",)) -> World:
    """Return a world in which AWS refuses one account, long after anybody has last found all well."""
    world = planned(*types, breaker={"check_interval": CHECK_INTERVAL})
    world.contacts.faults.append(Fault(DENIED, method, ONE, SECURITY, times))
    wait(world, 60)
    return world


class UncheckableOrganization(FakeOrganization):
    """An organization that refuses to tell about trusted access."""

    def trusted_access(self) -> bool:
        """Refuse."""
        raise AccessDeniedError("ListAWSServiceAccessForOrganization", "AccessDeniedException")


def switch_off(world: World) -> None:
    """Switch trusted access off."""
    world.organization.trusted = False


def mistake_caller(world: World) -> None:
    """Let the credentials be another account's."""
    world.organization.caller = "444455556666"


def forbid_check(world: World) -> None:
    """Refuse the check itself."""
    world.organization = UncheckableOrganization(world.organization.members, world.organization.caller)


Cause = Callable[[World], None]
CAUSES = [
    (switch_off, TrustedAccessOffError),
    (mistake_caller, CallerMismatchError),
    (forbid_check, AccessDeniedError),
]


def fix(world: World) -> None:
    """Switch trusted access on again, and let AWS allow the account."""
    world.organization.trusted = True
    world.contacts.faults.clear()

"""Fakes of the ports on clock, organization, accounts and configuration, with the conditions of the real adapters."""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from contactsync.accounts import Account, AccountState, OrganizationalUnit, UnitPath, path_of
from contactsync.configuration.schema import Configuration, StoredConfiguration
from contactsync.contacts import Contact, ContactType
from contactsync.errors import (
    ConfigurationMissingError,
    NotInOrganizationError,
)

START = datetime(2026, 1, 14, 9, 0, tzinfo=UTC)


class FakeClock:
    """A clock that stands still except while somebody sleeps, which takes no time."""

    def __init__(self, start: datetime = START) -> None:
        """Start at a fixed time."""
        self.time = start
        self.slept: list[float] = []

    def now(self) -> datetime:
        """Return the time."""
        return self.time

    def monotonic(self) -> float:
        """Return the seconds since the start."""
        return (self.time - START).total_seconds()

    def sleep(self, seconds: float) -> None:
        """Pass time at once, and remember how much."""
        self.slept.append(seconds)
        self.time += timedelta(seconds=seconds)


@dataclass
class FakeOrganization:
    """An organization of any accounts; any of its answers can be an error."""

    members: list[Account]
    caller: str
    trusted: bool = True
    error: Exception | None = None
    places: dict[str, str] = field(default_factory=dict)
    """The path of names of each account's unit; those that are not named are right under the root."""
    empty_units: list[str] = field(default_factory=list)
    """Paths of units without accounts."""
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    """The questions about one account or unit, as (method, id)."""
    scope_error: Exception | None = None
    """What those questions answer."""

    def caller_account(self) -> str:
        """Return the caller that the test chose."""
        return self.caller

    def trusted_access(self) -> bool:
        """Return what the test chose."""
        return self.trusted

    def accounts(self) -> Iterator[Account]:
        """Yield the accounts; an error comes after the first, as on a second page."""
        yield from self.members[:1] if self.error else self.members
        if self.error:
            raise self.error

    def state(self, account_id: str) -> AccountState | None:
        """Return the state that the test chose."""
        self._ask("state", account_id)
        return next((member.state for member in self.members if member.account_id == account_id), None)

    def units(self) -> Iterator[UnitPath]:
        """Yield the paths of all units, parents first."""
        self._ask("units", "")
        yield from self._all_units()

    def _all_units(self) -> list[UnitPath]:
        paths = {unit_path(path) for path in ("", *self.places.values(), *self.empty_units)}
        above = {path[:depth] for path in paths for depth in range(1, len(path) + 1)}
        return sorted(above, key=lambda path: (len(path), path_of(path)))

    def accounts_in(self, unit_id: str) -> Iterator[str]:
        """Yield the members right under a unit."""
        self._ask("accounts_in", unit_id)
        yield from (m.account_id for m in self.members if self._path(m.account_id)[-1].unit_id == unit_id)

    def units_of(self, account_id: str) -> UnitPath:
        """Return the account's place."""
        self._ask("units_of", account_id)
        self._check_member("ListParents", account_id)
        return self._path(account_id)

    def has_unit(self, name: str) -> bool:
        """Look for an id or a path."""
        self._ask("has_unit", name)
        return any(name in {path[-1].unit_id, path_of(path)} for path in self._all_units())

    def tags_of(self, account_id: str) -> Mapping[str, str]:
        """Return the tags that the test chose."""
        self._ask("tags_of", account_id)
        self._check_member("ListTagsForResource", account_id)
        return self.tags.get(account_id, {})

    def questions(self, method: str) -> list[str]:
        """Return what one method was asked about, in order."""
        return [about for asked, about in self.asked if asked == method]

    def _path(self, account_id: str) -> UnitPath:
        return unit_path(self.places.get(account_id, ""))

    def _ask(self, method: str, about: str) -> None:
        self.asked.append((method, about))
        if self.scope_error:
            raise self.scope_error

    def _check_member(self, operation: str, account_id: str) -> None:
        if all(member.account_id != account_id for member in self.members):
            raise NotInOrganizationError(operation, "ChildNotFoundException", account_id)


def unit_path(path: str) -> UnitPath:
    """Return the units of a path of names, the root first; ids are made from the path."""
    names = path.split("/") if path else []
    return (
        OrganizationalUnit("r-fake", ""),
        *(
            OrganizationalUnit(f"ou-fake-{zlib.crc32('/'.join(names[: depth + 1]).encode()):08x}", name)
            for depth, name in enumerate(names)
        ),
    )


@dataclass(frozen=True)
class ContactCall:
    """One call that reached the fake account API; `account_id` None means the management account."""

    method: str
    contact_type: ContactType
    account_id: str | None


@dataclass
class Fault:
    """An error that calls meet: `times` None means always, `applied` that the call was carried out first."""

    error: Exception
    method: str | None = None
    account_id: str | None = None
    contact_type: ContactType | None = None
    times: int | None = None
    applied: bool = False

    def meets(self, call: ContactCall) -> bool:
        """Tell whether this call fails, and count it."""
        wanted = (self.method, self.account_id, self.contact_type)
        actual = (call.method, call.account_id, call.contact_type)
        if self.times == 0 or any(w not in (None, a) for w, a in zip(wanted, actual, strict=True)):
            return False
        if self.times is not None:
            self.times -= 1
        return True


@dataclass
class FakeAccountContacts:
    """The contacts of accounts, a list of the calls, scripted faults and stale reads."""

    stored: dict[tuple[str | None, ContactType], Contact] = field(default_factory=dict)
    calls: list[ContactCall] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    stale_reads: int = 0
    """How many reads after a write still answer what was there before it."""
    _stale: dict[tuple[str | None, ContactType], tuple[int, Contact | None]] = field(default_factory=dict)

    def read(self, contact_type: ContactType, account_id: str | None) -> Contact | None:
        """Return the contact, or what was there before a recent write."""
        self._called("read", contact_type, account_id)
        key = (account_id, contact_type)
        left, earlier = self._stale.get(key, (0, None))
        if left:
            self._stale[key] = (left - 1, earlier)
            return earlier
        return self.stored.get(key)

    def write(self, contact_type: ContactType, account_id: str, contact: Contact) -> None:
        """Replace the contact."""
        self._change("write", contact_type, account_id, contact)

    def delete(self, contact_type: ContactType, account_id: str) -> None:
        """Remove the contact; an absent one is as good."""
        self._change("delete", contact_type, account_id, None)

    def changes(self) -> list[ContactCall]:
        """Return the calls that were not reads."""
        return [call for call in self.calls if call.method != "read"]

    def touched(self) -> set[str | None]:
        """Return the accounts that any call named."""
        return {call.account_id for call in self.calls}

    def _change(self, method: str, contact_type: ContactType, account_id: str, contact: Contact | None) -> None:
        fault = self._called(method, contact_type, account_id)
        key = (account_id, contact_type)
        self._stale[key] = (self.stale_reads, self.stored.get(key))
        if contact is None:
            self.stored.pop(key, None)
        else:
            self.stored[key] = contact
        if fault:
            raise fault.error

    def _called(self, method: str, contact_type: ContactType, account_id: str | None) -> Fault | None:
        """Note the call and raise the fault that it meets, unless that one comes after the effect."""
        call = ContactCall(method, contact_type, account_id)
        self.calls.append(call)
        fault = next((fault for fault in self.faults if fault.meets(call)), None)
        if fault and not (fault.applied and method != "read"):
            raise fault.error
        return fault


@dataclass
class FakeConfigurations:
    """Versions of the configuration, counted from 1; either way of reading can be an error."""

    versions: list[Configuration] = field(default_factory=lambda: [Configuration()])
    latest_error: Exception | None = None
    version_error: Exception | None = None

    def latest(self) -> StoredConfiguration:
        """Return the newest version."""
        if self.latest_error:
            raise self.latest_error
        return self._stored(len(self.versions))

    def version(self, number: int) -> StoredConfiguration:
        """Return one version."""
        if self.version_error:
            raise self.version_error
        return self._stored(number)

    def store(self, settings: Configuration) -> StoredConfiguration:
        """Add a version."""
        self.versions.append(settings)
        return self._stored(len(self.versions))

    def _stored(self, number: int) -> StoredConfiguration:
        if not 1 <= number <= len(self.versions):
            raise ConfigurationMissingError(table="fake", config_key="default", version=number)
        return StoredConfiguration(version=number, configuration=self.versions[number - 1])

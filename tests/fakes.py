"""Fakes of every port in contactsync/sync/ports.py: in memory, with the conditions of the real adapters."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from contactsync.accounts import Account
from contactsync.contacts import Contact, ContactType
from contactsync.errors import ConfigurationMissingError, OvertakenError, UnexpectedAwsError
from contactsync.sync.config import Configuration, StoredConfiguration
from contactsync.sync.desired import DesiredContact
from contactsync.sync.operation import AccountOutcome, SyncOperation

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
        return StoredConfiguration(version=number, settings=self.versions[number - 1])


@dataclass
class FakeState:
    """What the tables hold; FakeOperations and FakeDesiredContacts share one."""

    generations: dict[ContactType, int] = field(default_factory=dict)
    operations: dict[str, SyncOperation] = field(default_factory=dict)
    outcomes: dict[tuple[str, str, ContactType], AccountOutcome] = field(default_factory=dict)
    desired: dict[ContactType, DesiredContact] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Whether nothing at all was stored."""
        return not (self.generations or self.operations or self.outcomes or self.desired)


class FakeDesiredContacts:
    """The latest desired contact of each type."""

    def __init__(self, state: FakeState) -> None:
        """Share a state."""
        self._state = state

    def latest(self, contact_type: ContactType) -> DesiredContact | None:
        """Return the newest."""
        return self._state.desired.get(contact_type)


class FakeOperations:
    """Operations, outcomes and generation counters, under the conditions of aws/state_table.py."""

    def __init__(self, state: FakeState) -> None:
        """Share a state."""
        self._state = state

    def raise_generation(self, contact_type: ContactType) -> int:
        """Count up."""
        self._state.generations[contact_type] = self._state.generations.get(contact_type, 0) + 1
        return self._state.generations[contact_type]

    def store_plan(self, operation: SyncOperation, desired: Iterable[DesiredContact]) -> None:
        """Store all or, when the operation was planned later already, nothing; overtaken desired contacts stay out."""
        earlier = self._state.operations.get(operation.sync_id)
        if earlier and earlier.planned > operation.planned:
            raise OvertakenError(item=f"The plan of run {operation.dag_run_id}")
        newer = list(desired)
        if len({contact.contact_type for contact in newer}) != len(newer):
            raise UnexpectedAwsError(operation="TransactWriteItems", aws_code="ValidationException")
        self._state.operations[operation.sync_id] = operation
        for contact in newer:
            stored = self._state.desired.get(contact.contact_type)
            if stored is None or stored.generation < contact.generation:
                self._state.desired[contact.contact_type] = contact

    def get(self, sync_id: str) -> SyncOperation | None:
        """Return an operation."""
        return self._state.operations.get(sync_id)

    def update(self, operation: SyncOperation) -> None:
        """Store status, counts and end, and nothing else."""
        stored = self._state.operations.get(operation.sync_id)
        if stored is None:
            raise UnexpectedAwsError(operation="UpdateItem", aws_code="ConditionalCheckFailedException")
        self._state.operations[operation.sync_id] = replace(
            stored, status=operation.status, counts=operation.counts, finished=operation.finished
        )

    def store_outcomes(self, operation: SyncOperation, outcomes: Iterable[AccountOutcome]) -> None:
        """Store outcomes."""
        for outcome in outcomes:
            self._check_latest_plan(operation)
            self._state.outcomes[operation.sync_id, *outcome.key] = outcome

    def remove_outcomes(self, operation: SyncOperation, outcomes: Iterable[AccountOutcome]) -> None:
        """Remove outcomes."""
        self._check_latest_plan(operation)
        for outcome in outcomes:
            self._state.outcomes.pop((operation.sync_id, *outcome.key), None)

    def _check_latest_plan(self, operation: SyncOperation) -> None:
        stored = self._state.operations.get(operation.sync_id)
        if stored and stored.planned > operation.planned:
            raise OvertakenError(item=f"The plan of run {operation.dag_run_id}")

    def settle_outcome(self, operation: SyncOperation, outcome: AccountOutcome) -> None:
        """Replace one outcome, unless a try that started later has settled it."""
        stored = self._state.outcomes.get((operation.sync_id, *outcome.key))
        if (
            stored
            and stored.attempts
            and (not outcome.attempts or stored.attempts[-1].started > outcome.attempts[-1].started)
        ):
            raise OvertakenError(item=f"The outcome of account {outcome.account_id}")
        self._state.outcomes[operation.sync_id, *outcome.key] = outcome

    def outcomes_of(self, sync_id: str, account_id: str) -> Mapping[ContactType, AccountOutcome]:
        """Return one account's outcomes."""
        return {outcome.contact_type: outcome for outcome in self.outcomes(sync_id) if outcome.account_id == account_id}

    def outcomes(self, sync_id: str) -> Iterator[AccountOutcome]:
        """Yield an operation's outcomes in the order of the table: by partition, then by account and type."""
        found = [outcome for (owner, *_), outcome in self._state.outcomes.items() if owner == sync_id]
        yield from sorted(found, key=lambda o: (o.account_id[-1], f"{o.account_id}#{o.contact_type}"))

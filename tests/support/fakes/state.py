"""Fakes of the ports on the tables of operations and records: in memory, with the conditions of the real adapters."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from contactsync.accounts import FoundPlaces
from contactsync.bus.envelope import Announcement
from contactsync.bus.events import NoticeRequested, Severity
from contactsync.contacts import ContactType
from contactsync.errors import ItemUnreadableError, OvertakenError, UnexpectedAwsError
from contactsync.operations.account_record import AccountRecord
from contactsync.operations.desired import DesiredContact
from contactsync.operations.operation import AccountOutcome, Halt, OperationStatus, SyncOperation


@dataclass
class FakeState:
    """What the tables hold; FakeOperations and FakeDesiredContacts share one."""

    generations: dict[ContactType, int] = field(default_factory=dict)
    operations: dict[str, SyncOperation] = field(default_factory=dict)
    outcomes: dict[tuple[str, str, ContactType], AccountOutcome] = field(default_factory=dict)
    desired: dict[ContactType, DesiredContact] = field(default_factory=dict)
    records: dict[tuple[str, ContactType], AccountRecord] = field(default_factory=dict)
    outbox: list[Announcement] = field(default_factory=list)
    deletions: dict[ContactType, int] = field(default_factory=dict)
    unplanned: datetime | None = None
    unreadable: Exception | None = None
    """What reading an operation raises."""

    @property
    def empty(self) -> bool:
        """Whether nothing at all was stored."""
        return not (self.generations or self.operations or self.outcomes or self.desired)


class FakeAnnouncer:
    """Remembers what was handed over for publishing, and empties the outbox of it as a bus that works does."""

    def __init__(self, state: FakeState) -> None:
        """Share a state."""
        self._state = state
        self.sent: list[Announcement] = []

    def send(self, announcements: Sequence[Announcement]) -> None:
        """Take what stands in the outbox."""
        for announced in announcements:
            self._state.outbox.remove(announced)
            self.sent.append(announced)

    def send_unstored(self, announcements: Sequence[Announcement]) -> bool:
        """Take what stands nowhere."""
        self.sent += announcements
        return True


@dataclass
class FakeNoticeStore:
    """Requests for notices by operation and scenario; one that nobody was to be told gives way."""

    outbox: list[Announcement]
    stored: dict[tuple[str, str], NoticeRequested] = field(default_factory=dict)

    def store(self, sync_id: str, request: NoticeRequested, announced: Sequence[Announcement]) -> bool:
        """Store the first."""
        before = self.stored.get((sync_id, request.scenario))
        if before and before.priority is not Severity.INFO:
            return False
        self.stored[sync_id, request.scenario] = request
        self.outbox += announced
        return True

    def requested(self, sync_id: str) -> list[str]:
        """Return the scenarios."""
        return [scenario for owner, scenario in self.stored if owner == sync_id]


class FakeRecords:
    """Account records under optimistic locking."""

    def __init__(self, state: FakeState) -> None:
        """Share a state; records whose key is in `unreadable` are there, and cannot be read."""
        self._state = state
        self.unreadable: set[tuple[str, ContactType]] = set()

    def get(self, account_id: str, contact_type: ContactType) -> AccountRecord:
        """Return the record, or one of version 0."""
        return self._state.records.get((account_id, contact_type)) or AccountRecord(account_id, contact_type)

    def replace(self, record: AccountRecord, **changes: Any) -> AccountRecord | None:
        """Store the next version when this one is the latest."""
        if self.get(record.account_id, record.contact_type).version != record.version:
            return None
        stored = replace(record, **changes, version=record.version + 1)
        self._state.records[record.account_id, record.contact_type] = stored
        return stored

    def many(
        self, keys: Iterable[tuple[str, ContactType]], unreadable: set[tuple[str, ContactType]] | None = None
    ) -> Iterator[AccountRecord]:
        """Yield those that are stored, without those that cannot be read."""
        stored = [key for key in keys if key in self._state.records]
        if unreadable is not None:
            unreadable.update(key for key in stored if key in self.unreadable)
        yield from (self._state.records[key] for key in stored if key not in self.unreadable)


@dataclass
class FakeLookups:
    """What was looked up a while ago."""

    kept: dict[str, list[tuple[datetime, Mapping[str, Mapping[str, str]]]]] = field(default_factory=dict)
    units: list[tuple[int, datetime, frozenset[str]]] = field(default_factory=list)
    found: dict[tuple[int, str], FoundPlaces] = field(default_factory=dict)
    """By version and last digit of the account id."""
    walks: dict[int, tuple[str, datetime]] = field(default_factory=dict)
    walked: list[int] = field(default_factory=list)
    """The versions that walks were stored for."""

    def tags(self, owner: str, since: datetime, until: datetime | None = None) -> Mapping[str, Mapping[str, str]]:
        """Return what was kept then."""
        portions = [tags for moment, tags in self.kept.get(owner, []) if since <= moment <= (until or moment)]
        return {account_id: found for tags in portions for account_id, found in tags.items()}

    def keep_tags(self, owner: str, tags: Mapping[str, Mapping[str, str]], now: datetime) -> None:
        """Keep a portion."""
        self.kept.setdefault(owner, []).append((now, dict(tags)))

    def units_found(self, version: int, names: Iterable[str]) -> datetime | None:
        """Return when they were."""
        wanted = frozenset(names)
        return max((moment for of, moment, units in self.units if of == version and wanted <= units), default=None)

    def store_units_found(self, version: int, names: Iterable[str], now: datetime) -> None:
        """Remember it."""
        self.units.append((version, now, frozenset(names)))

    def places(self, version: int, account_id: str) -> FoundPlaces | None:
        """Return the account's part."""
        return self.found.get((version, account_id[-1]))

    def store_places(self, version: int, found: FoundPlaces) -> None:
        """Store it in parts."""
        self.walked.append(version)
        for digit in "0123456789":
            part = {account_id: units for account_id, units in found.places.items() if account_id.endswith(digit)}
            self.found[version, digit] = replace(found, places=part)

    def hold_walk(self, version: int, token: str, now: datetime, until: datetime) -> bool:
        """Take it unless somebody else holds it, and not longer than anybody may."""
        holder, held_until = self.walks.get(version, (token, now))
        if holder != token and now < held_until <= until + (until - now):
            return False
        self.walks[version] = token, until
        return True


class FakeDesiredContacts:
    """The latest desired contact of each type."""

    def __init__(self, state: FakeState) -> None:
        """Share a state."""
        self._state = state

    def latest(self, contact_type: ContactType) -> DesiredContact | None:
        """Return the newest."""
        return self._state.desired.get(contact_type)


class FakeOperations:
    """Operations, outcomes and generation counters, under the conditions of aws/operations/state_table.py."""

    def __init__(self, state: FakeState) -> None:
        """Share a state."""
        self._state = state

    def raise_generation(self, contact_type: ContactType) -> int:
        """Count up, beyond the desired contact."""
        if desired := self._state.desired.get(contact_type):
            self.raise_to(contact_type, desired.generation)
        self._state.generations[contact_type] = self.generation(contact_type) + 1
        return self._state.generations[contact_type]

    def raise_to(self, contact_type: ContactType, generation: int) -> None:
        """Never lower it."""
        self._state.generations[contact_type] = max(generation, self.generation(contact_type))

    def generation(self, contact_type: ContactType) -> int:
        """Return the counter."""
        return self._state.generations.get(contact_type, 0)

    def found_deletion(self, contact_type: ContactType, generation: int) -> None:
        """Keep the greatest."""
        self._state.deletions[contact_type] = max(generation, self.last_deletion(contact_type))

    def last_deletion(self, contact_type: ContactType) -> int:
        """Return it."""
        return self._state.deletions.get(contact_type, 0)

    def unplanned_since(self, now: datetime) -> datetime:
        """Keep the first."""
        self._state.unplanned = self._state.unplanned or now
        return self._state.unplanned

    def none_unplanned(self) -> None:
        """Forget it."""
        self._state.unplanned = None

    def store_plan(self, operation: SyncOperation, desired: Iterable[DesiredContact]) -> None:
        """Store all or, when the operation was planned later already, nothing; overtaken desired contacts stay out."""
        earlier = self._state.operations.get(operation.sync_id)
        if earlier and earlier.planned > operation.planned:
            raise OvertakenError(item=f"The plan of run {operation.dag_run_id}")
        self._desire(desired)
        self._state.operations[operation.sync_id] = operation

    def decide(self, operation: SyncOperation, desired: Iterable[DesiredContact]) -> None:
        """Store decisions, note and what is desired by them, and nothing else."""
        self._change(operation, plans=operation.plans, note=operation.note)
        self._desire(desired)

    def _desire(self, desired: Iterable[DesiredContact]) -> None:
        newer = list(desired)
        if len({contact.contact_type for contact in newer}) != len(newer):
            raise UnexpectedAwsError(api_operation="TransactWriteItems", aws_code="ValidationException")
        for contact in newer:
            stored = self._state.desired.get(contact.contact_type)
            if stored is None or stored.generation < contact.generation:
                self._state.desired[contact.contact_type] = contact

    def get(self, sync_id: str) -> SyncOperation | None:
        """Return an operation."""
        if self._state.unreadable:
            raise self._state.unreadable
        return self._state.operations.get(sync_id)

    def update(self, operation: SyncOperation, announced: Sequence[Announcement] = ()) -> None:
        """Store status, counts, end and follow-up with their announcements, and nothing else."""
        self._change(
            operation,
            status=operation.status,
            counts=operation.counts,
            would_change=operation.would_change,
            finished=operation.finished,
            ends=operation.ends,
            followed_by=operation.followed_by or self._stored(operation).followed_by,
        )
        self._state.outbox += announced

    def unfinished(self, unreadable: list[ItemUnreadableError] | None = None) -> Iterator[SyncOperation]:
        """Yield operations without an end; all can be read."""
        del unreadable
        unfinished = (OperationStatus.PENDING, OperationStatus.IN_PROGRESS)
        yield from [found for found in self._state.operations.values() if found.status in unfinished]

    def store_end(self, operation: SyncOperation, announced: Sequence[Announcement] = ()) -> bool:
        """Store the end, unless there is one, or another plan."""
        stored = self._state.operations.get(operation.sync_id)
        if stored is None or stored.planned != operation.planned or stored not in self.unfinished() or stored.finished:
            return False
        self._change(
            operation,
            status=operation.status,
            counts=operation.counts,
            would_change=operation.would_change,
            finished=operation.finished,
            ends=operation.ends,
            note=operation.note,
        )
        self._state.outbox += announced
        return True

    def halt(self, operation: SyncOperation, halt: Halt) -> None:
        """Store why the operation stopped."""
        self._change(operation, halt=halt)

    def lift_halt(self, operation: SyncOperation) -> None:
        """Remove the halt, unless a later one, or a later plan, is stored."""
        stored = self._state.operations.get(operation.sync_id)
        if stored and (stored.planned, stored.halt) == (operation.planned, operation.halt):
            self._change(operation, halt=None)

    def _change(self, operation: SyncOperation, **changes: Any) -> None:
        self._state.operations[operation.sync_id] = replace(self._stored(operation), **changes)

    def _stored(self, operation: SyncOperation) -> SyncOperation:
        stored = self._state.operations.get(operation.sync_id)
        if stored is None or stored.planned != operation.planned:
            raise OvertakenError(item=f"The plan of run {operation.dag_run_id}")
        return stored

    def store_outcomes(self, operation: SyncOperation, outcomes: Iterable[AccountOutcome]) -> None:
        """Store outcomes."""
        for outcome in outcomes:
            self._check_latest_plan(operation)
            self._state.outcomes[operation.sync_id, *outcome.key] = outcome

    def keep_outcomes(self, operation: SyncOperation, outcomes: Iterable[AccountOutcome]) -> None:
        """Nothing expires here."""
        del outcomes
        self._check_latest_plan(operation)

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
        """Replace one outcome that the plan has, unless a try that started later has settled it."""
        stored = self._state.outcomes.get((operation.sync_id, *outcome.key))
        if (
            stored is None
            or stored.outside
            or (
                stored.attempts and (not outcome.attempts or stored.attempts[-1].started > outcome.attempts[-1].started)
            )
        ):
            raise OvertakenError(item=f"The outcome of account {outcome.account_id}")
        self._state.outcomes[operation.sync_id, *outcome.key] = outcome

    def announce_failures(
        self, operation: SyncOperation, failures: Iterable[tuple[AccountOutcome, Announcement]]
    ) -> Iterator[Announcement]:
        """Mark and announce what nobody has settled again."""
        for outcome, announced in list(failures):
            key = (operation.sync_id, *outcome.key)
            stored = self._state.outcomes[key]
            if stored.timestamp == outcome.timestamp:
                self._state.outcomes[key] = replace(stored, announced=announced.id)
                self._state.outbox.append(announced)
                yield announced

    def announce_writes(
        self,
        operation: SyncOperation,
        outcomes: Sequence[AccountOutcome],
        announced: Callable[[list[AccountOutcome]], Announcement],
    ) -> Announcement | None:
        """Mark and announce what nobody has settled again."""
        stored = [self._state.outcomes[operation.sync_id, *outcome.key] for outcome in outcomes]
        same = [outcome for outcome, now in zip(outcomes, stored, strict=True) if outcome.timestamp == now.timestamp]
        if not same:
            return None
        for outcome in same:
            key = (operation.sync_id, *outcome.key)
            marked = replace(self._state.outcomes[key], written_announced=outcome.written_announced)
            self._state.outcomes[key] = marked
        self._state.outbox.append(announced(same))
        return self._state.outbox[-1]

    def outcomes_of(self, sync_id: str, account_id: str) -> Mapping[ContactType, AccountOutcome]:
        """Return one account's outcomes."""
        return {outcome.contact_type: outcome for outcome in self.outcomes(sync_id) if outcome.account_id == account_id}

    def outcomes(self, sync_id: str) -> Iterator[AccountOutcome]:
        """Yield an operation's outcomes in the order of the table: by partition, then by account and type."""
        found = [outcome for (owner, *_), outcome in self._state.outcomes.items() if owner == sync_id]
        yield from sorted(found, key=lambda o: (o.account_id[-1], f"{o.account_id}#{o.contact_type}"))

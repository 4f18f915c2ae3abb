"""The ports through which sync operations, account records and desired contacts are stored."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from contactsync.bus.envelope import Announcement
from contactsync.contacts import ContactType
from contactsync.errors import ItemUnreadableError
from contactsync.operations.account_record import AccountRecord
from contactsync.operations.desired import DesiredContact
from contactsync.operations.operation import AccountOutcome, Halt, SyncOperation


class DesiredContacts(Protocol):
    """The latest desired contact of each type."""

    def latest(self, contact_type: ContactType) -> DesiredContact | None:
        """Return what the member accounts must have, or None when no operation has stored it yet."""


class AccountRecords(Protocol):
    """The account records, with optimistic locking."""

    def get(self, account_id: str, contact_type: ContactType) -> AccountRecord:
        """Return a record, read consistently; a record with version 0 when nothing is stored."""

    def replace(self, record: AccountRecord, **changes: Any) -> AccountRecord | None:  # noqa: ANN401 -- fields of AccountRecord
        """Store the record with changes as its next version and return it; None if another version is stored now."""

    def many(
        self, keys: Iterable[tuple[str, ContactType]], unreadable: set[tuple[str, ContactType]] | None = None
    ) -> Iterator[AccountRecord]:
        """Return the stored records of many accounts, in any order, read consistently.

        A record that cannot be read is logged and left out, and its key is added to `unreadable`.
        """


class Generations(Protocol):
    """The counters that order the desired contacts, one for each contact type."""

    def raise_generation(self, contact_type: ContactType) -> int:
        """Raise the counter and return the new generation.

        It is greater than any that was returned before, and than that of the stored desired contact. So a counter that
        was lost, or restored from a backup, does not make a new contact look old.
        """

    def raise_to(self, contact_type: ContactType, generation: int) -> None:
        """Raise the counter to at least this generation, which was found somewhere although the counter is lower."""


class Operations(Generations, Protocol):
    """The sync operations with their outcomes, and the counters that order them."""

    def generation(self, contact_type: ContactType) -> int:
        """Return the generation that was raised last; 0 before the first."""

    def found_deletion(self, contact_type: ContactType, generation: int) -> None:
        """Store that a plan has found the contact deleted; the greatest generation counts."""

    def last_deletion(self, contact_type: ContactType) -> int:
        """Return the generation of the last plan that found the contact deleted; 0 before the first one."""

    def unplanned_since(self, now: datetime) -> datetime:
        """Return since when every look has found unplanned runs; store `now` and return it at the first look."""

    def none_unplanned(self) -> None:
        """Remove that time: every run has a plan."""

    def store_plan(self, operation: SyncOperation, desired: Iterable[DesiredContact]) -> None:
        """Store the operation and the desired contacts in one transaction.

        Raises OvertakenError when the run has been planned again since. A stored desired contact with a greater
        generation is not replaced; repeating is harmless.
        """

    def decide(self, operation: SyncOperation, desired: Iterable[DesiredContact]) -> None:
        """Store the decisions and the note of an operation, and the desired contacts, in one transaction.

        Raises OvertakenError when the run has been planned again since. A stored desired contact with a greater
        generation is not replaced; repeating is harmless.
        """

    def get(self, sync_id: str) -> SyncOperation | None:
        """Return an operation, read consistently."""

    def unfinished(self, unreadable: list[ItemUnreadableError] | None = None) -> Iterator[SyncOperation]:
        """Return the operations without an end; the latest changes may be missing.

        An operation that cannot be read is logged, left out, and added to `unreadable`.
        """

    def store_end(self, operation: SyncOperation, announced: Sequence[Announcement] = ()) -> bool:
        """Store status, counts, note and end with their announcements, and return whether that was done.

        It is not done if an end was stored, or the run planned again, after `operation` was read.
        """

    def update(self, operation: SyncOperation, announced: Sequence[Announcement] = ()) -> None:
        """Store status, counts, `followed_by` and the time of the end of an operation that exists.

        The announcements are stored in the outbox in the same transaction.
        """

    def halt(self, operation: SyncOperation, halt: Halt) -> None:
        """Store why the operation stopped, unless a later plan has replaced it."""

    def lift_halt(self, operation: SyncOperation) -> None:
        """Remove the halt of `operation`, unless another halt has been stored since."""

    def store_outcomes(self, operation: SyncOperation, outcomes: Iterable[AccountOutcome]) -> None:
        """Store many outcomes, and replace existing ones; raise OvertakenError when the run has been planned again."""

    def keep_outcomes(self, operation: SyncOperation, outcomes: Iterable[AccountOutcome]) -> None:
        """Keep outcomes of an earlier plan as long as those of this plan; their contents do not change."""

    def remove_outcomes(self, operation: SyncOperation, outcomes: Iterable[AccountOutcome]) -> None:
        """Remove outcomes; those that do not exist are ignored."""

    def settle_outcome(self, operation: SyncOperation, outcome: AccountOutcome) -> None:
        """Replace one outcome.

        Raises OvertakenError when a try that started later has settled it, or when the latest plan no longer has it.
        """

    def announce_failures(
        self, operation: SyncOperation, failures: Iterable[tuple[AccountOutcome, Announcement]]
    ) -> Iterator[Announcement]:
        """Mark outcomes as announced, in the same transactions as their announcements, and yield what was stored.

        An outcome that a task has settled again since is left out.
        """

    def announce_writes(
        self,
        operation: SyncOperation,
        outcomes: Sequence[AccountOutcome],
        announced: Callable[[list[AccountOutcome]], Announcement],
    ) -> Announcement | None:
        """Mark the writes of outcomes as announced, in one transaction with the announcement made by `announced`.

        Outcomes that a task has settled again since are left out; returns None if all are. Raises StateConflictError
        when others keep changing one of them.
        """

    def outcomes_of(self, sync_id: str, account_id: str) -> Mapping[ContactType, AccountOutcome]:
        """Return the outcomes of one account, read consistently."""

    def outcomes(self, sync_id: str) -> Iterator[AccountOutcome]:
        """Return every outcome of an operation, page by page, read consistently."""


class Announcer(Protocol):
    """The publisher of what has just been stored in the outbox."""

    def send(self, announcements: Sequence[Announcement]) -> None:
        """Publish; what cannot be published now is left to housekeeping, and none of our errors is raised."""

"""How sync operations, account records and desired contacts are stored."""

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
        """Return what the member accounts are to carry, or None when no operation has stored it yet."""


class Records(Protocol):
    """Account records under optimistic locking."""

    def get(self, account_id: str, contact_type: ContactType) -> AccountRecord:
        """Return a record, read consistently; one of version 0 when nothing is stored."""

    def replace(self, record: AccountRecord, **changes: Any) -> AccountRecord | None:  # noqa: ANN401 -- fields of AccountRecord
        """Store the record with changes as its next version and return it; None when another version is there."""

    def many(
        self, keys: Iterable[tuple[str, ContactType]], unreadable: set[tuple[str, ContactType]] | None = None
    ) -> Iterator[AccountRecord]:
        """Return the records of many accounts that are stored, in any order, read consistently.

        One that cannot be read is logged, left out, and its key added to `unreadable`.
        """


class Generations(Protocol):
    """The counters that order what is desired, one for each contact type."""

    def raise_generation(self, contact_type: ContactType) -> int:
        """Count up and return the new generation.

        It is greater than any that was returned before and than that of the stored desired contact, so that a counter
        that was lost, or restored from a backup, does not make a new contact look old.
        """

    def raise_to(self, contact_type: ContactType, generation: int) -> None:
        """Let the next generation be greater than this one, which was met although the counter is behind."""


class Operations(Generations, Protocol):
    """Sync operations with their outcomes, and the generation counters that order them."""

    def generation(self, contact_type: ContactType) -> int:
        """Return the generation that was raised last; 0 before the first."""

    def found_deletion(self, contact_type: ContactType, generation: int) -> None:
        """Remember that a stored plan has found the contact deleted; the greatest generation counts."""

    def last_deletion(self, contact_type: ContactType) -> int:
        """Return the generation of the last plan that has found the contact deleted; 0 before the first."""

    def unplanned_since(self, now: datetime) -> datetime:
        """Return since when there have been unplanned runs at every look: `now` at the first one."""

    def none_unplanned(self) -> None:
        """Forget that: every run is planned."""

    def store_plan(self, operation: SyncOperation, desired: Iterable[DesiredContact]) -> None:
        """Store the operation and the desired contacts in one transaction.

        Raises OvertakenError when the run was planned again meanwhile. A desired contact whose stored
        generation is greater already is left as it is; repeating is harmless.
        """

    def decide(self, operation: SyncOperation, desired: Iterable[DesiredContact]) -> None:
        """Store the decisions and the note of an operation, and the desired contacts, in one transaction.

        Raises OvertakenError when the run was planned again meanwhile. A desired contact whose stored
        generation is greater already is left as it is; repeating is harmless.
        """

    def get(self, sync_id: str) -> SyncOperation | None:
        """Return an operation, read consistently."""

    def unfinished(self, unreadable: list[ItemUnreadableError] | None = None) -> Iterator[SyncOperation]:
        """Return the operations without an end; what has changed a moment ago may be missing or out of date.

        One that cannot be read is logged, left out, and added to `unreadable`.
        """

    def close(self, operation: SyncOperation, announced: Sequence[Announcement] = ()) -> bool:
        """Store status, counts, note and end with their announcements, and return whether that was done.

        Not done when somebody has stored an end or planned the run again since `operation` was read.
        """

    def update(self, operation: SyncOperation, announced: Sequence[Announcement] = ()) -> None:
        """Store status, counts, `followed_by` and the time of the end, of an operation that is there.

        The announcements go into the outbox in the same transaction.
        """

    def halt(self, operation: SyncOperation, halt: Halt) -> None:
        """Store why the operation stopped, on the condition that no later plan has replaced it."""

    def lift_halt(self, operation: SyncOperation) -> None:
        """Remove the halt that `operation` carries, unless another one has been stored meanwhile."""

    def store_outcomes(self, operation: SyncOperation, outcomes: Iterable[AccountOutcome]) -> None:
        """Store many outcomes, replacing those that are there; OvertakenError when the run was planned again."""

    def keep_outcomes(self, operation: SyncOperation, outcomes: Iterable[AccountOutcome]) -> None:
        """Let outcomes of an earlier plan last as long as this plan's; what is in them stays as it is."""

    def remove_outcomes(self, operation: SyncOperation, outcomes: Iterable[AccountOutcome]) -> None:
        """Remove outcomes; those that are not there do not matter."""

    def settle_outcome(self, operation: SyncOperation, outcome: AccountOutcome) -> None:
        """Replace one outcome.

        Raises OvertakenError when a try that started later has settled it, or when the latest plan no longer has it.
        """

    def announce_failures(
        self, operation: SyncOperation, failures: Iterable[tuple[AccountOutcome, Announcement]]
    ) -> Iterator[Announcement]:
        """Mark outcomes as announced, with their announcements in the same transactions, and yield what was stored.

        One that a task has settled again meanwhile is left out.
        """

    def announce_writes(
        self,
        operation: SyncOperation,
        outcomes: Sequence[AccountOutcome],
        announced: Callable[[list[AccountOutcome]], Announcement],
    ) -> Announcement | None:
        """Store the marks of outcomes' announced writes, in one transaction with what `announced` makes of them.

        Those that a task has settled again meanwhile are left out; None when that is all of them. Raises
        StateConflictError when others keep changing one of them.
        """

    def outcomes_of(self, sync_id: str, account_id: str) -> Mapping[ContactType, AccountOutcome]:
        """Return the outcomes of one account, read consistently."""

    def outcomes(self, sync_id: str) -> Iterator[AccountOutcome]:
        """Return every outcome of an operation page by page, read consistently."""


class Announcer(Protocol):
    """Publishes what was stored in the outbox a moment ago."""

    def send(self, announcements: Sequence[Announcement]) -> None:
        """Publish, or leave to housekeeping what cannot be published now; raises nothing of ours."""

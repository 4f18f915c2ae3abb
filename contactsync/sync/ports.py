"""What contact synchronization needs from the outside, and nothing more."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from contactsync.accounts import Account, AccountState, FoundPlaces, UnitPath
from contactsync.bus.envelope import Announcement
from contactsync.contacts import Contact, ContactType
from contactsync.errors import ItemUnreadableError
from contactsync.sync.breaker import BreakerState, Bucket, Tally, Transition
from contactsync.sync.calls import ApiOperation
from contactsync.sync.config import StoredConfiguration
from contactsync.sync.desired import DesiredContact
from contactsync.sync.operation import AccountOutcome, Halt, SyncOperation
from contactsync.sync.rates import RatesConfig
from contactsync.sync.record import AccountRecord


class Clock(Protocol):
    """Tells the time and passes it."""

    def now(self) -> datetime:
        """Return the current time, in UTC."""

    def sleep(self, seconds: float) -> None:
        """Wait."""

    def monotonic(self) -> float:
        """Return seconds that only ever grow, for measuring how long something took."""


class Organization(Protocol):
    """The organization as its management account sees it."""

    def caller_account(self) -> str:
        """Return the id of the account that the credentials belong to."""

    def trusted_access(self) -> bool:
        """Tell whether Account Management may act on the organization's accounts."""

    def accounts(self) -> Iterator[Account]:
        """List every account, the management account included, over all pages."""

    def state(self, account_id: str) -> AccountState | None:
        """Return the state of one account; None when it is not in the organization."""

    def units(self) -> Iterator[UnitPath]:
        """List the root and every organizational unit, each with what is above it, parents first."""

    def accounts_in(self, unit_id: str) -> Iterator[str]:
        """List the ids of the accounts right under the root or a unit, not those further down."""

    def units_of(self, account_id: str) -> UnitPath:
        """Return where one account is, the root first; raise NotInOrganizationError when it is not there."""

    def has_unit(self, name: str) -> bool:
        """Tell whether a unit has this id, or this path of names below the root."""

    def tags_of(self, account_id: str) -> Mapping[str, str]:
        """Return the tags of one account; raise NotInOrganizationError when it is not in the organization."""


class Lookups(Protocol):
    """Answers of the organization that are kept for a while, for all processes."""

    def tags(self, owner: str, since: datetime, until: datetime | None = None) -> Mapping[str, Mapping[str, str]]:
        """Return the tags by account that were kept for this owner since then, and not after `until`."""

    def keep_tags(self, owner: str, tags: Mapping[str, Mapping[str, str]], now: datetime) -> None:
        """Keep tags of some accounts for whoever asks for the same owner."""

    def units_found(self, version: int, names: Iterable[str]) -> datetime | None:
        """Return when all these units of a configuration version were last found to be there."""

    def store_units_found(self, version: int, names: Iterable[str], now: datetime) -> None:
        """Store that they were."""

    def places(self, version: int, account_id: str) -> FoundPlaces | None:
        """Return what the latest walk for a configuration version has found, as far as it may concern an account."""

    def store_places(self, version: int, found: FoundPlaces) -> None:
        """Store what a walk has found."""

    def hold_walk(self, version: int, token: str, now: datetime, until: datetime) -> bool:
        """Take the walk for a version until then, or go on holding it; False while somebody else holds it."""


class AccountContacts(Protocol):
    """The contacts of accounts; `account_id=None` means the management account itself.

    Each method makes one call, and raises an AwsCallError when it fails.
    """

    def read(self, contact_type: ContactType, account_id: str | None) -> Contact | None:
        """Return the contact, or None when the account has none of this type."""

    def write(self, contact_type: ContactType, account_id: str, contact: Contact) -> None:
        """Replace the whole contact of a member account."""

    def delete(self, contact_type: ContactType, account_id: str) -> None:
        """Delete an alternate contact of a member account; one that is absent already counts as deleted."""


class Configurations(Protocol):
    """The stored versions of the configuration."""

    def latest(self) -> StoredConfiguration:
        """Return the version in force; raise ConfigurationError when there is none or it is invalid."""

    def version(self, number: int) -> StoredConfiguration:
        """Return one version; raise ConfigurationError when it is missing or invalid."""


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


class Pacer(Protocol):
    """Gives out the turns of calls, to all workers of one caller account together."""

    def reserve(self, api: ApiOperation, rates: RatesConfig) -> float:
        """Reserve the next turn and return the seconds until then.

        Raises PausedError, and reserves nothing, when that would be longer than `rates.max_wait`.
        """


class Breakers(Protocol):
    """The circuit breakers of one caller account, one for each API operation, shared by all workers."""

    def get(self, api: ApiOperation) -> BreakerState:
        """Return a breaker, read consistently; a closed one of version 0 when nothing is stored."""

    def change(self, api: ApiOperation, step: Callable[[BreakerState], BreakerState]) -> BreakerState:
        """Store what `step` makes of the stored state, and return it.

        `step` is called again when somebody else was faster, and nothing is written when it returns what it was given.
        """

    def count(self, api: ApiOperation, bucket: Bucket, tally: Tally) -> None:
        """Add to the calls of a bucket."""

    def tallies(self, api: ApiOperation, newest: Bucket) -> list[Tally]:
        """Return the calls of a window's buckets, read consistently, newest first; empty buckets are left out.

        The window is whole with the bucket before the `BUCKETS` newest ones, as the newest has only begun.
        """

    def transitions(self, since: datetime) -> list[Transition]:
        """Return what is known of the changes of phase from `since` on, oldest first."""

    def access_checked(self) -> datetime | None:
        """Return when any worker has last found that it may call, or None."""

    def store_access_check(self, moment: datetime) -> None:
        """Store that a worker found so."""

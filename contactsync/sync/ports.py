"""What contact synchronization needs from the outside, and nothing more."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Protocol

from contactsync.accounts import Account
from contactsync.contacts import Contact, ContactType
from contactsync.sync.config import StoredConfiguration
from contactsync.sync.desired import DesiredContact
from contactsync.sync.operation import AccountOutcome, SyncOperation


class Clock(Protocol):
    """Tells the time and passes it."""

    def now(self) -> datetime:
        """Return the current time, in UTC."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class Organization(Protocol):
    """The organization as its management account sees it."""

    def caller_account(self) -> str:
        """Return the id of the account that the credentials belong to."""

    def trusted_access(self) -> bool:
        """Tell whether Account Management may act on the organization's accounts."""

    def accounts(self) -> Iterator[Account]:
        """List every account, the management account included, over all pages."""


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


class Operations(Protocol):
    """Sync operations with their outcomes, and the generation counters that order them."""

    def raise_generation(self, contact_type: ContactType) -> int:
        """Count up and return the new generation; every call returns a greater one."""

    def store_plan(self, operation: SyncOperation, desired: Iterable[DesiredContact]) -> None:
        """Store the operation and the desired contacts in one transaction.

        Raises OvertakenError when the run was planned anew meanwhile. A desired contact whose stored
        generation is greater already is left as it is; repeating is harmless.
        """

    def get(self, sync_id: str) -> SyncOperation | None:
        """Return an operation, read consistently."""

    def update(self, operation: SyncOperation) -> None:
        """Store status, counts and the time of the end, of an operation that is there."""

    def store_outcomes(self, operation: SyncOperation, outcomes: Iterable[AccountOutcome]) -> None:
        """Store many outcomes, replacing those that are there; OvertakenError when the run was planned anew."""

    def remove_outcomes(self, operation: SyncOperation, outcomes: Iterable[AccountOutcome]) -> None:
        """Remove outcomes; those that are not there do not matter."""

    def settle_outcome(self, operation: SyncOperation, outcome: AccountOutcome) -> None:
        """Replace one outcome; OvertakenError when a try that started later has settled it."""

    def outcomes_of(self, sync_id: str, account_id: str) -> Mapping[ContactType, AccountOutcome]:
        """Return the outcomes of one account, read consistently."""

    def outcomes(self, sync_id: str) -> Iterator[AccountOutcome]:
        """Return every outcome of an operation page by page, read consistently."""

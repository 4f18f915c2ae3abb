"""Questions about the stored operations, and their answers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from contactsync.contacts import ContactType
from contactsync.operations.operation import AccountOutcome


@dataclass(frozen=True)
class Period:
    """A period of time from `since` on and before `until`; None means no bound."""

    since: datetime | None = None
    until: datetime | None = None

    @property
    def empty(self) -> bool:
        """Whether the period contains no time."""
        return self.since is not None and self.until is not None and self.since >= self.until


ALWAYS: Final = Period()


@dataclass(frozen=True)
class PastOutcome:
    """An account outcome together with the operation that it belongs to."""

    sync_id: str
    outcome: AccountOutcome


@dataclass(frozen=True)
class DesiredVersion:
    """The operation whose contact the accounts must have; no value of that contact."""

    contact_type: ContactType
    generation: int
    """The generation of that contact, from 1."""
    sync_id: str

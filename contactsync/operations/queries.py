"""What is asked of the stored operations, and the answers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from contactsync.contacts import ContactType
from contactsync.operations.operation import AccountOutcome


@dataclass(frozen=True)
class Period:
    """From `since` on and before `until`; None means without a bound."""

    since: datetime | None = None
    until: datetime | None = None

    @property
    def empty(self) -> bool:
        """Whether no time lies in it."""
        return self.since is not None and self.until is not None and self.since >= self.until


ALWAYS: Final = Period()


@dataclass(frozen=True)
class PastOutcome:
    """An account outcome together with the operation that it belongs to."""

    sync_id: str
    outcome: AccountOutcome


@dataclass(frozen=True)
class DesiredVersion:
    """Which operation's contact the accounts are to carry; no value of that contact."""

    contact_type: ContactType
    generation: int
    sync_id: str

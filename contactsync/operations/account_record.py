"""Account records: what is known of one contact type of one account across operations, and who is writing it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from contactsync.contacts import ContactType

UNKNOWN: Final = "unknown"
"""The fingerprint of a record after a call that may or may not have been carried out: equal to none."""


@dataclass(frozen=True)
class Mark:
    """The announcement of a write: while it stands, a call may be on its way."""

    token: str
    """Random, so that nobody takes another's mark for its own."""
    sync_id: str
    generation: int
    since: datetime


@dataclass(frozen=True)
class AccountRecord:
    """One contact type of one account; it holds no contact value, and never expires."""

    account_id: str
    contact_type: ContactType
    version: int = 0
    """Counts the changes of this record; 0 when nothing is stored."""
    generation: int | None = None
    """The generation of the desired contact that was applied last."""
    fingerprint: str | None = None
    """The HMAC of what was written last, or may have been."""
    form: str | None = None
    """The HMAC of the form in which AWS keeps that, where it is another one."""
    writer: str | None = None
    """The sync operation that wrote it."""
    writer_try: int | None = None
    """The number of the task's try that wrote it; None in older items."""
    written_fields: tuple[str, ...] = ()
    """What that write changed."""
    verified_at: datetime | None = None
    """When a read showed the applied contact."""
    mark: Mark | None = None

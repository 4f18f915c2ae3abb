"""Account records: what is known about one contact type of one account across operations, and who is writing it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from contactsync.contacts import ContactType

UNKNOWN: Final = "unknown"
"""The fingerprint of a record after a call of unknown effect; it is equal to no real fingerprint."""


@dataclass(frozen=True)
class Mark:
    """The announcement of a write on a record: as long as it is there, a call may be on its way."""

    token: str
    """Random, so that no task takes another task's mark for its own."""
    sync_id: str
    generation: int
    """The generation of the desired contact that the write brings; counts from 1."""
    since: datetime


@dataclass(frozen=True)
class AccountRecord:
    """What is known about one contact type of one account; it holds no contact value, and never expires."""

    account_id: str
    contact_type: ContactType
    version: int = 0
    """Number of changes of this record; 0 when nothing is stored."""
    generation: int | None = None
    """The generation of the desired contact that was applied last."""
    fingerprint: str | None = None
    """The HMAC of the contact that was written last, or may have been."""
    form: str | None = None
    """The HMAC of that contact in the form in which AWS keeps it, if that is another form."""
    writer: str | None = None
    """The id of the sync operation that wrote last."""
    writer_try: int | None = None
    """The number of the try that wrote last; None in older items."""
    written_fields: tuple[str, ...] = ()
    """The names of the fields that this write changed."""
    verified_at: datetime | None = None
    """When a read showed the applied contact."""
    mark: Mark | None = None

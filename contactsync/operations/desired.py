"""Desired contacts: what every member account must have, ordered by generation."""

from dataclasses import dataclass, field

from contactsync.contacts import Contact, ContactType


@dataclass(frozen=True)
class DesiredContact:
    """The management account's contact as one operation read it; `contact=None` means that it has to be deleted."""

    contact_type: ContactType
    generation: int
    """The counter's value for this contact type when it was read; counts from 1, and the highest is the newest."""
    sync_id: str
    contact: Contact | None = field(repr=False)

"""Desired contacts: what every member account is to carry, ordered by generation."""

from dataclasses import dataclass, field

from contactsync.contacts import Contact, ContactType


@dataclass(frozen=True)
class DesiredContact:
    """The management account's contact as one operation read it; `contact=None` means it is to be deleted."""

    contact_type: ContactType
    generation: int
    sync_id: str
    contact: Contact | None = field(repr=False)

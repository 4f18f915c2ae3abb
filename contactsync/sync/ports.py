"""What contact synchronization needs from outside, and nothing more."""

from typing import Protocol

from contactsync.contacts import Contact, ContactType


class AccountContacts(Protocol):
    """The contacts of accounts; `account_id=None` means the management account itself.

    Each method makes one call, and raises an AwsCallError when it fails.
    """

    def read(self, contact_type: ContactType, account_id: str | None) -> Contact | None:
        """Return the contact, or None when the account has none of this type."""

    def write(self, contact_type: ContactType, account_id: str, contact: Contact) -> None:
        """Replace the whole contact of a member account."""

    def delete(self, contact_type: ContactType, account_id: str) -> None:
        """Delete an alternate contact of a member account; if there is none, that is a success too."""

"""Patience with throttled calls: they wait inside the task, for a bounded time, before they count as failures."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from contactsync.contacts import Contact, ContactType
from contactsync.errors import ThrottledError
from contactsync.sync.ports import AccountContacts, Clock

T = TypeVar("T")


@dataclass(frozen=True)
class PatientContacts:
    """AccountContacts that wait and call again when AWS asks for fewer calls per second.

    A throttled call was not carried out, so repeating it is harmless; the waits are random, so that many tasks do not
    come back together. After `tries` calls the error goes out, and the account's task is retried by Airflow.
    """

    contacts: AccountContacts
    clock: Clock
    tries: int
    longest_wait: float

    def read(self, contact_type: ContactType, account_id: str | None) -> Contact | None:
        """Return the contact, or None when the account has none of this type."""
        return self._patiently(lambda: self.contacts.read(contact_type, account_id))

    def write(self, contact_type: ContactType, account_id: str, contact: Contact) -> None:
        """Replace the whole contact of a member account."""
        self._patiently(lambda: self.contacts.write(contact_type, account_id, contact))

    def delete(self, contact_type: ContactType, account_id: str) -> None:
        """Delete an alternate contact of a member account."""
        self._patiently(lambda: self.contacts.delete(contact_type, account_id))

    def _patiently(self, call: Callable[[], T]) -> T:
        attempts = Retrying(
            retry=retry_if_exception_type(ThrottledError),
            stop=stop_after_attempt(self.tries),
            wait=wait_random_exponential(multiplier=1, max=self.longest_wait),
            sleep=self.clock.sleep,
            reraise=True,
        )
        return attempts(call)

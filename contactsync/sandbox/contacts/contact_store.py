"""The contacts of every account, and reads that lag behind writes."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from contactsync.sandbox.contacts.account_rules import ContactType


@dataclass(frozen=True)
class _Versions:
    """The latest value of a contact, the one before it, and the time of the change in seconds of the store's clock."""

    latest: Mapping[str, str] | None
    before: Mapping[str, str] | None
    written: float


class ContactStore:
    """The contacts by account and type; `initial` makes those that were never written, when they are read."""

    def __init__(
        self,
        initial: Callable[[str, ContactType], Mapping[str, str] | None],
        *,
        stale_seconds: float = 0.0,
        stale_account: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep the source of the contacts; `stale_seconds` and `stale_account` can be changed at any time."""
        self.stale_seconds = stale_seconds
        self.stale_account = stale_account
        self._initial = initial
        self._clock = clock
        self._lock = threading.Lock()
        self._written: dict[tuple[str, ContactType], _Versions] = {}

    def read(self, account: str, contact_type: ContactType) -> Mapping[str, str] | None:
        """Return the contact as a read sees it: for `stale_seconds` after a write, the value from before that write.

        With `stale_account`, this is so for reads of that account only.
        """
        with self._lock:
            versions = self._written.get((account, contact_type))
            if versions is None:
                return self._initial(account, contact_type)
            lags = self.stale_account in (None, account)
            stale = lags and self._clock() - versions.written < self.stale_seconds
            return versions.before if stale else versions.latest

    def latest(self, account: str, contact_type: ContactType) -> Mapping[str, str] | None:
        """Return the contact after the latest write, also while reads are stale."""
        with self._lock:
            return self._latest(account, contact_type)

    def put(self, account: str, contact_type: ContactType, contact: Mapping[str, str]) -> None:
        """Replace the whole contact."""
        with self._lock:
            self._write(account, contact_type, dict(contact))

    def delete(self, account: str, contact_type: ContactType) -> bool:
        """Remove the contact, and return whether there was one."""
        with self._lock:
            if self._latest(account, contact_type) is None:
                return False
            self._write(account, contact_type, None)
            return True

    def _latest(self, account: str, contact_type: ContactType) -> Mapping[str, str] | None:
        versions = self._written.get((account, contact_type))
        return self._initial(account, contact_type) if versions is None else versions.latest

    def _write(self, account: str, contact_type: ContactType, contact: Mapping[str, str] | None) -> None:
        before = self._latest(account, contact_type)
        self._written[account, contact_type] = _Versions(contact, before, self._clock())

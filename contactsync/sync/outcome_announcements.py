"""What the bus is told of an operation's accounts once they are judged: failures, and what was written."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from contactsync.bus.envelope import Announcement
from contactsync.bus.events import ACCOUNTS_AT_MOST
from contactsync.contacts import ContactType
from contactsync.operations.announcements import account_failed, accounts_written
from contactsync.operations.counting import is_failure
from contactsync.operations.operation import AccountOutcome, SyncOperation
from contactsync.operations.ports import Announcer, Operations
from contactsync.operations.writes import Write, unannounced

Key = tuple[str, ContactType]

PORTION: Final = 100
"""How many failures are stored, and announcements published, at a time: there can be ten thousand."""


def announce_outcomes(operations: Operations, announcer: Announcer, operation: SyncOperation) -> None:
    """Announce every failure and every write that was not announced before; repeated, it announces nothing.

    Outcomes are passed over once more where some have another write: its mark comes after that of the one before.
    """
    while _announce_next(operations, announcer, operation):
        continue


def announce_late(operations: Operations, announcer: Announcer, operation: SyncOperation, key: Key) -> None:
    """Announce the writes to one account that were made after the report of its run, which may be the last one."""
    account_id, contact_type = key
    while True:
        outcome = operations.outcomes_of(operation.sync_id, account_id).get(contact_type)
        found = unannounced(operation, outcome) if outcome else None
        if found is None:
            return
        announced = partial(accounts_written, operation, found.write)
        stored = operations.announce_writes(operation, [found.marked], announced)
        announcer.send([stored] if stored else [])


def _announce_next(operations: Operations, announcer: Announcer, operation: SyncOperation) -> bool:
    """Announce the next write of every outcome, and the failures; return whether there are further writes."""
    found = _Unannounced(operations, operation)
    stored: list[Announcement] = []
    for outcome in operations.outcomes(operation.sync_id):
        stored.extend(found.add(outcome))
        if len(stored) >= PORTION:
            announcer.send(stored)
            stored = []
    announcer.send([*stored, *found.rest()])
    return found.more


@dataclass
class _Unannounced:
    """What is to be announced, collected from one pass over the outcomes until there is enough to be stored at once."""

    operations: Operations
    operation: SyncOperation
    failures: list[tuple[AccountOutcome, Announcement]] = field(default_factory=list)
    writes: defaultdict[Write, list[AccountOutcome]] = field(default_factory=lambda: defaultdict(list))
    more: bool = False
    """Whether an outcome that was added has a write beyond the next one, which is now announced."""

    def add(self, outcome: AccountOutcome) -> Iterator[Announcement]:
        """Take an outcome, and yield what was stored because of it."""
        if is_failure(outcome):
            announced = account_failed(self.operation, outcome)
            if announced and announced.id != outcome.announced:
                self.failures.append((outcome, announced))
            if len(self.failures) == PORTION:
                yield from self._store_failures()
        if found := unannounced(self.operation, outcome):
            self.writes[found.write].append(found.marked)
            self.more = self.more or found.more
            if len(self.writes[found.write]) == ACCOUNTS_AT_MOST:
                yield from self._store(found.write)

    def rest(self) -> Iterator[Announcement]:
        """Yield the rest, stored."""
        yield from self._store_failures()
        for write in list(self.writes):
            yield from self._store(write)

    def _store_failures(self) -> Iterator[Announcement]:
        failures, self.failures = self.failures, []
        return self.operations.announce_failures(self.operation, failures)

    def _store(self, write: Write) -> Iterator[Announcement]:
        def announced(written: list[AccountOutcome]) -> Announcement:
            return accounts_written(self.operation, write, written)

        stored = self.operations.announce_writes(self.operation, self.writes.pop(write), announced)
        if stored:
            yield stored

"""Events about an operation's accounts after the report has judged them: failures, and what was written."""

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

    If some outcomes have more than one write, all outcomes are read again: one round announces one write of each.
    """
    while _announce_next(operations, announcer, operation):
        continue


def announce_late(operations: Operations, announcer: Announcer, operation: SyncOperation, key: Key) -> None:
    """Announce the writes to one account that were made after the report of its run; no other report may follow."""
    account_id, contact_type = key
    while True:
        outcome = operations.outcomes_of(operation.sync_id, account_id).get(contact_type)
        unannounced_write = unannounced(operation, outcome) if outcome else None
        if unannounced_write is None:
            return
        announced = partial(accounts_written, operation, unannounced_write.write)
        stored = operations.announce_writes(operation, [unannounced_write.marked], announced)
        announcer.send([stored] if stored else [])


def _announce_next(operations: Operations, announcer: Announcer, operation: SyncOperation) -> bool:
    """Announce the failures and the next write of every outcome; return whether there are more writes."""
    writes = _Unannounced(operations, operation)
    stored: list[Announcement] = []
    for outcome in operations.outcomes(operation.sync_id):
        stored.extend(writes.add(outcome))
        if len(stored) >= PORTION:
            announcer.send(stored)
            stored = []
    announcer.send([*stored, *writes.rest()])
    return writes.more


@dataclass
class _Unannounced:
    """The unannounced failures and writes of one pass over the outcomes, collected until a portion is full."""

    operations: Operations
    operation: SyncOperation
    failures: list[tuple[AccountOutcome, Announcement]] = field(default_factory=list)
    writes: defaultdict[Write, list[AccountOutcome]] = field(default_factory=lambda: defaultdict(list))
    more: bool = False
    """Whether an outcome that was added has another write after the one that is announced now."""

    def add(self, outcome: AccountOutcome) -> Iterator[Announcement]:
        """Add an outcome, and yield the announcements that this stored."""
        if is_failure(outcome):
            announced = account_failed(self.operation, outcome)
            if announced and announced.id != outcome.announced:
                self.failures.append((outcome, announced))
            if len(self.failures) == PORTION:
                yield from self._store_failures()
        if unannounced_write := unannounced(self.operation, outcome):
            self.writes[unannounced_write.write].append(unannounced_write.marked)
            self.more = self.more or unannounced_write.more
            if len(self.writes[unannounced_write.write]) == ACCOUNTS_AT_MOST:
                yield from self._store(unannounced_write.write)

    def rest(self) -> Iterator[Announcement]:
        """Store the rest, and yield its announcements."""
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

"""What the bus is told of an operation's accounts once they are judged: failures, and what was written."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from contactsync.bus.envelope import Announcement
from contactsync.bus.events import ACCOUNTS_AT_MOST
from contactsync.sync.announcements import Write, account_failed, accounts_written, write_of
from contactsync.sync.counting import is_failure
from contactsync.sync.operation import AccountOutcome, SyncOperation
from contactsync.sync.ports import Announcer, Operations

PORTION: Final = 100
"""How many failures are stored, and announcements published, at a time: there can be ten thousand."""


def announce_outcomes(operations: Operations, announcer: Announcer, operation: SyncOperation) -> None:
    """Announce every failure and every write that was not announced before; repeated, it announces nothing."""
    found = _Unannounced(operations, operation)
    stored: list[Announcement] = []
    for outcome in operations.outcomes(operation.sync_id):
        stored.extend(found.add(outcome))
        if len(stored) >= PORTION:
            announcer.send(stored)
            stored = []
    announcer.send([*stored, *found.rest()])


@dataclass
class _Unannounced:
    """What is to be announced, collected from one pass over the outcomes until there is enough to be stored at once."""

    operations: Operations
    operation: SyncOperation
    failures: list[tuple[AccountOutcome, Announcement]] = field(default_factory=list)
    writes: defaultdict[Write, list[AccountOutcome]] = field(default_factory=lambda: defaultdict(list))

    def add(self, outcome: AccountOutcome) -> Iterator[Announcement]:
        """Take an outcome, and yield what was stored because of it."""
        if is_failure(outcome):
            announced = account_failed(self.operation, outcome)
            if announced and announced.id != outcome.announced:
                self.failures.append((outcome, announced))
            if len(self.failures) == PORTION:
                yield from self._store_failures()
        elif write := write_of(self.operation, outcome):
            self.writes[write].append(outcome)
            if len(self.writes[write]) == ACCOUNTS_AT_MOST:
                yield from self._store(write)

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

"""What the bus is told of an operation's accounts once they are judged: failures, and what was written."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from typing import Final

from contactsync.bus.envelope import Announcement
from contactsync.bus.events import ACCOUNTS_AT_MOST
from contactsync.sync.announcements import Write, account_failed, accounts_written, write_of
from contactsync.sync.counting import is_failure
from contactsync.sync.operation import AccountOutcome, SyncOperation
from contactsync.sync.ports import Announcer, Operations

PORTION: Final = 100
"""How many announcements are published at a time: there can be ten thousand."""


def announce_outcomes(operations: Operations, announcer: Announcer, operation: SyncOperation) -> None:
    """Announce every failure and every write that was not announced before; repeated, it announces nothing."""
    failures = operations.announce_failures(operation, _failures(operations, operation))
    while portion := list(islice(failures, PORTION)):
        announcer.send(portion)
    writes = _announced_writes(operations, operation)
    while portion := list(islice(writes, PORTION)):
        announcer.send(portion)


def _failures(operations: Operations, operation: SyncOperation) -> Iterator[tuple[AccountOutcome, Announcement]]:
    for outcome in operations.outcomes(operation.sync_id):
        announced = account_failed(operation, outcome) if is_failure(outcome) else None
        if announced and announced.id != outcome.announced:
            yield outcome, announced


def _announced_writes(operations: Operations, operation: SyncOperation) -> Iterator[Announcement]:
    for write, outcomes in _writes(operations, operation):

        def announced(written: list[AccountOutcome], write: Write = write) -> Announcement:
            return accounts_written(operation, write, written)

        stored = operations.announce_writes(operation, outcomes, announced)
        if stored:
            yield stored


def _writes(operations: Operations, operation: SyncOperation) -> Iterator[tuple[Write, list[AccountOutcome]]]:
    """Yield writes that have everything in common but the account, as many as one event holds."""
    waiting: defaultdict[Write, list[AccountOutcome]] = defaultdict(list)
    for outcome in operations.outcomes(operation.sync_id):
        write = None if is_failure(outcome) else write_of(operation, outcome)
        if write is None:
            continue
        waiting[write].append(outcome)
        if len(waiting[write]) == ACCOUNTS_AT_MOST:
            yield write, waiting.pop(write)
    yield from waiting.items()

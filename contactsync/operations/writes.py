"""What an operation wrote to an account, found from its tries: one write after the other, with its generation."""

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from contactsync.contacts import ContactType
from contactsync.operations.counting import is_failure
from contactsync.operations.operation import AccountOutcome, Attempt, OutcomeDetail, OutcomeStatus, SyncOperation


class Write(NamedTuple):
    """What the writes have in common that are in one event."""

    contact_type: ContactType
    detail: Literal["updated", "deleted"]
    generation: int | None
    """The generation of the written contact, from 1; None when it is not known."""
    fields: tuple[str, ...]


@dataclass(frozen=True)
class Unannounced:
    """The earliest write of an outcome that no event has announced."""

    write: Write
    marked: AccountOutcome
    """The outcome, marked as if this write were announced."""
    more: bool
    """Whether the outcome has later writes, which are announced after this one."""


def unannounced(operation: SyncOperation, outcome: AccountOutcome) -> Unannounced | None:
    """Return the earliest write that was not announced; None when there is none.

    What a failed try may have written belongs to the next try that ended well. While the outcome is a failure, its own
    event lists those fields.
    """
    if operation.dry_run:
        return None
    since = outcome.written_announced
    writes: list[tuple[Write, Attempt]] = []
    fields: set[str] = set()
    last: Attempt | None = None  # the last try that wrote some of these fields, or may have
    for attempt in outcome.attempts:
        if since is not None and attempt.started <= since:
            continue
        if attempt.written_fields:
            fields.update(attempt.written_fields)
            last = attempt
        if fields and _tells(attempt):
            writes.append((_write(operation, outcome, attempt, fields), attempt))
            fields, last = set(), None
    if last and not is_failure(outcome):
        writes.append((_unread(operation, outcome, last, fields), outcome.attempts[-1]))
    if not writes:
        return None
    write, attempt = writes[0]
    return Unannounced(write, replace(outcome, written_announced=attempt.started), len(writes) > 1)


def _tells(attempt: Attempt) -> bool:
    """Return whether the try found out what the account has."""
    return attempt.status is OutcomeStatus.SUCCESS or attempt.detail is OutcomeDetail.SUPERSEDED


def _write(operation: SyncOperation, outcome: AccountOutcome, attempt: Attempt, fields: set[str]) -> Write:
    generation = attempt.generation
    if generation is None:  # an earlier version of contactsync did not store it
        generation = _latest_generation(operation, outcome)
    # A deletion that is newer than the operation's own has the detail superseded.
    deleted = attempt.deleted or attempt.detail is OutcomeDetail.DELETED
    detail: Literal["updated", "deleted"] = "deleted" if deleted else "updated"
    return Write(outcome.contact_type, detail, generation, tuple(sorted(fields)))


def _unread(operation: SyncOperation, outcome: AccountOutcome, attempt: Attempt, fields: set[str]) -> Write:
    """Return a write after which no try found out what the account has."""
    if attempt.generation is not None:
        return _write(operation, outcome, attempt, fields)
    plan = operation.plans.get(outcome.contact_type)
    detail: Literal["updated", "deleted"] = "deleted" if plan and plan.absent else "updated"
    return Write(outcome.contact_type, detail, _latest_generation(operation, outcome), tuple(sorted(fields)))


def _latest_generation(operation: SyncOperation, outcome: AccountOutcome) -> int | None:
    plan = operation.plans.get(outcome.contact_type)
    return outcome.generation if outcome.generation is not None or plan is None else plan.generation

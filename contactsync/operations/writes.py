"""What an operation wrote to an account, told from its tries: one write after the other, each with its generation."""

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from contactsync.contacts import ContactType
from contactsync.operations.counting import is_failure
from contactsync.operations.operation import AccountOutcome, Attempt, OutcomeDetail, OutcomeStatus, SyncOperation


class Write(NamedTuple):
    """What a write has in common with others that one event tells of."""

    contact_type: ContactType
    detail: Literal["updated", "deleted"]
    generation: int | None
    fields: tuple[str, ...]


@dataclass(frozen=True)
class Unannounced:
    """The earliest write of an outcome that no event has told of."""

    write: Write
    marked: AccountOutcome
    """The outcome, with the mark that says that an event has."""
    more: bool
    """Whether it has later ones, which are announced after this one."""


def unannounced(operation: SyncOperation, outcome: AccountOutcome) -> Unannounced | None:
    """Return the earliest write that was not announced; None when there is none.

    What a try may have written that did not end well belongs to the next one that did. As long as the outcome is a
    failure there is none to come, and its own event tells of it.
    """
    if operation.dry_run:
        return None
    since = outcome.written_announced
    found: list[tuple[Write, Attempt]] = []
    fields: set[str] = set()
    last: Attempt | None = None  # which wrote some of the fields, or may have
    for attempt in outcome.attempts:
        if since is not None and attempt.started <= since:
            continue
        if attempt.written_fields:
            fields.update(attempt.written_fields)
            last = attempt
        if fields and _tells(attempt):
            found.append((_write(operation, outcome, attempt, fields), attempt))
            fields, last = set(), None
    if last and not is_failure(outcome):
        found.append((_untold(operation, outcome, last, fields), outcome.attempts[-1]))
    if not found:
        return None
    write, attempt = found[0]
    return Unannounced(write, replace(outcome, written_announced=attempt.started), len(found) > 1)


def _tells(attempt: Attempt) -> bool:
    """Tell whether a try found out what the account carries."""
    return attempt.status is OutcomeStatus.SUCCESS or attempt.detail is OutcomeDetail.SUPERSEDED


def _write(operation: SyncOperation, outcome: AccountOutcome, attempt: Attempt, fields: set[str]) -> Write:
    generation = attempt.generation
    if generation is None:  # an earlier version of the software did not note it
        generation = _latest_generation(operation, outcome)
    # A newer deletion than the operation's own is superseded.
    deleted = attempt.deleted or attempt.detail is OutcomeDetail.DELETED
    detail: Literal["updated", "deleted"] = "deleted" if deleted else "updated"
    return Write(outcome.contact_type, detail, generation, tuple(sorted(fields)))


def _untold(operation: SyncOperation, outcome: AccountOutcome, attempt: Attempt, fields: set[str]) -> Write:
    """Return a write after which nobody looked what the account carries."""
    if attempt.generation is not None:
        return _write(operation, outcome, attempt, fields)
    plan = operation.plans.get(outcome.contact_type)
    detail: Literal["updated", "deleted"] = "deleted" if plan and plan.absent else "updated"
    return Write(outcome.contact_type, detail, _latest_generation(operation, outcome), tuple(sorted(fields)))


def _latest_generation(operation: SyncOperation, outcome: AccountOutcome) -> int | None:
    plan = operation.plans.get(outcome.contact_type)
    return outcome.generation if outcome.generation is not None or plan is None else plan.generation

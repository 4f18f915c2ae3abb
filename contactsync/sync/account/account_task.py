"""One try of one account's task: when it began, what it records, and what earlier tries recorded."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from contactsync.configuration.schema import Configuration
from contactsync.errors import ContactSyncError, FinalInEarlierTryError
from contactsync.operations.operation import (
    PLAN_ITSELF,
    AccountOutcome,
    Attempt,
    OutcomeDetail,
    OutcomeStatus,
    SyncOperation,
    TypePlan,
)
from contactsync.pacing.guarded_calls import GuardedCalls
from contactsync.pacing.rates import LARGEST_SKEW
from contactsync.sync.account.write import WriteResult

_FINAL = frozenset({OutcomeDetail.PERMISSION_DENIED, OutcomeDetail.INVALID})
"""Details of failures that another try cannot fix."""


@dataclass(frozen=True)
class AccountTask:
    """One try of one account's task: the values that its steps share."""

    operation: SyncOperation
    configuration: Configuration
    """The configuration of the plan's version."""
    account_id: str
    try_number: int
    """Airflow's number of this try; the first one is 1."""
    first_try: int
    """The number of the first try since the task was cleared last; 1 when it never was."""
    started: datetime
    guarded: GuardedCalls


def begun(now: datetime, try_number: int, outcomes: Iterable[AccountOutcome]) -> datetime:
    """Return when this try began; always later than the tries before it.

    An earlier try may have run on a worker whose clock is ahead, by at most LARGEST_SKEW seconds.
    """
    latest = now + timedelta(seconds=LARGEST_SKEW)
    tries = [a for outcome in outcomes for a in outcome.attempts if PLAN_ITSELF < a.try_number <= try_number]
    ahead = [a.started for a in tries if now <= a.started <= latest]
    return max(ahead) + timedelta(microseconds=1) if ahead else now


def attempt_of(
    task: AccountTask,
    ended: datetime,
    status: OutcomeStatus,
    detail: OutcomeDetail,
    error: ContactSyncError | None,
    written: list[str],
) -> Attempt:
    """Return what is recorded of the try as it ends."""
    return Attempt(
        try_number=task.try_number,
        started=task.started,
        ended=ended,
        status=status,
        detail=detail,
        error_code=error.code if error else None,
        written_fields=tuple(dict.fromkeys(written)),
        first_try=task.first_try,
    )


def brought(attempt: Attempt, result: WriteResult) -> Attempt:
    """Return the attempt with the desired contact that the account had already, or has now."""
    return replace(attempt, generation=result.generation, deleted=result.written_detail is OutcomeDetail.DELETED)


def meant(attempt: Attempt, plan: TypePlan) -> Attempt:
    """Return an attempt of unknown effect with the generation that it tried to write.

    Without this, a later plan would not know what the fields belong to that it may have written.
    """
    if not attempt.written_fields or attempt.detail is OutcomeDetail.SUPERSEDED:
        return attempt
    return replace(attempt, generation=plan.generation, deleted=plan.absent)


def attempts_before(task: AccountTask, outcome: AccountOutcome) -> tuple[Attempt, ...]:
    """Return what other tries recorded; what the plan itself decided is left out."""
    return tuple(a for a in outcome.attempts if a.try_number not in {PLAN_ITSELF, task.try_number})


def written_before(task: AccountTask, outcome: AccountOutcome) -> list[str]:
    """Return what this try wrote before it paused."""
    return [name for a in outcome.attempts if a.try_number == task.try_number for name in a.written_fields]


def is_settled(task: AccountTask, outcome: AccountOutcome, *, since: int) -> bool:
    """Return whether the plan ruled this contact type out, or a try since `since` ended without a failure.

    That may be this very try, before it had to wait. A halt does not undo what an earlier try has done.
    """
    if outcome.is_ruled_out(task.operation.planned):
        return True
    if outcome.status not in {OutcomeStatus.SKIPPED, OutcomeStatus.SUCCESS} or not outcome.attempts:
        return False
    last = outcome.attempts[-1]
    return last.try_number >= since and last.started >= task.operation.planned


def is_cleared(task: AccountTask, outcomes: list[AccountOutcome]) -> bool:
    """Return whether this is the first try since the task was cleared: an operator says that something was fixed."""
    unsettled = (o for o in outcomes if not is_settled(task, o, since=task.first_try))
    return task.first_try > 1 and any(_last_try(outcome) < task.first_try for outcome in unsettled)


def _last_try(outcome: AccountOutcome) -> int:
    return outcome.attempts[-1].try_number if outcome.attempts else PLAN_ITSELF


def final_error(task: AccountTask, outcome: AccountOutcome) -> FinalInEarlierTryError | None:
    """Return the failure of an earlier try since the last clear, if it is one that another try cannot fix."""
    last = outcome.attempts[-1] if outcome.attempts else None
    if last is None or last.try_number < task.first_try or last.started < task.operation.planned:
        return None
    if last.detail not in _FINAL:
        return None
    return FinalInEarlierTryError(outcome.account_id, outcome.contact_type, last.error_code or "")

"""One try of one account's task: when it began, what it records, and what tries before it had recorded."""

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
"""What trying again cannot fix."""


@dataclass(frozen=True)
class AccountTask:
    """One try of one account: what its steps share."""

    operation: SyncOperation
    configuration: Configuration
    """The pinned configuration's."""
    account_id: str
    try_number: int
    first_try: int
    started: datetime
    guarded: GuardedCalls


def begun(now: datetime, try_number: int, outcomes: Iterable[AccountOutcome]) -> datetime:
    """Return when a try began, which is later than tries before it.

    Those may have run on workers whose clocks are ahead, by no more than workers' clocks may differ.
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


def brought(attempt: Attempt, found: WriteResult) -> Attempt:
    """Return an attempt with the desired contact that the account was found to carry, or brought to."""
    return replace(attempt, generation=found.generation, deleted=found.written_detail is OutcomeDetail.DELETED)


def meant(attempt: Attempt, plan: TypePlan) -> Attempt:
    """Return an attempt that found nothing out with what it may have written, which a later plan does not know."""
    if not attempt.written_fields or attempt.detail is OutcomeDetail.SUPERSEDED:
        return attempt
    return replace(attempt, generation=plan.generation, deleted=plan.absent)


def attempts_before(task: AccountTask, outcome: AccountOutcome) -> tuple[Attempt, ...]:
    """Return what other tries recorded, without what the plan itself did."""
    return tuple(a for a in outcome.attempts if a.try_number not in {PLAN_ITSELF, task.try_number})


def written_before(task: AccountTask, outcome: AccountOutcome) -> list[str]:
    """Return what this try wrote before it paused."""
    return [name for a in outcome.attempts if a.try_number == task.try_number for name in a.written_fields]


def is_settled(task: AccountTask, outcome: AccountOutcome, *, since: int) -> bool:
    """Tell whether the plan has ruled this type of the account out, or a try from `since` on had settled it well.

    This try may have done so before it paused; and no halt undoes what an earlier one did.
    """
    if outcome.is_ruled_out(task.operation.planned):
        return True
    if outcome.status not in {OutcomeStatus.SKIPPED, OutcomeStatus.SUCCESS} or not outcome.attempts:
        return False
    last = outcome.attempts[-1]
    return last.try_number >= since and last.started >= task.operation.planned


def is_cleared(task: AccountTask, outcomes: list[AccountOutcome]) -> bool:
    """Tell whether this is the first try since the task was cleared, which says that an operator fixed something."""
    unsettled = (o for o in outcomes if not is_settled(task, o, since=task.first_try))
    return task.first_try > 1 and any(_last_try(outcome) < task.first_try for outcome in unsettled)


def _last_try(outcome: AccountOutcome) -> int:
    return outcome.attempts[-1].try_number if outcome.attempts else PLAN_ITSELF


def final_error(task: AccountTask, outcome: AccountOutcome) -> FinalInEarlierTryError | None:
    """Return the failure that an earlier try since the last clear ended with, where trying again cannot help."""
    last = outcome.attempts[-1] if outcome.attempts else None
    if last is None or last.try_number < task.first_try or last.started < task.operation.planned:
        return None
    if last.detail not in _FINAL:
        return None
    return FinalInEarlierTryError(outcome.account_id, outcome.contact_type, last.error_code or "")

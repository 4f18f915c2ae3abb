"""How the report counts an outcome that no task settled, or that a task's state or a mark contradicts."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from contactsync.errors.clearing import ACCOUNT_TASK, CLEAR_RUN, clear_task
from contactsync.operations.counting import is_failure
from contactsync.operations.operation import AccountOutcome, OutcomeDetail, OutcomeStatus, SyncOperation
from contactsync.pacing.rates import LARGEST_SKEW

_OUT_OF_REACH: Final = frozenset({OutcomeDetail.EXCLUDED, OutcomeDetail.NOT_ACTIVE})
"""Details of outcomes that another try could not settle, even if a mark was left behind."""

LOST: Final = (
    "The plan lists this account, but its outcome is missing: it expired or was removed. To plan the account again, "
    f"{clear_task('plan')}."
)

FAILED_TASK_STATES = frozenset({"failed", "upstream_failed"})


def judge(
    outcome: AccountOutcome,
    *,
    blamed: bool,
    marked: bool = False,
    unreadable: bool = False,
    earlier: bool = False,
    clear: str = CLEAR_RUN,
    now: datetime,
) -> AccountOutcome:
    """Return the outcome as the report counts it; `clear` says what to clear in Airflow if it failed.

    It failed if no task settled it, or none since an `earlier` plan; if Airflow says that its task failed (`blamed`);
    if the account's record has a mark that was left behind (`marked`); or if that record is `unreadable` and may have
    such a mark. In these two cases the account's task can be green in Airflow, so that it has to be cleared itself.
    """
    detail = OutcomeDetail.NO_OUTCOME
    if outcome.status is OutcomeStatus.PENDING:
        sentence = (
            "No task stored an outcome for this account: the task was not started, or its process ended too early."
        )
    elif blamed:
        sentence = "Airflow shows the task as failed, although an earlier try had stored this account's outcome."
    elif earlier:
        sentence = "The run was planned again, and no task has stored an outcome for this account since."
    elif marked and not is_failure(outcome) and outcome.detail not in _OUT_OF_REACH:
        detail = OutcomeDetail.UNSETTLED
        sentence = (
            "A write to this account may have been made, but its result was not stored, so it is not known which "
            "contact the account has."
        )
        clear = clear_task(ACCOUNT_TASK, "of this account")
    elif unreadable and not is_failure(outcome) and outcome.detail not in _OUT_OF_REACH:
        detail = OutcomeDetail.UNSETTLED
        sentence = (
            "The account's record cannot be read, so it is not known whether every write to the account has a stored "
            "result."
        )
        clear = clear_task(ACCOUNT_TASK, "of this account")
    else:
        return outcome
    return as_failed(outcome, f"{sentence} See the task's log, then {clear}.", detail, now=now)


def is_of_earlier_plan(operation: SyncOperation, outcome: AccountOutcome) -> bool:
    """Return whether the outcome is from before the run's last plan, and so says nothing about that plan.

    A task's clock may be behind the clock of the plan.
    """
    plan = operation.plans.get(outcome.contact_type)
    if plan is None or not outcome.attempts or is_failure(outcome) or outcome.is_ruled_out(operation.planned):
        return False
    if plan.generation is not None and outcome.generation is not None:
        return outcome.generation < plan.generation
    return operation.planned - outcome.attempts[-1].started > timedelta(seconds=LARGEST_SKEW)


def what_to_clear(operation: SyncOperation, task_state: str | None) -> str:
    """Return what to clear for an account without an end; if only `plan` ran again, its task may not have failed."""
    again = operation.planned > operation.timestamp and task_state not in FAILED_TASK_STATES
    return clear_task("plan") if again else CLEAR_RUN


def as_failed(
    outcome: AccountOutcome, sentence: str, detail: OutcomeDetail = OutcomeDetail.NO_OUTCOME, *, now: datetime
) -> AccountOutcome:
    """Return the outcome as a failure with this sentence as its cause."""
    return replace(
        outcome,
        status=OutcomeStatus.FAILED,
        detail=detail,
        error_code="NoOutcome" if detail is OutcomeDetail.NO_OUTCOME else "Unsettled",
        error_message=sentence,
        timestamp=now,
    )

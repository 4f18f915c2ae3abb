"""What people can do about failed outcomes, and about notices that are not about an error.

What an error means is in its class (`contactsync.errors`), which is found by the error's code. Details of outcomes that
come from no error are explained here. docs/operations.md says at length what is one line here.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from contactsync.configuration.schema import NoticeScenario
from contactsync.errors import ContactSyncError, OutageError, kind_of
from contactsync.errors.clearing import DOWNSTREAM, clear_task
from contactsync.errors.kinds import kinds
from contactsync.errors.remedies import SENTENCE, TASK_LOG, Remedy, RemedyStep
from contactsync.operations.operation import OutcomeDetail

CLEAR_FAILED: Final = RemedyStep(
    'When the cause is fixed: in Airflow open the run, press Clear and choose "Clear only failed tasks". Accounts '
    "that have the right contact are not touched, and the run turns green."
)
CLEAR_SOME: Final = RemedyStep(
    f"When the cause is fixed: in Airflow clear the failed accounts' tasks {DOWNSTREAM}, so that the report counts "
    "again."
)
CLEAR_PLAN: Final = RemedyStep(
    f"In Airflow {clear_task('plan', 'of this run')}, so that the missing outcomes are planned again."
)

OUTCOMES_MISSING: Final = Remedy(
    "Outcomes that the plan stored are missing: they expired or were removed. They count as failed.", ()
)

BY_DETAIL: Final[Mapping[str, Remedy]] = MappingProxyType(
    {
        **{
            OutcomeDetail(kind.outcome_detail): kind.account_remedy
            for kind in kinds().values()
            if "outcome_detail" in vars(kind) and kind.account_remedy is not None
        },
        OutcomeDetail.NO_OUTCOME: Remedy(
            "The task did not start, or its process ended before it could store an outcome.", (TASK_LOG,)
        ),
        OutcomeDetail.UNSETTLED: Remedy(
            (
                "A write may have been made, but its result was not stored, so it is not known which contact the "
                "account has."
            ),
            (TASK_LOG,),
        ),
        OutcomeDetail.HALTED: Remedy(
            "The operation stopped before this account, for a cause that concerns all accounts.",
            (RemedyStep("Fix the cause that the notice names."),),
        ),
        OutcomeDetail.ERROR: Remedy("The task failed with an error that does not come from the account.", (TASK_LOG,)),
    }
)
"""For account outcomes; `{account}` is replaced by the id of an account that failed."""

BY_SCENARIO: Final[Mapping[NoticeScenario, Remedy]] = MappingProxyType(
    {
        NoticeScenario.APPROVAL_WAITING: Remedy(
            "Nothing is deleted unless somebody approves it in time.",
            (
                RemedyStep("In Airflow open Required Actions: the question says what would be deleted, and where."),
                RemedyStep(
                    "Approve to delete, or Reject to keep the contacts (docs/operations.md, Approving deletions)."
                ),
            ),
        ),
        NoticeScenario.OVERDUE: Remedy(
            "The run goes on; accounts may have an older contact until it ends.",
            (
                RemedyStep(
                    "See in Airflow's grid what the run waits for: an approval, a task that waits, or a failing task."
                ),
                RemedyStep("See which operations have no end yet.", "contactsync operations list --status in_progress"),
                RemedyStep(
                    "See which operations have an unfinished plan.", "contactsync operations list --status pending"
                ),
            ),
        ),
        NoticeScenario.DELIVERY_TROUBLE: Remedy(
            "Nothing is lost: what was not delivered is kept, and sent when delivery works again.",
            (
                RemedyStep("See what could not be handled, and why.", "contactsync dead-letters list"),
                RemedyStep("See in Airflow whether the DAG contact_housekeeping runs, and the log of its failed task."),
            ),
        ),
    }
)
"""For notices that are about neither accounts nor an error."""

SAID: Final = Remedy("The sentence above says what is wrong, and what to do.", (SENTENCE, TASK_LOG))
"""For our own errors whose sentence already says everything."""

UNKNOWN: Final = Remedy(
    "A task ended with an error that contactsync does not know, or its process was killed.", (TASK_LOG,)
)


def remedy_of_outcome(detail: str | None, code: str | None, account_id: str) -> Remedy:
    """Return what fixes failed outcomes with this detail and code; commands name one of their accounts.

    The code decides when the detail only says that something failed (AccessDeniedException of an account and of one of
    our tables have different remedies), and when the code says more than the detail.
    """
    kind = kind_of(code)
    remedy = BY_DETAIL.get(detail or "", BY_DETAIL[OutcomeDetail.ERROR])
    if kind and remedy is BY_DETAIL[OutcomeDetail.ERROR]:
        remedy = _in_a_task(kind) or remedy
    elif kind and kind.outcome_detail == detail:
        remedy = kind.account_remedy or remedy
    return remedy.about(account_id)


def _in_a_task(kind: type[ContactSyncError]) -> Remedy | None:
    """Return the remedy of an error that a task met although it is not about the task's account."""
    has_own = kind.outcome_detail == OutcomeDetail.ERROR
    return (kind.account_remedy if has_own else None) or kind.remedy


def remedy_of_error(code: str | None) -> Remedy:
    """Return what fixes an error that kept a run from its work."""
    kind = kind_of(code)
    return (kind.remedy or SAID) if kind else UNKNOWN


def remedy_of_halt(code: str) -> Remedy:
    """Return what fixes the cause of a halt; an unknown code is treated as an outage, as its sentence says."""
    return (kind_of(code) or OutageError).remedy or SAID


def last_step_of(code: str | None) -> RemedyStep:
    """Return how a run continues after the one error that stopped it is fixed."""
    return (kind_of(code) or ContactSyncError).last_step

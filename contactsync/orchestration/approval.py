"""The approval of deletions in Airflow's own screen for required actions."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator

from contactsync.orchestration import steps

if TYPE_CHECKING:
    from airflow.sdk import Context


class DeletionApproval(ApprovalOperator):
    """Waits until somebody has approved or rejected the run's deletions; passes at once when there are none.

    Whatever the answer, the tasks after it run: it is recorded with the sync operation, and they honour it.
    """

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 -- the operator's own keywords
        """Reject when nobody answers in time; what is asked and for how long is known when the task runs."""
        super().__init__(subject="Delete contacts?", defaults=ApprovalOperator.REJECT, **kwargs)

    def execute(self, context: "Context") -> Any:  # noqa: ANN401 -- as declared by the operator
        """Ask, unless there is nothing to ask or an earlier try has the answer and could not record it."""
        if steps.record_kept_answer(context):
            return None
        request = steps.approval_request(context)
        if request is None:
            return None
        self.subject, self.body = request.subject, request.body
        self.response_timeout = timedelta(seconds=request.timeout)
        return super().execute(context)

    def execute_complete(self, context: "Context", event: dict[str, Any]) -> None:
        """Record the answer; ApprovalOperator's own would skip the next tasks, and with them their outcomes."""
        answer = super(ApprovalOperator, self).execute_complete(context, event)
        user = answer["responded_by_user"]
        steps.record_answer(
            context,
            approved=answer["chosen_options"] == [self.APPROVE],
            timed_out=event["timedout"],
            by=user["name"] if user else "",
            at=answer["responded_at"],
        )

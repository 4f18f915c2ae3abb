"""The approval of deletions, with Airflow's own page for required actions."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator

from contactsync.orchestration import steps

if TYPE_CHECKING:
    from airflow.sdk import Context


class DeletionApproval(ApprovalOperator):
    """Waits until a person has approved or rejected the run's deletions; succeeds at once when there are none.

    The next tasks run whatever the answer is: it is stored with the sync operation, and these tasks follow it.
    """

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 -- the operator's own keywords
        """Reject when there is no answer in time; the question and the time for it are known when the task runs."""
        super().__init__(subject="Delete contacts?", defaults=ApprovalOperator.REJECT, **kwargs)

    def execute(self, context: "Context") -> Any:  # noqa: ANN401 -- as declared by the operator
        """Ask, unless there is nothing to ask, or an earlier try has an answer that it could not record."""
        if steps.store_kept_answer(context):
            return None
        request = steps.approval_request(context)
        if request is None:
            return None
        self.subject, self.body = request.subject, request.body
        self.response_timeout = timedelta(seconds=request.timeout)
        return super().execute(context)

    def execute_complete(self, context: "Context", event: dict[str, Any]) -> None:
        """Record the answer; ApprovalOperator's own method would skip the next tasks, which store the outcomes."""
        answer = super(ApprovalOperator, self).execute_complete(context, event)
        user = answer["responded_by_user"]
        steps.store_answer(
            context,
            approved=answer["chosen_options"] == [self.APPROVE],
            timed_out=event["timedout"],
            by=user["name"] if user else "",
            at=answer["responded_at"],
        )

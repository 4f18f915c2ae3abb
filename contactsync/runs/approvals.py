"""The questions of runs that want to delete contacts, and people's answers, through Airflow's REST API."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from urllib.parse import quote

from contactsync.errors import AirflowRefusedError, ApprovalMissingError
from contactsync.runs.runs import DAG_ID, AirflowRest, Json

TASK: Final = "approve_deletions"
LISTING: Final = f"/dags/{DAG_ID}/dagRuns/~/hitlDetails"
"""The required actions of all runs: the path of a single one does not fit into InvokeRestApi's 64 characters."""
PAGE: Final = 100
WAITING: Final = "awaiting_input"
GONE: Final = frozenset({404, 409})
"""Airflow's statuses when the task is gone, and when somebody else has answered."""


class Answer(StrEnum):
    """What people can answer; the words of Airflow's operator."""

    APPROVE = "Approve"
    REJECT = "Reject"


@dataclass(frozen=True)
class Question:
    """A run that waits for an answer."""

    run_id: str
    asked: datetime
    subject: str
    body: str
    """What would be deleted where and why, as Markdown."""


@dataclass(frozen=True)
class Approvals:
    """The approvals of one Airflow."""

    rest: AirflowRest

    def waiting(self) -> Iterator[Question]:
        """Yield the questions that nobody has answered, oldest first, page by page."""
        offset = 0
        while True:
            filters = {"response_received": "false", "state": WAITING, "order_by": "created_at"}
            answer = self.rest.call("GET", LISTING, parameters={**filters, "limit": PAGE, "offset": offset})
            details: list[Json] = answer["hitl_details"]
            yield from (_question(one) for one in details if one["task_instance"]["task_id"] == TASK)
            offset += len(details)
            if not details or offset >= answer["total_entries"]:
                return

    def of(self, run_id: str) -> Question:
        """Return the question of a run; raise ApprovalMissingError when it does not wait for an answer."""
        for question in self.waiting():
            if question.run_id == run_id:
                return question
        raise ApprovalMissingError(run_id)

    def answer(self, run_id: str, answer: Answer) -> None:
        """Answer a run's question; raise ApprovalMissingError when somebody has answered before, or no task waits.

        The path is longer than InvokeRestApi accepts, so this needs an Airflow that is called directly.
        """
        body = {"chosen_options": [str(answer)], "params_input": {}}
        try:
            self.rest.call("PATCH", path_of(run_id), body)
        except AirflowRefusedError as error:
            if error.status in GONE:
                raise ApprovalMissingError(run_id) from None
            raise


def path_of(run_id: str) -> str:
    """Return the path of a run's question."""
    return f"/dags/{DAG_ID}/dagRuns/{quote(run_id, safe='')}/taskInstances/{TASK}/-1/hitlDetails"


def _question(detail: Json) -> Question:
    return Question(
        run_id=str(detail["task_instance"]["dag_run_id"]),
        asked=datetime.fromisoformat(detail["created_at"]),
        subject=str(detail["subject"]),
        body=str(detail["body"] or ""),
    )

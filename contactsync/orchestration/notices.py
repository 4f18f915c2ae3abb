"""Notices as Airflow callbacks: they store what people should know, and the event bus delivers it."""

import asyncio
import logging
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import BaseNotifier

if TYPE_CHECKING:
    from collections.abc import Mapping

    from contactsync.notices.requests import NoticeRequests

log = logging.getLogger(__name__)

SCENARIOS: Final = (
    "complete_failure",
    "partial_failure",
    "permission_errors",
    "system_errors",
    "configuration_errors",
    "success_completion",
    "halted",
    "approval_waiting",
    "overdue",
    "delivery_trouble",
)
"""The scenarios; a test compares them with contactsync.notices, which DAG files must not import when parsed."""


class NoticeSubject(StrEnum):
    """What a callback's notice is about."""

    TASK = "task"
    """The error with which a task ended."""
    OPERATION = "operation"
    """The end of the run's sync operation."""
    REPORT = "report"
    """The same, when the task that reports it failed: without a stored failure, that task's own error."""
    RUN = "run"
    """A run that failed without a notice that says why."""


class NoticeNotifier(BaseNotifier):
    """Requests the notices about a task, an operation or a run; each is requested once, however often this is called.

    With `scenario` it always requests that notice: use it like this in DAGs of your own (docs/notices.md). It raises
    none of our errors: a callback must not change how a task ends.
    """

    def __init__(self, scenario: str | None = None, *, about: str = NoticeSubject.TASK) -> None:
        """Take the scenario to request, or what the notice is about."""
        super().__init__()
        if scenario is not None and scenario not in SCENARIOS:
            message = f"{scenario} is no notice scenario; there are {', '.join(SCENARIOS)}"
            raise ValueError(message)
        self.scenario = scenario
        self.about = about

    def notify(self, context: "Mapping[str, Any]") -> None:
        """Request the notices."""
        from contactsync.errors import AwsCallError, ContactSyncError, SettingsError

        try:
            notice_requests = _notice_requests()
        except SettingsError as error:
            log.error("No notice was requested: %s", error)  # noqa: TRY400 -- the sentence says all
            return
        if correlation_id := _correlation_id_of(context):
            notice_requests = notice_requests.correlated(correlation_id)
        try:
            self._request(notice_requests, context)
        except AwsCallError as error:
            log.error("The notice cannot be stored: %s", error)  # noqa: TRY400 -- the sentence says all
            self._request_unstored(notice_requests, context)
        except ContactSyncError as error:
            log.error("No notice was requested: %s", error)  # noqa: TRY400 -- the sentence says all

    async def async_notify(self, context: "Mapping[str, Any]") -> None:
        """Request the notices without blocking the triggerer's other work."""
        await asyncio.to_thread(self.notify, context)

    def _request(self, notice_requests: "NoticeRequests", context: "Mapping[str, Any]") -> None:
        dag_id, run_id, error = _dag_id_of(context), _run_id_of(context), context.get("exception")
        if self.scenario:
            from contactsync.notices.scenarios import Scenario

            sentences = context.get("contactsync_question")
            more = {"message": sentences} if sentences else {}
            notice_requests.request(Scenario(self.scenario), run_id, error=error, dag_id=dag_id, **more)
        elif self.about in (NoticeSubject.OPERATION, NoticeSubject.REPORT):
            notice_requests.operation_ended(run_id, error, failed=self.about == NoticeSubject.REPORT)
        elif self.about == NoticeSubject.RUN:
            notice_requests.run_failed(run_id, dag_id=dag_id)
        elif _is_own_mistake(context, error):
            notice_requests.parameters_refused(run_id, error, dag_id=dag_id)
        else:
            notice_requests.task_failed(run_id, error, dag_id=dag_id)

    def _request_unstored(self, notice_requests: "NoticeRequests", context: "Mapping[str, Any]") -> None:
        """Publish what can be said without the state table: the error, or that the run failed."""
        from contactsync.errors import ContactSyncError
        from contactsync.notices.scenarios import Scenario, scenario_of_error

        error = context.get("exception")
        if self.scenario:
            scenario: Scenario | None = Scenario(self.scenario)
        elif self.about == NoticeSubject.RUN:
            scenario = Scenario.SYSTEM_ERRORS
        else:
            scenario = scenario_of_error(error) if self.about != NoticeSubject.OPERATION else None
        if scenario is None:
            return
        try:
            notice_requests.request_unstored(scenario, _run_id_of(context), error=error, dag_id=_dag_id_of(context))
        except ContactSyncError as unwritable:
            log.error("Nor can it be published: %s", unwritable)  # noqa: TRY400 -- the sentence says all


def _notice_requests() -> "NoticeRequests":
    from contactsync.orchestration.steps import services

    return services().steps.notice_requests


def _is_own_mistake(context: "Mapping[str, Any]", error: object) -> bool:
    """Return whether a person only has to correct the form; errors of a change or a follow-up concern everybody."""
    from contactsync.errors import RunClaimError, RunRequestError

    if not isinstance(error, RunRequestError) or isinstance(error, RunClaimError):
        return False
    conf = getattr(context.get("dag_run"), "conf", None) or {}
    return not any(conf.get(name) for name in ("change", "follow_up", "correlation_id"))


def _run_id_of(context: "Mapping[str, Any]") -> str:
    """Return the run's id from the context of a task, a DAG or a deadline; they have it in different places."""
    run = context.get("dag_run")
    value = run.get("dag_run_id") if isinstance(run, dict) else getattr(run, "run_id", None)
    return str(value or context["run_id"])


def _correlation_id_of(context: "Mapping[str, Any]") -> str | None:
    """Return the correlation id in a run's parameters; a callback's context may have no parameters."""
    from contactsync.notices.notice import SYNC_DAG

    run = context.get("dag_run")
    conf = run.get("conf") if isinstance(run, dict) else getattr(run, "conf", None)
    value = conf.get("correlation_id") if isinstance(conf, dict) and _dag_id_of(context) == SYNC_DAG else None
    return value if isinstance(value, str) and value else None


def _dag_id_of(context: "Mapping[str, Any]") -> str | None:
    """Return the DAG's id; the context of a DAG's own callback may have no run."""
    run = context.get("dag_run") or context.get("dag")
    value = run.get("dag_id") if isinstance(run, dict) else getattr(run, "dag_id", None)
    return str(value) if value else None

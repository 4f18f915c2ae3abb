"""The functions that the tasks of both DAGs call, one for each task.

Imports of contactsync are inside the functions: DAG files import this module when they are parsed, and nothing heavy
may be loaded then.
"""

import logging
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from contactsync.orchestration.retry import RETRY_CONFIG_KEY
from contactsync.plain_text import log_text, markdown_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from contactsync.bus.ports import SetAside
    from contactsync.errors import EventsSetAsideError
    from contactsync.notices.scenarios import Scenario
    from contactsync.operations.operation import AccountOutcome, SyncOperation
    from contactsync.services.services import Services
    from contactsync.sync.approval import ApprovalRequest

log = logging.getLogger(__name__)

PLAN_FAILED_KEY: Final = "plan_failed"
"""The XCom with the error of a failed plan; the report repeats it, because its log is the one that people open."""

PLAN_FAILED_NEXT_KEY: Final = "plan_failed_next"
"""The XCom with how to continue a run after that error; the report must not say anything else."""

PLAN_FAILED_LENGTH: Final = 4000
"""Characters of the error that are stored."""
NOTE_LENGTH: Final = 200
"""Characters of a run's note."""
LABEL_LENGTH: Final = 100
"""Characters of a mapped task's label."""

SHORTEST_WAIT: Final = timedelta(seconds=5)
"""Airflow treats a task that is queued again too early as killed (docs/facts.md#rescheduling-uses-no-retry)."""

QUESTION_SENTENCES_KEY: Final = "contactsync_question"
"""Where the approval puts, in its own context, the text of its question for the notice."""

QUESTION_KEY: Final = "contactsync_question"
"""Where the approval stores the question on the screen: its extent, and the accounts that it counted."""

ASKED_KEY: Final = "contactsync_asked"
"""Where the approval stores which plan it asked about last: an answer is valid for that plan only."""

NEVER_ASKED: Final = "0001-01-01T00:00:00+00:00"

ANSWER_KEY: Final = "contactsync_answer"
"""Where the approval stores an answer, in Airflow's store of the task, until it is recorded."""


@cache
def services() -> "Services":
    """Return the services, which are made once per process."""
    from contactsync.services.services import Services

    return Services.from_environment()


def plan(context: Any) -> list[str]:  # noqa: ANN401 -- Airflow's context is a TypedDict with private parts
    """Plan the run and return the ids of the accounts that `sync_account` is mapped over."""
    from contactsync.errors import ContactSyncError

    try:
        with _rescheduled():
            return _planned(context)
    except ContactSyncError as error:
        context["ti"].xcom_push(PLAN_FAILED_KEY, str(error)[:PLAN_FAILED_LENGTH])
        context["ti"].xcom_push(PLAN_FAILED_NEXT_KEY, error.afterwards)
        raise


def _planned(context: Any) -> list[str]:  # noqa: ANN401 -- Airflow's context
    from airflow.sdk.configuration import conf

    from contactsync.intake.request import RunOrigin, check_origin, parse_request

    dag_run = context["dag_run"]
    made = services()
    origin = RunOrigin(dag_run.triggering_user_name, dag_run.run_type.value)
    request = parse_request(
        dag_run.conf or {},
        context["params"],
        dag_run_id=dag_run.run_id,
        triggered_by=origin.name,
        management_account=made.settings.management.account,
    )
    check_origin(request, origin, trigger_user=made.settings.deployment.trigger_user)
    account_ids = made.steps.planner.plan(request, map_limit=conf.getint("core", "max_map_length"))
    log.info("%s accounts may be touched", len(account_ids))
    _tell_of_plan(dag_run.run_id)
    return list(account_ids)


def _tell_of_plan(run_id: str) -> None:
    """Log what was planned, and request one notice a day about rules that match no account; no error stops the plan."""
    from contactsync.errors import ContactSyncError, RulesUnmatchedError
    from contactsync.notices.scenarios import Scenario
    from contactsync.operations.operation import sync_id_of

    made = services()
    try:
        operation = made.operations.get(sync_id_of(run_id))
        if operation:
            types = ", ".join(operation.contact_types) or "no contact type"
            log.info("Sync operation %s: %s", operation.sync_id, types)
            log.info("Configuration version %s", operation.config_version)
            log.info("Started by %s", log_text(operation.started_by))
        if operation and operation.unmatched:
            error = RulesUnmatchedError(sentences=operation.unmatched, version=operation.config_version)
            about = f"unmatched-rules-{made.clock.now():%Y-%m-%d}"
            made.steps.notice_requests.request(Scenario.CONFIGURATION_ERRORS, run_id, error=error, about=about)
    except ContactSyncError as unsent:
        log.warning("No notice was requested about rules that match no account: %s", unsent)


def sync_account(account_id: str, context: Any) -> None:  # noqa: ANN401 -- Airflow's context
    """Bring one account to the desired contacts."""
    account_sync = services().steps.account_sync
    operation, configuration = account_sync.open(context["dag_run"].run_id)
    context[RETRY_CONFIG_KEY] = configuration.retries
    ti = context["ti"]
    with _rescheduled():
        outcomes = account_sync.sync(operation, configuration, account_id, ti.try_number, first_try=_first_try(ti))
    for outcome in outcomes:
        fields = ", ".join(outcome.changed_fields)
        log.info("%s: %s, %s %s", outcome.contact_type, outcome.status, outcome.detail, fields)


def _first_try(ti: Any) -> int:  # noqa: ANN401 -- Airflow's task instance, or a test's
    """Return the number of the first try since the task was cleared; each clear raises max_tries."""
    return int(ti.max_tries - ti.task.retries + 1)


@contextmanager
def _rescheduled() -> "Iterator[None]":
    """Give the worker back while calls have to wait: the same try continues later, and no retry is used up."""
    from airflow.sdk.exceptions import AirflowRescheduleException

    from contactsync.errors import WaitingError

    try:
        yield
    except WaitingError as waiting:
        log.info("%s Then the task continues by itself.", waiting)
        wait = max(timedelta(seconds=waiting.resume_in), SHORTEST_WAIT)
        raise AirflowRescheduleException(services().clock.now() + wait) from waiting  # type: ignore[no-untyped-call] # Airflow's


def approval_request(context: Any) -> "ApprovalRequest | None":  # noqa: ANN401 -- Airflow's context
    """Return what a person has to approve before the run deletes anything; None when nobody has to be asked.

    Airflow keeps the first question of a run, whatever the task asks after a clear (3.3.1). So its extent is stored
    too, and an answer to it is valid only for the same accounts.
    """
    from airflow.sdk.execution_time.context import NEVER_EXPIRE

    store = context["task_state_store"]
    shown = store.get(QUESTION_KEY) or {}
    request = services().steps.approvals.ask(
        context["dag_run"].run_id, shown=shown.get("extent"), accounts=shown.get("accounts")
    )
    log.info(request.subject if request else "Nobody has to approve a deletion")
    context[QUESTION_SENTENCES_KEY] = request.sentences if request else None
    if request:
        store.set(ASKED_KEY, request.question["planned"], retention=NEVER_EXPIRE)
        if not shown:
            store.set(QUESTION_KEY, request.question, retention=NEVER_EXPIRE)
    return request


def store_answer(context: Any, *, approved: bool, timed_out: bool, by: str, at: datetime) -> None:  # noqa: ANN401 -- Airflow's context
    """Record who decided what about the run's deletions.

    The answer is stored in Airflow first: if recording fails, the next try must not ask the same person again.
    """
    verdict = "timed_out" if timed_out else "approved" if approved else "rejected"
    by = f"airflow:{by}" if by else ""
    store = context["task_state_store"]
    answer = {
        "first_try": _first_try(context["ti"]),
        "planned": store.get(ASKED_KEY),
        "verdict": verdict,
        "by": by,
        "at": at.isoformat(),
    }
    store.set(ANSWER_KEY, answer)
    _record(context, answer)


def store_kept_answer(context: Any) -> bool:  # noqa: ANN401 -- Airflow's context
    """Record an answer that an earlier try could not record; return whether there was one. A clear makes it void."""
    answer = context["task_state_store"].get(ANSWER_KEY)
    if not answer or answer["first_try"] != _first_try(context["ti"]):
        return False
    _record(context, answer)
    return True


def _record(context: Any, answer: dict[str, Any]) -> None:  # noqa: ANN401 -- Airflow's context
    from contactsync.operations.operation import Verdict

    with _rescheduled():
        operation = services().steps.approvals.decide(
            context["dag_run"].run_id,
            Verdict(answer["verdict"]),
            # An answer whose plan is not known is no answer about this plan.
            planned=datetime.fromisoformat(answer["planned"] or NEVER_ASKED),
            by=answer["by"],
            at=datetime.fromisoformat(answer["at"]),
        )
    log.info("%s", log_text(operation.note or ""))


def report(context: Any, *, plan_task: str, sync_task: str) -> None:  # noqa: ANN401 -- Airflow's context
    """Compute, store and print the report; raise when the number of failed outcomes reaches the threshold."""
    from contactsync.errors import OperationMissingError
    from contactsync.orchestration.runs import start_run
    from contactsync.views.report_table import report_parts

    rows: list[AccountOutcome] = []
    ti, run_id = context["ti"], context["dag_run"].run_id
    states = ti.get_task_states(dag_id=ti.dag_id, task_ids=[plan_task, sync_task], run_ids=[run_id]).get(run_id, {})
    has_plan = states.get(plan_task) == "success"
    listed = ti.xcom_pull(task_ids=plan_task) or []
    try:
        result = services().steps.reporter.report(
            run_id,
            _account_states(states, listed, sync_task),
            has_plan=has_plan,
            listed=listed,
            run_filter={name: context["params"].get(name) or [] for name in ("accounts", "organizational_units")},
            show=rows.append,
        )
    except OperationMissingError:
        if has_plan:
            raise
        cause, following = (
            ti.xcom_pull(task_ids=plan_task, key=key) or "" for key in (PLAN_FAILED_KEY, PLAN_FAILED_NEXT_KEY)
        )
        _store_unplanned(context["dag_run"], " ".join(filter(None, (cause, following))))
        raise OperationMissingError(dag_run_id=run_id, cause=cause, following=following) from None
    for part in report_parts(result, rows):
        log.info("%s", part)
    if result.follow_up:
        types = ", ".join(result.follow_up.conf["contact_types"])
        note = f"{types} again: follow-up of {markdown_name(run_id)}"[:NOTE_LENGTH]
        started = start_run(ti.dag_id, result.follow_up.run_id, result.follow_up.conf, note=note)
        log.info("Run %s %s", result.follow_up.run_id, "follows up" if started else "has already followed up")
    result.check()


def _store_unplanned(dag_run: Any, cause: str) -> None:  # noqa: ANN401 -- Airflow's run, or a test's
    """Store the run for listings; if that fails, the plan's error and its notice are still shown."""
    from contactsync.errors import ContactSyncError
    from contactsync.intake.request import RunOrigin

    made = services()
    try:
        made.steps.reporter.store_unplanned(
            dag_run.run_id,
            initiating_user=RunOrigin(dag_run.triggering_user_name, dag_run.run_type.value).name,
            source_account=made.settings.management.account,
            cause=cause,
        )
    except ContactSyncError as error:
        log.warning("The failed run cannot be stored for listings: %s", error)


def close_abandoned(context: Any, *, sync_dag: str) -> None:  # noqa: ANN401 -- Airflow's context
    """Close the sync operations whose run can no longer report, and request the notices about their end.

    What cannot be closed is raised, and has one notice a day.
    """
    from contactsync.errors import HousekeepingError
    from contactsync.notices.scenarios import Scenario
    from contactsync.orchestration.runs import state_of_run

    made, ti = services(), context["ti"]

    def tell(operation: "SyncOperation") -> None:
        note = log_text(operation.note or "")
        log.info("Run %s, sync operation %s: %s", operation.dag_run_id, operation.sync_id, note)
        made.steps.notice_requests.operation_closed(operation.dag_run_id)

    try:
        made.steps.housekeeper.close_abandoned(
            lambda run_id: state_of_run(ti, sync_dag, run_id), made.steps.notice_requests.announced_end, tell
        )
    except HousekeepingError as error:
        _tell_daily(context, Scenario.SYSTEM_ERRORS, error)
        raise


def tell_of_overdue(context: Any, *, sync_dag: str, plan_task: str) -> None:  # noqa: ANN401 -- Airflow's context
    """Request a notice for every overdue operation, and one for runs that are not even planned in time."""
    from contactsync.errors import RunsUnplannedError
    from contactsync.notices.scenarios import Scenario
    from contactsync.orchestration.runs import state_of_run, unfinished

    made, ti, dag_run = services(), context["ti"], context["dag_run"]
    for operation in made.steps.housekeeper.overdue(lambda run_id: state_of_run(ti, sync_dag, run_id)):
        if made.steps.notice_requests.request(Scenario.OVERDUE, operation.dag_run_id, dag_id=sync_dag):
            log.warning("Run %s has not finished in time", operation.dag_run_id)
    unplanned = made.steps.housekeeper.unplanned(unfinished(ti, sync_dag, plan_task))
    if unplanned and unplanned.overdue:
        error = RunsUnplannedError(dag_id=sync_dag, number=unplanned.number, since=unplanned.since)
        about = f"{sync_dag}-unplanned-{unplanned.since:%Y-%m-%dT%H:%M}"
        log.warning("%s The notice about it is stored under %s.", error, about)
        made.steps.notice_requests.request(
            Scenario.OVERDUE, dag_run.run_id, error=error, dag_id=dag_run.dag_id, about=about
        )


def send_outbox(context: Any) -> None:  # noqa: ANN401 -- Airflow's context
    """Publish what is left in the outbox; if that fails, request a notice about it, which waits too, and raise.

    What cannot be published at all is set aside, and people are notified once.
    """
    from contactsync.errors import ContactSyncError
    from contactsync.notices.scenarios import Scenario

    def tell(aside: "Sequence[SetAside]") -> None:
        if error := set_aside_error(aside):
            about = f"outbox-{aside[0].event_id or aside[0].key[1]}"
            _request_once(context, Scenario.DELIVERY_TROUBLE, error, about)

    try:
        log.info("%s events were left in the outbox, and are published now", services().relay.send_left(tell))
    except ContactSyncError as error:
        _tell_daily(context, Scenario.DELIVERY_TROUBLE, error)
        raise


def set_aside_error(aside: "Sequence[SetAside]") -> "EventsSetAsideError | None":
    """Return the error about events that were set aside; None when each is itself a notice of such a failure."""
    from contactsync.bus.relay import NAMED
    from contactsync.errors import EventsSetAsideError

    lost = [one for one in aside if not one.is_about_delivery]
    if not lost:
        return None
    events = [f"{one.event_id or one.key[1]} ({one.event_type or 'no type'}: {one.code})" for one in lost[:NAMED]]
    return EventsSetAsideError(number=len(lost), events=events)


def _tell_daily(context: Any, scenario: "Scenario", error: Exception) -> None:  # noqa: ANN401 -- Airflow's context
    """Request one notice a day, however many runs have the same error; the caller raises the error."""
    _request_once(context, scenario, error, f"{context['dag_run'].dag_id}-{services().clock.now():%Y-%m-%d}")


def _request_once(context: Any, scenario: "Scenario", error: Exception, about: str) -> None:  # noqa: ANN401 -- Airflow's context
    """Request the one notice about something, whatever happens to the request; none of our errors is raised."""
    from contactsync.errors import AwsCallError, ContactSyncError

    notice_requests, dag_run = services().steps.notice_requests, context["dag_run"]
    try:
        notice_requests.request(scenario, dag_run.run_id, error=error, dag_id=dag_run.dag_id, about=about)
    except AwsCallError as unstored:
        log.warning("The notice cannot be stored: %s", unstored)
        notice_requests.request_unstored(scenario, dag_run.run_id, error=error, dag_id=dag_run.dag_id, about=about)
    except ContactSyncError as unsent:
        log.warning("No notice was requested: %s", unsent)


def _account_states(states: "Mapping[str, str]", account_ids: "Sequence[str]", sync_task: str) -> dict[str, str]:
    """Return Airflow's state of each account's task; mapped tasks have the order of the plan's list."""
    return {
        account_id: states[f"{sync_task}_{index}"]
        for index, account_id in enumerate(account_ids)
        if f"{sync_task}_{index}" in states
    }


@cache
def account_label(account_id: str, run_id: str) -> str:
    """Return the name and id that label a mapped task in the grid; only the id when the name cannot be read."""
    from contactsync.errors import ContactSyncError
    from contactsync.operations.operation import sync_id_of
    from contactsync.plain_text import one_line

    try:
        outcomes = services().operations.outcomes_of(sync_id_of(run_id), account_id)
    except ContactSyncError:
        return account_id
    name = one_line(next((outcome.account_name for outcome in outcomes.values()), ""), LABEL_LENGTH)
    return f"{name} ({account_id})" if name else account_id

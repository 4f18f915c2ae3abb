"""The notice: everything that any form of it shows, built from what was requested and what the operation stored."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from contactsync.bus.events import NoticeRequested, Severity
from contactsync.doc_links import with_links
from contactsync.errors import ContactSyncError, EventInvalidError, kind_of
from contactsync.errors.remedies import Remedy, RemedyStep
from contactsync.notices.failures import Cause, FailedOutcome, NoticeFigures, figures_of
from contactsync.notices.plain_text import one_line
from contactsync.notices.remedies import (
    BY_SCENARIO,
    CLEAR_FAILED,
    CLEAR_PLAN,
    CLEAR_SOME,
    last_step_of,
    remedy_of_error,
    remedy_of_halt,
)
from contactsync.notices.scenarios import Scenario
from contactsync.notices.wording import headline, what_happened
from contactsync.operations.operation import (
    AccountOutcome,
    OperationStatus,
    OutcomeDetail,
    OutcomeStatus,
    SyncOperation,
)

SYNC_DAG: Final = "contact_sync"
"""The DAG whose runs contain sync operations."""

ID_LENGTH: Final = 256
ENVIRONMENT_LENGTH: Final = 64
HEADLINE_LENGTH: Final = 200
SENTENCE_LENGTH: Final = 2000


@dataclass(frozen=True)
class NoticeOrigin:
    """Where a notice comes from: facts from its event and from the deployment."""

    environment: str
    correlation_id: str
    time: datetime
    airflow_url: str | None = None
    """The address of Airflow's UI; without it a notice has no link to the run."""
    export_url: str | None = None
    """Where the full list of this operation's failures was stored; None if it was not."""
    docs_url: str | None = None
    """The address of our documentation; without it pages are named by their paths."""


@dataclass(frozen=True)
class Links:
    """Where readers find more; None where there is nothing."""

    run: str | None = None
    """The run in Airflow's UI."""
    operation: str | None = None
    """The command that shows the operation."""
    outcomes: str | None = None
    """The command that writes every outcome to a file."""
    export: str | None = None
    """The place of the full list of failures."""


@dataclass(frozen=True)
class Notice:
    """A message to people about an operation; texts are single printable lines, and hold no contact value."""

    notice_id: str
    scenario: Scenario
    severity: Severity
    environment: str
    headline: str
    what_happened: tuple[str, ...]
    causes: tuple[Cause, ...]
    afterwards: tuple[RemedyStep, ...]
    """What to do after all causes are fixed."""
    counts: Mapping[str, int]
    """Number of outcomes (accounts times contact types) by the words of contactsync.operations.counting."""
    failures: tuple[FailedOutcome, ...]
    """The first failures by the account's name, LISTED at most."""
    failures_total: int
    """Number of all failures, with the missing outcomes."""
    links: Links
    correlation_id: str
    time: datetime
    contact_types: tuple[str, ...] = ()
    sync_id: str | None = None
    """The operation's id; a run whose plan failed has one too, but no stored operation."""
    dag_id: str | None = None
    dag_run_id: str | None = None
    dry_run: bool = False
    missing: int = 0
    """Number of outcomes that the plan stored and that no longer exist."""
    started: datetime | None = None
    finished: datetime | None = None

    @property
    def thread(self) -> str:
        """The id that notices about the same thing share."""
        return self.sync_id or self.dag_run_id or self.notice_id

    @property
    def counts_line(self) -> str:
        """The numbers in one line; empty without outcomes. What AWS denies counts as failed."""
        counts = ", ".join(f"{number} {status}" for status, number in self.counts.items())
        apart = self.failures_total != self.counts.get(OutcomeStatus.FAILED, 0)
        failed = f" ({self.failures_total} of them count as failed)" if apart else ""
        return f"Account outcomes: {counts}{failed}." if counts else ""

    @property
    def failures_left_out(self) -> int:
        """Number of failed outcomes that are not listed."""
        return self.failures_total - self.missing - len(self.failures)


def notice_of(
    request: NoticeRequested,
    origin: NoticeOrigin,
    operation: SyncOperation | None = None,
    outcomes: Iterable[AccountOutcome] = (),
) -> Notice:
    """Return a notice; outcomes are read one by one, in any order, and none is kept in memory.

    Raises EventInvalidError for an unknown scenario.
    """
    scenario = scenario_named(request)
    figures = figures_of(outcomes, operation)
    notice = Notice(
        notice_id=_id(request.notice_id) or "",
        scenario=scenario,
        severity=request.priority,
        environment=one_line(origin.environment, ENVIRONMENT_LENGTH),
        headline=one_line(headline(scenario, request, operation, figures), HEADLINE_LENGTH),
        what_happened=tuple(one_line(text, SENTENCE_LENGTH) for text in what_happened(request, operation, figures)),
        causes=tuple(_causes(scenario, request, operation, figures)),
        afterwards=_afterwards(scenario, request, operation, figures),
        counts=dict(sorted(figures.outcome_counts.counts.items())),
        failures=figures.listed,
        failures_total=figures.outcome_counts.failures,
        missing=figures.missing,
        links=_links(request, origin, operation),
        correlation_id=_id(origin.correlation_id) or "",
        time=origin.time,
        sync_id=_id(operation.sync_id if operation else request.sync_id),
        dag_id=_id(request.dag_id or (SYNC_DAG if operation else None)),
        dag_run_id=_id(operation.dag_run_id if operation else request.dag_run_id),
        **_of_operation(operation),
    )
    return with_doc_links(notice, origin.docs_url)


def with_doc_links(notice: Notice, address: str | None) -> Notice:
    """Return the notice with links to the pages that its sentences name; the headline, as in an SMS, has none."""

    def steps(given: Iterable[RemedyStep]) -> tuple[RemedyStep, ...]:
        return tuple(replace(step, say=with_links(step.say, address)) for step in given)

    return replace(
        notice,
        what_happened=tuple(with_links(text, address) for text in notice.what_happened),
        causes=tuple(
            replace(cause, meaning=with_links(cause.meaning, address), steps=steps(cause.steps))
            for cause in notice.causes
        ),
        afterwards=steps(notice.afterwards),
    )


def scenario_named(request: NoticeRequested) -> Scenario:
    """Return the scenario of a request; raise EventInvalidError when it is unknown."""
    try:
        return Scenario(request.scenario)
    except ValueError:
        problem = f"scenario: must be one of {', '.join(Scenario)}"
        raise EventInvalidError(event_id=request.notice_id, problems=[problem]) from None


def _of_operation(operation: SyncOperation | None) -> dict[str, Any]:
    if operation is None:
        return {}
    return {
        "contact_types": tuple(str(contact_type) for contact_type in operation.contact_types),
        "dry_run": operation.dry_run,
        "started": operation.timestamp,
        "finished": operation.finished,
    }


def _causes(
    scenario: Scenario, request: NoticeRequested, operation: SyncOperation | None, figures: NoticeFigures
) -> Iterator[Cause]:
    if operation and operation.halt:
        yield _general(operation.halt.code, remedy_of_halt(operation.halt.code))
    elif scenario in BY_SCENARIO:
        yield _general(request.code or scenario, BY_SCENARIO[scenario])
    elif request.code and not _stops_run(request):
        yield _general(request.code, remedy_of_error(request.code))
    elif _is_about_task(scenario, request, operation, figures):
        yield _general(request.code or scenario, remedy_of_error(request.code))
    yield from figures.causes()


def _is_about_task(
    scenario: Scenario, request: NoticeRequested, operation: SyncOperation | None, figures: NoticeFigures
) -> bool:
    """Return whether the notice is about a task's failure: its error, or a killed task that nothing else explains."""
    if scenario in BY_SCENARIO or scenario is Scenario.SUCCESS_COMPLETION or not _stops_run(request):
        return False
    if request.of_task:
        return True
    is_well = operation is not None and operation.status is OperationStatus.COMPLETED
    return request.code is not None or not (figures.outcome_counts.failures or is_well)


def _stops_run(request: NoticeRequested) -> bool:
    """Return whether a notice is about a task that failed, and not only about the configuration in force."""
    return (kind_of(request.code) or ContactSyncError).stops_run


def _general(name: str, remedy: Remedy) -> Cause:
    return Cause(one_line(name, ENVIRONMENT_LENGTH), "", 0, remedy.meaning, remedy.steps)


def _afterwards(
    scenario: Scenario, request: NoticeRequested, operation: SyncOperation | None, figures: NoticeFigures
) -> tuple[RemedyStep, ...]:
    if request.of_task:
        return (last_step_of(request.code),)
    if figures.missing:
        return (CLEAR_PLAN,)
    if scenario is Scenario.SUCCESS_COMPLETION:
        return (CLEAR_SOME,) if figures.outcome_counts.failures else ()
    if figures.accounts([OutcomeDetail.UNSETTLED]):  # their tasks can be green
        return (CLEAR_SOME,)
    if figures.outcome_counts.failures or (operation and operation.halt):
        return (CLEAR_FAILED,)
    return (last_step_of(request.code),) if _is_about_task(scenario, request, operation, figures) else ()


def _links(request: NoticeRequested, origin: NoticeOrigin, operation: SyncOperation | None) -> Links:
    run = operation.dag_run_id if operation else request.dag_run_id
    dag_id = request.dag_id or (SYNC_DAG if operation else None)
    page = None
    if origin.airflow_url and dag_id and run:
        page = f"{origin.airflow_url.rstrip('/')}/dags/{_quoted(dag_id)}/runs/{_quoted(run)}"
    if operation is None:
        return Links(run=page, export=origin.export_url)
    return Links(
        run=page,
        operation=f"contactsync operations show {operation.sync_id}",
        outcomes=f"contactsync export {operation.sync_id} -o csv --file out.csv",
        export=origin.export_url,
    )


def _quoted(text: str) -> str:
    return quote(text, safe="", errors="replace")


def _id(text: str | None) -> str | None:
    return None if text is None else one_line(text, ID_LENGTH)

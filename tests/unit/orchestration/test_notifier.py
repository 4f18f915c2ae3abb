"""The notifier: what Airflow's callbacks hand it becomes a request, and it never breaks what called it."""

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from airflow.sdk.execution_time.callback_supervisor import execute_callback

from contactsync.errors import (
    AccessDeniedError,
    EventInvalidError,
    OperationFailedError,
    RunClaimError,
    RunRequestError,
    ServiceUnavailableError,
    SettingsError,
    StateConflictError,
)
from contactsync.notices.scenarios import Scenario
from contactsync.orchestration import notices, steps
from contactsync.orchestration.notices import NoticeNotifier, NoticeSubject

ERROR = ServiceUnavailableError("Query", "InternalServerError")
DENIED = AccessDeniedError("Query", "AccessDeniedException")


@dataclass
class FakeDesk:
    """Remembers what it is asked for."""

    asked: list[tuple[Any, ...]] = field(default_factory=list)
    error: Exception | None = None
    unstored_error: Exception | None = None

    def _ask(self, *what: Any) -> None:
        self.asked.append(what)
        if self.error:
            raise self.error

    def correlated(self, correlation_id: str) -> "FakeDesk":
        """Remember."""
        self._ask("correlated", correlation_id)
        return self

    def operation_ended(self, run_id: str, error: BaseException | None, *, failed: bool) -> None:
        """Remember."""
        self._ask("ended", run_id, error, failed)

    def task_failed(self, run_id: str, error: BaseException | None, *, dag_id: str | None) -> None:
        """Remember."""
        self._ask("failed", run_id, error, dag_id)

    def parameters_refused(self, run_id: str, error: BaseException | None, *, dag_id: str | None) -> None:
        """Remember."""
        self._ask("refused", run_id, error, dag_id)

    def run_failed(self, run_id: str, *, dag_id: str | None) -> None:
        """Remember."""
        self._ask("run", run_id, dag_id)

    def request(
        self, scenario: Scenario, run_id: str, *, error: BaseException | None, dag_id: str | None, **more: Any
    ) -> None:
        """Remember."""
        self._ask(scenario, run_id, error, dag_id, *more.values())

    def request_unstored(
        self, scenario: Scenario, run_id: str, *, error: BaseException | None, dag_id: str | None
    ) -> None:
        """Remember."""
        self.asked.append(("unstored", scenario, run_id, error, dag_id))
        if self.unstored_error:
            raise self.unstored_error


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> FakeDesk:
    """Give the desk that the notifier finds."""
    made = FakeDesk()
    monkeypatch.setattr(steps, "services", lambda: SimpleNamespace(steps=SimpleNamespace(notice_requests=made)))
    return made


def of_task(**more: Any) -> dict[str, Any]:
    """Return a task's context."""
    return {"dag_run": SimpleNamespace(run_id="the-run", dag_id="contact_sync"), "run_id": "the-run", **more}


def test_task(desk: FakeDesk) -> None:
    """A failed task hands over its error."""
    NoticeNotifier()(of_task(exception=ERROR))
    assert desk.asked == [("failed", "the-run", ERROR, "contact_sync")]


REFUSED = RunRequestError(["accounts: wrong"])


@pytest.mark.parametrize("conf", [None, {}, {"accounts": ["1"]}, {"change": None, "follow_up": 0}])
def test_own_mistake(desk: FakeDesk, conf: dict[str, Any] | None) -> None:
    """Parameters that a person gave wrongly concern that person alone, who sees the run."""
    run = SimpleNamespace(run_id="the-run", dag_id="contact_sync", conf=conf)
    NoticeNotifier()({"dag_run": run, "exception": REFUSED})
    assert desk.asked == [("refused", "the-run", REFUSED, "contact_sync")]


@pytest.mark.parametrize(
    ("conf", "error"),
    [
        ({"change": {"event_id": "e"}}, REFUSED),
        ({"follow_up": 1}, REFUSED),
        ({}, RunClaimError(["change: wrong"])),
        ({}, ERROR),
    ],
)
def test_nobody_elses_mistake(desk: FakeDesk, conf: dict[str, Any], error: Exception) -> None:
    """What would lose a change, and what claims one, is told to everybody."""
    run = SimpleNamespace(run_id="the-run", dag_id="contact_sync", conf=conf)
    NoticeNotifier()({"dag_run": run, "exception": error})
    assert ("failed", "the-run", error, "contact_sync") in desk.asked


def test_follow_up(desk: FakeDesk) -> None:
    """A run whose parameters name what it follows keeps that correlation, before it has an operation too."""
    run = SimpleNamespace(run_id="the-run", dag_id="contact_sync", conf={"correlation_id": "the-change"})
    NoticeNotifier()({"dag_run": run, "exception": ERROR})
    assert desk.asked == [("correlated", "the-change"), ("failed", "the-run", ERROR, "contact_sync")]


@pytest.mark.parametrize("conf", [None, {}, {"correlation_id": None}, {"correlation_id": 5}, "text"])
def test_without_correlation(desk: FakeDesk, conf: Any) -> None:
    """Whatever else stands in a foreign run's parameters is left alone."""
    NoticeNotifier()({"dag_run": SimpleNamespace(run_id="the-run", dag_id="yours", conf=conf)})
    assert [what for what, *_ in desk.asked] == ["failed"]


def test_foreign_correlation(desk: FakeDesk) -> None:
    """The parameters of other DAGs are their own business."""
    conf = {"correlation_id": "x" * 1000}
    NoticeNotifier()({"dag_run": SimpleNamespace(run_id="the-run", dag_id="yours", conf=conf)})
    assert [what for what, *_ in desk.asked] == ["failed"]


def test_operation(desk: FakeDesk) -> None:
    """The report hands over the run, that it failed itself, and its error when it has one."""
    NoticeNotifier(about=NoticeSubject.OPERATION)(of_task())
    NoticeNotifier(about=NoticeSubject.REPORT)(of_task(exception=ERROR))
    assert desk.asked == [("ended", "the-run", None, False), ("ended", "the-run", ERROR, True)]


def test_run(desk: FakeDesk) -> None:
    """A DAG's callback runs with less context: the run's id is enough."""
    NoticeNotifier(about=NoticeSubject.RUN)({"run_id": "the-run", "reason": "task_failure"})
    NoticeNotifier(about=NoticeSubject.RUN).notify({"run_id": "the-run", "dag": SimpleNamespace(dag_id="yours")})
    assert desk.asked == [("run", "the-run", None), ("run", "the-run", "yours")]


def test_scenario(desk: FakeDesk) -> None:
    """A scenario that is named is requested whatever has happened."""
    NoticeNotifier("approval_waiting")(of_task())
    assert desk.asked == [(Scenario.APPROVAL_WAITING, "the-run", None, "contact_sync")]


def test_question(desk: FakeDesk) -> None:
    """What the approval leaves in its context is told with the question."""
    NoticeNotifier("approval_waiting")(of_task(**{steps.QUESTION_SENTENCES_KEY: "Answer by noon."}))
    assert desk.asked == [(Scenario.APPROVAL_WAITING, "the-run", None, "contact_sync", "Answer by noon.")]


def test_scenarios() -> None:
    """The notifier knows every scenario."""
    assert set(notices.SCENARIOS) == set(Scenario)


def test_unknown_scenario(desk: FakeDesk) -> None:
    """A scenario that there is not is refused where it is written."""
    with pytest.raises(ValueError, match="earthquake"):
        NoticeNotifier("earthquake")
    assert desk.asked == []


@pytest.mark.parametrize(
    ("notifier", "exception", "scenario"),
    [
        (NoticeNotifier(), ERROR, Scenario.SYSTEM_ERRORS),
        (NoticeNotifier(), DENIED, Scenario.PERMISSION_ERRORS),
        (NoticeNotifier(about=NoticeSubject.REPORT), ERROR, Scenario.SYSTEM_ERRORS),
        (NoticeNotifier(about=NoticeSubject.RUN), None, Scenario.SYSTEM_ERRORS),
        (NoticeNotifier("overdue"), None, Scenario.OVERDUE),
    ],
)
def test_table_down(desk: FakeDesk, notifier: NoticeNotifier, exception: Exception | None, scenario: Scenario) -> None:
    """A table that is down keeps no callback from ending well, and no notice back: it is published unstored."""
    desk.error = ERROR
    notifier(of_task(exception=exception))
    assert desk.asked[1:] == [("unstored", scenario, "the-run", exception, "contact_sync")]


def test_unwritable(desk: FakeDesk, caplog: pytest.LogCaptureFixture) -> None:
    """A notice that can neither be stored nor be written as an event is in the log, with both reasons."""
    desk.error, desk.unstored_error = ERROR, EventInvalidError(event_id="e", problems=["subject: is too long"])
    NoticeNotifier()(of_task(exception=ERROR))
    assert "The notice cannot be stored: Query failed" in caplog.text
    assert "Nor can it be published: Event e is not a valid event: subject: is too long" in caplog.text


@pytest.mark.parametrize("about", [NoticeSubject.OPERATION, NoticeSubject.REPORT])
def test_nothing_to_tell(desk: FakeDesk, about: NoticeSubject) -> None:
    """What the operation's own notice is to tell is not told without the operation; the DAG's callback tells then."""
    desk.error = ERROR
    NoticeNotifier(about=about)(of_task(exception=OperationFailedError(failed=1, threshold=1, total=3)))
    assert len(desk.asked) == 1


def test_trouble(desk: FakeDesk, caplog: pytest.LogCaptureFixture) -> None:
    """Another error of ours is logged."""
    desk.error = StateConflictError("an item", 5)
    NoticeNotifier()(of_task())
    assert "No notice was requested: an item" in caplog.text
    assert len(desk.asked) == 1


def test_unset(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Without settings there is nobody to ask; the log says what is missing."""

    def unset() -> None:
        raise SettingsError(variable="CONTACTSYNC_STATE_TABLE", problem="is not set")

    monkeypatch.setattr(steps, "services", unset)
    NoticeNotifier()(of_task())
    assert "CONTACTSYNC_STATE_TABLE" in caplog.text


def test_async(desk: FakeDesk) -> None:
    """The triggerer can await it."""
    asyncio.run(NoticeNotifier("overdue").async_notify(of_task()))
    assert desk.asked == [(Scenario.OVERDUE, "the-run", None, "contact_sync")]


def test_deadline(desk: FakeDesk) -> None:
    """Airflow's own runner of a deadline's callbacks can use it: the run is named in another way there."""
    context = {"dag_run": {"dag_run_id": "the-run", "dag_id": "yours"}, "deadline": {"id": "d"}}
    path = f"{NoticeNotifier.__module__}.{NoticeNotifier.__qualname__}"
    done, error = execute_callback(
        path, {"scenario": "overdue", "context": context}, "yours.py", None, structlog.get_logger()
    )
    assert (done, error) == (True, None)
    assert desk.asked == [(Scenario.OVERDUE, "the-run", None, "yours")]

"""Housekeeping: operations whose run can no longer report get a true end."""

import logging
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import ErrorResponse, OKResponse, TriggerDagRun

from contactsync.bus.envelope import Announcement
from contactsync.bus.events import AccountFailed
from contactsync.contacts import ContactType
from contactsync.errors import ConfigurationMissingError, HousekeepingError, ServiceUnavailableError
from contactsync.operations.account_record import Mark
from contactsync.operations.announcements import ended
from contactsync.operations.operation import (
    Decision,
    Halt,
    OperationStatus,
    OutcomeDetail,
    OutcomeStatus,
    SyncOperation,
    Verdict,
)
from contactsync.orchestration.runs import start_run, state_of_run
from contactsync.sync.housekeeping import RunState, Unplanned
from tests.support.builders import RUN, account, operation, request
from tests.support.fakes.state import FakeOperations
from tests.support.fakes.surroundings import START
from tests.support.worlds.world import World

ONE, TWO = account(1).account_id, account(2).account_id
ENDED = (None, RunState.FAILED, RunState.SUCCESS)


def planned(**settings: Any) -> World:
    """Return a world after the plan of a run over two accounts."""
    world = World.of(2, contact_types=["security"], **settings)
    world.plan()
    return world


def close(world: World, state: RunState | None) -> list[SyncOperation]:
    """Do the housekeeping, with Airflow's answer for every run."""
    return world.housekeeper.close_abandoned(lambda _: state)


@pytest.mark.parametrize("state", ENDED)
def test_closed(state: RunState | None) -> None:
    """Without a run the operation is failed, what no task settled is failed, and the rest keeps its outcome."""
    world = planned()
    world.sync(ONE)
    (closed,) = close(world, state)
    assert closed == world.operation()
    assert (closed.status, closed.finished) == (OperationStatus.FAILED, world.clock.now())
    assert closed.counts == {"success": 1, "failed": 1}
    found = {outcome.account_id: outcome for outcome in world.outcomes().values()}
    assert found[ONE].status is OutcomeStatus.SUCCESS
    assert (found[TWO].status, found[TWO].detail) == (OutcomeStatus.FAILED, OutcomeDetail.NO_OUTCOME)
    assert close(world, state) == []


@pytest.mark.parametrize(
    ("state", "why"), zip(ENDED, ["no longer has its run", "failed", "marked as successful"], strict=True)
)
def test_reason(state: RunState | None, why: str) -> None:
    """The operation says who closed it, and why; what it said before stays."""
    world = planned()
    world.state.operations[world.operation().sync_id] = replace(world.operation(), note="An earlier sentence.")
    (closed,) = close(world, state)
    assert closed.note is not None
    assert closed.note.startswith("An earlier sentence. Closed by housekeeping:")
    assert why in closed.note


@pytest.mark.parametrize("state", ENDED)
def test_completed(state: RunState | None) -> None:
    """When every account was settled before the run was lost, the operation is completed."""
    world = planned()
    for account_id in (ONE, TWO):
        world.sync(account_id)
    (closed,) = close(world, state)
    assert closed.status is OperationStatus.COMPLETED
    assert closed.counts == {"success": 2}


def test_below_threshold() -> None:
    """The configuration's threshold decides, as in the report."""
    world = planned(notification_settings={"failure_threshold": 2})
    world.sync(ONE)
    assert close(world, None)[0].status is OperationStatus.COMPLETED


def test_unfinished_plan() -> None:
    """An operation whose plan did not finish is failed, whatever its outcomes: nobody knows which are missing."""
    world = planned()
    for account_id in (ONE, TWO):
        world.sync(account_id)
    world.state.operations[world.operation().sync_id] = replace(world.operation(), status=OperationStatus.PENDING)
    assert close(world, None)[0].status is OperationStatus.FAILED


def test_halted() -> None:
    """A halted operation is failed."""
    world = planned()
    for account_id in (ONE, TWO):
        world.sync(account_id)
    world.operations.halt(world.operation(), Halt("TrustedAccessOff", "It is off.", START))
    assert close(world, RunState.FAILED)[0].status is OperationStatus.FAILED


def test_mark_left_behind() -> None:
    """An account with a write that nobody settled is failed, although an earlier try had settled it."""
    world = planned()
    for account_id in (ONE, TWO):
        world.sync(account_id)
    record = world.records.get(ONE, ContactType.SECURITY)
    world.records.replace(record, mark=Mark("a token", world.operation().sync_id, 1, START))
    assert close(world, None)[0].status is OperationStatus.FAILED
    assert world.outcomes()[ONE, ContactType.SECURITY].detail is OutcomeDetail.UNSETTLED


@pytest.mark.parametrize("state", [RunState.QUEUED, RunState.RUNNING])
def test_active_runs_are_left_alone(state: RunState, caplog: pytest.LogCaptureFixture) -> None:
    """A run that may still report is not touched, also when it waits for days."""
    world = planned()
    before = world.operation()
    world.clock.sleep(6 * 86_400)
    with caplog.at_level(logging.WARNING):
        assert close(world, state) == []
    assert world.operation() == before
    assert caplog.text == ""


def test_old_active_run(caplog: pytest.LogCaptureFixture) -> None:
    """A run that is active for longer than the setting is only worth a warning."""
    world = planned()
    world.clock.sleep(8 * 86_400)
    with caplog.at_level(logging.WARNING):
        assert close(world, RunState.RUNNING) == []
    assert f"Run {RUN} has not ended 8 days after its plan" in caplog.text


def test_finished_operations_are_not_asked_about() -> None:
    """Airflow is asked for the runs of operations without an end only."""
    world = planned()
    for account_id in (ONE, TWO):
        world.sync(account_id)
    world.reporter.report(RUN, {}, has_plan=True)
    assert world.housekeeper.close_abandoned(pytest.fail) == []


def test_old_listing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An index lags: an operation that it still lists as open, or that has expired, is left as it is."""
    world = planned()
    stale = [world.operation(), operation(ContactType.SECURITY, run="expired")]
    for account_id in (ONE, TWO):
        world.sync(account_id)
    world.reporter.report(RUN, {}, has_plan=True)
    before = world.operation()
    monkeypatch.setattr(FakeOperations, "unfinished", lambda *_: iter(stale))
    assert close(world, None) == []
    assert world.operation() == before


def test_report_wins() -> None:
    """A report that stores its end while housekeeping looks at the outcomes is not overwritten."""
    world = planned()
    for account_id in (ONE, TWO):
        world.sync(account_id)
    closing = replace(world.operation(), status=OperationStatus.FAILED, finished=world.clock.now(), note="closed")
    report = world.reporter.report(RUN, {}, has_plan=True)
    assert not world.operations.store_end(closing)
    assert world.operation() == report.operation


def test_later_plan_wins() -> None:
    """A plan that is repeated meanwhile is not closed."""
    world = planned()
    closing = replace(world.operation(), status=OperationStatus.FAILED, finished=world.clock.now())
    world.clock.sleep(1)
    world.plan()
    assert not world.operations.store_end(closing)
    assert world.operation().finished is None


def test_late_report_wins() -> None:
    """A report that comes after housekeeping, as after a clear, stores the truth by then."""
    world = planned()
    close(world, RunState.FAILED)
    for account_id in (ONE, TWO):
        world.sync(account_id)
    world.reporter.report(RUN, {}, has_plan=True).check()
    assert world.operation().status is OperationStatus.COMPLETED


def test_one_failure_does_not_stop_the_others() -> None:
    """An operation that cannot be closed is named in the end; the others are closed."""
    world = planned()
    world.plan(request(dag_run_id="another run"))
    broken = replace(world.operation(), config_version=99)
    world.state.operations[broken.sync_id] = broken
    with pytest.raises(HousekeepingError, match=broken.sync_id) as caught:
        close(world, None)
    assert len(caught.value.problems) == 1
    assert str(ConfigurationMissingError("fake", "default", 99)) in caught.value.problems[0]
    assert world.operation("another run").finished is not None


def asking(count: int, state: str = "running") -> Any:
    """Return a task instance whose Airflow knows so many runs of an id."""

    def dagrun_state(dag_id: str, run_id: str) -> str:
        assert count, "asking for the state of a run that is not there fails"
        assert (dag_id, run_id) == ("contact_sync", RUN)
        return state

    return SimpleNamespace(
        get_dr_count=lambda _, run_ids: count if run_ids == [RUN] else 0, get_dagrun_state=dagrun_state
    )


def test_state_of_run() -> None:
    """Airflow's state of a run is one of ours, and a run that is not there has none."""
    assert state_of_run(asking(0), "contact_sync", RUN) is None
    assert state_of_run(asking(1), "contact_sync", RUN) is RunState.RUNNING


class Supervisor:
    """What a task sends to Airflow, and the answer that it gets."""

    def __init__(self, answer: object) -> None:
        """Give one answer to everything."""
        self.answer = answer
        self.sent: list[Any] = []

    def send(self, message: object) -> object:
        """Remember the message."""
        self.sent.append(message)
        return self.answer


@pytest.mark.parametrize(
    ("answer", "started"),
    [(OKResponse(ok=True), True), (ErrorResponse(error=ErrorType.DAGRUN_ALREADY_EXISTS), False)],
    ids=["new", "there already"],
)
def test_start_run(monkeypatch: pytest.MonkeyPatch, answer: object, *, started: bool) -> None:
    """A run is started with its id and conf; one that is there already is as good."""
    supervisor = Supervisor(answer)
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", supervisor, raising=False)
    assert start_run("contact_sync", RUN, {"follow_up": 1}) is started
    (message,) = supervisor.sent
    assert isinstance(message, TriggerDagRun)
    assert (message.dag_id, message.run_id, message.conf) == ("contact_sync", RUN, {"follow_up": 1})


def test_start_run_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any other answer is an error: the step is tried again."""
    answer = ErrorResponse(error=ErrorType.GENERIC_ERROR, detail={"message": "no"})
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", Supervisor(answer), raising=False)
    with pytest.raises(AirflowRuntimeError):
        start_run("contact_sync", RUN, {})


def overdue(world: World, state: RunState | None = RunState.RUNNING) -> list[SyncOperation]:
    """Return the operations that are overdue, with Airflow's answer for every run."""
    return world.housekeeper.overdue(lambda _: state)


def test_overdue() -> None:
    """An operation that has not finished an hour after its plan is overdue; one with an end or a new plan is not."""
    world = planned()
    world.clock.sleep(3600)
    assert overdue(world) == []
    world.clock.sleep(1)
    assert [found.dag_run_id for found in overdue(world)] == [RUN]
    assert [overdue(world, ended) for ended in ENDED] == [[], [], []]
    close(world, None)
    assert overdue(world) == []
    world.plan()
    assert overdue(world) == []


def test_overdue_counts_from_the_decision() -> None:
    """An operation that waited for its approval for long has its whole time from then on."""
    world = planned()
    found = world.operation()
    world.clock.sleep(20 * 3600)
    decided = Decision(Verdict.APPROVED, "airflow:admin", world.clock.now())
    plans = {name: replace(plan, needs_approval=True, decision=decided) for name, plan in found.plans.items()}
    world.state.operations[found.sync_id] = replace(found, plans=plans)
    world.clock.sleep(3600)
    assert overdue(world) == []
    world.clock.sleep(1)
    assert len(overdue(world)) == 1


def test_failures_are_announced() -> None:
    """Accounts that housekeeping fails are announced one by one, as a report does, and each once."""
    world = planned()
    world.sync(ONE)
    close(world, None)
    close(world, None)
    failed = [sent.data for sent in world.announcer.sent if isinstance(sent.data, AccountFailed)]
    assert [(one.account_id, one.detail) for one in failed] == [(TWO, "no_outcome")]


def test_telling(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever is to be told is told of each operation that was closed; an error of it leaves that to the outbox."""
    world = planned()
    notice = ended(world.operation())

    def tell(operation: SyncOperation) -> None:
        raise ServiceUnavailableError("PutItem", operation.status)

    (closed,) = world.housekeeper.close_abandoned(lambda _: None, lambda _: [notice], tell)
    assert world.operation().status is OperationStatus.FAILED
    assert world.state.outbox == [notice]
    assert f"Notices of sync operation {closed.sync_id} wait in the outbox: PutItem failed with failed" in caplog.text


def test_no_notice_no_end() -> None:
    """When it cannot be told which notices an end is worth, the operation is closed by a later pass."""
    world = planned()

    def notices(_: SyncOperation) -> list[Announcement]:
        raise ServiceUnavailableError("Query", "InternalServerError")

    with pytest.raises(HousekeepingError):
        world.housekeeper.close_abandoned(lambda _: None, notices)
    assert world.operation().status is OperationStatus.IN_PROGRESS
    assert len(close(world, None)) == 1


def test_unplanned() -> None:
    """Runs whose plan is to come at every look for an hour are overdue; one look without any starts again."""
    world = World.of(1)
    look = world.housekeeper.unplanned
    assert look(0) is None
    first = look(3)
    assert first == Unplanned(3, world.clock.now(), overdue=False)
    world.clock.sleep(3600)
    assert look(2) == Unplanned(2, first.since, overdue=False)
    world.clock.sleep(1)
    assert look(1) == Unplanned(1, first.since, overdue=True)
    assert look(0) is None
    assert look(2) == Unplanned(2, world.clock.now(), overdue=False)


def test_waiting_is_not_overdue() -> None:
    """An operation that waits for a person's approval is not overdue: people were asked."""
    world = World.of(1, contact_types=["security"], deletion={"policy": "approve"})
    world.contacts.stored.pop((None, ContactType.SECURITY))
    world.plan()
    world.clock.sleep(7200)
    assert world.operation().plans[ContactType.SECURITY].needs_approval
    assert overdue(world) == []

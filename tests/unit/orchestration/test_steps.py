"""What the DAG's tasks call, with Airflow's context as plain values."""

import logging
import re
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowRescheduleException

from contactsync.account_management.api_operations import ApiOperation
from contactsync.bus.events import NoticeRequested
from contactsync.bus.ports import SetAside
from contactsync.configuration.schema import RetryConfig
from contactsync.contacts import ContactType
from contactsync.errors import (
    AccountsFailedError,
    ContactSyncError,
    HousekeepingError,
    OperationFailedError,
    OperationMissingError,
    RunRequestError,
    ServiceUnavailableError,
    ThrottledError,
    WaitingError,
)
from contactsync.errors.clearing import CLEAR_RUN
from contactsync.intake.request import parse_request
from contactsync.limits import RETRIES_LIMIT
from contactsync.notices.notice import NoticeOrigin, notice_of
from contactsync.operations.operation import OutcomeStatus
from contactsync.orchestration import runs, steps
from contactsync.orchestration.params import contact_sync_params
from contactsync.orchestration.retry import RETRY_CONFIG_KEY
from contactsync.settings.groups import DeploymentSettings, ManagementSettings
from contactsync.sync.account.apply import AccountSync
from tests.support.builders import MANAGEMENT_ACCOUNT, RUN, account, change_of, configuration, contact_of
from tests.support.fakes.pacing import EPOCH
from tests.support.fakes.surroundings import Fault
from tests.support.worlds.world import World

TRIGGER = "assumed-role/contactsync-test-trigger"
ONE, TWO = account(1).account_id, account(2).account_id


class FakeServices:
    """The composition root with fakes on all sides."""

    def __init__(self, world: World) -> None:
        """Take the fakes."""
        self.settings = SimpleNamespace(
            management=ManagementSettings(MANAGEMENT_ACCOUNT), deployment=DeploymentSettings("test")
        )
        self.clock = world.clock
        self.operations = world.operations
        self.steps = world.steps


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Let the steps use fakes: two members, one contact type."""
    world = World.of(2, contact_types=["security"])
    services = FakeServices(world)
    monkeypatch.setattr(steps, "services", lambda: services)
    steps.account_label.cache_clear()
    yield world
    steps.account_label.cache_clear()


def context(
    conf: dict[str, Any] | None = None, try_number: int = 1, states: dict[str, str] | None = None, user: str = "admin"
) -> Any:
    """Return what Airflow gives a task."""
    params = {name: param.value for name, param in contact_sync_params().items()} | (conf or {})

    def task_states(dag_id: str, task_ids: list[str], run_ids: list[str]) -> dict[str, dict[str, str]]:
        """Answer as Airflow does: for the tasks that were asked for, mapped ones with their number."""
        assert (dag_id, run_ids) == ("contact_sync", [RUN])
        wanted = {name: state for name, state in (states or {}).items() if re.sub(r"_[0-9]+$", "", name) in task_ids}
        return {RUN: wanted} if wanted else {}

    run = SimpleNamespace(run_id=RUN, conf=conf, triggering_user_name=user, run_type=SimpleNamespace(value="manual"))
    pushed: dict[str, Any] = {"return_value": [ONE, TWO]}
    ti = SimpleNamespace(
        try_number=try_number,
        max_tries=RETRIES_LIMIT,
        task=SimpleNamespace(retries=RETRIES_LIMIT),
        dag_id="contact_sync",
        xcom_push=pushed.__setitem__,
        xcom_pull=lambda task_ids, key="return_value": pushed.get(key) if task_ids == "plan" else None,
        get_task_states=task_states,
    )
    return {"dag_run": run, "params": params, "ti": ti}


def report(**states: str) -> None:
    """Run the step `report` with Airflow's states of the mapped tasks."""
    steps.report(context(states={"plan": "success", **states}), plan_task="plan", sync_task="sync_account")


def test_plan(world: World) -> None:
    """The step returns the ids to map over, as a plain list that fits an XCom."""
    assert steps.plan(context()) == [ONE, TWO]
    assert world.operation().initiating_user == "airflow:admin"


def test_rules_that_name_nobody(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """An exclusion that protects nobody is logged, reported and told once a day, and the run goes on."""
    slip = f"9{ONE[1:]}"
    world.configurations.versions = [configuration(contact_types=["security"], excluded_accounts=[slip])]
    assert steps.plan(context()) == [ONE, TWO]
    (sentence,) = world.operation().unmatched
    assert slip in sentence
    assert f"did you mean {ONE} instead of {slip}?" in sentence
    assert sentence in caplog.text
    steps.plan(context())
    first, *others = notified(world)
    assert others == []
    assert [first.scenario] == ["configuration_errors"]
    assert slip in str(first.message)
    world.clock.time += timedelta(days=1)
    steps.plan(context())
    assert len(notified(world)) == 2
    notice = notice_of(first, NoticeOrigin("test", RUN, world.clock.now(), None))
    assert notice.headline == "Rules of the configuration match no account"
    assert "config remove excluded_accounts" in repr(notice.causes)
    assert "lear the failed task" not in repr(notice)


def test_untold_rules(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A notice of them that cannot be requested keeps no plan from being carried out."""
    world.configurations.versions = [configuration(contact_types=["security"], excluded_accounts=["300000000000"])]
    error = ServiceUnavailableError("TransactWriteItems", "InternalServerError")

    def fail(*_: object) -> bool:
        raise error

    monkeypatch.setattr(steps.services().steps.notice_requests.requests, "store", fail)
    assert steps.plan(context()) == [ONE, TWO]


def test_plan_of_a_change(world: World) -> None:
    """A run for a change is initiated by the one who changed the contact; Airflow's user stands beside that."""
    steps.plan(context({"change": change_of("security")}, user=TRIGGER))
    assert world.operation().initiating_user == change_of("security")["initiating_user"]
    assert world.operation().triggered_by == f"airflow:{TRIGGER}"


def test_change_by_hand(world: World) -> None:
    """A change that somebody typed into the form is refused, and nothing is stored of it."""
    with pytest.raises(RunRequestError, match=f"{TRIGGER}.*airflow:admin started this run"):
        steps.plan(context({"change": change_of("security")}))
    assert world.state.empty


def test_plan_refused(world: World) -> None:
    """Unknown conf keys, which Airflow lets through, are refused before anything is stored."""
    with pytest.raises(RunRequestError, match="acounts"):
        steps.plan(context({"acounts": [ONE]}))
    assert world.state.empty


def test_sync_account(world: World) -> None:
    """The step settles its account and leaves the pinned retry configuration for the policy."""
    steps.plan(context())
    given = context(try_number=3)
    steps.sync_account(ONE, given)
    assert given[RETRY_CONFIG_KEY] == RetryConfig()
    (outcome,) = [found for found in world.outcomes().values() if found.account_id == ONE]
    assert [attempt.try_number for attempt in outcome.attempts] == [3]


def test_retry_configuration_is_left_on_failure(world: World) -> None:
    """The policy finds the configuration also when the step fails."""
    steps.plan(context())
    world.contacts.faults.append(Fault(ServiceUnavailableError("GetAlternateContact", "InternalServerException", ONE)))
    given = context()
    with pytest.raises(AccountsFailedError):
        steps.sync_account(ONE, given)
    assert given[RETRY_CONFIG_KEY] == RetryConfig()


def test_pause(world: World) -> None:
    """While calls pause the task gives its worker back until they go on: no failure, and no try is settled."""
    steps.plan(context())
    busy_until(world, seconds=100)
    given = context()
    with pytest.raises(AirflowRescheduleException) as paused:
        steps.sync_account(ONE, given)
    assert paused.value.reschedule_date >= world.clock.now() + timedelta(seconds=90)
    assert given[RETRY_CONFIG_KEY] == RetryConfig()
    assert {o.status for o in world.outcomes().values() if o.account_id == ONE} == {OutcomeStatus.PENDING}


def test_plan_pauses(world: World) -> None:
    """A plan waits for the source in the same way."""
    busy_until(world, seconds=100)
    with pytest.raises(AirflowRescheduleException):
        steps.plan(context())


def busy_until(world: World, *, seconds: float) -> None:
    """Let other tasks have taken all turns of the next seconds."""
    arrival = (world.clock.now() - EPOCH + timedelta(seconds=seconds)) // timedelta(microseconds=1)
    world.limiters.arrivals[ApiOperation.GET_ALTERNATE_CONTACT] = arrival


def test_short_pause(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pause is never shorter than Airflow's scheduler needs to see that the task's process has ended."""

    def pausing(*_: object, **__: object) -> None:
        raise WaitingError("InternalServerException", resume_in=0.1)

    steps.plan(context())
    monkeypatch.setattr(AccountSync, "sync", pausing)
    with pytest.raises(AirflowRescheduleException) as paused:
        steps.sync_account(ONE, context())
    assert paused.value.reschedule_date == world.clock.now() + steps.SHORTEST_WAIT


def test_report(world: World) -> None:
    """The report maps Airflow's numbered tasks to accounts, in the order of the plan's list, and raises."""
    steps.plan(context())
    for account_id in (ONE, TWO):
        steps.sync_account(account_id, context())
    with pytest.raises(OperationFailedError):
        report(sync_account_0="success", sync_account_1="failed")
    assert [o.account_id for o in world.outcomes().values() if o.error_code == "NoOutcome"] == [TWO]


def test_report_well(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """A run that went well ends with the table in the log."""
    steps.plan(context())
    for account_id in (ONE, TWO):
        steps.sync_account(account_id, context())
    with caplog.at_level(logging.INFO):
        report(sync_account_0="success", sync_account_1="success")
    assert "2 success" in caplog.text
    assert "member-1" in caplog.text
    assert world.operation().status == "completed"


def test_follow_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that changed meanwhile makes the report start one run, with a valid conf, after storing the end."""
    started: list[tuple[str, str, dict[str, Any]]] = []

    def start(*run: Any, note: str) -> bool:
        assert world.operation().followed_by == run[1]
        assert note == f"security again: follow-up of {RUN}"
        started.append(run)
        return True

    monkeypatch.setattr(runs, "start_run", start)
    steps.plan(context())
    for account_id in (ONE, TWO):
        steps.sync_account(account_id, context())
    world.contacts.stored[None, ContactType.SECURITY] = contact_of(ContactType.SECURITY, Name="Somebody Else")
    report(sync_account_0="success", sync_account_1="success")
    ((dag_id, run_id, conf),) = started
    assert (dag_id, run_id) == ("contact_sync", world.operation().followed_by)
    params = {name: param.value for name, param in contact_sync_params().items()} | conf
    request = parse_request(conf, params, dag_run_id=run_id, triggered_by="a", management_account=MANAGEMENT_ACCOUNT)
    assert (request.follow_up, request.contact_types, request.by_hand) == (1, (ContactType.SECURITY,), False)


HOUSEKEEPING = SimpleNamespace(run_id="scheduled__2026-01-14T09:00:00+00:00", dag_id="contact_housekeeping")


def housekeeping(unplanned: int, state: str | None = "running") -> Any:
    """Return the context of a task of housekeeping, with Airflow's answers about runs of contact_sync."""

    def plans(dag_id: str, task_ids: list[str], states: list[str]) -> int:
        assert (dag_id, task_ids) == ("contact_sync", ["plan"])
        assert {"null", "queued", "running", "up_for_retry"} <= set(states)
        assert not {"success", "failed", "skipped", "upstream_failed", "removed"} & set(states)
        return unplanned

    ti = SimpleNamespace(
        get_dr_count=lambda dag_id, run_ids: (
            int(state is not None) if (dag_id, run_ids) == ("contact_sync", [RUN]) else 0
        ),
        get_dagrun_state=lambda *_: state,
        get_ti_count=plans,
    )
    return {"ti": ti, "dag_run": HOUSEKEEPING}


def notified(world: World) -> list[NoticeRequested]:
    """Return the notices that were requested."""
    return [sent.data for sent in world.announcer.sent if isinstance(sent.data, NoticeRequested)]


def test_overdue(world: World) -> None:
    """An operation whose run goes on for too long is told of once; one whose run has ended is housekeeping's."""
    steps.plan(context())
    world.clock.sleep(3601)
    steps.tell_of_overdue(housekeeping(0, "failed"), sync_dag="contact_sync", plan_task="plan")
    assert notified(world) == []
    for _ in range(2):
        steps.tell_of_overdue(housekeeping(0), sync_dag="contact_sync", plan_task="plan")
    assert [(notice.scenario, notice.dag_run_id) for notice in notified(world)] == [("overdue", RUN)]


def test_unplanned(world: World) -> None:
    """Runs that nothing plans for an hour are told of once, with how many there are and since when."""
    for seconds in (0, 3600, 1, 300):
        world.clock.sleep(seconds)
        steps.tell_of_overdue(housekeeping(2), sync_dag="contact_sync", plan_task="plan")
    (notice,) = notified(world)
    assert (notice.scenario, notice.code, notice.dag_id) == ("overdue", "RunsUnplanned", "contact_housekeeping")
    assert "2 runs of the DAG contact_sync are queued or running, and their task plan has not finished" in (
        notice.message or ""
    )
    steps.tell_of_overdue(housekeeping(0), sync_dag="contact_sync", plan_task="plan")
    assert len(notified(world)) == 1


@pytest.mark.parametrize("stored", [True, False])
def test_cannot_close(world: World, monkeypatch: pytest.MonkeyPatch, stored: bool) -> None:  # noqa: FBT001 -- a column of the table
    """What cannot be closed turns the run red, and is told once a day, even while no request can be stored."""
    error = ServiceUnavailableError("Query", "InternalServerError")
    steps.plan(context())

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(world.configurations, "version_error", error)
    if not stored:
        monkeypatch.setattr(steps.services().steps.notice_requests.requests, "store", fail)
    for _ in range(3):
        with pytest.raises(HousekeepingError):
            steps.close_abandoned(housekeeping(0, None), sync_dag="contact_sync")
    notices = {notice.notice_id: notice for notice in notified(world)}
    (notice,) = notices.values()
    assert (notice.scenario, notice.code) == ("system_errors", "Housekeeping")


def test_set_aside(world: World) -> None:
    """Events that were set aside are told of once, whatever later runs find, and the run is green."""
    aside = [SetAside(("outbox#1", "k"), "InvalidParameter", "why", "e-1", "contactsync.account.failed.v1")]

    class Relay:
        """Sets the same events aside in each run, which a transaction that was repeated may do."""

        def send_left(self, tell: Any) -> int:
            tell(aside)
            return 4

    steps.services().relay = Relay()  # type: ignore[misc] # a fake
    for _ in range(3):
        steps.send_outbox(housekeeping(0))
        world.clock.sleep(86_400)
    (notice,) = notified(world)
    assert (notice.scenario, notice.code) == ("delivery_trouble", "EventsSetAside")
    assert "e-1 (contactsync.account.failed.v1: InvalidParameter)" in str(notice.message)


def test_close_abandoned(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Housekeeping asks Airflow for the runs of the DAG it is told, logs what it closed, and has people told."""
    steps.plan(context())
    ti = SimpleNamespace(get_dr_count=lambda dag_id, run_ids: {("contact_sync", RUN): 0}[dag_id, *run_ids])
    with caplog.at_level(logging.INFO):
        steps.close_abandoned({"ti": ti}, sync_dag="contact_sync")
    assert world.operation().status == "failed"
    assert [sent.data.scenario for sent in world.announcer.sent if isinstance(sent.data, NoticeRequested)] == [
        "complete_failure"
    ]
    assert f"Run {RUN}, sync operation {world.operation().sync_id}: Closed by housekeeping" in caplog.text


def test_log_is_silent(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """No contact value is logged by any step."""
    with caplog.at_level(logging.DEBUG):
        steps.plan(context())
        for account_id in (ONE, TWO):
            steps.sync_account(account_id, context())
        report()
    values = [value for contact in world.contacts.stored.values() for value in contact.values().values()]
    assert caplog.text
    assert not [value for value in values if len(value) > 2 and value in caplog.text]


def test_label(world: World) -> None:
    """A mapped task's label is the account's name and id."""
    steps.plan(context())
    assert world.outcomes()
    assert steps.account_label(ONE, RUN) == f"member-1 ({ONE})"


@pytest.mark.usefixtures("world")
def test_label_without_name() -> None:
    """Without a stored name the id alone is the label."""
    assert steps.account_label(ONE, "unknown run") == ONE


def test_label_unreadable(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that cannot be read keeps no task from running."""

    def unreadable(*_: object) -> None:
        raise ThrottledError("Query", "ThrottlingException")

    services = SimpleNamespace(operations=SimpleNamespace(outcomes_of=unreadable), world=world)
    monkeypatch.setattr(steps, "services", lambda: services)
    assert steps.account_label(ONE, RUN) == ONE


@pytest.mark.parametrize("state", ["failed", "upstream_failed", "skipped", "running", None])
def test_report_without_plan(world: World, state: str | None) -> None:
    """Whatever Airflow says of the plan but success, or when it says nothing, fails the operation and the run."""
    steps.plan(context())
    for account_id in (ONE, TWO):
        steps.sync_account(account_id, context())
    said = {"plan": state, "sync_account_0": "success", "sync_account_1": "success"}
    given = context(states={name: text for name, text in said.items() if text})
    with pytest.raises(OperationMissingError, match="plan"):
        steps.report(given, plan_task="plan", sync_task="sync_account")
    assert world.operation().status == "failed"


def test_report_says_why_plan_failed(world: World) -> None:
    """The report's log is the newest red one, so it says itself why `plan` failed."""
    given = context({"acounts": [ONE]}, states={"plan": "failed"})
    with pytest.raises(RunRequestError) as refused:
        steps.plan(given)
    assert world.state.empty
    with pytest.raises(OperationMissingError) as caught:
        steps.report(given, plan_task="plan", sync_task="sync_account")
    assert caught.value.message == f"The task `plan` failed, so there is nothing to report: {refused.value.message}"
    stored = world.operation()
    note = f"The task `plan` failed: {refused.value.message} {refused.value.afterwards}"
    assert (stored.status, stored.note) == ("failed", note)
    assert (world.state.outcomes, world.state.desired, world.state.generations) == ({}, {}, {})


@pytest.mark.parametrize(
    ("conf", "stored"),
    [
        ({"acounts": [ONE]}, True),
        ({"accounts": ["999999999999"]}, True),
        ({"organizational_units": ["Workloads/Prodction"]}, True),
        ({"follow_up": 1}, True),
        ({}, False),
    ],
)
def test_report_advises_as_plan(world: World, conf: dict[str, Any], stored: bool) -> None:  # noqa: FBT001 -- a parameter
    """What to do after a failed plan is the same in both logs: a run with wrong parameters is not cleared."""
    if not stored:
        world.configurations.versions = []
    given = context(conf, states={"plan": "failed"})
    with pytest.raises(ContactSyncError) as refused:
        steps.plan(given)
    with pytest.raises(OperationMissingError) as caught:
        steps.report(given, plan_task="plan", sync_task="sync_account")
    assert caught.value.afterwards == refused.value.afterwards
    assert str(world.operation().note).endswith(refused.value.afterwards)


def test_report_without_reason(world: World) -> None:
    """Where a plan left no reason, as a killed one, its log and a clear are what is advised."""
    with pytest.raises(OperationMissingError) as caught:
        steps.report(context(states={"plan": "failed"}), plan_task="plan", sync_task="sync_account")
    assert CLEAR_RUN in f"{caught.value} {caught.value.afterwards}"
    assert world.operation().note == "The task `plan` failed; its log says why."


def test_report_in_parts(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """The report is logged as one record for the numbers and one for each table."""
    steps.plan(context())
    for account_id in (ONE, TWO):
        steps.sync_account(account_id, context())
    with caplog.at_level(logging.INFO, logger=steps.log.name):
        caplog.clear()
        report(sync_account_0="success", sync_account_1="success")
    headline, table = (record.getMessage() for record in caplog.records)
    assert world.operation().sync_id in headline
    assert ONE not in headline
    assert ONE in table
    assert TWO in table

"""Requests for notices: once for each scenario and operation, whatever calls and however often."""

from dataclasses import dataclass
from typing import Any

import pytest

from contactsync.bus.events import NoticeRequested, Severity
from contactsync.configuration.schema import Configuration
from contactsync.contacts import ContactType
from contactsync.errors import (
    AccessDeniedError,
    AccountsFailedError,
    ConfigurationInvalidError,
    ContactSyncError,
    OperationFailedError,
    OperationMissingError,
    ResourceMissingError,
    RunRequestError,
    ServiceUnavailableError,
)
from contactsync.notices.requests import NoticeRequests
from contactsync.notices.scenarios import DEFAULT_SEVERITIES, Scenario, notice_id_of
from contactsync.operations.operation import sync_id_of
from tests.support.builders import RUN, account, change_of, request
from tests.support.fakes.state import FakeNoticeStore
from tests.support.fakes.surroundings import Fault
from tests.support.worlds.world import World

IDS = tuple(account(number).account_id for number in (1, 2, 3))
UNAVAILABLE = ServiceUnavailableError("PutAlternateContact", "InternalServerException", IDS[0])
INVALID = ConfigurationInvalidError(problems=["excluded_acounts: unknown key"], version=2)
SYNC_ID = sync_id_of(RUN)


@dataclass
class Requests:
    """The requests in a world."""

    world: World
    requests: NoticeRequests

    @classmethod
    def of(cls, *faults: Fault, planned: bool = True, **settings: Any) -> "Requests":
        """Return the requests of a run over three accounts that has come to its end."""
        world = World.of(3, contact_types=["security"], notification_settings=settings)
        world.contacts.faults += faults
        if planned:
            run(world)
        requests = FakeNoticeStore(world.state.outbox)
        return cls(
            world,
            NoticeRequests(
                requests=requests,
                operations=world.operations,
                configurations=world.configurations,
                announcer=world.announcer,
                clock=world.clock,
            ),
        )

    @property
    def sent(self) -> list[NoticeRequested]:
        """The requests that went onto the bus."""
        return [one.data for one in self.world.announcer.sent if isinstance(one.data, NoticeRequested)]


def run(world: World) -> None:
    """Plan, settle the accounts and report."""
    for account_id in world.plan():
        try:
            world.sync(account_id)
        except AccountsFailedError:
            continue
    world.reporter.report(RUN, dict.fromkeys(IDS, "success"), has_plan=True)


def test_operation_ended() -> None:
    """The end of an operation gives its notice, with the operation's ids and the severity of the rules."""
    made = Requests.of(Fault(UNAVAILABLE, "write", IDS[0]))
    assert made.requests.operation_ended(RUN) == [Scenario.SYSTEM_ERRORS]
    (sent,) = made.sent
    assert (sent.sync_id, sent.dag_run_id, sent.priority) == (SYNC_ID, RUN, Severity.HIGH)
    assert sent.notice_id == notice_id_of(Scenario.SYSTEM_ERRORS, SYNC_ID)
    assert made.world.announcer.sent[-1].correlation_id == RUN


def test_once() -> None:
    """However often a callback fires, and whichever, a scenario of an operation is requested once."""
    made = Requests.of(Fault(UNAVAILABLE, "write", IDS[0]))
    for _ in range(3):
        made.requests.operation_ended(RUN, OperationFailedError(failed=1, threshold=1, total=3))
        made.requests.run_failed(RUN)
    assert len(made.sent) == 1


def test_after_a_clear() -> None:
    """A run that fails, is cleared and succeeds gives both notices; the failure is not told twice."""
    made = Requests.of(Fault(UNAVAILABLE, "write", IDS[0]), notify_on_success=True)
    made.requests.operation_ended(RUN)
    made.world.contacts.faults.clear()
    made.world.clock.sleep(60)
    made.world.sync(IDS[0], 2, first_try=2)
    made.world.reporter.report(RUN, dict.fromkeys(IDS, "success"), has_plan=True)
    assert made.requests.operation_ended(RUN) == [Scenario.SUCCESS_COMPLETION]
    assert [sent.scenario for sent in made.sent] == ["system_errors", "success_completion"]


def test_nothing_to_tell() -> None:
    """Success is told when it is wanted only."""
    assert Requests.of().requests.operation_ended(RUN) == []
    assert Requests.of(notify_on_success=True).requests.operation_ended(RUN) == [Scenario.SUCCESS_COMPLETION]


def test_without_operation() -> None:
    """A plan that fails before there is an operation gives a notice all the same, under the run's id."""
    made = Requests.of(planned=False)
    assert made.requests.task_failed(RUN, INVALID, dag_id="contact_sync") is Scenario.CONFIGURATION_ERRORS
    (sent,) = made.sent
    assert (sent.sync_id, sent.code) == (SYNC_ID, "ConfigurationInvalid")
    assert "excluded_acounts" in (sent.message or "")
    assert made.requests.operation_ended(RUN) == []
    assert made.requests.run_failed(RUN) == []


def test_report_without_plan() -> None:
    """The report of a run whose plan failed has nothing to add to the plan's own notice."""
    made = Requests.of()
    made.requests.task_failed(RUN, INVALID)
    assert made.requests.operation_ended(RUN, OperationMissingError(dag_run_id=RUN)) == []
    assert [sent.scenario for sent in made.sent] == ["configuration_errors"]


@pytest.mark.parametrize("error", [None, RuntimeError("a value of somebody"), MemoryError()])
def test_unknown_errors(error: BaseException | None) -> None:
    """An error that is not ours is a system error; its text, which may quote anything, is not told."""
    made = Requests.of(planned=False)
    assert made.requests.task_failed(RUN, error) is Scenario.SYSTEM_ERRORS
    (sent,) = made.sent
    assert sent.message is None
    assert sent.code == (type(error).__name__ if error else None)


@pytest.mark.parametrize("error", [AccountsFailedError(account_id=IDS[0], errors=[UNAVAILABLE])])
def test_told_elsewhere(error: ContactSyncError) -> None:
    """What the operation's own notice tells gives no other."""
    made = Requests.of(planned=False)
    assert made.requests.task_failed(RUN, error) is None
    assert made.sent == []


def test_run_failed() -> None:
    """A failed run of which nobody has told anything gives a system error, or what its operation's end is worth."""
    killed = Requests.of(planned=False)
    killed.world.plan()
    assert killed.requests.run_failed(RUN) == [Scenario.SYSTEM_ERRORS]
    ended = Requests.of(*(Fault(UNAVAILABLE, "write", one) for one in IDS))
    assert ended.requests.run_failed(RUN) == [Scenario.COMPLETE_FAILURE]


def test_switched_off() -> None:
    """What the configuration switches off is not requested."""
    made = Requests.of(Fault(UNAVAILABLE, "write", IDS[0]), notify_on_failure=False, notify_on_partial_failure=False)
    assert made.requests.operation_ended(RUN) == []
    assert made.requests.task_failed(RUN, INVALID) is None
    assert made.requests.request(Scenario.OVERDUE, RUN)


def test_end_under_an_unreadable_configuration() -> None:
    """An operation whose configuration cannot be read any more is told of as the defaults have it."""
    made = Requests.of(Fault(UNAVAILABLE, "write", IDS[0]), notify_on_failure=False)
    made.world.configurations.version_error = INVALID
    assert made.requests.operation_ended(RUN) == [Scenario.SYSTEM_ERRORS]


def test_configuration_unreadable() -> None:
    """When the configuration itself is broken its notice has the default severity."""
    made = Requests.of(planned=False)
    made.world.configurations.latest_error = INVALID
    assert made.requests.task_failed(RUN, INVALID) is Scenario.CONFIGURATION_ERRORS
    assert made.sent[0].priority is Severity.MEDIUM


@pytest.mark.parametrize(
    "error",
    [
        ResourceMissingError("Query", "ResourceNotFoundException"),
        ServiceUnavailableError("Query", "InternalServerError"),
        AccessDeniedError("Query", "AccessDeniedException"),
    ],
)
def test_configuration_out_of_reach(error: ContactSyncError) -> None:
    """When the table of configurations cannot be reached, its notice has the default severity too."""
    made = Requests.of(planned=False)
    made.world.configurations.latest_error = error
    scenario = made.requests.task_failed(RUN, error)
    (sent,) = made.sent
    assert sent.scenario == scenario
    assert sent.priority is DEFAULT_SEVERITIES[Scenario(sent.scenario)]


def test_unstored() -> None:
    """A notice that cannot be stored is published as the event that it would have been, and only if it is wanted."""
    made = Requests.of(planned=False)
    assert made.requests.request_unstored(Scenario.SYSTEM_ERRORS, RUN, error=UNAVAILABLE, dag_id="contact_sync")
    (unstored,) = made.world.announcer.sent
    assert made.sent[0].of_task
    made.requests.task_failed(RUN, UNAVAILABLE)
    assert made.world.announcer.sent[1].id == unstored.id
    silent = Requests.of(planned=False, notify_on_failure=False)
    assert not silent.requests.request_unstored(Scenario.SYSTEM_ERRORS, RUN)
    assert silent.sent == []


def test_parameters_refused() -> None:
    """A person's own wrong parameters are recorded, told to nobody, and not told by the run's end either."""
    made = Requests.of(planned=False)
    made.requests.parameters_refused(RUN, RunRequestError(["accounts: wrong"]), dag_id="contact_sync")
    assert made.requests.run_failed(RUN, dag_id="contact_sync") == []
    assert made.sent == []


def test_rules() -> None:
    """The configuration's rules give the severity."""
    rules = {"low_priority": ["configuration_errors"]}
    made = Requests.of(planned=False, user_notifications_config={"notification_rules": rules})
    made.requests.task_failed(RUN, INVALID)
    assert made.sent[0].priority is Severity.LOW


def test_correlation() -> None:
    """A notice carries the correlation id of the change that it is about."""
    made = Requests.of(planned=False)
    change = change_of("security", event_id="the-change")
    made.world.plan(request(change=change))
    made.requests.request(Scenario.APPROVAL_WAITING, RUN)
    assert made.world.announcer.sent[-1].correlation_id == "the-change"
    unplanned = made.requests.correlated("what-led-to-it")
    assert unplanned.task_failed("a-follow-up", INVALID)
    assert made.world.announcer.sent[-1].correlation_id == "what-led-to-it"
    assert ContactType.SECURITY in made.world.operation().contact_types


@pytest.mark.parametrize("told", [Scenario.APPROVAL_WAITING, Scenario.OVERDUE])
def test_what_was_told_before_the_end_hides_no_failure(told: Scenario) -> None:
    """A run that people heard of while it went on is told of again when it turns red without a report."""
    made = Requests.of(planned=False)
    made.world.plan()
    assert made.requests.request(told, RUN)
    assert made.requests.run_failed(RUN) == [Scenario.SYSTEM_ERRORS]
    assert made.requests.run_failed(RUN) == []


def test_report_that_fails_after_a_good_end() -> None:
    """A red run is never told as a success: the stored end may be good, and the report have failed after it."""
    made = Requests.of(notify_on_success=True)
    assert made.requests.operation_ended(RUN, RuntimeError("x"), failed=True) == [Scenario.SYSTEM_ERRORS]
    assert [(sent.scenario, sent.of_task, sent.code) for sent in made.sent] == [("system_errors", True, "RuntimeError")]


def test_red_run_with_a_good_end() -> None:
    """The same when only the DAG's callback hears of it."""
    assert Requests.of().requests.run_failed(RUN) == [Scenario.SYSTEM_ERRORS]


def test_silenced_stays_silent() -> None:
    """What the rules tell to nobody does not come back under another name from the DAG's callback."""
    rules = {"medium_priority": ["partial_failure"]}
    made = Requests.of(planned=False, user_notifications_config={"notification_rules": rules})
    assert made.requests.task_failed(RUN, INVALID) is None
    assert made.requests.run_failed(RUN) == []
    assert made.sent == []


def test_silence_gives_way() -> None:
    """What nobody was to be told is told when the settings have changed and it happens again."""
    made = Requests.of(planned=False, notify_on_failure=False)
    assert made.requests.task_failed(RUN, INVALID) is None
    made.world.configurations.store(Configuration())
    assert made.requests.task_failed(RUN, INVALID) is Scenario.CONFIGURATION_ERRORS
    assert made.requests.task_failed(RUN, INVALID) is None
    assert len(made.sent) == 1


def test_runs_of_other_dags() -> None:
    """Runs of different DAGs with the same id, as a common schedule gives them, have notices of their own."""
    made = Requests.of(planned=False)
    run_id = "scheduled__2026-01-09T00:00:00+00:00"
    assert made.requests.request(Scenario.SYSTEM_ERRORS, run_id, dag_id="dag_a")
    assert made.requests.request(Scenario.SYSTEM_ERRORS, run_id, dag_id="dag_b")
    assert not made.requests.request(Scenario.SYSTEM_ERRORS, run_id, dag_id="dag_b")
    assert len({sent.notice_id for sent in made.sent}) == 2


def test_one_for_many_runs() -> None:
    """What many runs meet is told once, with the run that met it first."""
    made = Requests.of(planned=False)
    for run_id in ("run-a", "run-b"):
        made.requests.request(Scenario.DELIVERY_TROUBLE, run_id, dag_id="housekeeping", about="2026-01-09")
    assert [sent.dag_run_id for sent in made.sent] == ["run-a"]


def test_operation_closed() -> None:
    """An operation that housekeeping closed is told of, unless its run has been."""
    made = Requests.of(planned=False)
    made.world.plan()
    made.world.sync(IDS[0])
    (closed,) = made.world.housekeeper.close_abandoned(lambda _: None)
    assert made.requests.operation_closed(closed.dag_run_id) == [Scenario.SYSTEM_ERRORS]
    assert made.requests.operation_closed(closed.dag_run_id) == []


def test_closed_and_killed() -> None:
    """When housekeeping dies right after it closed an operation, the notice waits in the outbox, as the same event."""
    made = Requests.of(planned=False)
    made.world.plan()
    (closed,) = made.world.housekeeper.close_abandoned(lambda _: None, made.requests.announced_end)
    (waiting,) = [one for one in made.world.state.outbox if isinstance(one.data, NoticeRequested)]
    assert waiting.data.scenario == Scenario.COMPLETE_FAILURE
    assert made.requests.operation_closed(closed.dag_run_id) == [Scenario.COMPLETE_FAILURE]
    assert made.world.announcer.sent[-1] == waiting
    assert made.requests.announced_end(closed) == []

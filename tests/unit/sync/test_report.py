"""The report: what is counted, who is blamed, and when the run turns red."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from contactsync.contacts import ContactType
from contactsync.errors import (
    AccessDeniedError,
    AccountsFailedError,
    ConfigurationInvalidError,
    OperationFailedError,
    OperationMissingError,
    ServiceUnavailableError,
)
from contactsync.operations.operation import (
    AccountOutcome,
    OperationStatus,
    OutcomeDetail,
    OutcomeStatus,
    SyncOperation,
)
from contactsync.sync.report import stored_report
from contactsync.views.report_table import report_text
from tests.support.builders import RUN, account, change_of, configuration, request
from tests.support.fakes.state import FakeOperations
from tests.support.fakes.surroundings import START, Fault
from tests.support.worlds.world import World

SECURITY = ContactType.SECURITY
IDS = tuple(account(number).account_id for number in (1, 2, 3))
DENIED = AccessDeniedError("GetAlternateContact", "AccessDeniedException", IDS[0])
UNAVAILABLE = ServiceUnavailableError("PutAlternateContact", "InternalServerException", IDS[0])


def ran(*faults: Fault, threshold: int = 1) -> World:
    """Return a world whose run of three accounts has come to its report."""
    world = World.of(3, contact_types=["security"], notification_settings={"failure_threshold": threshold})
    world.contacts.faults += faults
    for account_id in world.plan():
        try:
            world.sync(account_id)
        except AccountsFailedError:
            continue
    return world


def states(**failed: str) -> dict[str, str]:
    """Return Airflow's states of the three tasks."""
    return dict.fromkeys(IDS, "success") | {IDS[int(name[1]) - 1]: state for name, state in failed.items()}


def test_all_well() -> None:
    """A run in which everything went well is completed, and its numbers are stored."""
    world = ran()
    world.clock.time = START + timedelta(seconds=90)
    report = world.reporter.report(RUN, states(), has_plan=True)
    report.check()
    assert report.outcome_counts.counts == {"success": 3}
    assert report.outcome_counts.details == {"updated": 3}
    assert report.total == 3
    assert (report.follow_up, report.remarks) == (None, ())
    assert report.duration == timedelta(seconds=90)
    stored = world.operation()
    assert (stored.status, stored.counts, stored.finished) == (
        OperationStatus.COMPLETED,
        {"success": 3},
        world.clock.now(),
    )


def test_no_outcome() -> None:
    """An account that no task settled counts as failed, is stored as such, and turns the run red."""
    world = World.of(2, contact_types=["security"])
    world.plan()
    world.sync(IDS[0])
    report = world.reporter.report(RUN, {IDS[0]: "success", IDS[1]: "failed"}, has_plan=True)
    outcome = world.outcomes()[IDS[1], SECURITY]
    assert (outcome.status, outcome.detail, outcome.error_code) == (
        OutcomeStatus.FAILED,
        OutcomeDetail.NO_OUTCOME,
        "NoOutcome",
    )
    assert outcome.timestamp == world.clock.now()
    with pytest.raises(OperationFailedError, match="1 of 2"):
        report.check()


@pytest.mark.parametrize("state", ["failed", "upstream_failed"])
def test_airflow_says_failed(state: str) -> None:
    """A task that Airflow calls failed is failed, whatever an earlier try wrote."""
    world = ran()
    report = world.reporter.report(RUN, states(a2=state), has_plan=True)
    assert report.outcome_counts.counts == {"success": 2, "failed": 1}
    assert world.outcomes()[IDS[1], SECURITY].detail is OutcomeDetail.NO_OUTCOME
    assert world.operation().status is OperationStatus.FAILED


@pytest.mark.parametrize("state", ["success", "skipped", "removed", "running"])
def test_airflow_says_otherwise(state: str) -> None:
    """Other states of the task change nothing about its outcome."""
    assert ran().reporter.report(RUN, states(a2=state), has_plan=True).outcome_counts.counts == {"success": 3}


def test_explained() -> None:
    """A failed task whose outcome says why keeps its own outcome."""
    world = ran(Fault(UNAVAILABLE, "write", IDS[0]))
    world.reporter.report(RUN, states(a1="failed"), has_plan=True)
    assert world.outcomes()[IDS[0], SECURITY].detail is OutcomeDetail.UNAVAILABLE


def test_permission_counts() -> None:
    """A refused permission is an outcome of its own number that counts against the threshold all the same."""
    world = ran(Fault(DENIED, "read", IDS[0]))
    report = world.reporter.report(RUN, states(a1="failed"), has_plan=True)
    assert report.outcome_counts.counts == {"success": 2, "denied": 1}
    assert report.outcome_counts.failures == 1
    assert report.operation.status is OperationStatus.FAILED


@pytest.mark.parametrize(
    ("threshold", "status"), [(1, OperationStatus.FAILED), (2, OperationStatus.FAILED), (3, OperationStatus.COMPLETED)]
)
def test_threshold(threshold: int, status: OperationStatus) -> None:
    """The operation is failed exactly when as many outcomes failed as the threshold says, and then the check raises."""
    world = ran(Fault(DENIED, "read", IDS[0]), Fault(UNAVAILABLE, "write", IDS[1]), threshold=threshold)
    report = world.reporter.report(RUN, states(a1="failed", a2="failed"), has_plan=True)
    assert world.operation().status is status
    if status is OperationStatus.FAILED:
        with pytest.raises(OperationFailedError, match=f"2 of 3 .*threshold is {threshold}"):
            report.check()
    else:
        report.check()


def test_threshold_is_pinned() -> None:
    """The threshold is that of the configuration that the run was planned with."""
    world = ran(Fault(UNAVAILABLE, "write", IDS[0]))
    world.configurations.store(configuration(notification_settings={"failure_threshold": 9}))
    assert world.reporter.report(RUN, states(a1="failed"), has_plan=True).threshold == 1


def test_cleared() -> None:
    """After failed accounts were cleared the report is computed again, and the run turns green."""
    world = ran(Fault(UNAVAILABLE, "write", IDS[0], times=1))
    world.reporter.report(RUN, states(a1="failed"), has_plan=True)
    world.sync(IDS[0], try_number=2)
    report = world.reporter.report(RUN, states(), has_plan=True)
    report.check()
    assert world.operation().counts == {"success": 3}


def test_cleared_after_blame() -> None:
    """An account that was blamed without an outcome turns green as well when its task ran."""
    world = ran()
    world.reporter.report(RUN, states(a2="failed"), has_plan=True)
    world.sync(IDS[1], try_number=2)
    world.reporter.report(RUN, states(), has_plan=True).check()
    assert world.outcomes()[IDS[1], SECURITY].status is OutcomeStatus.SUCCESS


def test_reported_twice() -> None:
    """A report that runs twice gives the same numbers."""
    world = ran(Fault(UNAVAILABLE, "write", IDS[0]))
    first = world.reporter.report(RUN, states(a1="failed", a2="failed"), has_plan=True)
    assert (
        world.reporter.report(RUN, states(a1="failed", a2="failed"), has_plan=True).outcome_counts
        == first.outcome_counts
    )


def test_no_accounts() -> None:
    """A run for a change that concerns no account is completed."""
    world = World.of(0)
    world.plan(request(change=change_of("security")))
    report = world.reporter.report(RUN, {}, has_plan=True)
    report.check()
    assert report.total == 0
    assert world.operation().status is OperationStatus.COMPLETED


def test_unplanned() -> None:
    """A report of a run whose plan failed says so."""
    with pytest.raises(OperationMissingError, match="plan"):
        World.of(1).reporter.report("unknown run", {}, has_plan=True)


def test_unreadable_configuration() -> None:
    """A threshold that cannot be read is not guessed: the report fails and stores no status."""
    world = ran()
    world.configurations.version_error = ConfigurationInvalidError(["contact_types: empty"])
    with pytest.raises(ConfigurationInvalidError):
        world.reporter.report(RUN, states(), has_plan=True)
    assert world.operation().status is OperationStatus.IN_PROGRESS


def test_shown() -> None:
    """Every outcome is shown as it is counted."""
    world = ran()
    shown: list[AccountOutcome] = []
    world.reporter.report(RUN, states(a3="failed"), show=shown.append, has_plan=True)
    stored = {
        key: replace(outcome, announced=None, written_announced=None) for key, outcome in world.outcomes().items()
    }
    assert {outcome.key: outcome for outcome in shown} == stored


def test_text() -> None:
    """The report holds the numbers, every account, and at its end those that failed."""
    world = ran(Fault(UNAVAILABLE, "write", IDS[2]))
    report = world.reporter.report(RUN, states(a3="failed"), has_plan=True)
    lines = report_text(report, world.outcomes().values()).splitlines()
    assert "2 success, 1 failed" in lines[0]
    rows = [line for line in lines if "member-" in line]
    assert [row.split()[0] for row in rows] == ["member-1", "member-2", "member-3"]
    assert "InternalServerException" in rows[-1]
    assert max(map(len, lines)) <= 140


@pytest.mark.parametrize("name", ["[/red]", "team [prod]", "[bold]x", ":smile:", "[link=x]y", "\\[a]"])
def test_odd_names(name: str) -> None:
    """An account's name is printed as it is, whatever the table's own markup makes of brackets."""
    world = World.of(1, contact_types=["security"])
    world.organization.members[1] = account(1, name=name)
    world.plan()
    world.sync(IDS[0])
    report = world.reporter.report(RUN, {}, has_plan=True)
    assert name in report_text(report, world.outcomes().values())


def test_stored_report() -> None:
    """A report of what is stored has the numbers of the one that stored it."""
    world = ran(Fault(UNAVAILABLE, "write", IDS[2]))
    report = world.reporter.report(RUN, states(a3="failed"), has_plan=True)
    again = stored_report(world.operation(), world.outcomes().values(), report.threshold)
    assert again == report


class InterruptedOperations(FakeOperations):
    """Operations whose plan ends after it has stored one outcome, as by a killed process."""

    def store_outcomes(self, operation: SyncOperation, outcomes: Iterable[AccountOutcome]) -> None:
        """Store the first, then fail."""
        super().store_outcomes(operation, list(outcomes)[:1])
        raise UNAVAILABLE


def refused(world: World, *, has_plan: bool) -> None:
    """Report, and check that the operation is failed, that nothing was settled and that nothing is shown."""
    before, shown = world.outcomes(), list[AccountOutcome]()
    world.clock.sleep(5)
    with pytest.raises(OperationMissingError, match=RUN) as caught:
        world.reporter.report(RUN, dict.fromkeys(IDS, "upstream_failed"), show=shown.append, has_plan=has_plan)
    assert not caught.value.retryable
    assert (world.operation().status, world.operation().finished) == (OperationStatus.FAILED, world.clock.now())
    assert world.outcomes() == before
    assert shown == []


def test_plan_failed() -> None:
    """A run whose plan failed, say when it was cleared, is failed whatever an earlier plan of it had stored."""
    refused(ran(), has_plan=False)


def test_plan_failed_before_any_task() -> None:
    """Accounts of a failed plan stay pending: no task was to blame."""
    world = World.of(3, contact_types=["security"])
    world.plan()
    refused(world, has_plan=False)
    assert {outcome.status for outcome in world.outcomes().values()} == {OutcomeStatus.PENDING}


def test_half_a_plan() -> None:
    """A plan that ended between its operation and its outcomes is no plan, also if Airflow calls it a success."""
    world = World.of(3, contact_types=["security"])
    with pytest.raises(ServiceUnavailableError):
        replace(world.planner, operations=InterruptedOperations(world.state)).plan(request(), map_limit=1024)
    assert world.operation().status is OperationStatus.PENDING
    assert len(world.outcomes()) == 1
    refused(world, has_plan=True)


def test_planned_again_after_failure() -> None:
    """A plan that was cleared and succeeds makes the run's report a report again."""
    world = World.of(3, contact_types=["security"])
    world.plan()
    refused(world, has_plan=False)
    for account_id in world.plan():
        world.sync(account_id)
    report = world.reporter.report(RUN, states(), has_plan=True)
    report.check()
    assert world.operation().status is OperationStatus.COMPLETED


class RacingOperations(FakeOperations):
    """Operations of which a task settles one while the report reads them."""

    world: World

    def outcomes(self, sync_id: str) -> Iterator[AccountOutcome]:
        """Return what was there before the task settled."""
        found = list(super().outcomes(sync_id))
        if any(outcome.status is OutcomeStatus.PENDING for outcome in found):
            self.world.sync(IDS[1])
        return iter(found)


def test_settled_meanwhile() -> None:
    """A task that settles its account while the report reads is counted, and fails neither report nor run."""
    world = World.of(2, contact_types=["security"])
    world.plan()
    world.sync(IDS[0])
    operations = RacingOperations(world.state)
    operations.world = world
    replace(world.reporter, operations=operations).report(RUN, {}, has_plan=True).check()
    assert world.operation().status is OperationStatus.COMPLETED


def test_failed_plan_is_listed() -> None:
    """A run whose plan failed is stored as failed with the reason, again when it fails again, until a plan succeeds."""
    world = World.of(1, contact_types=["security"])
    for cause in ("no unit of that name.", "no access."):
        world.reporter.store_unplanned(RUN, initiating_user="airflow:ann", source_account="111122223333", cause=cause)
        stored = world.operation()
        assert (stored.status, stored.counts, stored.plans) == (OperationStatus.FAILED, {}, {})
        assert stored.note == f"The task `plan` failed: {cause}"
        world.clock.sleep(1)
    world.plan()
    planned = world.operation()
    assert (planned.status, planned.note) == (OperationStatus.IN_PROGRESS, None)
    world.reporter.store_unplanned(RUN, initiating_user="airflow:ann", source_account="111122223333", cause="late")
    assert world.operation() == planned


def test_metrics() -> None:
    """A report records the run and its outcomes; what AWS denied counts as failed, as in the report."""
    world = ran(Fault("PutAlternateContact", IDS[0], DENIED), threshold=2)
    world.reporter.report(RUN, states(a1="failed"), has_plan=True)
    assert world.metrics.recorded == [
        {
            "RunsReported": 1.0,
            "RunsFailed": 0.0,
            "Outcomes": 3.0,
            "OutcomesSucceeded": 2.0,
            "OutcomesSkipped": 0.0,
            "OutcomesFailed": 1.0,
            "OutcomesThrottled": 0.0,
        }
    ]


def test_metrics_of_a_failed_run() -> None:
    """A run that reaches the threshold is a failed run, and so is one without a plan."""
    world = ran(Fault("PutAlternateContact", IDS[0], UNAVAILABLE))
    world.reporter.report(RUN, states(a1="failed"), has_plan=True)
    with pytest.raises(OperationMissingError):
        world.reporter.report(RUN, states(), has_plan=False)
    assert [one["RunsFailed"] for one in world.metrics.recorded] == [1.0, 1.0]
    assert world.metrics.total("RunsReported") == 2

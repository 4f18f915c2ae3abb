"""Items that were lost or restored: nothing passes over them, and no old contact is brought over as if it were new."""

from dataclasses import replace

import pytest

from contactsync.bus.events import NoticeRequested
from contactsync.contacts import ContactType
from contactsync.errors import AccountsFailedError, OperationFailedError, OperationMissingError, OutcomesMissingError
from contactsync.notices.notice import NoticeOrigin, notice_of
from contactsync.operations.desired import DesiredContact
from contactsync.operations.operation import OperationStatus, OutcomeDetail, OutcomeStatus, sync_id_of
from contactsync.sync.report import stored_report
from tests.support.builders import RUN, account, alternate, configuration, request
from tests.support.fakes.surroundings import START
from tests.support.worlds.world import World

SECURITY, BILLING = ContactType.SECURITY, ContactType.BILLING
ONE, TWO, THREE = IDS = tuple(account(number).account_id for number in (1, 2, 3))


def lose(world: World, account_id: str, contact_type: ContactType = SECURITY) -> None:
    """Remove an outcome as TTL, a person or a late write of an earlier plan would."""
    del world.state.outcomes[sync_id_of(RUN), account_id, contact_type]


def planned(*contact_types: ContactType, **settings: object) -> World:
    """Return a world of three accounts after a plan."""
    world = World.of(3, contact_types=list(contact_types or (SECURITY,)), **settings)
    world.plan()
    return world


def test_task_without_outcome() -> None:
    """The task of an account whose outcomes are gone fails at once, and writes nothing."""
    world = planned()
    lose(world, ONE)
    with pytest.raises(OutcomesMissingError, match="Downstream") as missing:
        world.sync(ONE)
    assert not missing.value.retryable
    assert ONE not in world.contacts.touched()


@pytest.mark.parametrize("settled_first", [False, True], ids=["before its task", "after its task"])
def test_listed_account_without_outcome(settled_first: bool) -> None:  # noqa: FBT001 -- a column of the table
    """The report fails over an account of the plan's list that has no outcome, and gives it one."""
    world = planned()
    for account_id in IDS if settled_first else (TWO, THREE):
        world.sync(account_id)
    lose(world, ONE)
    report = world.reporter.report(RUN, dict.fromkeys(IDS, "success"), has_plan=True, listed=IDS)
    assert report.outcome_counts.counts == {"success": 2, "failed": 1}
    with pytest.raises(OperationFailedError):
        report.check()
    outcome = world.outcomes()[ONE, SECURITY]
    assert (outcome.status, outcome.detail) == (OutcomeStatus.FAILED, OutcomeDetail.NO_OUTCOME)
    assert "Downstream" in (outcome.error_message or "")


def test_one_type_of_an_account_is_lost() -> None:
    """An outcome that is lost beside others of its account counts as failed too, in every reader."""
    world = planned(SECURITY, BILLING)
    for account_id in IDS:
        world.sync(account_id)
    lose(world, TWO, BILLING)
    report = world.reporter.report(RUN, dict.fromkeys(IDS, "success"), has_plan=True, listed=IDS)
    assert report.outcome_counts.missing == {BILLING: 1}
    assert report.outcome_counts.counts == {"success": 5, "failed": 1}
    assert any("billing 1" in remark for remark in report.remarks)
    with pytest.raises(OperationFailedError):
        report.check()
    shown = stored_report(world.operation(), world.operations.outcomes(sync_id_of(RUN)), 1)
    assert shown.outcome_counts.failures == 1


def test_excluded_account_is_lost() -> None:
    """So does one that the plan itself had settled."""
    world = planned(excluded_accounts=[THREE])
    for account_id in (ONE, TWO):
        world.sync(account_id)
    lose(world, THREE)
    report = world.reporter.report(RUN, dict.fromkeys((ONE, TWO), "success"), has_plan=True, listed=(ONE, TWO))
    assert report.outcome_counts.counts == {"success": 2, "failed": 1}


def test_notice_of_what_is_lost() -> None:
    """The notice of a run that is red only because of lost outcomes has its numbers, and says what to clear."""
    world = planned(SECURITY, BILLING)
    for account_id in IDS:
        world.sync(account_id)
    lose(world, TWO, BILLING)
    world.reporter.report(RUN, dict.fromkeys(IDS, "success"), has_plan=True, listed=IDS)
    asked = NoticeRequested(notice_id="one", scenario="partial_failure", priority="high")
    notice = notice_of(asked, NoticeOrigin("test", "one", START), world.operation(), world.outcomes().values())
    assert notice.headline == "1 account outcome is missing: security, billing"
    assert notice.counts == world.operation().counts == {"success": 5, "failed": 1}
    assert [cause.name for cause in notice.causes] == ["outcomes_missing"]
    assert "clear the task `plan` of this run with Downstream selected" in notice.afterwards[0].say
    assert "billing 1" in " ".join(notice.what_happened)


def test_plan_that_failed_on_its_way() -> None:
    """A run whose plan failed while it stored the accounts has lost nothing: report and export give no number."""
    world = planned()
    world.operations.update(replace(world.operation(), status=OperationStatus.PENDING))
    lose(world, ONE)
    with pytest.raises(OperationMissingError):
        world.reporter.report(RUN, {}, has_plan=False)
    shown = stored_report(world.operation(), world.operations.outcomes(sync_id_of(RUN)), 1)
    assert (shown.operation.status, shown.outcome_counts.failures, shown.remarks) == ("failed", 0, ())


def test_plan_heals() -> None:
    """Planning again stores what is missing, and the run can turn green."""
    world = planned()
    lose(world, ONE)
    world.reporter.report(RUN, {}, has_plan=True, listed=IDS)
    world.clock.sleep(60)
    assert world.plan() == IDS
    assert world.outcomes()[ONE, SECURITY].account_name == "member-1"
    for account_id in IDS:
        world.sync(account_id, 2)
    world.reporter.report(RUN, dict.fromkeys(IDS, "success"), has_plan=True, listed=IDS).check()


def test_housekeeping_counts_what_is_lost() -> None:
    """An operation that housekeeping closes does not end well over a lost outcome."""
    world = planned()
    for account_id in IDS:
        world.sync(account_id)
    lose(world, ONE)
    (closed,) = world.housekeeper.close_abandoned(lambda _: None)
    assert closed.counts == {"success": 2, "failed": 1}
    assert closed.status == "failed"


def test_history_of_a_narrower_plan() -> None:
    """What an earlier plan did to an account that the latest leaves out is told, and no outcome is missed."""
    world = planned()
    world.sync(ONE)
    world.configurations.store(configuration(contact_types=["security"], scope={"include": {"accounts": [TWO]}}))
    world.clock.sleep(60)
    assert world.plan() == (TWO,)
    world.sync(TWO)
    report = world.reporter.report(RUN, {TWO: "success"}, has_plan=True, listed=(TWO,))
    report.check()
    assert report.outcome_counts.counts == {"success": 2}


def test_counter_lost() -> None:
    """After the counter was lost a change reaches the accounts at once."""
    world = planned()
    for number in range(8):
        world.contacts.stored[None, SECURITY] = alternate(Name=f"Person {number}")
        world.plan(request(dag_run_id=f"run {number}"))
    world.state.generations.clear()
    newest = world.contacts.stored[None, SECURITY] = alternate(Name="Newest")
    world.plan(request(dag_run_id="after"))
    outcome = world.sync(ONE, run="after")[0]
    assert (outcome.detail, world.contacts.stored[ONE, SECURITY]) == (OutcomeDetail.UPDATED, newest)


@pytest.mark.parametrize("lost", ["restored", "restored with the counter"])
def test_desired_contact_restored(lost: str) -> None:
    """An older desired contact than what was desired is not brought over; the next run by hand puts all right."""
    world = planned()
    old = world.state.desired[SECURITY]
    new = world.contacts.stored[None, SECURITY] = alternate(Name="Newer")
    for number in range(3):
        world.plan(request(dag_run_id=f"run {number}"))
    world.sync(ONE, run="run 2")
    world.state.desired[SECURITY] = old
    if lost == "restored with the counter":
        world.state.generations[SECURITY] = old.generation
    for run, account_id in (("run 2", TWO), (RUN, ONE)):
        with pytest.raises(AccountsFailedError, match="restored") as failed:
            world.sync(account_id, run=run)
        assert not failed.value.retryable
    assert world.contacts.stored[ONE, SECURITY] == new
    world.plan(request(dag_run_id="by hand"))
    for account_id in IDS:
        world.sync(account_id, run="by hand")
        assert world.contacts.stored[account_id, SECURITY] == new


def test_desired_contact_lost_with_the_counter() -> None:
    """When both tables lost what they knew, and accounts' records did not, the second run by hand puts it right."""
    world = planned()
    for number in range(5):
        world.plan(request(dag_run_id=f"run {number}"))
    world.sync(ONE, run="run 4")
    world.state.desired.clear()
    world.state.generations.clear()
    newest = world.contacts.stored[None, SECURITY] = alternate(Name="Newest")
    world.plan(request(dag_run_id="first"))
    with pytest.raises(AccountsFailedError, match="by hand"):
        world.sync(ONE, run="first")
    world.plan(request(dag_run_id="second"))
    world.sync(ONE, run="second")
    assert world.contacts.stored[ONE, SECURITY] == newest


def test_same_generation_is_no_loss() -> None:
    """What another run has applied with the same or a smaller generation is no reason to stop."""
    world = planned()
    world.sync(ONE)
    world.state.desired[SECURITY] = replace(world.state.desired[SECURITY], generation=1)
    assert world.sync(ONE, 2)[0].status is OutcomeStatus.SUCCESS
    newer = DesiredContact(SECURITY, 2, "another", alternate(Name="Newer"))
    world.state.desired[SECURITY] = newer
    assert world.sync(ONE, 3)[0].detail is OutcomeDetail.SUPERSEDED

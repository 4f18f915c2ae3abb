"""The report's second look at the source, the run that follows up, and what the report remarks."""

from dataclasses import replace
from datetime import timedelta

import pytest

from contactsync.contacts import ContactType
from contactsync.errors import (
    AccessDeniedError,
    ContactSyncError,
    HaltedError,
    ItemUnreadableError,
    ServiceUnavailableError,
    ThrottledError,
    UnexpectedAwsError,
    WaitingError,
)
from contactsync.intake.request import PARAMETERS, parse_request
from contactsync.operations.operation import Halt, OperationStatus
from contactsync.pacing.breaker import BreakerState, Phase, Transition
from contactsync.sync.report import stored_report
from tests.support.builders import MANAGEMENT_ACCOUNT, RUN, alternate, request
from tests.support.fakes.state import FakeOperations
from tests.support.fakes.surroundings import Fault
from tests.support.worlds.follow_ups import (
    BILLING,
    GET,
    NEW,
    OLD,
    ONE,
    SECURITY,
    carry_out,
    change,
    follow,
    following,
    ran,
    report,
)
from tests.support.worlds.world import World


def test_source_is_the_same() -> None:
    """A source that is what the run found needs no other run; it is read once for each type."""
    world = ran("billing", "security")
    world.contacts.calls.clear()
    found = report(world)
    found.check()
    assert (found.follow_up, found.remarks, world.operation().followed_by) == (None, (), None)
    assert [call.contact_type for call in world.contacts.calls] == [BILLING, SECURITY]
    assert world.contacts.touched() == {None}


def test_lost_event() -> None:
    """When the source is another one by now a run follows up; report, remark and operation say which."""
    world = ran()
    change(world, NEW)
    found = report(world)
    assert found.follow_up
    assert found.follow_up.conf["contact_types"] == ["security"]
    assert world.operation().followed_by == found.follow_up.run_id
    assert any(found.follow_up.run_id in remark for remark in found.remarks)
    assert world.operation().status is OperationStatus.COMPLETED
    found.check()


def test_source_read_too_early() -> None:
    """A plan that was told an old contact is followed by a run that brings the accounts to the new one."""
    world = World.of(1, contact_types=["security"])
    change(world, NEW)
    world.contacts._stale[None, SECURITY] = (1, OLD)
    carry_out(world)
    assert world.contacts.stored[ONE, SECURITY] == OLD
    follow(world, following(world))
    assert world.contacts.stored[ONE, SECURITY] == NEW


def test_follow_up_ends_it() -> None:
    """When the follow-up finds the source as it is, none follows it, and its report says what it was."""
    world = ran()
    change(world, NEW)
    follow_up = following(world)
    follow(world, follow_up)
    found = report(world, follow_up.run_id)
    assert found.follow_up is None
    assert any("follow-up number 1" in remark for remark in found.remarks)


def test_conf() -> None:
    """The follow-up's conf is one that a run accepts, and holds no contact value."""
    world = ran()
    change(world, NEW)
    follow_up = following(world)
    parsed = parse_request(
        follow_up.conf,
        {name: follow_up.conf.get(name) for name in PARAMETERS},
        dag_run_id=follow_up.run_id,
        triggered_by="airflow:operator",
        management_account=MANAGEMENT_ACCOUNT,
    )
    assert (parsed.contact_types, parsed.follow_up) == ((SECURITY,), 1)
    assert len(follow_up.run_id) <= 64
    text = repr(follow_up)
    assert not [value for value in [*NEW.values().values(), *alternate().values().values()] if value in text]


@pytest.mark.parametrize(
    "requested",
    [{"accounts": [ONE]}, {"organizational_units": ["Workloads"]}, {"accounts": [ONE], "organizational_units": ["a"]}],
)
def test_keeps_to_its_accounts(requested: dict[str, list[str]]) -> None:
    """A follow-up of a run for some accounts goes no further than that run, however many follow each other."""
    world = ran()
    change(world, NEW)
    found = world.reporter.report(RUN, {ONE: "success"}, has_plan=True, run_filter={**requested, "others": []})
    assert found.follow_up
    assert {name: found.follow_up.conf.get(name) for name in requested} == requested
    assert "others" not in found.follow_up.conf
    everything = world.reporter.report(RUN, {ONE: "success"}, has_plan=True, run_filter={"accounts": []}).follow_up
    assert everything
    assert everything.run_id == found.follow_up.run_id
    assert "accounts" not in everything.conf


def test_only_what_moved() -> None:
    """The follow-up is about the contact types whose source is another one."""
    world = ran("billing", "operations", "security")
    change(world, NEW, BILLING)
    change(world, NEW, SECURITY)
    assert following(world).conf["contact_types"] == ["billing", "security"]


def test_same_run() -> None:
    """A report that is repeated asks for the same run, so that Airflow starts it once."""
    world = ran()
    change(world, NEW)
    assert following(world) == following(world)


def test_planned_anew() -> None:
    """A run that was planned again in between has another follow-up than before."""
    world = ran()
    change(world, NEW)
    first = following(world)
    world.clock.sleep(60)
    carry_out(world)
    change(world, OLD)
    assert following(world).run_id != first.run_id


def test_bounded() -> None:
    """Follow-ups follow each other a bounded number of times; then a person is asked."""
    world = ran()
    run = RUN
    for number in range(1, 4):
        change(world, alternate(Name=f"Name {number}"))
        follow_up = following(world, run)
        assert follow_up.conf["follow_up"] == number
        follow(world, follow_up)
        run = follow_up.run_id
    change(world, NEW)
    found = report(world, run)
    assert found.follow_up is None
    assert any("3 follow-up runs" in remark and "by hand" in remark for remark in found.remarks)


def test_later_run_has_it() -> None:
    """A source that a later run has found already needs no follow-up."""
    world = ran()
    change(world, NEW)
    world.plan(request(dag_run_id="newer"))
    assert report(world).follow_up is None


def test_changed_back() -> None:
    """A source that is as this run found it, while a later run has applied another one, is followed up."""
    world = ran()
    change(world, NEW)
    carry_out(world, run="newer")
    change(world, alternate())
    follow(world, following(world))
    assert world.contacts.stored[ONE, SECURITY] == alternate()


def test_dry_run() -> None:
    """A dry run starts no other run, and does not look."""
    world = ran(dry_run=True)
    change(world, NEW)
    world.contacts.calls.clear()
    assert report(world).follow_up is None
    assert world.contacts.calls == []


def test_halted() -> None:
    """A halted operation looks at nothing, is failed whatever its numbers, and says why, first of all."""
    world = ran()
    world.operations.halt(world.operation(), Halt("TrustedAccessOff", "Trusted access is off.", world.clock.now()))
    change(world, NEW)
    world.contacts.calls.clear()
    found = report(world)
    assert (found.follow_up, found.outcome_counts.failures) == (None, 0)
    assert world.contacts.calls == []
    assert world.operation().status is OperationStatus.FAILED
    assert any("HALTED" in remark and "Trusted access is off." in remark for remark in found.remarks)
    with pytest.raises(HaltedError, match="Trusted access is off") as caught:
        found.check()
    assert not caught.value.retryable


def test_no_types() -> None:
    """A run that concerns no contact type looks at nothing."""
    world = World.of(1, contact_types=["primary"])
    world.plan(request(contact_types=["security"], follow_up=1))
    world.contacts.calls.clear()
    assert report(world).follow_up is None
    assert world.contacts.calls == []


@pytest.mark.parametrize(
    "error",
    [
        AccessDeniedError(GET, "AccessDeniedException"),
        ThrottledError(GET, "TooManyRequestsException"),
        ServiceUnavailableError(GET, "InternalServerException"),
        UnexpectedAwsError(GET, "SomethingNewException"),
    ],
    ids=lambda error: error.code,
)
def test_source_unreadable(error: ContactSyncError) -> None:
    """A source that cannot be read fails no run: the report is stored, and says that nobody knows."""
    world = ran()
    change(world, NEW)
    world.contacts.faults.append(Fault(error, "read"))
    found = report(world)
    assert found.follow_up is None
    assert any(error.code in remark and "by hand" in remark for remark in found.remarks)
    assert world.operation().status is OperationStatus.COMPLETED


@pytest.mark.parametrize("seconds", [10, 10_000])
def test_outage(seconds: float) -> None:
    """Nor does an open breaker, however long the outage has lasted."""
    world = ran()
    world.clock.sleep(20_000)
    now = world.clock.now()
    world.breakers.states[GET] = BreakerState(
        GET, 1, Phase.OPEN, since=now - timedelta(seconds=seconds), tried=now, cause="InternalServerException"
    )
    found = report(world)
    assert any("InternalServerException" in remark for remark in found.remarks)
    assert world.operation().status is OperationStatus.COMPLETED
    assert world.contacts.calls[-1].account_id == ONE


def test_probe_is_given_back() -> None:
    """A report that was to probe and could not does not keep others from it."""
    world = ran()
    world.clock.sleep(100)
    before = world.clock.now() - timedelta(seconds=60)
    world.breakers.states[GET] = BreakerState(GET, 1, Phase.OPEN, since=before, tried=before, cause="Some")
    limiter = replace(world.call_guard.limiter, error=WaitingError("Backlog", 90.0))  # type: ignore[type-var]
    second_look = replace(world.second_look, call_guard=replace(world.call_guard, limiter=limiter))
    crowded = replace(world.reporter, second_look=second_look)
    crowded.report(RUN, {ONE: "success"}, has_plan=True)
    assert world.breakers.get(GET).probe is None


def test_breaker_is_remarked() -> None:
    """What the breakers did during the operation stands in the report, and what they did before does not."""
    world = World.of(1, contact_types=["security"])
    world.clock.sleep(3600)
    carry_out(world)
    now = world.clock.now()
    steps = (
        Transition(GET, now - timedelta(hours=1), Phase.CLOSED, Phase.OPEN, "EarlierException"),
        Transition(GET, now, Phase.OPEN, Phase.HALF_OPEN, "Probe"),
    )
    world.breakers.states[GET] = BreakerState(GET, 2, transitions=steps)
    remarks = report(world).remarks
    assert [remark for remark in remarks if "GetAlternateContact: open -> half_open (Probe)" in remark]
    assert not [remark for remark in remarks if "EarlierException" in remark]


def test_note_is_remarked() -> None:
    """The plan's note is the first remark."""
    world = World.of(1, contact_types=["security"])
    world.plan()
    world.state.operations[world.operation().sync_id] = replace(world.operation(), note="Nothing to do.")
    assert report(world).remarks[0] == "Nothing to do."


def test_stored_report() -> None:
    """A report of what is stored remarks the same as the one that stored it."""
    world = ran()
    change(world, NEW)
    found = report(world)
    again = stored_report(world.operation(), world.outcomes().values(), found.threshold)
    assert again.remarks == found.remarks


def test_seems_moved() -> None:
    """A source that only this read shows as another one is read again, and no run follows."""
    world = ran()
    world.contacts._stale[None, SECURITY] = (1, OLD)
    assert report(world).follow_up is None


def test_moved_again() -> None:
    """A report that is repeated after its follow-up has ended, and sees another source again, asks for another run."""
    world = ran()
    change(world, OLD)
    first = following(world)
    follow(world, first)
    change(world, NEW)
    assert following(world).run_id != first.run_id


def test_unreadable_counter() -> None:
    """A counter that cannot be read keeps no report from being stored; the report says that nobody looked again."""

    class Unreadable(FakeOperations):
        def generation(self, contact_type: ContactType) -> int:
            raise ItemUnreadableError(table="state", item=f"GENERATION#{contact_type}", problem="no number")

    world = ran()
    change(world, NEW)
    reporter = replace(world.reporter, second_look=replace(world.second_look, operations=Unreadable(world.state)))
    found = reporter.report(RUN, {}, has_plan=True, listed=[ONE])
    assert found.follow_up is None
    assert any("could not be read again (ItemUnreadable)" in remark for remark in found.remarks)
    assert world.operation().status is OperationStatus.COMPLETED

"""An account that a plan, or a question, left out is not written after its outcome was lost or its task was killed."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import pytest

from contactsync.accounts import Account, AccountState
from contactsync.contacts import ContactType
from contactsync.errors import ContactSyncError, OutcomesMissingError
from contactsync.operations.operation import OutcomeDetail, OutcomeStatus, Verdict
from tests.support.builders import RUN, account, alternate
from tests.support.worlds.world import World

SECURITY, BILLING = ContactType.SECURITY, ContactType.BILLING
ONE, TWO, THREE = IDS = tuple(account(number).account_id for number in (1, 2, 3))
CLOSED = {"exclude": {"organizational_units": ["Closed"]}}
TAGGED = {"exclude": {"tags": {"contacts": ["own"]}}}
SOME = {"include": {"organizational_units": ["Open"]}}


def world_of(rule: dict[str, object]) -> World:
    """Return a world whose billing contacts have a rule that leaves out the first account, which has none."""
    world = World.of(3, contact_types=["security", "billing"], scope={"contact_types": {"billing": rule}})
    world.organization.places = {ONE: "Closed", TWO: "Open", THREE: "Open"}
    world.organization.tags = {ONE: {"contacts": "own"}}
    return world


def lose(world: World, *account_ids: str, kind: ContactType | None = None) -> None:
    """Lose outcomes of accounts."""
    for key in list(world.state.outcomes):
        if key[1] in account_ids and kind in {None, key[2]}:
            del world.state.outcomes[key]


def sync_all(world: World, number: int = 1) -> None:
    """Run every account's task, as after a clear."""
    for account_id in IDS:
        with suppress(ContactSyncError):
            world.sync(account_id, number, first_try=number)


def lose_all_of_one(world: World) -> None:
    """Lose all outcomes of the account, and one of another."""
    lose(world, ONE)
    lose(world, TWO, kind=BILLING)
    sync_all(world)


def lose_half(world: World) -> None:
    """Lose the outcome that was to be settled."""
    lose(world, ONE, kind=SECURITY)
    sync_all(world)


def kill_after_success(world: World) -> None:
    """Settle all, and end the account's process before Airflow knows of it."""
    sync_all(world)


@pytest.mark.parametrize("rule", [CLOSED, TAGGED, SOME], ids=["unit", "tag", "include"])
@pytest.mark.parametrize("happens", [lose_all_of_one, lose_half, kill_after_success])
def test_left_alone(rule: dict[str, object], happens: Callable[[World], None]) -> None:
    """However often the run is reported and its failed tasks are cleared, the account is not written."""
    world = world_of(rule)
    listed = world.plan()
    happens(world)
    for number in (2, 3):
        world.clock.sleep(60)
        states = {ONE: "failed", TWO: "success", THREE: "success"}
        world.reporter.report(RUN, states, has_plan=True, listed=listed)
        sync_all(world, number)
    assert (ONE, BILLING) not in world.contacts.stored
    assert (THREE, BILLING) in world.contacts.stored


def test_what_the_plan_settled_is_nobodys_failure() -> None:
    """A task that Airflow calls failed is a failure of what it was to settle, and not of what the plan had settled."""
    world = world_of(CLOSED)
    listed = world.plan()
    sync_all(world)
    report = world.reporter.report(RUN, {ONE: "failed"}, has_plan=True, listed=listed)
    outcomes = world.outcomes()
    assert outcomes[ONE, SECURITY].detail is OutcomeDetail.NO_OUTCOME
    assert outcomes[ONE, BILLING].detail is OutcomeDetail.EXCLUDED
    assert report.outcome_counts.failures == 1


def test_substitute_is_not_settled() -> None:
    """What the report put where outcomes were lost waits for the plan: the task says so and calls nothing."""
    world = World.of(3, contact_types=["security"])
    listed = world.plan()
    lose(world, ONE)
    world.reporter.report(RUN, {}, has_plan=True, listed=listed)
    with pytest.raises(OutcomesMissingError, match="Downstream"):
        world.sync(ONE, 2, first_try=2)
    assert ONE not in world.contacts.touched()
    world.clock.sleep(60)
    listed = world.plan()
    sync_all(world, 3)
    world.reporter.report(RUN, dict.fromkeys(IDS, "success"), has_plan=True, listed=listed).check()


@pytest.mark.parametrize("planned_before", [False, True], ids=["planned", "planned by an earlier version"])
def test_account_without_a_name(planned_before: bool) -> None:  # noqa: FBT001 -- a column of the table
    """An account that AWS gives no name for is settled like any other, also by a clear after its task was killed."""
    world = World.of(0, contact_types=["security"])
    world.organization.members += [Account(ONE, "", AccountState.ACTIVE)]
    listed = world.plan()
    key, outcome = next(iter(world.state.outcomes.items()))
    if planned_before:
        world.state.outcomes[key] = replace(outcome, account_name="")
    else:
        world.reporter.report(RUN, {ONE: "failed"}, has_plan=True, listed=listed)
    assert world.sync(ONE, 2, first_try=2)[0].status is OutcomeStatus.SUCCESS


@pytest.mark.parametrize("lost", ["before the question", "reported before the question", "after the answer"])
def test_uncounted_is_not_deleted(lost: str) -> None:
    """An account that the question did not count, because its outcome was lost, keeps its contact."""
    world = World.of(3, contact_types=["security"], deletion={"policy": "approve"})
    for account_id in IDS:
        world.contacts.stored[account_id, SECURITY] = alternate()
    del world.contacts.stored[None, SECURITY]
    listed = world.plan()
    if lost != "after the answer":
        lose(world, ONE)
    if lost == "reported before the question":
        world.reporter.report(RUN, {}, has_plan=True, listed=listed)
    question = world.approvals.ask(RUN)
    assert question is not None
    planned = question.operation.planned
    world.approvals.decide(RUN, Verdict.APPROVED, planned=planned, by="airflow:admin", at=world.clock.now())
    assert question.at_most == (3 if lost == "after the answer" else 2)
    lose(world, ONE)
    for number in (1, 2, 3):
        sync_all(world, number)
        world.clock.sleep(60)
        world.reporter.report(RUN, {ONE: "failed"}, has_plan=True, listed=listed)
    assert (ONE, SECURITY) in world.contacts.stored
    assert (TWO, SECURITY) not in world.contacts.stored
    assert world.outcomes()[ONE, SECURITY].status is OutcomeStatus.FAILED

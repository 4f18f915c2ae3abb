"""Who may carry out a deletion: its own operation, where its question counted the account and nothing forbids it."""

import pytest

from contactsync.contacts import Contact, ContactType
from contactsync.operations.operation import AccountOutcome, OutcomeDetail, OutcomeStatus, Verdict
from tests.support.builders import RUN, configuration, contact_of, request
from tests.support.worlds.approvals import AT, BILLING, BY, ONE, SECURITY, THREE, TWO, world_without
from tests.support.worlds.world import World

EVERYWHERE = [ONE, TWO, THREE]
OWN = {"tags": {"contacts": ["own"]}}


def changed(policy: str = "approve", **settings: object) -> World:
    """Return a world in which a change was planned for all accounts, and then the contact was deleted."""
    world = world_without(policy=policy, **settings)
    world.plan(request(dag_run_id="change"))
    world.contacts.stored[None, SECURITY] = contact_of(SECURITY, Title="Changed")
    world.clock.sleep(60)
    world.plan(request(dag_run_id="change"))
    del world.contacts.stored[None, SECURITY]
    return world


def approve(world: World, run: str = RUN, verdict: Verdict = Verdict.APPROVED) -> None:
    """Ask, and answer."""
    assert world.approvals.ask(run)
    world.approvals.decide(run, verdict, planned=world.operation(run).planned, by=BY, at=AT)


def holding(world: World, contact_type: ContactType = SECURITY) -> dict[str, Contact | None]:
    """Return what the accounts hold."""
    return {account_id: world.contacts.stored.get((account_id, contact_type)) for account_id in EVERYWHERE}


def settle(world: World, run: str, account_id: str, try_number: int = 1) -> AccountOutcome:
    """Let an account's task run, and return the outcome about the security contact."""
    outcomes = world.sync(account_id, try_number, run)
    return next(outcome for outcome in outcomes if outcome.contact_type is SECURITY)


def test_another_runs_deletion() -> None:
    """A run that deletes nothing itself leaves a deletion alone that was approved for one account of another run."""
    world = changed()
    world.plan(request(dag_run_id="rejected"))
    approve(world, "rejected", Verdict.REJECTED)
    world.plan(request(dag_run_id="one", accounts=[ONE]))
    approve(world, "one")
    before = holding(world)
    for account_id in EVERYWHERE:
        outcome = settle(world, "change", account_id)
        assert (outcome.status, outcome.detail) == (OutcomeStatus.SKIPPED, OutcomeDetail.SUPERSEDED)
        assert outcome.generation is None
    assert holding(world) == before
    assert settle(world, "one", ONE).detail is OutcomeDetail.DELETED
    assert holding(world) == {**before, ONE: None}
    assert settle(world, "rejected", TWO).detail is OutcomeDetail.NOT_APPROVED
    assert holding(world) == {**before, ONE: None}


def test_policy_propagates_its_own() -> None:
    """With the policy `propagate` too, it is the run that found the deletion which carries it out."""
    world = changed("propagate")
    world.plan(request(dag_run_id="one", accounts=[ONE]))
    before = holding(world)
    assert settle(world, "change", TWO).detail is OutcomeDetail.SUPERSEDED
    assert holding(world) == before
    assert settle(world, "one", ONE).detail is OutcomeDetail.DELETED


def test_two_deletions() -> None:
    """A run with an approved deletion of its own carries it out also when a later run's is the latest."""
    world = world_without(SECURITY)
    world.plan(request(dag_run_id="first"))
    approve(world, "first")
    world.plan(request(dag_run_id="second", accounts=[ONE]))
    approve(world, "second")
    assert settle(world, "first", TWO).detail is OutcomeDetail.SUPERSEDED
    assert holding(world)[TWO] is None


@pytest.mark.parametrize(
    ("planned", "now", "detail"),
    [
        ("approve", "ignore", OutcomeDetail.NOT_APPROVED),
        ("approve", "propagate", OutcomeDetail.DELETED),
        ("propagate", "approve", OutcomeDetail.NOT_APPROVED),
        ("propagate", "ignore", OutcomeDetail.NOT_APPROVED),
        ("propagate", "propagate", OutcomeDetail.DELETED),
    ],
)
def test_policy_in_force(planned: str, now: str, detail: OutcomeDetail) -> None:
    """A policy that deletes nothing, or asks, also holds for what was planned under another one."""
    world = world_without(SECURITY, policy=planned)
    world.plan()
    if planned == "approve":
        approve(world)
    world.configurations.store(configuration(deletion={"policy": now}))
    before = holding(world)
    assert settle(world, RUN, ONE).detail is detail
    assert holding(world) == (before if detail is OutcomeDetail.NOT_APPROVED else {**before, ONE: None})


@pytest.mark.parametrize("where", ["unit", "tag"])
def test_moved_while_it_waited(where: str) -> None:
    """An account that was moved to an excluded unit, or got an excluded tag, keeps its contact."""
    rule = {"organizational_units": ["Closed"]} if where == "unit" else OWN
    world = world_without(SECURITY, scope={"exclude": rule})
    world.organization.empty_units = ["Closed"]
    world.plan()
    approve(world)
    world.organization.places = {ONE: "Closed"} if where == "unit" else {}
    world.organization.tags = {ONE: {"contacts": "own"}} if where == "tag" else {}
    assert settle(world, RUN, ONE).detail is OutcomeDetail.EXCLUDED
    assert settle(world, RUN, TWO).detail is OutcomeDetail.DELETED
    assert holding(world) == {ONE: contact_of(SECURITY), TWO: None, THREE: contact_of(SECURITY)}


@pytest.mark.parametrize(("hours", "detail"), [(0, OutcomeDetail.UPDATED), (2, OutcomeDetail.EXCLUDED)])
def test_moved_before_an_old_run_is_cleared(hours: int, detail: OutcomeDetail) -> None:
    """Other writes ask again where an account is when the plan is older than an hour."""
    world = world_without(scope={"exclude": {"organizational_units": ["Closed"]}})
    world.organization.empty_units = ["Closed"]
    world.contacts.stored[None, SECURITY] = contact_of(SECURITY, Title="Changed")
    world.plan()
    world.organization.places = {ONE: "Closed"}
    world.clock.sleep(hours * 3600)
    assert settle(world, RUN, ONE).detail is detail


def test_left_out_by_a_later_plan() -> None:
    """An account that an earlier plan settled, and the latest leaves out for this type, is not counted nor touched."""
    world = world_without(SECURITY)
    world.contacts.stored[None, SECURITY] = contact_of(SECURITY)
    world.plan()
    assert settle(world, RUN, ONE).detail is OutcomeDetail.UNCHANGED
    del world.contacts.stored[None, SECURITY]
    narrower = {"contact_types": {"security": {"include": {"accounts": [TWO]}}}}
    world.configurations.store(configuration(scope=narrower, deletion={"policy": "approve"}))
    world.clock.sleep(60)
    world.plan()
    asked = world.approvals.ask(RUN)
    assert asked is not None
    assert asked.accounts == {SECURITY: 1}
    world.approvals.decide(RUN, Verdict.APPROVED, planned=world.operation().planned, by=BY, at=AT)
    kinds = {outcome.contact_type for outcome in world.sync(ONE, 2)}
    assert SECURITY not in kinds
    assert BILLING in kinds
    assert holding(world)[ONE] == contact_of(SECURITY)


def test_approval_withdrawn_under_way() -> None:
    """A task that was told of an approval looks again before it deletes: meanwhile somebody is being asked again."""
    world = world_without(SECURITY)
    world.plan()
    approve(world)
    operation, settings = world.account_sync.open(RUN)
    assert world.approvals.ask(RUN)
    outcomes = world.account_sync.sync(operation, settings, ONE, 1)
    assert {outcome.detail for outcome in outcomes if outcome.contact_type is SECURITY} == {OutcomeDetail.NOT_APPROVED}
    assert holding(world)[ONE] == contact_of(SECURITY)


def test_marked_by_hand() -> None:
    """When nobody was asked although somebody has to be, the report says why nothing was deleted."""
    world = world_without(SECURITY)
    world.plan()
    for account_id in EVERYWHERE:
        world.sync(account_id)
    report = world.reporter.report(RUN, dict.fromkeys(EVERYWHERE, "success"), has_plan=True, listed=EVERYWHERE)
    report.check()
    assert any("Nobody decided about the deletion of the security contact" in remark for remark in report.remarks)
    assert holding(world)[ONE]


def test_no_account_to_delete_in() -> None:
    """A deletion that touches no account needs no decision, and no remark about one."""
    world = world_without(SECURITY, excluded_accounts=EVERYWHERE)
    world.plan()
    report = world.reporter.report(RUN, {}, has_plan=True)
    assert report.remarks == ()


@pytest.mark.parametrize(("first", "then"), [("approve", "ignore"), ("propagate", "approve"), ("propagate", "ignore")])
def test_policy_changed_meanwhile_is_said(first: str, then: str) -> None:
    """A deletion that was allowed and not carried out everywhere does not go unsaid in a green report."""
    world = world_without(SECURITY, policy=first)
    listed = world.plan()
    if first == "approve":
        approve(world)
    settle(world, RUN, ONE)
    settings = world.configurations.latest().configuration
    world.configurations.store(
        settings.model_copy(update={"deletion": configuration(deletion={"policy": then}).deletion})
    )
    for account_id in (TWO, THREE):
        assert settle(world, RUN, account_id).detail is OutcomeDetail.NOT_APPROVED
    report = world.reporter.report(RUN, dict.fromkeys(listed, "success"), has_plan=True, listed=listed)
    report.check()
    assert any("first allowed and later not allowed" in remark for remark in report.remarks)


@pytest.mark.parametrize("policy", ["approve", "propagate", "ignore"])
def test_nothing_changed_is_not_said(policy: str) -> None:
    """Where the deletion went as it was decided, the report does not say so."""
    world = world_without(SECURITY, policy=policy)
    listed = world.plan()
    if policy == "approve":
        approve(world)
    for account_id in EVERYWHERE:
        settle(world, RUN, account_id)
    report = world.reporter.report(RUN, dict.fromkeys(listed, "success"), has_plan=True, listed=listed)
    assert not any("any more" in remark for remark in report.remarks)

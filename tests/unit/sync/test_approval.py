"""Approval of deletions: what is asked, and what the answers lead to."""

import re
from datetime import timedelta

import pytest

from contactsync.contacts import ContactType
from contactsync.errors import AccessDeniedError, OperationMissingError, OvertakenError
from contactsync.operations.desired import DesiredContact
from contactsync.operations.operation import Decision, OutcomeDetail, OutcomeStatus, SyncOperation, Verdict
from contactsync.sync.approval import ApprovalRequest
from tests.support.builders import RUN, account, change_of, contact_of, operation, request
from tests.support.fakes.surroundings import Fault
from tests.support.worlds.approvals import AT, BILLING, BY, ONE, PRIMARY, SECURITY, THREE, TWO, planned, world_without
from tests.support.worlds.world import World


def asked(world: World) -> ApprovalRequest:
    """Return what is asked, which must be something."""
    found = world.approvals.ask(RUN)
    assert found is not None
    return found


def decide(world: World, verdict: Verdict) -> SyncOperation:
    """Record a verdict by somebody."""
    return world.approvals.decide(RUN, verdict, planned=world.operation().planned, by=BY, at=AT)


def details(world: World, contact_type: ContactType) -> set[OutcomeDetail | None]:
    """Settle all three accounts and return the outcomes' details of a type."""
    for account_id in (ONE, TWO, THREE):
        world.sync(account_id)
    return {outcome.detail for outcome in world.outcomes().values() if outcome.contact_type is contact_type}


def deleted(world: World) -> list[tuple[str | None, ContactType]]:
    """Return what was deleted."""
    return [(call.account_id, call.contact_type) for call in world.contacts.changes() if call.method == "delete"]


def test_nothing_to_ask() -> None:
    """A run that deletes nothing asks nobody."""
    assert planned().approvals.ask(RUN) is None


@pytest.mark.parametrize("policy", ["propagate", "ignore"])
def test_policies_that_ask_nobody(policy: str) -> None:
    """Only the policy `approve` asks."""
    world = planned(SECURITY, policy=policy)
    assert world.approvals.ask(RUN) is None
    assert not world.operation().plans[SECURITY].needs_approval


def test_dry_run_asks_nobody() -> None:
    """A dry run deletes nothing, so nobody is asked."""
    world = world_without(SECURITY)
    world.plan(request(dry_run=True))
    assert world.approvals.ask(RUN) is None


def test_no_account_asks_nobody() -> None:
    """A deletion that touches no account is not put to anybody."""
    assert planned(SECURITY, excluded_accounts=[ONE, TWO, THREE]).approvals.ask(RUN) is None


def test_missing_operation() -> None:
    """Without a plan there is nothing to ask about."""
    with pytest.raises(OperationMissingError):
        world_without().approvals.ask(RUN)


def test_request() -> None:
    """The request names types, numbers of accounts, who began it, the operation and the time; no contact value."""
    world = world_without(SECURITY, BILLING, excluded_accounts=[TWO])
    world.plan()
    found = asked(world)
    assert dict(found.accounts) == {BILLING: 2, SECURITY: 2}
    assert found.at_most == 2
    assert found.timeout == 7200
    assert found.subject == "Delete the billing, security contact in up to 2 accounts?"
    for part in ("| security | 2 |", "airflow:admin", world.operation().sync_id, "2 hours"):
        assert part in found.body
    values = {value for contact in world.contacts.stored.values() for value in contact.values().values()}
    assert not [value for value in values if len(value) > 2 and value in found.subject + found.body]


def test_request_says_where_and_until_when() -> None:
    """The question and its notice say by which clock time to answer, which accounts, and how to take it back."""
    world = world_without(SECURITY)
    world.plan()
    found = asked(world)
    until = f"{world.clock.now() + timedelta(seconds=7200):%Y-%m-%d %H:%M} UTC"
    names = [account(number).name for number in (1, 2, 3)]
    for text in (found.body, found.sentences):
        assert until in text
        assert all(name in text for name in names)
        assert "put the contact in the management account again" in " ".join(text.split())


def test_request_lists_the_first() -> None:
    """Of many accounts the first by name are listed, with the number of the others."""
    world = World.of(14, contact_types=["security"])
    del world.contacts.stored[None, SECURITY]
    world.plan()
    found = asked(world)
    assert len(found.first) == 10
    assert "and 4 more" in found.body
    assert "and 4 more" in found.sentences


@pytest.mark.parametrize(
    "text", ["**Approve**", "` | x |", "![a](http://b)", "<@U1>", "a\n\n# b", "\u202eb", "\x1b[1m"]
)
def test_request_is_no_markdown_of_others(text: str) -> None:
    """Names of accounts and principals have no meaning in the question's page."""
    hostile = ApprovalRequest(operation(SECURITY, initiating_user=text), {SECURITY: 1}, 1, 60, first=[(ONE, text)])
    tame = ApprovalRequest(operation(SECURITY, initiating_user="x"), {SECURITY: 1}, 1, 60, first=[(ONE, "x")])
    quiet = re.sub(r"`[^`\n]*`", "`x`", hostile.body)
    assert quiet == re.sub(r"`[^`\n]*`", "`x`", tame.body)
    assert not [letter for letter in hostile.body if not letter.isprintable() and letter != "\n"]


def test_who_deleted() -> None:
    """Who deleted the contact is who stands in the request."""
    world = world_without(SECURITY)
    change = change_of("security", action="delete", event_name="DeleteAlternateContact")
    world.plan(request(change=change))
    assert change["initiating_user"] in asked(world).body


def test_approved() -> None:
    """An approved deletion is the desired contact of the plan's generation, and is carried out."""
    world = planned(SECURITY)
    asked(world)
    assert SECURITY not in world.state.desired
    decide(world, Verdict.APPROVED)
    plan = world.operation().plans[SECURITY]
    assert plan.approved
    assert plan.decision == Decision(Verdict.APPROVED, BY, AT)
    assert world.state.desired[SECURITY].contact is None
    assert world.state.desired[SECURITY].generation == plan.generation
    assert details(world, SECURITY) == {OutcomeDetail.DELETED}
    assert deleted(world) == [(account_id, SECURITY) for account_id in (ONE, TWO, THREE)]
    assert world.operation().note == "airflow:admin approved the deletion of the security contact."


@pytest.mark.parametrize(
    ("verdict", "note"),
    [
        (
            Verdict.REJECTED,
            ("airflow:admin rejected the deletion of the security contact, so it was not deleted in any account."),
        ),
        (
            Verdict.TIMED_OUT,
            "Nobody approved the deletion of the security contact in time, so it was not deleted in any account.",
        ),
    ],
)
def test_not_approved(verdict: Verdict, note: str) -> None:
    """Without approval nothing is deleted, the outcomes are skipped, the operation is completed and says why."""
    world = planned(SECURITY)
    asked(world)
    decide(world, verdict)
    assert details(world, SECURITY) == {OutcomeDetail.NOT_APPROVED}
    assert deleted(world) == []
    assert SECURITY not in world.state.desired
    report = world.reporter.report(RUN, {}, has_plan=True)
    report.check()
    assert report.operation.note == note
    decision = world.operation().plans[SECURITY].decision
    assert decision is not None
    assert decision.verdict is verdict


def test_others_go_on() -> None:
    """A rejected deletion keeps nothing else from being synchronized."""
    world = planned(SECURITY)
    decide(world, Verdict.REJECTED)
    assert details(world, BILLING) == {OutcomeDetail.UNCHANGED}


def test_restored() -> None:
    """A contact that is there again is deleted nowhere, although the deletion was approved."""
    world = planned(SECURITY)
    asked(world)
    world.contacts.stored[None, SECURITY] = contact_of(SECURITY)
    decide(world, Verdict.APPROVED)
    plan = world.operation().plans[SECURITY]
    assert not plan.approved
    assert plan.decision == Decision(Verdict.WITHDRAWN, BY, AT)
    assert details(world, SECURITY) == {OutcomeDetail.NOT_APPROVED}
    assert deleted(world) == []
    assert "there again" in (world.operation().note or "")


def test_one_of_two_restored() -> None:
    """Each contact type has a decision of its own."""
    world = planned(SECURITY, BILLING)
    world.contacts.stored[None, BILLING] = contact_of(BILLING)
    operation = decide(world, Verdict.APPROVED)
    assert operation.note == (
        "airflow:admin approved the deletion of the security contact. The billing contact of the management account "
        "is there again, so it was not deleted in any account."
    )
    assert details(world, BILLING) == {OutcomeDetail.NOT_APPROVED}
    assert {contact_type for _, contact_type in deleted(world)} == {SECURITY}


def test_restored_is_not_asked_after_a_rejection() -> None:
    """A rejection needs no call."""
    world = planned(SECURITY)
    calls = len(world.contacts.calls)
    decide(world, Verdict.REJECTED)
    assert len(world.contacts.calls) == calls


def test_source_unreadable() -> None:
    """When the management account cannot be read, nothing is recorded: the step is tried again."""
    world = planned(SECURITY)
    world.contacts.faults.append(Fault(AccessDeniedError("GetAlternateContact", "AccessDeniedException")))
    with pytest.raises(AccessDeniedError):
        decide(world, Verdict.APPROVED)
    assert world.operation().plans[SECURITY].decision is None
    assert SECURITY not in world.state.desired


def test_newer_generation_stays() -> None:
    """A contact that a later operation desires is not replaced by the approval of an earlier deletion."""
    world = planned(SECURITY)
    newer = DesiredContact(SECURITY, 7, "another operation", contact_of(SECURITY))
    world.state.desired[SECURITY] = newer
    decide(world, Verdict.APPROVED)
    assert world.state.desired[SECURITY] is newer
    assert details(world, SECURITY) == {OutcomeDetail.SUPERSEDED}
    assert deleted(world) == []


def test_repeated_decision() -> None:
    """A decision that is recorded twice is the same."""
    world = planned(SECURITY)
    first = decide(world, Verdict.APPROVED)
    assert decide(world, Verdict.APPROVED) == first
    assert world.state.desired[SECURITY].generation == 1


def test_asked_again() -> None:
    """Asking again makes the earlier approval void at once, and the next answer counts."""
    world = planned(SECURITY)
    decide(world, Verdict.APPROVED)
    asked(world)
    plan = world.operation().plans[SECURITY]
    assert (plan.approved, plan.decision, world.operation().note) == (False, None, None)
    assert details(world, SECURITY) == {OutcomeDetail.NOT_APPROVED}
    decide(world, Verdict.REJECTED)
    assert deleted(world) == []


def test_planned_again() -> None:
    """A repeated plan has no decision, asks again, and refuses what was decided about the earlier one."""
    world = planned(SECURITY)
    earlier = decide(world, Verdict.APPROVED)
    world.clock.sleep(60)
    world.plan()
    assert world.operation().plans[SECURITY].decision is None
    assert not world.operation().plans[SECURITY].approved
    with pytest.raises(OvertakenError):
        world.operations.decide(earlier, [])
    assert asked(world).accounts == {SECURITY: 3}


def test_question_that_is_shown() -> None:
    """Airflow keeps the first question of a run: it is asked again for what it covers, and for less."""
    world = planned(SECURITY, BILLING)
    shown = asked(world).extent
    assert shown == {"billing": 3, "security": 3, "all": 3}
    assert world.approvals.ask(RUN, shown=shown) == asked(world)
    world.contacts.stored[None, BILLING] = contact_of(BILLING)
    world.clock.sleep(60)
    world.plan()
    fewer = world.approvals.ask(RUN, shown=shown)
    assert fewer is not None
    assert fewer.accounts == {SECURITY: 3}


@pytest.mark.parametrize("shown", [{"billing": 3, "all": 3}, {"security": 2, "all": 2}, {"security": 3, "all": 2}, {}])
def test_more_than_was_shown(shown: dict[str, int]) -> None:
    """An answer to a question that says less would approve too much, so nobody is asked and nothing is deleted."""
    world = planned(SECURITY)
    decide(world, Verdict.APPROVED)
    assert world.approvals.ask(RUN, shown=shown) is None
    plan = world.operation().plans[SECURITY]
    assert not plan.approved
    assert plan.decision == Decision(Verdict.NOT_ASKED, "", world.clock.now())
    assert details(world, SECURITY) == {OutcomeDetail.NOT_APPROVED}
    assert "start a run by hand" in (world.operation().note or "")


def test_change_of_primary() -> None:
    """The primary contact cannot be deleted, so a plan never asks for that."""
    world = planned()
    assert not world.operation().plans[PRIMARY].needs_approval


def test_outcomes_of_others_count() -> None:
    """Accounts that were settled by an earlier try count as accounts that may be touched; excluded ones never do."""
    world = planned(SECURITY, excluded_accounts=[TWO])
    decide(world, Verdict.REJECTED)
    world.sync(ONE)
    assert {o.status for o in world.outcomes().values() if o.account_id == ONE} >= {OutcomeStatus.SKIPPED}
    assert asked(world).accounts == {SECURITY: 2}


@pytest.mark.parametrize(
    ("seconds", "text"), [(90, "90 seconds"), (7200, "2 hours"), (86_400, "24 hours"), (5400, "90 minutes")]
)
def test_duration(seconds: float, text: str) -> None:
    """The time to answer is said as people say it."""
    assert f"an answer within {text}," in ApprovalRequest(operation(SECURITY), {SECURITY: 1}, 1, seconds).body

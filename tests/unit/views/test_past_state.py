"""The statement of state as of an earlier moment says what the one of that moment said."""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contactsync.configuration.versions import StoredVersion
from contactsync.contacts import ContactType
from contactsync.errors import AccountsFailedError, RequestInvalidError, ServiceUnavailableError
from contactsync.operations.operation import Decision, OutcomeDetail, OutcomeStatus, SyncOperation, Verdict, sync_id_of
from contactsync.views.past_state import PastState, in_force
from contactsync.views.statement import Standing, StatedContact
from tests.support.builders import account, alternate, configuration, request
from tests.support.fakes.surroundings import START, Fault
from tests.support.worlds.world import World
from tests.unit.views.test_statement import stated

SECURITY = ContactType.SECURITY
ONE, TWO, THREE = IDS = tuple(account(number).account_id for number in (1, 2, 3))
INVALID = RequestInvalidError("PutAlternateContact", "ValidationException", ONE)
Stated = dict[tuple[str, ContactType], StatedContact]


def past(world: World, moment: datetime, version: int = -1) -> Stated:
    """Return the statement as of a moment."""
    state = PastState(moment, world.configurations.versions[version])
    for operation in sorted(world.state.operations.values(), key=lambda one: one.timestamp, reverse=True):
        state.add(operation, world.operations.outcomes(operation.sync_id))
    return {(contact.account_id, contact.contact_type): contact for contact in state.contacts()}


def standings(found: Stated) -> dict[str, Standing]:
    """Return how the security contacts stand."""
    return {account_id: contact.standing for (account_id, kind), contact in found.items() if kind is SECURITY}


class Story:
    """Runs that follow each other, and what the statement said after each step."""

    def __init__(self, **parts: object) -> None:
        """Begin with three accounts that no run has met."""
        self.world = World.of(3, **{"contact_types": ["security"], **parts})
        self.runs: list[str] = []
        self.tries: dict[tuple[str, str], int] = {}
        self.said: list[tuple[datetime, int, Stated]] = []

    def change(self) -> None:
        """Put another contact in the management account."""
        self.world.contacts.stored[None, SECURITY] = alternate(Name=f"Contact {len(self.said)}")

    def plan(self) -> None:
        """Plan another run."""
        self.runs.append(f"run-{len(self.runs)}")
        self.world.plan(request(dag_run_id=self.runs[-1]))

    def sync(self, account_id: str, back: int, *, fails: bool) -> None:
        """Run the task of an account, of the latest run or of one before it."""
        run = self.runs[-1 - back % len(self.runs)]
        found = self.world.operations.outcomes_of(sync_id_of(run), account_id)
        if not found:
            return
        number = self.tries[run, account_id] = self.tries.get((run, account_id), 0) + 1
        self.world.contacts.faults[:] = [Fault(INVALID, "write", account_id)] if fails else []
        with suppress(AccountsFailedError):
            self.world.sync(account_id, number, run, first_try=number)

    def exclude(self, account_id: str) -> None:
        """Exclude an account, and no other."""
        self.world.configurations.versions.append(
            configuration(contact_types=["security"], excluded_accounts=[account_id])
        )

    def note(self) -> None:
        """Note what is said now."""
        self.said.append((self.world.clock.now(), len(self.world.configurations.versions) - 1, stated(self.world)))
        self.world.clock.sleep(60)


STEPS = st.one_of(
    st.tuples(st.just("change")),
    st.tuples(st.just("plan")),
    st.tuples(st.just("exclude"), st.sampled_from(IDS)),
    st.tuples(st.just("sync"), st.sampled_from(IDS), st.integers(0, 2), st.booleans()),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(STEPS, max_size=25))
def test_as_it_was_said(steps: list[tuple[str, ...]]) -> None:
    """Whatever happened later, the past is what was said then, for every account that a run had met."""
    story = Story()
    story.plan()
    story.note()
    for name, *arguments in steps:
        if name == "sync":
            story.sync(arguments[0], int(arguments[1]), fails=bool(arguments[2]))
        else:
            getattr(story, name)(*arguments)
        story.note()
    for moment, version, said in story.said:
        found = past(story.world, moment, version)
        assert {key[0] for key in found} == set(IDS)
        for key, contact in found.items():
            # When an account was seen, outcomes know better than the statement of the moment, which asks records.
            assert _timeless(contact) == _timeless(said[key])


def _timeless(contact: StatedContact) -> StatedContact:
    return replace(contact, since=None, verified_at=None)


def test_before_everything() -> None:
    """Before the first run nothing is known of any account."""
    story = Story()
    story.plan()
    assert past(story.world, START - timedelta(seconds=1)) == {}


def test_since_and_writer() -> None:
    """It says when the generation was carried first, when it was seen last, and which operation wrote it."""
    story = Story()
    story.plan()
    story.sync(ONE, 0, fails=False)
    first = story.world.clock.now()
    story.world.clock.sleep(60)
    story.sync(ONE, 0, fails=False)
    contact = past(story.world, story.world.clock.now())[ONE, SECURITY]
    assert (contact.since, contact.verified_at) == (first, story.world.clock.now())
    assert contact.written_by == story.world.operation("run-0").sync_id


def test_dry_runs_do_not_count() -> None:
    """A dry run brings nothing to any account."""
    world = World.of(1, contact_types=["security"])
    world.plan(request(dag_run_id="dry", dry_run=True))
    world.sync(ONE, run="dry")
    assert past(world, world.clock.now()) == {}


def test_deletion_decided_later() -> None:
    """A deletion that nobody had decided about was not desired yet."""
    world = World.of(1, contact_types=["security"])
    world.plan()
    world.sync(ONE)
    world.clock.sleep(60)
    world.contacts.stored[None, SECURITY] = None
    world.plan(request(dag_run_id="deletion"))
    asked = world.operation("deletion")
    before = world.clock.now()
    later = before + timedelta(hours=1)
    plan = replace(asked.plans[SECURITY], approved=True, decision=Decision(Verdict.APPROVED, "somebody", later))
    decided: SyncOperation = replace(asked, plans={SECURITY: plan})
    world.state.operations[decided.sync_id] = decided
    assert standings(past(world, before))[ONE] is Standing.CARRIES
    assert standings(past(world, later))[ONE] is Standing.BEHIND


def test_failed_after_a_write() -> None:
    """An account whose last try wrote and failed is not known to carry anything."""
    story = Story()
    story.plan()
    story.sync(ONE, 0, fails=False)
    key = (sync_id_of("run-0"), ONE, SECURITY)
    outcome = story.world.state.outcomes[key]
    failed = replace(
        outcome.attempts[-1],
        try_number=2,
        ended=story.world.clock.now() + timedelta(seconds=9),
        status=OutcomeStatus.FAILED,
        detail=OutcomeDetail.UNAVAILABLE,
    )
    story.world.state.outcomes[key] = outcome.settled(failed)
    assert standings(past(story.world, story.world.clock.now()))[ONE] is Standing.CARRIES
    assert standings(past(story.world, failed.ended))[ONE] is Standing.UNSETTLED


@pytest.mark.parametrize(("minutes", "number"), [(-1, None), (0, 1), (5, 1), (10, 2), (99, 2)])
def test_version_in_force(minutes: int, number: int | None) -> None:
    """The version that was stored last by then was in force; one without a readable time never is."""
    base = datetime(2026, 1, 1, tzinfo=UTC)
    stored = [(3, None), (2, base + timedelta(minutes=10)), (1, base)]
    versions = [StoredVersion(n, {}, at, None, None) for n, at in stored]
    found = in_force(versions, base + timedelta(minutes=minutes))
    assert (found.number if found else None) == number


def test_another_operations_deletion() -> None:
    """A run that left a deletion to another run, whose question had not counted the account, found nothing there."""
    world = World.of(2, contact_types=["security"], deletion={"policy": "approve"})
    world.plan(request(dag_run_id="first"))
    for account_id in (ONE, TWO):
        world.sync(account_id, run="first")
    world.clock.sleep(60)
    world.plan(request(dag_run_id="second"))
    world.contacts.stored[None, SECURITY] = None  # type: ignore[assignment] # as the fake answers it
    world.plan(request(dag_run_id="deletion", accounts=[ONE]))
    planned = world.operation("deletion").planned
    world.approvals.decide("deletion", Verdict.APPROVED, planned=planned, by="airflow:admin", at=planned)
    world.clock.sleep(60)
    assert world.sync(TWO, run="second")[0].detail is OutcomeDetail.SUPERSEDED
    for again in (1, 2):
        found, said = past(world, world.clock.now())[TWO, SECURITY], stated(world)[TWO, SECURITY]
        assert (found.standing, found.generation) == (said.standing, said.generation) == (Standing.BEHIND, 1)
        world.clock.sleep(60)
        world.sync(TWO, again + 1, "second", first_try=again + 1)


@pytest.mark.parametrize("tried", [True, False])
def test_planned_once_more(tried: bool) -> None:  # noqa: FBT001 -- a column of the table
    """A run that is cleared later does not change what was said of the time before."""
    story = Story()
    story.plan()
    for account_id in (ONE, TWO):
        story.sync(account_id, 0, fails=False)
    story.note()
    story.change()
    story.world.plan(request(dag_run_id="run-0"))
    story.world.clock.sleep(60)
    if tried:
        story.sync(ONE, 0, fails=False)
    ((moment, version, said),) = story.said
    found = past(story.world, moment, version)
    assert {key: _timeless(contact) for key, contact in found.items()} == {
        key: _timeless(contact) for key, contact in said.items() if key[0] in IDS
    }
    assert set(standings(found).values()) == {Standing.CARRIES, Standing.NEVER_SEEN}


@pytest.mark.parametrize(
    "error", [None, ServiceUnavailableError("PutAlternateContact", "InternalServerException", ONE)]
)
def test_write_that_nobody_saw(error: ServiceUnavailableError | None) -> None:
    """A write that was accepted and not seen, or may have been carried out, leaves the account unsettled, in both."""
    world = World.of(1, contact_types=["security"])
    world.contacts.stale_reads = 0 if error else 99
    world.contacts.faults += [Fault(error, "write")] if error else []
    world.plan()
    with suppress(AccountsFailedError):
        world.sync(ONE)
    said = stated(world)[ONE, SECURITY].standing
    assert past(world, world.clock.now())[ONE, SECURITY].standing is said is Standing.UNSETTLED

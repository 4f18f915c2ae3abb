"""The ports Operations and DesiredContacts: the fake and the DynamoDB adapter behave alike."""

import uuid
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest

from contactsync.contacts import Contact, ContactType
from contactsync.errors import OvertakenError
from contactsync.operations.desired import DesiredContact
from contactsync.operations.operation import (
    AccountOutcome,
    Attempt,
    OutcomeDetail,
    OutcomeStatus,
    SyncOperation,
    TypePlan,
)
from contactsync.sync.judgement import judge
from tests.contract.store import Store
from tests.support import builders
from tests.support.builders import account, contact_of
from tests.support.fakes.surroundings import START

SECURITY, PRIMARY = ContactType.SECURITY, ContactType.PRIMARY


def values(desired: DesiredContact | None) -> tuple[int, str, dict[str, str] | None] | None:
    """Return what a desired contact holds."""
    if desired is None:
        return None
    contact: Contact | None = desired.contact
    return desired.generation, desired.sync_id, contact.values() if contact else None


def settled(outcome: AccountOutcome, detail: OutcomeDetail = OutcomeDetail.UPDATED) -> AccountOutcome:
    """Return the outcome after a try."""
    end = START + timedelta(seconds=2)
    return outcome.settled(
        Attempt(1, START, end, OutcomeStatus.SUCCESS, detail), changed_fields=("Name",), generation=3
    )


def pending(numbers: Iterable[int], contact_type: ContactType = SECURITY) -> list[AccountOutcome]:
    """Return the pending outcomes of some accounts."""
    return [AccountOutcome(account(n).account_id, account(n).name, contact_type) for n in numbers]


@pytest.mark.parametrize("contact_type", ContactType)
def test_generations(store: Store, contact_type: ContactType) -> None:
    """Every call gives the next greater generation, and types count for themselves."""
    before = store.operations.generation(contact_type)
    first = store.operations.raise_generation(contact_type)
    assert first == before + 1 == store.operations.generation(contact_type)
    store.operations.raise_generation(PRIMARY if contact_type is SECURITY else SECURITY)
    assert store.operations.raise_generation(contact_type) == first + 1


def test_raise_to(store: Store) -> None:
    """A counter is raised, and never lowered."""
    kind = ContactType.OPERATIONS
    before = store.operations.generation(kind)
    for generation in (before + 7, before + 3):
        store.operations.raise_to(kind, generation)
        assert store.operations.generation(kind) == before + 7
    assert store.operations.raise_generation(kind) == before + 8


def test_counter_behind(store: Store) -> None:
    """A generation is greater than that of the stored desired contact, also when the counter was restored or lost."""
    operation, _ = store.planned(SECURITY)
    ahead = store.operations.generation(SECURITY) + 40
    store.operations.store_plan(operation, [DesiredContact(SECURITY, ahead, operation.sync_id, contact_of(SECURITY))])
    assert store.operations.raise_generation(SECURITY) == ahead + 1
    assert store.operations.raise_generation(SECURITY) == ahead + 2


def test_unknown(store: Store) -> None:
    """An operation that nobody stored is absent, and has no outcomes."""
    assert store.operations.get(str(uuid.uuid4())) is None
    assert list(store.operations.outcomes(str(uuid.uuid4()))) == []
    assert store.operations.outcomes_of(str(uuid.uuid4()), account(1).account_id) == {}


def test_stored(store: Store) -> None:
    """Operation and desired contacts come back as they were stored."""
    operation, desired = store.planned(SECURITY, PRIMARY)
    operation = replace(operation, plans={kind: operation.plans[kind] for kind in (PRIMARY, SECURITY)})
    store.operations.store_plan(operation, desired)
    assert store.operations.get(operation.sync_id) == operation
    for contact in desired:
        assert values(store.desired.latest(contact.contact_type)) == values(contact)


def test_deletion(store: Store) -> None:
    """A deletion is a desired contact without values, and a later one with values replaces it."""
    operation, (desired,) = store.planned(SECURITY)
    store.operations.store_plan(operation, [replace(desired, contact=None)])
    assert values(store.desired.latest(SECURITY)) == (desired.generation, operation.sync_id, None)
    later, newer = store.planned(SECURITY)
    store.operations.store_plan(later, newer)
    assert values(store.desired.latest(SECURITY)) == values(newer[0])


def test_overtaken(store: Store) -> None:
    """A desired contact of an older generation stays out; operation and other contacts are stored."""
    late, late_desired = store.planned(SECURITY, PRIMARY)
    newer, newer_desired = store.planned(SECURITY)
    store.operations.store_plan(newer, newer_desired)
    store.operations.store_plan(late, late_desired)
    assert values(store.desired.latest(SECURITY)) == values(newer_desired[0])
    assert values(store.desired.latest(PRIMARY)) == values(late_desired[1])
    assert store.operations.get(late.sync_id) == late


def test_all_overtaken(store: Store) -> None:
    """An operation is stored even when all of its desired contacts are overtaken."""
    late, late_desired = store.planned(SECURITY)
    store.operations.store_plan(*store.planned(SECURITY))
    store.operations.store_plan(late, late_desired)
    assert store.operations.get(late.sync_id) == late


def test_repeated(store: Store) -> None:
    """Storing a plan twice is harmless, and a repeated plan with newer generations replaces the first."""
    operation, desired = store.planned(SECURITY)
    store.operations.store_plan(operation, desired)
    store.operations.store_plan(operation, desired)
    again, newer = store.planned(SECURITY, run=operation.dag_run_id)
    store.operations.store_plan(again, newer)
    assert store.operations.get(operation.sync_id) == again
    assert values(store.desired.latest(SECURITY)) == values(newer[0])


def test_older_plan_of_the_same_run(store: Store) -> None:
    """A plan that a later one of the same run has overtaken is refused and changes nothing."""
    operation, desired = store.planned(SECURITY, minute=3)
    store.operations.store_plan(operation, desired)
    older, older_desired = store.planned(SECURITY, run=operation.dag_run_id, minute=2)
    with pytest.raises(OvertakenError):
        store.operations.store_plan(older, older_desired)
    assert store.operations.get(operation.sync_id) == operation
    assert values(store.desired.latest(SECURITY)) == values(desired[0])


def test_dry_run(store: Store) -> None:
    """An operation without generations can be stored, and stored again."""
    plans = {SECURITY: TypePlan(None, absent=False, approved=True, fingerprints={"Name": "0" * 64})}
    operation = builders.operation(run=str(uuid.uuid4()), plans=plans, dry_run=True)
    before = values(store.desired.latest(SECURITY))
    for _ in range(2):
        store.operations.store_plan(operation, [])
    assert store.operations.get(operation.sync_id) == operation
    assert values(store.desired.latest(SECURITY)) == before


def test_outcomes(store: Store) -> None:
    """Expected outcomes of many accounts come back, each once."""
    operation, _ = store.planned(SECURITY)
    expected = [*pending(range(60)), *pending(range(60), PRIMARY)]
    store.operations.store_outcomes(operation, iter(expected))
    found = list(store.operations.outcomes(operation.sync_id))
    assert len(found) == len(expected)
    assert {outcome.key: outcome for outcome in found} == {outcome.key: outcome for outcome in expected}


def test_outcomes_of(store: Store) -> None:
    """One account's outcomes are found by contact type, and no other account's."""
    operation, _ = store.planned(SECURITY)
    store.operations.store_outcomes(operation, [*pending((1, 2, 11)), *pending((1,), PRIMARY)])
    found = store.operations.outcomes_of(operation.sync_id, account(1).account_id)
    assert dict(found) == {SECURITY: pending((1,))[0], PRIMARY: pending((1,), PRIMARY)[0]}


def test_stored_again(store: Store) -> None:
    """Storing outcomes again replaces those that are there, and leaves the others alone."""
    operation, _ = store.planned(SECURITY)
    store.operations.store_outcomes(operation, pending((1, 2)))
    done = settled(pending((1,))[0])
    store.operations.store_outcomes(operation, [done, *pending((3,))])
    found = {outcome.key: outcome for outcome in store.operations.outcomes(operation.sync_id)}
    assert found == {outcome.key: outcome for outcome in [done, *pending((2, 3))]}


def test_removed(store: Store) -> None:
    """Removed outcomes are gone, the others stay, and what was not there does not matter."""
    operation, _ = store.planned(SECURITY)
    store.operations.store_outcomes(operation, pending(range(60)))
    store.operations.remove_outcomes(operation, pending(range(30, 99)))
    assert {outcome.key for outcome in store.operations.outcomes(operation.sync_id)} == {
        outcome.key for outcome in pending(range(30))
    }


def test_settled(store: Store) -> None:
    """A settled outcome replaces the earlier one."""
    operation, _ = store.planned(SECURITY)
    store.operations.store_outcomes(operation, pending((4,)))
    for detail in (OutcomeDetail.UPDATED, OutcomeDetail.UNCHANGED):
        outcome = settled(pending((4,))[0], detail)
        store.operations.settle_outcome(operation, outcome)
        assert store.operations.outcomes_of(operation.sync_id, account(4).account_id) == {SECURITY: outcome}


def test_settled_unexpectedly(store: Store) -> None:
    """An outcome that the plan does not have, or keeps only as history, is not brought back by a late task."""
    operation, _ = store.planned(SECURITY)
    with pytest.raises(OvertakenError, match=account(4).account_id):
        store.operations.settle_outcome(operation, settled(pending((4,))[0]))
    assert list(store.operations.outcomes(operation.sync_id)) == []
    history = replace(settled(pending((4,))[0]), outside=True)
    store.operations.store_outcomes(operation, [history])
    with pytest.raises(OvertakenError):
        store.operations.settle_outcome(operation, settled(pending((4,))[0], OutcomeDetail.UNCHANGED))
    assert list(store.operations.outcomes(operation.sync_id)) == [history]


def test_kept(store: Store) -> None:
    """What a repeated plan keeps stays as it is, also when a task settles it at the same time."""
    older, newer = overtaken(store)
    store.operations.keep_outcomes(newer, [*pending((4,)), *pending((5,))])
    assert list(store.operations.outcomes(newer.sync_id)) == [tried(1, 5), *pending((5,))]
    with pytest.raises(OvertakenError):
        store.operations.keep_outcomes(older, pending((4,)))


def test_operations_are_apart(store: Store) -> None:
    """The outcomes of one operation are not those of another."""
    one, _ = store.planned(SECURITY)
    other, _ = store.planned(SECURITY)
    store.operations.store_outcomes(one, pending((1, 2)))
    store.operations.store_outcomes(other, pending((3,)))
    assert [outcome.account_id for outcome in store.operations.outcomes(other.sync_id)] == [account(3).account_id]


def tried(number: int, minute: int, outcome: AccountOutcome | None = None) -> AccountOutcome:
    """Return an account's outcome after a try that started at a minute."""
    started = START + timedelta(minutes=minute)
    attempt = Attempt(
        number, started, started + timedelta(seconds=2), OutcomeStatus.SUCCESS, OutcomeDetail.UPDATED, None, ("Name",)
    )
    return (outcome or pending((4,))[0]).settled(attempt, changed_fields=("Name",), generation=number)


def stored_outcome(store: Store, operation: SyncOperation) -> AccountOutcome:
    """Return what is stored of the account."""
    return store.operations.outcomes_of(operation.sync_id, account(4).account_id)[SECURITY]


def test_deletions(store: Store) -> None:
    """The last deletion that was found is the one of the greatest generation, for each contact type."""
    kind = ContactType.BILLING
    before, other = (store.operations.last_deletion(one) for one in (kind, ContactType.OPERATIONS))
    for generation in (before + 2, before + 1):
        store.operations.found_deletion(kind, generation)
        assert store.operations.last_deletion(kind) == before + 2
    assert store.operations.last_deletion(ContactType.OPERATIONS) == other
    assert store.operations.raise_generation(kind) > 0
    assert store.operations.last_deletion(kind) == before + 2


def test_unplanned(store: Store) -> None:
    """The first look counts until there is one that finds nothing."""
    store.operations.none_unplanned()
    later = START + timedelta(minutes=5)
    assert store.operations.unplanned_since(START) == START
    assert store.operations.unplanned_since(later) == START
    for _ in range(2):
        store.operations.none_unplanned()
    assert store.operations.unplanned_since(later) == later


@pytest.mark.parametrize(
    "late", [tried(1, 1), tried(3, 1), pending((4,))[0]], ids=["older", "older with a greater number", "never tried"]
)
def test_late_try(store: Store, late: AccountOutcome) -> None:
    """A try that records after one which started later is refused and overwrites nothing."""
    operation, _ = store.planned(SECURITY)
    newer = tried(2, 5)
    store.operations.store_outcomes(operation, pending((4,)))
    store.operations.settle_outcome(operation, newer)
    with pytest.raises(OvertakenError, match=account(4).account_id) as caught:
        store.operations.settle_outcome(operation, late)
    assert not caught.value.retryable
    assert stored_outcome(store, operation) == newer


def test_late_try_of_another_type(store: Store) -> None:
    """A try is overtaken only for the contact type that the later one has settled."""
    operation, _ = store.planned(SECURITY)
    store.operations.store_outcomes(operation, [*pending((4,)), *pending((4,), PRIMARY)])
    store.operations.settle_outcome(operation, tried(2, 5))
    other = tried(1, 1, pending((4,), PRIMARY)[0])
    store.operations.settle_outcome(operation, other)
    assert store.operations.outcomes_of(operation.sync_id, account(4).account_id)[PRIMARY] == other


def test_later_try(store: Store) -> None:
    """A try that started later settles the outcome again, and so does the same one when it repeats itself."""
    operation, _ = store.planned(SECURITY)
    first = tried(1, 1)
    second = tried(2, 5, first)
    store.operations.store_outcomes(operation, pending((4,)))
    for outcome in (first, first, second, second):
        store.operations.settle_outcome(operation, outcome)
        assert stored_outcome(store, operation) == outcome


@pytest.mark.parametrize("outcome", [tried(2, 5), pending((4,))[0]], ids=["blamed", "pending"])
def test_judged(store: Store, outcome: AccountOutcome) -> None:
    """The report's judgement replaces the last try's outcome, or one that nobody settled."""
    operation, _ = store.planned(SECURITY)
    store.operations.store_outcomes(operation, pending((4,)))
    store.operations.settle_outcome(operation, outcome)
    judged = judge(outcome, blamed=True, now=START + timedelta(hours=1))
    store.operations.settle_outcome(operation, judged)
    assert stored_outcome(store, operation) == judged
    assert judged.detail is OutcomeDetail.NO_OUTCOME
    again = tried(3, 90, judged)
    store.operations.settle_outcome(operation, again)
    assert stored_outcome(store, operation) == again


def overtaken(store: Store) -> tuple[SyncOperation, SyncOperation]:
    """Plan a run twice, and return the overtaken plan and the one in force."""
    older, _ = store.planned(SECURITY, minute=1)
    store.operations.store_plan(older, [])
    newer, _ = store.planned(SECURITY, run=older.dag_run_id, minute=2)
    store.operations.store_plan(newer, [])
    store.operations.store_outcomes(newer, [tried(1, 5), *pending((5,))])
    return older, newer


def test_overtaken_plan_stores_no_outcomes(store: Store) -> None:
    """A plan that was overtaken writes no outcome over those of the plan in force."""
    older, newer = overtaken(store)
    with pytest.raises(OvertakenError, match=older.dag_run_id):
        store.operations.store_outcomes(older, pending((4, 6)))
    assert list(store.operations.outcomes(newer.sync_id)) == [tried(1, 5), *pending((5,))]


def test_overtaken_between_batches(store: Store) -> None:
    """A plan that is overtaken while it stores its outcomes stops."""
    older, _ = store.planned(SECURITY, minute=1)
    store.operations.store_plan(older, [])
    newer, _ = store.planned(SECURITY, run=older.dag_run_id, minute=2)

    def outcomes() -> Iterable[AccountOutcome]:
        yield from pending(range(25))
        store.operations.store_plan(newer, [])
        yield from pending(range(25, 90))

    with pytest.raises(OvertakenError):
        store.operations.store_outcomes(older, outcomes())
    assert {outcome.key for outcome in store.operations.outcomes(older.sync_id)} <= {
        outcome.key for outcome in pending(range(25))
    }


def test_overtaken_plan_removes_no_outcomes(store: Store) -> None:
    """A plan that was overtaken removes no outcome of the plan in force."""
    older, newer = overtaken(store)
    with pytest.raises(OvertakenError, match=older.dag_run_id):
        store.operations.remove_outcomes(older, pending((4, 5)))
    assert list(store.operations.outcomes(newer.sync_id)) == [tried(1, 5), *pending((5,))]


def test_planned_again(store: Store) -> None:
    """The plan in force stores and removes outcomes of its run, whoever stored them."""
    _, newer = overtaken(store)
    again = replace(newer, planned=newer.planned + timedelta(minutes=1))
    store.operations.store_plan(again, [])
    store.operations.store_outcomes(again, pending((6,)))
    store.operations.remove_outcomes(again, pending((5,)))
    assert list(store.operations.outcomes(newer.sync_id)) == [tried(1, 5), *pending((6,))]

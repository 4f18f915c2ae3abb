"""The port Operations where deletions are decided and operations are closed: fake and DynamoDB adapter behave alike."""

from dataclasses import replace
from datetime import timedelta

import pytest

from contactsync.contacts import ContactType
from contactsync.errors import AwsCallError, OvertakenError
from contactsync.operations.desired import DesiredContact
from contactsync.operations.operation import Decision, Halt, OperationStatus, SyncOperation, TypePlan, Verdict
from tests.contract.store import Store
from tests.contract.test_operations import values
from tests.support.builders import contact_of
from tests.support.fakes.surroundings import START

BILLING = ContactType.BILLING
LATER = START + timedelta(minutes=5)


def proposed(store: Store, status: OperationStatus = OperationStatus.IN_PROGRESS) -> SyncOperation:
    """Store an operation that proposes a deletion."""
    operation, _ = store.planned(BILLING)
    operation = replace(
        operation,
        status=status,
        plans={BILLING: replace(operation.plans[BILLING], absent=True, approved=False, needs_approval=True)},
    )
    store.operations.store_plan(operation, [])
    return operation


def decided(operation: SyncOperation, verdict: Verdict) -> SyncOperation:
    """Return the operation after a decision."""
    decision = Decision(verdict, "airflow:admin", LATER)
    plan = replace(operation.plans[BILLING], approved=verdict is Verdict.APPROVED, decision=decision)
    return replace(operation, plans={BILLING: plan}, note=f"It was {verdict}.")


def deletion(operation: SyncOperation) -> DesiredContact:
    """Return the deletion that the operation proposes."""
    return DesiredContact(BILLING, operation.plans[BILLING].generation or 0, operation.sync_id, None)


def test_approved(store: Store) -> None:
    """Decision, note and deletion are stored together; storing them again changes nothing."""
    operation = proposed(store)
    approved = decided(operation, Verdict.APPROVED)
    for _ in range(2):
        store.operations.decide(approved, [deletion(approved)])
        assert store.operations.get(operation.sync_id) == approved
        found = store.desired.latest(BILLING)
        assert values(found) == (operation.plans[BILLING].generation, operation.sync_id, None)


def test_rejected(store: Store) -> None:
    """A rejection leaves what is desired as it is."""
    operation = proposed(store)
    before = values(store.desired.latest(BILLING))
    store.operations.decide(decided(operation, Verdict.REJECTED), [])
    assert store.operations.get(operation.sync_id) == decided(operation, Verdict.REJECTED)
    assert values(store.desired.latest(BILLING)) == before


def test_void(store: Store) -> None:
    """A decision and its note can be removed, for asking again."""
    operation = proposed(store)
    store.operations.decide(decided(operation, Verdict.REJECTED), [])
    store.operations.decide(operation, [])
    assert store.operations.get(operation.sync_id) == operation


def test_newer_desired_contact(store: Store) -> None:
    """A contact of a greater generation stays desired, and the decision is stored all the same."""
    operation = proposed(store)
    newer, contacts = store.planned(BILLING)
    store.operations.store_plan(newer, contacts)
    approved = decided(operation, Verdict.APPROVED)
    store.operations.decide(approved, [deletion(approved)])
    assert store.operations.get(operation.sync_id) == approved
    assert values(store.desired.latest(BILLING)) == values(contacts[0])


def test_planned_anew(store: Store) -> None:
    """A decision about a plan that was repeated meanwhile is refused, and nothing is deleted by it."""
    operation = proposed(store)
    again = replace(operation, planned=operation.planned + timedelta(minutes=1))
    store.operations.store_plan(again, [])
    before = values(store.desired.latest(BILLING))
    with pytest.raises(OvertakenError):
        store.operations.decide(decided(operation, Verdict.APPROVED), [deletion(operation)])
    assert store.operations.get(operation.sync_id) == again
    assert values(store.desired.latest(BILLING)) == before


def test_missing_operation(store: Store) -> None:
    """Nothing is decided about an operation that is not there."""
    operation, _ = store.planned(BILLING)
    with pytest.raises((OvertakenError, AwsCallError)):
        store.operations.decide(decided(operation, Verdict.REJECTED), [])
    assert store.operations.get(operation.sync_id) is None


def test_others_parts_stay(store: Store) -> None:
    """Status and halt, which others store meanwhile, survive a decision."""
    operation = proposed(store, OperationStatus.PENDING)
    halt = Halt("TrustedAccessOff", "It is off.", LATER)
    store.operations.halt(operation, halt)
    store.operations.update(replace(operation, status=OperationStatus.IN_PROGRESS))
    store.operations.decide(decided(operation, Verdict.REJECTED), [])
    found = store.operations.get(operation.sync_id)
    assert found is not None
    assert (found.status, found.halt) == (OperationStatus.IN_PROGRESS, halt)


def ended(operation: SyncOperation) -> SyncOperation:
    """Return the operation as housekeeping closes it."""
    return replace(
        operation, status=OperationStatus.FAILED, counts={"failed": 2}, finished=LATER, note="Closed by housekeeping."
    )


@pytest.mark.parametrize("status", [OperationStatus.PENDING, OperationStatus.IN_PROGRESS])
def test_closed(store: Store, status: OperationStatus) -> None:
    """An operation without an end is listed and closed, once."""
    operation = proposed(store, status)
    assert operation.sync_id in {found.sync_id for found in store.operations.unfinished()}
    assert store.operations.store_end(ended(operation))
    assert store.operations.get(operation.sync_id) == ended(operation)
    assert not store.operations.store_end(replace(ended(operation), note="again"))
    assert store.operations.get(operation.sync_id) == ended(operation)
    assert operation.sync_id not in {found.sync_id for found in store.operations.unfinished()}


def test_report_wins(store: Store) -> None:
    """An operation that its report has ended meanwhile is not closed."""
    operation = proposed(store)
    reported = replace(operation, status=OperationStatus.COMPLETED, finished=LATER, counts={"skipped": 2})
    store.operations.update(reported)
    assert not store.operations.store_end(ended(operation))
    assert store.operations.get(operation.sync_id) == reported


def test_later_plan_wins(store: Store) -> None:
    """An operation that was planned again meanwhile is not closed, and one that is not there neither."""
    operation = proposed(store)
    again = replace(operation, planned=operation.planned + timedelta(minutes=1))
    store.operations.store_plan(again, [])
    assert not store.operations.store_end(ended(operation))
    assert store.operations.get(operation.sync_id) == again
    missing, _ = store.planned(BILLING)
    assert not store.operations.store_end(ended(missing))
    assert store.operations.get(missing.sync_id) is None


def test_pages(store: Store) -> None:
    """All operations without an end are listed, over all pages."""
    text = "a long reason " * 70
    plans = {BILLING: TypePlan(1, absent=False, approved=True, fingerprints={str(n): "f" * 64 for n in range(1500)})}
    operations = [replace(proposed(store), plans=plans, reason=text) for _ in range(12)]
    for operation in operations:
        store.operations.store_plan(operation, [])
    listed = {found.sync_id for found in store.operations.unfinished()}
    assert {operation.sync_id for operation in operations} <= listed


def test_desired_is_a_contact(store: Store) -> None:
    """What an approval stores does not keep a later plan from storing a contact."""
    operation = proposed(store)
    approved = decided(operation, Verdict.APPROVED)
    store.operations.decide(approved, [deletion(approved)])
    newer, contacts = store.planned(BILLING)
    store.operations.store_plan(newer, contacts)
    found = store.desired.latest(BILLING)
    assert found is not None
    assert found.contact == contact_of(BILLING)

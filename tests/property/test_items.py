"""DynamoDB items: what is stored is what is read."""

from hypothesis import given
from hypothesis import strategies as st

from contactsync.aws.dynamodb.items import from_item, to_item, to_moment, to_text
from contactsync.aws.operations.desired_contacts_table import desired_item
from contactsync.aws.operations.operation_items import operation_from, operation_item, outcome_from, outcome_item
from contactsync.contacts import ContactType, contact_class
from contactsync.operations.desired import DesiredContact
from contactsync.operations.operation import AccountOutcome, SyncOperation
from tests.support.strategies import contact_types, contacts, moments, operations, outcomes


@given(outcomes)
def test_outcome(outcome: AccountOutcome) -> None:
    """An outcome comes back from its item as it was."""
    assert outcome_from(from_item(to_item(outcome_item("an id", outcome, 7)))) == outcome


@given(outcomes)
def test_outcome_indexes(outcome: AccountOutcome) -> None:
    """An outcome's item enters no index of operations, and the index by account only with a time."""
    item = to_item(outcome_item("an id", outcome, 7))
    assert not {"operations", "operation_time", "operation_status"} & set(item)
    assert ("outcome_time" in item) is (outcome.timestamp is not None)
    assert item["expires_at"] == {"N": "7"}


@given(operations())
def test_operation(operation: SyncOperation) -> None:
    """An operation comes back from its item as it was, its contact types in order."""
    again = operation_from(from_item(to_item(operation_item(operation, 7))))
    assert again == operation
    assert again.contact_types == operation.contact_types


LATER_OPERATION_KEYS = ("halt", "follow_up", "followed_by", "ends")
LATER_PLAN_KEYS = ("needs_approval", "decision")


@given(operations())
def test_old_operation(operation: SyncOperation) -> None:
    """An operation that was stored before a key existed is read with that key's default."""
    item = from_item(to_item(operation_item(operation, 7)))
    old = {name: value for name, value in item.items() if name not in LATER_OPERATION_KEYS}
    old["plans"] = {
        kind: {name: value for name, value in plan.items() if name not in LATER_PLAN_KEYS}
        for kind, plan in item["plans"].items()
    }
    again = operation_from(old)
    assert (again.halt, again.follow_up, again.followed_by, again.ends) == (None, 0, None, 0)
    assert not any(plan.needs_approval or plan.decision for plan in again.plans.values())


@given(outcomes)
def test_old_outcome(outcome: AccountOutcome) -> None:
    """An outcome that was stored before pauses existed is read as one that does not wait."""
    item = from_item(to_item(outcome_item("an id", outcome, 7)))
    item.pop("paused_since", None)
    assert outcome_from(item).paused_since is None


@given(contact_types, st.data(), st.integers(1, 10**12))
def test_desired(contact_type: ContactType, data: st.DataObject, generation: int) -> None:
    """A desired contact comes back with every value, and a deletion as a deletion."""
    contact = data.draw(st.none() | contacts(contact_type))
    item = from_item(to_item(desired_item(DesiredContact(contact_type, generation, "an id", contact))))
    again = contact_class(contact_type).observed(item["contact"]) if "contact" in item else None
    assert (again.values() if again else None) == (contact.values() if contact else None)
    assert item["generation"] == generation


@given(moments, moments)
def test_moments(one: object, other: object) -> None:
    """Times come back as they were, and the order of their texts is the order of time."""
    assert to_moment(to_text(one)) == one  # type: ignore[arg-type]
    assert (to_text(one) < to_text(other)) is (one < other)  # type: ignore[arg-type,operator]

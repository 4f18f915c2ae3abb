"""The port Operations: how an operation ends, halts and goes on; the fake and the DynamoDB adapter behave alike."""

import uuid
from dataclasses import replace
from datetime import timedelta

import pytest

from contactsync.contacts import ContactType
from contactsync.errors import OvertakenError
from contactsync.operations.operation import Halt, OperationStatus, SyncOperation
from tests.contract.store import Store
from tests.support import builders
from tests.support.fakes.surroundings import START

SECURITY, PRIMARY = ContactType.SECURITY, ContactType.PRIMARY


def test_finished(store: Store) -> None:
    """Finishing stores status, counts and end, nothing else, and can be repeated."""
    operation, desired = store.planned(SECURITY)
    store.operations.store_plan(operation, desired)
    for status, seconds in ((OperationStatus.FAILED, 5), (OperationStatus.COMPLETED, 9)):
        end = START + timedelta(seconds=seconds)
        ended = replace(operation, status=status, counts={"success": seconds}, finished=end)
        store.operations.update(replace(ended, reason="another reason"))
        assert store.operations.get(operation.sync_id) == ended


def test_finish_unknown(store: Store) -> None:
    """An operation that nobody stored cannot be finished into existence."""
    operation = builders.operation(run=str(uuid.uuid4()))
    with pytest.raises(OvertakenError, match=operation.dag_run_id) as caught:
        store.operations.update(operation)
    assert not caught.value.retryable
    assert store.operations.get(operation.sync_id) is None


def replanned(store: Store) -> tuple[SyncOperation, SyncOperation]:
    """Plan a run twice, and return the overtaken plan and the one in force."""
    older, _ = store.planned(SECURITY, minute=1)
    store.operations.store_plan(older, [])
    newer, _ = store.planned(SECURITY, run=older.dag_run_id, minute=2)
    store.operations.store_plan(newer, [])
    return older, newer


def test_finish_an_overtaken_plan(store: Store) -> None:
    """A report of a plan that was overtaken changes nothing of the one in force."""
    older, newer = replanned(store)
    with pytest.raises(OvertakenError, match=older.dag_run_id):
        store.operations.update(replace(older, status=OperationStatus.COMPLETED, finished=START))
    assert store.operations.get(newer.sync_id) == newer


def test_followed_by(store: Store) -> None:
    """The run that follows up is stored with the end, and stays when a later end names none."""
    operation, _ = store.planned(SECURITY)
    store.operations.store_plan(operation, [])
    ended = replace(operation, status=OperationStatus.COMPLETED, finished=START, followed_by="another run")
    store.operations.update(ended)
    assert store.operations.get(operation.sync_id) == ended
    store.operations.update(replace(ended, followed_by=None))
    assert store.operations.get(operation.sync_id) == ended


def test_update_keeps_the_rest(store: Store) -> None:
    """An end changes neither the halt nor the plans that others have stored meanwhile."""
    operation, _ = store.planned(SECURITY)
    store.operations.store_plan(operation, [])
    store.operations.halt(operation, halt())
    decided = replace(operation, plans={SECURITY: replace(operation.plans[SECURITY], approved=False)}, note="No.")
    store.operations.decide(decided, [])
    ended = replace(operation, status=OperationStatus.FAILED, counts={"failed": 1}, finished=START)
    store.operations.update(ended)
    assert store.operations.get(operation.sync_id) == replace(ended, halt=halt(), plans=decided.plans, note="No.")


def halt(minute: int = 5) -> Halt:
    """Return a halt of a minute."""
    return Halt("TrustedAccessOff", "Trusted access is off.", START + timedelta(minutes=minute, microseconds=17))


def test_halt(store: Store) -> None:
    """A halt is stored as it is, changes nothing else, and the latest replaces an earlier one."""
    operation, _ = store.planned(SECURITY)
    store.operations.store_plan(operation, [])
    for found in (halt(5), halt(5), halt(7)):
        store.operations.halt(operation, found)
        assert store.operations.get(operation.sync_id) == replace(operation, halt=found)


def test_halt_unknown(store: Store) -> None:
    """An operation that nobody stored cannot be halted into existence."""
    operation = builders.operation(run=str(uuid.uuid4()))
    with pytest.raises(OvertakenError):
        store.operations.halt(operation, halt())
    assert store.operations.get(operation.sync_id) is None


def test_halt_an_overtaken_plan(store: Store) -> None:
    """A task of a plan that was overtaken does not halt the one in force."""
    older, newer = replanned(store)
    with pytest.raises(OvertakenError, match=older.dag_run_id):
        store.operations.halt(older, halt())
    assert store.operations.get(newer.sync_id) == newer


def test_lift_halt(store: Store) -> None:
    """The halt that was seen is removed, with nothing else; doing it twice, or without a halt, is harmless."""
    operation, _ = store.planned(SECURITY)
    store.operations.store_plan(operation, [])
    store.operations.lift_halt(operation)
    store.operations.halt(operation, halt())
    seen = store.operations.get(operation.sync_id)
    assert seen
    for _ in range(2):
        store.operations.lift_halt(seen)
        assert store.operations.get(operation.sync_id) == operation


def test_lift_another_halt(store: Store) -> None:
    """A halt that was stored since the operation was read stays."""
    operation, _ = store.planned(SECURITY)
    store.operations.store_plan(operation, [])
    store.operations.halt(operation, halt(7))
    for seen in (operation, replace(operation, halt=halt(5))):
        store.operations.lift_halt(seen)
        assert store.operations.get(operation.sync_id) == replace(operation, halt=halt(7))


def test_lift_a_halt_of_an_overtaken_plan(store: Store) -> None:
    """A task of a plan that was overtaken lifts no halt of the one in force, and goes on."""
    older, newer = replanned(store)
    store.operations.halt(newer, halt())
    store.operations.lift_halt(replace(older, halt=halt()))
    assert store.operations.get(newer.sync_id) == replace(newer, halt=halt())


def test_planned_anew_without_the_halt(store: Store) -> None:
    """A plan that is stored again has no halt."""
    operation, _ = store.planned(SECURITY)
    store.operations.store_plan(operation, [])
    store.operations.halt(operation, halt())
    again = replace(operation, planned=operation.planned + timedelta(minutes=1))
    store.operations.store_plan(again, [])
    assert store.operations.get(operation.sync_id) == again

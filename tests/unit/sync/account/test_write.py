"""How one contact is brought to the desired one: records, doubtful answers, reads that are not trusted."""

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import pytest

from contactsync.errors import (
    AccountsFailedError,
    AwsCallError,
    ContactSyncError,
    ServiceUnavailableError,
)
from contactsync.operations.account_record import AccountRecord, Mark
from contactsync.operations.operation import OutcomeDetail, OutcomeStatus
from tests.support.builders import RUN, alternate, request
from tests.support.fakes.state import FakeRecords
from tests.support.fakes.surroundings import START, Fault
from tests.support.worlds.one_account import (
    DENIED,
    INVALID,
    MARK_WAIT,
    ONE,
    SECURITY,
    THROTTLED,
    UNANSWERED,
    UNAVAILABLE,
    UNEXPECTED,
    UPDATED,
    apply,
    ending,
    failed,
    fingerprint_of,
    methods,
    raised,
    record,
    scripted,
    unpaced,
    wait,
    writes,
)
from tests.support.worlds.world import World

OLD, NEW = alternate(Name="Older"), alternate(Name="Newer")
FOREIGN = Mark("another's", "another operation", 1, START)


def test_marked_before_the_write() -> None:
    """When the call is made the record carries the operation's mark, with the generation that is written."""
    seen: list[AccountRecord] = []
    world = scripted(lambda world: seen.append(record(world)))
    world.sync(ONE)
    (before,) = seen
    assert before.mark
    assert (before.mark.sync_id, before.mark.generation) == (world.operation().sync_id, 1)
    assert before.mark.since == START


def test_settled_after_the_write() -> None:
    """Afterwards it has no mark, and tells what was applied and when it was seen."""
    world = unpaced()
    world.sync(ONE)
    found = record(world)
    assert (found.mark, found.generation, found.fingerprint) == (None, 1, fingerprint_of(alternate()))
    assert found.verified_at == world.clock.now()


def test_deletion_is_recorded() -> None:
    """A deletion has a fingerprint of its own, which is none of any contact's."""
    world = World.of(1, contact_types=["security"], deletion={"policy": "propagate"})
    del world.contacts.stored[None, SECURITY]
    world.contacts.stored[ONE, SECURITY] = alternate()
    world.plan()
    world.sync(ONE)
    assert record(world).fingerprint == fingerprint_of(None)
    assert record(world).fingerprint not in {None, fingerprint_of(alternate())}


def test_unchanged_is_recorded() -> None:
    """A contact that is right already is recorded as seen, without a mark."""
    world = unpaced()
    world.contacts.stored[ONE, SECURITY] = alternate()
    world.sync(ONE)
    found = record(world)
    assert (found.version, found.mark, found.generation) == (1, None, 1)
    assert (found.fingerprint, found.verified_at) == (fingerprint_of(alternate()), world.clock.now())


def test_not_verified() -> None:
    """A written contact that is never seen is recorded as applied and not as seen."""
    world = unpaced()
    world.contacts.stale_reads = 9
    failed(world)
    found = record(world)
    assert (found.mark, found.fingerprint, found.verified_at) == (None, fingerprint_of(alternate()), None)


def test_no_contact_value() -> None:
    """No record holds a contact value, whatever became of the write."""
    for fault in ([], [Fault(UNAVAILABLE, "write")], [Fault(UNANSWERED, "write")]):
        world = unpaced()
        world.contacts.faults += fault
        with suppress(AccountsFailedError):
            world.sync(ONE)
        assert not [value for value in alternate().values().values() if value in repr(record(world))]


@pytest.mark.parametrize("error", [DENIED, INVALID], ids=lambda error: type(error).__name__)
def test_refused(error: AwsCallError) -> None:
    """A write that was refused leaves no mark, and what was known of the account still is."""
    world = unpaced()
    world.sync(ONE)
    before = record(world)
    world.contacts.stored[ONE, SECURITY] = OLD
    world.contacts.faults.append(Fault(error, "write"))
    wait(world, 60)
    failed(world, 2)
    assert (record(world).mark, record(world).fingerprint) == (None, before.fingerprint)


@pytest.mark.parametrize("error", [UNAVAILABLE, UNEXPECTED], ids=lambda error: error.code)
def test_answered_failure(error: AwsCallError) -> None:
    """A write that AWS answered with a failure is over, so that it leaves no mark."""
    world = unpaced()
    world.contacts.faults.append(Fault(error, "write"))
    failed(world)
    assert record(world).mark is None


def test_unanswered() -> None:
    """A write without an answer may be on its way: its mark stays."""
    world = unpaced()
    world.contacts.faults.append(Fault(UNANSWERED, "write", applied=True))
    failed(world)
    found = record(world).mark
    assert found
    assert found.sync_id == world.operation().sync_id


def test_unanswered_is_waited_out() -> None:
    """The next try waits until the call cannot be on its way any more, and then writes without trusting the read."""
    world = unpaced()
    world.contacts.faults.append(Fault(UNANSWERED, "write", times=1, applied=True))
    failed(world, 1)
    world.sync(ONE, 2)
    assert sum(world.clock.slept) == MARK_WAIT
    assert writes(world) == ["write", "write"]
    assert record(world).mark is None
    assert ending(world) == UPDATED


def flipped() -> World:
    """Return a world whose account was brought to one contact, then to another, while reads still show the first."""
    world = World.of(1, contact_types=["security"], rates={"enabled": False})
    world.contacts.stored[None, SECURITY] = OLD
    world.plan(request(dag_run_id="first"))
    world.sync(ONE, run="first")
    apply(world, NEW, "second")
    world.contacts.stored[None, SECURITY] = OLD
    world.plan()
    world.contacts._stale[ONE, SECURITY] = (3, OLD)
    world.contacts.calls.clear()
    return world


def test_stale_read() -> None:
    """A read that shows the desired contact is not trusted when something else was written last."""
    world = flipped()
    world.sync(ONE)
    assert writes(world) == ["write"]
    assert world.contacts.stored[ONE, SECURITY] == OLD


def test_stale_read_after_a_failure() -> None:
    """Nor is it after a write that AWS answered with a failure: it may not have been carried out."""
    world = flipped()
    world.contacts.faults.append(Fault(UNAVAILABLE, "write", times=1))
    failed(world, 1)
    world.sync(ONE, 2)
    assert world.contacts.stored[ONE, SECURITY] == OLD


@pytest.mark.parametrize("error", [DENIED, THROTTLED], ids=lambda error: type(error).__name__)
def test_stale_read_after_a_refusal(error: AwsCallError) -> None:
    """Nor after one that was refused."""
    world = flipped()
    world.contacts.faults.append(Fault(error, "write", times=6))
    raised(ContactSyncError, world)
    world.contacts.faults.clear()
    wait(world, 20)
    world.sync(ONE, 2, first_try=2)
    assert world.contacts.stored[ONE, SECURITY] == OLD


def test_trusted_read() -> None:
    """A read that shows what was written last is trusted: nothing is written twice."""
    world = unpaced()
    world.sync(ONE)
    world.plan(request(dag_run_id="again"))
    world.contacts.calls.clear()
    world.sync(ONE, run="again")
    assert methods(world) == ["read"]
    assert world.outcomes("again")[ONE, SECURITY].detail is OutcomeDetail.UNCHANGED


def test_drift() -> None:
    """A contact that somebody changed in the account itself is brought back."""
    world = unpaced()
    world.sync(ONE)
    world.contacts.stored[ONE, SECURITY] = OLD
    world.plan(request(dag_run_id="again"))
    world.sync(ONE, run="again")
    assert world.contacts.stored[ONE, SECURITY] == alternate()


@dataclass
class FailingRecords:
    """Records of which one method fails at its n-th call, before or after its effect."""

    real: FakeRecords
    method: str
    at: int
    applied: bool
    calls: int = 0

    def __getattr__(self, name: str) -> Any:
        """Return the method, or the failing one."""
        perform = getattr(self.real, name)
        if name != self.method:
            return perform

        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            if self.calls != self.at:
                return perform(*args, **kwargs)
            if self.applied:
                perform(*args, **kwargs)
            raise ServiceUnavailableError("PutItem", "ReadTimeoutError", answered=False)

        return call


@pytest.mark.parametrize("applied", [False, True])
@pytest.mark.parametrize(("method", "at"), [("get", 1), ("replace", 1), ("replace", 2), ("replace", 3)])
def test_table_fails(method: str, at: int, applied: bool) -> None:  # noqa: FBT001 -- a column of the table
    """Whichever call of the records fails, the try fails, and the next one brings the account to the contact."""
    world = unpaced()
    records: Any = FailingRecords(world.records, method, at, applied)
    step = replace(world.account_sync, contact_writer=replace(world.contact_writer, records=records))
    with pytest.raises(AccountsFailedError) as caught:
        step.sync(*step.open(RUN), ONE, 1)
    assert caught.value.retryable
    assert ending(world) == (OutcomeStatus.FAILED, OutcomeDetail.ERROR)
    world.sync(ONE, 2)
    assert world.contacts.stored[ONE, SECURITY] == alternate()
    assert ending(world) == UPDATED
    assert record(world).mark is None


def test_mark_cannot_be_cleared() -> None:
    """When the mark of a refused write cannot be cleared, the refusal is what the task tells."""
    world = unpaced()
    world.contacts.faults.append(Fault(DENIED, "write"))
    records: Any = FailingRecords(world.records, "replace", 2, applied=False)
    step = replace(world.account_sync, contact_writer=replace(world.contact_writer, records=records))
    with pytest.raises(AccountsFailedError) as caught:
        step.sync(*step.open(RUN), ONE, 1)
    assert list(caught.value.errors) == [DENIED]
    assert record(world).mark


def test_unmarked_no_call() -> None:
    """Without a mark there is no call."""
    world = unpaced()
    records: Any = FailingRecords(world.records, "replace", 1, applied=False)
    step = replace(world.account_sync, contact_writer=replace(world.contact_writer, records=records))
    with pytest.raises(AccountsFailedError):
        step.sync(*step.open(RUN), ONE, 1)
    assert writes(world) == []

"""Marks of other tasks on an account's record, and tasks that work on the same account at once."""

from dataclasses import replace
from typing import Any

import pytest

from contactsync.errors import (
    AccountsFailedError,
    StateConflictError,
)
from contactsync.operations.account_record import AccountRecord, Mark
from contactsync.operations.operation import OutcomeDetail, OutcomeStatus
from tests.support.builders import RUN, alternate
from tests.support.fakes.state import FakeRecords
from tests.support.fakes.surroundings import START, Fault
from tests.support.worlds.one_account import (
    MARK_WAIT,
    ONE,
    SECURITY,
    THROTTLED,
    UNANSWERED,
    UNAVAILABLE,
    UNCHANGED,
    UPDATED,
    apply,
    ending,
    failed,
    fingerprint_of,
    record,
    scripted,
    stored,
    unpaced,
    writes,
)
from tests.support.worlds.world import World

OLD, NEW = alternate(Name="Older"), alternate(Name="Newer")
FOREIGN = Mark("another's", "another operation", 1, START)


def marked(world: World, mark: Mark = FOREIGN) -> AccountRecord:
    """Mark the account's record as another task would."""
    found = world.records.replace(record(world), mark=mark)
    assert found
    return found


@pytest.mark.parametrize("lands", [0.5, 10, 20, MARK_WAIT - 1])
def test_landing_late(lands: float) -> None:
    """A write that lands only after its task was given up does not undo what came after it."""
    world = scripted(
        lambda world: world.clock.after(lands, lambda: world.contacts.stored.update({(ONE, SECURITY): alternate()}))
    )
    world.contacts.faults.append(Fault(UNANSWERED, "write", times=1))
    failed(world, 1)
    apply(world, NEW, "a newer run")
    world.clock.sleep(MARK_WAIT)
    assert world.contacts.stored[ONE, SECURITY] == NEW


def test_foreign_mark_is_settled() -> None:
    """A task that finds another's mark goes on as soon as that one has settled it, and sees what it did."""
    world = unpaced()
    foreign = marked(world)

    def settle() -> None:
        world.contacts.stored[ONE, SECURITY] = alternate()
        world.records.replace(foreign, mark=None, fingerprint=fingerprint_of(alternate()))

    world.clock.after(3, settle)
    world.sync(ONE)
    assert sum(world.clock.slept) < 5
    assert ending(world) == UNCHANGED


def test_foreign_mark_is_left_behind() -> None:
    """A mark that nobody settles is waited out for longer than a call can take; then the contact is written anyway."""
    world = unpaced()
    marked(world)
    world.contacts.stored[ONE, SECURITY] = alternate()
    world.sync(ONE)
    assert sum(world.clock.slept) == MARK_WAIT
    assert writes(world) == ["write"]
    assert (record(world).mark, record(world).fingerprint) == (None, fingerprint_of(alternate()))


def test_foreign_mark_moves() -> None:
    """When another one marks meanwhile, the wait starts again: its call is younger."""
    world = unpaced()
    first = marked(world)
    world.clock.after(MARK_WAIT - 5, lambda: world.records.replace(first, mark=replace(FOREIGN, token="a third one's")))
    world.sync(ONE)
    assert sum(world.clock.slept) >= 2 * MARK_WAIT - 5
    assert record(world).mark is None


def test_waited_out_on_own_clock() -> None:
    """How old a mark says it is does not matter: clocks of other machines differ."""
    for since in (START.replace(year=2000), START.replace(year=2100)):
        world = unpaced()
        marked(world, replace(FOREIGN, since=since))
        world.sync(ONE)
        assert sum(world.clock.slept) == MARK_WAIT


def test_refused_after_a_foreign_mark() -> None:
    """When the write after a waited-out mark is refused, nobody trusts a read of this account until it was written."""
    world = unpaced()
    marked(world)
    world.contacts.stored[ONE, SECURITY] = alternate()
    world.contacts.faults.append(Fault(UNAVAILABLE, "write", times=1))
    failed(world, 1)
    assert record(world).mark is None
    world.sync(ONE, 2)
    assert writes(world) == ["write", "write"]


def test_beaten_to_the_mark() -> None:
    """A task that finds the record changed when it wants to mark it looks again, and makes no call of its own."""
    world = unpaced()
    real = world.records

    class Raced(FakeRecords):
        beaten = False

        def replace(self, record: AccountRecord, **changes: Any) -> AccountRecord | None:
            if changes.get("mark") and not Raced.beaten:
                Raced.beaten = True
                world.contacts.stored[ONE, SECURITY] = alternate()
                real.replace(record, fingerprint=fingerprint_of(alternate()))
            return super().replace(record, **changes)

    step = replace(world.account_sync, contact_writer=replace(world.contact_writer, records=Raced(world.state)))
    step.sync(*step.open(RUN), ONE, 1)
    assert writes(world) == []
    assert ending(world) == UNCHANGED


def test_always_beaten() -> None:
    """A task whose record others change all the time gives up, says so, and is tried again."""
    world = unpaced()
    real = world.records

    class Busy(FakeRecords):
        def replace(self, record: AccountRecord, **changes: Any) -> AccountRecord | None:
            real.replace(record)
            return super().replace(record, **changes)

    step = replace(world.account_sync, contact_writer=replace(world.contact_writer, records=Busy(world.state)))
    with pytest.raises(AccountsFailedError) as caught:
        step.sync(*step.open(RUN), ONE, 1)
    (error,) = caught.value.errors
    assert isinstance(error, StateConflictError)
    assert ONE in str(error)
    assert error.retryable
    assert writes(world) == []


def test_mark_is_taken_over() -> None:
    """A throttled task whose mark another one has waited out makes no further call of its own, but looks again."""

    def take_over(world: World) -> None:
        apply(world, NEW, "a newer run")
        raise THROTTLED

    world = scripted(take_over)
    world.sync(ONE)
    assert world.contacts.stored[ONE, SECURITY] == NEW
    assert [call.method for call in world.contacts.changes()] == ["write"]
    assert ending(world) == (OutcomeStatus.SKIPPED, OutcomeDetail.SUPERSEDED)


def test_mark_is_renewed() -> None:
    """Before each further try of a throttled call the mark moves: whoever waits it out has to wait again."""
    seen: list[AccountRecord] = []

    def throttle(world: World) -> None:
        seen.append(record(world))
        raise THROTTLED

    world = scripted(throttle, throttle, lambda world: seen.append(record(world)))
    world.sync(ONE)
    assert len({found.version for found in seen}) == 3
    assert all(found.mark for found in seen)
    assert ending(world) == UPDATED


def test_settled_by_somebody_else() -> None:
    """A task that was overtaken while its call was under way looks again, and names what it wrote all the same."""
    world = scripted(lambda world: apply(world, NEW, "a newer run"))
    world.sync(ONE)
    assert world.contacts.stored[ONE, SECURITY] == NEW
    assert stored(world).generation == 2
    assert stored(world).attempts[-1].written_fields

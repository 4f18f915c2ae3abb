"""With any one protection taken away, the state machine finds an interleaving that goes wrong."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from contactsync.contacts import ContactType
from contactsync.errors import ServiceUnavailableError
from contactsync.operations.account_record import AccountRecord
from contactsync.operations.desired import DesiredContact
from contactsync.sync.account import write as writing
from contactsync.sync.account.apply import AccountSync
from contactsync.sync.account.write import ContactWriter
from contactsync.sync.plan import Planner
from contactsync.sync.report import Reporter
from tests.property.test_convergence import FAST, NOBODY, OLDEST_FIRST, Convergence
from tests.support.fakes.state import FakeOperations, FakeRecords
from tests.support.simulation.airflow import Tamper
from tests.support.simulation.schedule import Fate


class UnconditionalRecords(FakeRecords):
    """Stores a record whatever version is there."""

    def replace(self, record: AccountRecord, **changes: Any) -> AccountRecord | None:
        """Store it on top of the latest version."""
        latest = self.get(record.account_id, record.contact_type)
        return super().replace(replace(record, version=latest.version), **changes)


class UnconditionalDesires(FakeOperations):
    """Stores a desired contact whatever generation is there."""

    def _desire(self, desired: Iterable[DesiredContact]) -> None:
        self._state.desired.update({contact.contact_type: contact for contact in desired})


class HastyWriter(ContactWriter):
    """Clears its mark although AWS gave no answer."""

    __module__ = ContactWriter.__module__  # the harness looks for ports inside of the product's classes

    def _give_up(self, write: Any) -> None:
        if write.doubt:
            write.doubt = ServiceUnavailableError("Scripted", "ScriptedException", answered=True)
        super()._give_up(write)


class BlindWriter(ContactWriter):
    """Makes a further try of a throttled call without a look at its mark."""

    __module__ = ContactWriter.__module__

    def _mark_record(self, write: Any) -> None:
        if write.marked is None:
            super()._mark_record(write)


class LookingWriter(ContactWriter):
    """Looks whether its mark still stands before a further try, but does not renew it."""

    __module__ = ContactWriter.__module__

    def _mark_record(self, write: Any) -> None:
        if write.marked is None:
            super()._mark_record(write)
        elif self.records.get(write.target.account_id, write.target.contact_type).mark != write.marked.mark:
            raise writing._LookAgainError


class CarelessWriter(ContactWriter):
    """Does not ask for exclusions at its writes; they were asked when the task began."""

    __module__ = ContactWriter.__module__

    def write_newest(self, target: writing.WriteTarget) -> writing.WriteResult:
        """Let every write be made."""
        return super().write_newest(replace(target, allow=lambda _: None))


class TrustingWriter(ContactWriter):
    """Believes every read."""

    __module__ = ContactWriter.__module__

    def _is_trusted(self, write: Any) -> bool:
        del write
        return True


def in_sync(**parts: Any) -> Tamper:
    """Replace parts of what brings accounts to the desired contact."""
    return lambda step: replace(step, contact_writer=replace(step.contact_writer, **parts)) if is_sync(step) else step


def with_writer(kind: type[ContactWriter]) -> Tamper:
    """Let another class do it."""
    return lambda step: replace(step, contact_writer=kind(**vars(step.contact_writer))) if is_sync(step) else step


def is_sync(step: Any) -> bool:
    """Tell whether it is the step of an account."""
    return isinstance(step, AccountSync)


def without_conditions(step: Any) -> Any:
    """Let every change of a record be stored."""
    return in_sync(records=UnconditionalRecords(step.contact_writer.records._state))(step) if is_sync(step) else step


def without_generations(step: Any) -> Any:
    """Let every plan store what it desires."""
    return replace(step, operations=UnconditionalDesires(step.operations._state)) if isinstance(step, Planner) else step


SABOTAGES: dict[str, Tamper] = {
    "a foreign mark is not waited out": in_sync(mark_wait=0),
    "records are stored without condition": without_conditions,
    "an older desired contact replaces a newer one": without_generations,
    "exclusions are not asked at the write": with_writer(CarelessWriter),
    "a read is believed that shows what was there before the last write": with_writer(TrustingWriter),
    "a mark is cleared without an answer": with_writer(HastyWriter),
    "the report does not look at the source": lambda step: (
        replace(step, second_look=replace(step.second_look, follow_ups=0)) if isinstance(step, Reporter) else step
    ),
}


def check_found(tamper: Tamper) -> None:
    """Assert that the machine finds something wrong."""
    machine = type("Sabotaged", (Convergence,), {"tamper": staticmethod(tamper)})
    chosen = settings(FAST, max_examples=4000, phases=[Phase.generate], database=None, report_multiple_bugs=False)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(machine, settings=chosen)


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("sabotage", SABOTAGES)
def test_sabotage(sabotage: str) -> None:
    """A protection that is taken away is missed."""
    check_found(SABOTAGES[sabotage])


def throttled_and_overtaken(tamper: Tamper, newer_stops: str, older_stops: str) -> None:
    """Run the interleaving that a further try of a call has to be careful for; a random search seldom comes across it.

    An older write is throttled and waits; a newer one waits out its mark and takes the record over at the moment in
    which the older is tried again; that call is slow, its process is killed, and it lands after the newer one.
    """
    machine = type("Scripted", (Convergence,), {"tamper": staticmethod(tamper)})()
    machine.begin(1, (ContactType.SECURITY,), [NOBODY] * 2, OLDEST_FIRST)
    machine.change(0, 0, "now", Fate.FINE, quiet=False)
    (older,) = machine.schedule.living()
    machine._go_on(older, "contacts.write", Fate.FINE)
    machine._resume(older, Fate.THROTTLED)
    machine.change(0, 1, "now", Fate.FINE, quiet=False)
    (newer,) = (task for task in machine.schedule.living() if task is not older)
    machine._go_on(newer, newer_stops, Fate.FINE)
    machine._go_on(older, older_stops, Fate.FINE)
    machine._go_on(newer, "end", Fate.FINE)
    if older.call == "contacts.write":
        machine._resume(older, Fate.SLOW)
    run, name, _ = older.labels
    machine.schedule.kill(older)
    machine.airflow.try_again(run, name)
    machine.teardown()


STOPS = [("end", "contacts.write"), ("records.replace", "contacts.write")]
"""The newer one has done its work, or is about to mark the record, when the older is tried again."""


@pytest.mark.parametrize("stops", STOPS)
def test_further_try(stops: tuple[str, str]) -> None:
    """A write that is tried again after a wait undoes nothing newer."""
    throttled_and_overtaken(lambda step: step, *stops)


@pytest.mark.parametrize(("careless", "stops"), [(BlindWriter, STOPS[0]), (LookingWriter, STOPS[1])])
def test_careless_further_try(careless: type[ContactWriter], stops: tuple[str, str]) -> None:
    """It would, without a look at its mark, and with a mere look as well."""
    with pytest.raises(AssertionError, match="newest desired contact"):
        throttled_and_overtaken(with_writer(careless), *stops)

"""The ports of a step that stop its task before every call (tests/support/simulation/schedule.py)."""

import copy
import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from contactsync.contacts import Contact, ContactType
from contactsync.operations.desired import DesiredContact
from tests.support.fakes.state import FakeDesiredContacts, FakeLookups, FakeOperations, FakeRecords
from tests.support.fakes.surroundings import FakeAccountContacts, FakeClock, FakeConfigurations
from tests.support.simulation.schedule import Schedule, Task


@dataclass(frozen=True)
class Port:
    """A fake, every call of which is one that the task stops before."""

    fake: Any
    name: str
    task: Task
    schedule: Schedule

    def __getattr__(self, method: str) -> Callable[..., Any]:
        """Return the fake's method, with the stop before it."""
        perform = getattr(self.fake, method)

        def call(*args: Any, **kwargs: Any) -> Any:
            self.schedule.stop_before(self.task, f"{self.name}.{method}")
            with self.schedule.table(method):
                answer = perform(*args, **kwargs)
                # The fakes' generators read when they are first asked: too late here.
                return iter(list(answer)) if method in {"outcomes", "many"} else answer

        return call


@dataclass(frozen=True)
class OperationsPort(Port):
    """Operations, whose batches can end half-way."""

    def store_plan(self, operation: Any, desired: Iterable[DesiredContact]) -> None:
        """Store the plan, and remember what each generation means."""
        found = list(desired)
        self.schedule.stop_before(self.task, "operations.store_plan")
        self.schedule.generations |= {(d.contact_type, d.generation): d.contact for d in found}
        with self.schedule.table("store_plan"):
            self.fake.store_plan(operation, found)

    def decide(self, operation: Any, desired: Iterable[DesiredContact]) -> None:
        """Store decisions, and remember what a deletion's generation means."""
        found = list(desired)
        self.schedule.stop_before(self.task, "operations.decide")
        self.schedule.generations |= {(d.contact_type, d.generation): d.contact for d in found}
        with self.schedule.table("decide"):
            self.fake.decide(operation, found)

    def store_outcomes(self, operation: Any, outcomes: Iterable[Any]) -> None:
        """Store one after the other."""
        for outcome in outcomes:
            self.schedule.stop_before(self.task, "operations.store_outcomes")
            with self.schedule.table("store_outcomes"):
                self.fake.store_outcomes(operation, [outcome])

    def remove_outcomes(self, operation: Any, outcomes: Iterable[Any]) -> None:
        """Remove one after the other."""
        for outcome in outcomes:
            self.schedule.stop_before(self.task, "operations.remove_outcomes")
            with self.schedule.table("remove_outcomes"):
                self.fake.remove_outcomes(operation, [outcome])


@dataclass(frozen=True)
class ContactsPort:
    """Account Management, as the schedule has it."""

    task: Task
    schedule: Schedule

    def read(self, contact_type: ContactType, account_id: str | None) -> Contact | None:
        """Read."""
        self.schedule.stop_before(self.task, "contacts.read")
        return self.schedule.read(self.task, (account_id, contact_type))

    def write(self, contact_type: ContactType, account_id: str, contact: Contact) -> None:
        """Write."""
        self.schedule.stop_before(self.task, "contacts.write")
        self.schedule.write(self.task, (account_id, contact_type), contact)

    def delete(self, contact_type: ContactType, account_id: str) -> None:
        """Delete."""
        self.schedule.stop_before(self.task, "contacts.delete")
        self.schedule.write(self.task, (account_id, contact_type), None)


@dataclass(frozen=True)
class TaskClock:
    """The schedule's clock, on which a task's sleep is its own."""

    task: Task
    schedule: Schedule

    def now(self) -> datetime:
        """Return the time."""
        return self.schedule.now

    def monotonic(self) -> float:
        """Return the time as seconds."""
        return self.schedule.time

    def sleep(self, seconds: float) -> None:
        """Let others go on until it has passed."""
        self.schedule.sleep(self.task, seconds)


STEPS: Final = tuple(f"contactsync.{room}." for room in ("sync", "pacing", "scope", "configuration", "operations"))
"""Where the steps are, and what they are made of."""

_NAMES: Final = {
    FakeConfigurations: "configurations",
    FakeDesiredContacts: "desired",
    FakeLookups: "lookups",
    FakeRecords: "records",
}


def stepped(part: Any, task: Task, schedule: Schedule) -> Any:
    """Return a copy of a step whose ports, however deep inside, stop the task before every call.

    Ports other than tables, Account Management and the clock are left as they are: what they answer does not change.
    """
    if isinstance(part, FakeAccountContacts):
        return ContactsPort(task, schedule)
    if isinstance(part, FakeClock):
        return TaskClock(task, schedule)
    if isinstance(part, FakeOperations):
        return OperationsPort(part, "operations", task, schedule)
    for kind, name in _NAMES.items():
        if isinstance(part, kind):
            return Port(part, name, task, schedule)
    if not dataclasses.is_dataclass(part) or not type(part).__module__.startswith(STEPS):
        return part
    result = copy.copy(part)
    for name, value in vars(part).items():
        object.__setattr__(result, name, stepped(value, task, schedule))
    return result

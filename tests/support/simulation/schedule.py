"""Real steps of many tasks, interleaved at every call of a port, on one clock that stands still unless it is moved.

Each task runs in a greenlet of its own and stops before every call of a port. Whoever drives the schedule decides which
one goes on, how a call of Account Management ends, when time passes, and which process is killed between two calls.
Code between two calls takes no time and shares nothing, so that stopping there would show nothing more.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from greenlet import greenlet

from contactsync.contacts import Contact, ContactType
from contactsync.errors import AccessDeniedError, ServiceUnavailableError, ThrottledError
from contactsync.operations.operation import SyncOperation
from tests.support.fakes.surroundings import START, FakeAccountContacts

TICK: Final = 0.001
"""What every call takes, in seconds, so that no two things happen at the same time."""
PACE: Final = 2.0
"""Within so many seconds a living process makes the call that it has just announced."""
CALL_TIMEOUT: Final = 20.0
"""A call lands within so many seconds from its start or not at all, whatever became of its caller."""
STALE: Final = 60.0
"""For so long reads may answer what was there before a write."""

Key = tuple[str | None, ContactType]


class KilledError(BaseException):
    """The process was killed: raised at every call that its remains still try."""


class Fate(StrEnum):
    """How a call of Account Management ends."""

    FINE = "fine"
    STALE = "a read answers what was there before"
    SLOW = "a write is under way until the task is resumed, or longest until its timeout"
    LOST = "carried out, no answer"
    LATE = "no answer, carried out later"
    DROPPED = "no answer, never carried out"
    BROKEN = "an answer of failure"
    BROKEN_APPLIED = "an answer of failure, carried out all the same"
    THROTTLED = "throttled"
    DENIED = "denied"
    TABLE = "a call of a table fails"
    TABLE_STORED = "a call of a table fails after it was carried out"


UNANSWERED: Final = {Fate.LOST, Fate.LATE, Fate.DROPPED}


@dataclass
class Task:
    """One process that carries out a step: what it does next, and what became of it."""

    name: str
    step: Callable[["Task"], Any]
    kind: str
    labels: tuple[Any, ...] = ()
    call: str | None = None
    """The call that it is about to make, as `port.method`; None when it sleeps or is not started."""
    parked: float = 0.0
    """Since when it stands there."""
    wakes: float | None = None
    started: bool = False
    killed: bool = False
    over: bool = False
    result: Any = None
    error: Exception | None = None
    operation: SyncOperation | None = None
    """The operation as the task of an account found it when it began."""
    looked: dict[ContactType, int] = field(default_factory=dict)
    """When it last read the live contact of its account, as a step of the schedule."""

    def __post_init__(self) -> None:
        """Prepare the greenlet, and do not start it yet."""
        self.greenlet = greenlet(self._run)

    def _run(self) -> None:
        self.started = True
        try:
            self.result = self.step(self)
        except KilledError:
            self.killed = True
        except Exception as error:  # noqa: BLE001 -- whoever drives the schedule judges it
            self.error = error
        self.over = True


@dataclass
class Flight:
    """A write on its way to AWS."""

    task: Task
    key: Key
    contact: Contact | None
    deadline: float
    before: Contact | None
    landed: bool = False


@dataclass
class Schedule:
    """The tasks there are, the clock, what AWS holds and has held, and the writes on their way."""

    contacts: FakeAccountContacts
    time: float = 0.0
    steps: int = 0
    tasks: list[Task] = field(default_factory=list)
    flights: list[Flight] = field(default_factory=list)
    writes: list[Flight] = field(default_factory=list)
    fate: Fate = Fate.FINE
    """What befalls the next call of Account Management that it fits."""
    stale_until: float = 0.0
    """Until then all reads of members answer what was there before the last write."""
    history: dict[Key, list[tuple[float, Contact | None]]] = field(default_factory=dict)
    generations: dict[tuple[ContactType, int], Contact | None] = field(default_factory=dict)
    on_write: Callable[[Flight], None] = lambda _: None
    closed: bool = False

    @property
    def now(self) -> datetime:
        """The wall clock."""
        return START + timedelta(seconds=self.time)

    def living(self) -> list[Task]:
        """Return the tasks that can go on, now or after a sleep."""
        return [task for task in self.tasks if not task.over]

    def add(self, task: Task) -> Task:
        """Take a task, which starts when it is first resumed."""
        self.tasks.append(task)
        return task

    def resume(self, task: Task, fate: Fate = Fate.FINE) -> None:
        """Let a task make its call and run until the next one."""
        self.steps += 1
        self.time += TICK
        self.fate = fate
        task.call = task.wakes = None
        task.greenlet.switch()

    def kill(self, task: Task) -> None:
        """End a process here and now; a write that is on its way stays on its way."""
        if task.over:
            return
        task.killed = task.over = True
        if task.started:
            task.greenlet.throw(KilledError)

    def close(self) -> None:
        """End what is left, quietly."""
        self.closed = True
        for task in self.living():
            self.kill(task)

    def pass_time(self, until: float) -> None:
        """Move the clock; on the way announced writes start and writes under way land, at the latest when they must."""
        while (event := self._next_event()) and event[0] <= until:
            self.time = max(self.time, event[0])
            event[1]()
        self.time = max(self.time, until)

    def _next_event(self) -> tuple[float, Callable[[], None]] | None:
        starts: list[tuple[float, Callable[[], None]]] = [
            (task.parked + PACE, lambda task=task: self.resume(task, Fate.SLOW))  # type: ignore[misc]
            for task in self.living()
            if task.call in {"contacts.write", "contacts.delete"}
        ]
        landings: list[tuple[float, Callable[[], None]]] = [
            (flight.deadline, lambda flight=flight: self.land(flight))  # type: ignore[misc]
            for flight in self.flights
        ]
        return min([*starts, *landings], key=lambda event: event[0], default=None)

    def land(self, flight: Flight) -> None:
        """Carry out a write that was on its way."""
        if flight.landed:
            return
        flight.landed = True
        self.flights.remove(flight)
        self.put(flight.key, flight.contact)

    def put(self, key: Key, contact: Contact | None) -> None:
        """Change a contact, of a member or of the management account."""
        self._past(key).append((self.time, contact))
        if contact is None:
            self.contacts.stored.pop(key, None)
        else:
            self.contacts.stored[key] = contact

    def held(self, key: Key, contact: Contact | None, begin: datetime, end: datetime) -> bool:
        """Tell whether an account held a contact at any moment between two."""
        past = self._past(key)
        ends = [*(time for time, _ in past[1:]), float("inf")]
        first, last = ((moment - START).total_seconds() for moment in (begin, end))
        return any(
            found == contact and since <= last and until >= first
            for (since, found), until in zip(past, ends, strict=True)
        )

    def _past(self, key: Key) -> list[tuple[float, Contact | None]]:
        return self.history.setdefault(key, [(float("-inf"), self.contacts.stored.get(key))])

    def stop_before(self, task: Task, call: str) -> None:
        """Park a task before a call; called inside its greenlet."""
        if task.killed or self.closed:
            raise KilledError
        task.call, task.parked = call, self.time
        task.greenlet.parent.switch()

    def sleep(self, task: Task, seconds: float) -> None:
        """Park a task until a time; called inside its greenlet."""
        if task.killed or self.closed:
            raise KilledError
        task.wakes = self.time + seconds
        task.greenlet.parent.switch()

    def read(self, task: Task, key: Key) -> Contact | None:
        """Answer a read, as its fate says."""
        self._fail_read(key)
        past = self._past(key)
        task.looked[key[1]] = self.steps
        # The report looks at the source when its run has ended: later than any read is stale.
        is_stale = self._meets({Fate.STALE}) and task.kind != "report"
        is_stale |= self.time < self.stale_until and key[0] is not None
        if is_stale and len(past) > 1 and self.time - past[-1][0] < STALE:
            return past[-2][1]
        return past[-1][1]

    def write(self, task: Task, key: Key, contact: Contact | None) -> None:
        """Carry out a write, as its fate says."""
        fate = self.fate
        self.fate = Fate.FINE
        flight = Flight(task, key, contact, self.time + CALL_TIMEOUT, self._past(key)[-1][1])
        self.on_write(flight)
        if fate in {Fate.THROTTLED, Fate.DENIED}:
            raise _error(fate, key)
        self.writes.append(flight)
        if fate in {Fate.DROPPED, Fate.BROKEN}:
            raise _error(fate, key)
        self.flights.append(flight)
        if fate is Fate.SLOW:
            self.stop_before(task, "contacts.answer")
        if fate is not Fate.LATE:
            self.land(flight)
        if fate in UNANSWERED or fate is Fate.BROKEN_APPLIED:
            raise _error(fate, key)

    @contextmanager
    def table(self, method: str) -> Iterator[None]:
        """Carry out a call of a table, which may fail before or after it."""
        if self._meets({Fate.TABLE}):
            raise _error(Fate.TABLE, (None, ContactType.PRIMARY))
        yield
        if method not in {"get", "latest", "version"} and self._meets({Fate.TABLE_STORED}):
            raise _error(Fate.TABLE_STORED, (None, ContactType.PRIMARY))

    def _fail_read(self, key: Key) -> None:
        fate = self.fate
        if key[0] is not None and self._meets({Fate.DENIED, Fate.BROKEN, Fate.THROTTLED, Fate.DROPPED}):
            raise _error(fate, key)

    def _meets(self, fates: set[Fate]) -> bool:
        if self.fate not in fates:
            return False
        self.fate = Fate.FINE
        return True


def _error(fate: Fate, key: Key) -> Exception:
    account_id = key[0]
    if fate is Fate.THROTTLED:
        return ThrottledError("Scripted", "TooManyRequestsException", account_id)
    if fate is Fate.DENIED:
        return AccessDeniedError("Scripted", "AccessDeniedException", account_id)
    return ServiceUnavailableError("Scripted", "InternalServerException", account_id, answered=fate not in UNANSWERED)

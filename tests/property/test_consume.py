"""Consumption under any duplication, order and crash: nothing is lost, and nothing is done twice that need not be.

Powertools' own idempotency decides, on a persistence layer in memory that keeps the conditions of its DynamoDB layer.
"""

import datetime as dt
from collections import Counter
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyItemAlreadyExistsError,
    IdempotencyItemNotFoundError,
)
from aws_lambda_powertools.utilities.idempotency.persistence.base import BasePersistenceLayer, DataRecord
from hypothesis import given
from hypothesis import strategies as st

from contactsync.aws.tables.once import WINDOW, OnceByPowertools
from contactsync.bus.audit import recorder
from contactsync.bus.consume import Consumer, Subscriber
from contactsync.bus.envelope import Event
from contactsync.bus.events import EVENT_TYPES
from contactsync.errors import EventUnderWayError
from tests.support.events import event_of
from tests.support.fakes.bus import FakeAudit, FakeQuarantine

if TYPE_CHECKING:
    from collections.abc import Callable

TIME_LEFT = 30.0
"""Seconds that an invocation has; the clock of these tests is moved, and nobody waits."""


class Crash(BaseException):
    """The process ends."""


class Clock:
    """What the persistence layer takes for the time: the real one, and what a test added."""

    added = 0.0

    @property
    def now(self) -> float:
        """Return seconds since 1970."""
        return dt.datetime.now(dt.UTC).timestamp() + self.added


class MemoryLayer(BasePersistenceLayer):
    """Powertools' records in memory, with the conditions of `DynamoDBPersistenceLayer._put_record`."""

    def __init__(self, clock: Clock) -> None:
        """Start empty."""
        super().__init__()
        self.clock = clock
        self.records: dict[str, DataRecord] = {}
        self.crash_before_success: Callable[[], bool] = lambda: False

    def _get_record(self, idempotency_key: str) -> DataRecord:
        if idempotency_key not in self.records:
            raise IdempotencyItemNotFoundError
        return self.records[idempotency_key]

    def _put_record(self, data_record: DataRecord) -> None:
        old = self.records.get(data_record.idempotency_key)
        if old is not None and not self._over(old):
            raise IdempotencyItemAlreadyExistsError(old_data_record=old)
        self._date(data_record)
        self.records[data_record.idempotency_key] = data_record

    def _update_record(self, data_record: DataRecord) -> None:
        if self.crash_before_success():
            raise Crash
        self._date(data_record)
        self.records[data_record.idempotency_key] = data_record

    def _delete_record(self, data_record: DataRecord) -> None:
        self.records.pop(data_record.idempotency_key, None)

    def _over(self, record: DataRecord) -> bool:
        expired = (record.expiry_timestamp or 0) < self.clock.now
        ends = record.in_progress_expiry_timestamp
        return expired or (record.status == "INPROGRESS" and ends is not None and ends < self.clock.now * 1000)

    def _date(self, record: DataRecord) -> None:
        """Powertools reads the real clock; move what it wrote to this test's."""
        record.expiry_timestamp = int((record.expiry_timestamp or 0) + self.clock.added)
        if record.in_progress_expiry_timestamp is not None:
            record.in_progress_expiry_timestamp += int(self.clock.added * 1000)


@dataclass
class World:
    """A subscriber with a queue before it that delivers until a message is done with."""

    effects: Counter[str] = field(default_factory=Counter)
    fails: list[bool] = field(default_factory=list)
    """Whether the next effects fail before they did anything."""
    crashes: list[bool] = field(default_factory=list)
    """Whether the process ends after the next effects, before they are remembered."""

    def __post_init__(self) -> None:
        """Connect everything."""
        self.clock = Clock()
        self.layer = MemoryLayer(self.clock)
        self.layer.crash_before_success = lambda: bool(self.crashes) and self.crashes.pop()
        self.quarantine = FakeQuarantine()
        self.handle: Callable[[Event], None] = self.count

    def count(self, event: Event) -> None:
        """Have an effect, or fail."""
        if self.fails and self.fails.pop():
            raise LookupError(event.id)
        self.effects[event.id] += 1

    def consumer(self, name: str = "counter") -> Consumer:
        """Return a consumer of a fresh process."""
        once = OnceByPowertools(name, self.layer, Logger(service="once-only", logger_handler=None))
        context: Any = SimpleNamespace(get_remaining_time_in_millis=lambda: int(TIME_LEFT * 1000))
        once.begin(context)
        return Consumer(Subscriber(name, self.handle), None, once, self.quarantine, "test")

    def deliver(self, event: Event) -> bool:
        """Deliver a message once, and tell whether it is done with."""
        try:
            self.consumer().consume(event.as_json(), {})
        except (LookupError, EventUnderWayError):
            return False
        except Crash:
            self.clock.added += TIME_LEFT + 1  # SQS delivers again after six timeouts of the function
            return False
        return True

    def deliver_until_done(self, event: Event) -> None:
        """Deliver a message as often as it takes."""
        while not self.deliver(event):
            pass


KINDS = st.sampled_from(list(EVENT_TYPES.values()))
EVENTS = st.lists(st.tuples(KINDS, st.integers(1, 3)), min_size=1, max_size=6)


def deliveries(events: list[tuple[Any, int]]) -> list[Event]:
    """Return every event so many times."""
    return [event_of(kind, event_id=f"e-{n}") for n, (kind, copies) in enumerate(events) for _ in range(copies)]


@given(EVENTS, st.randoms(use_true_random=False))
def test_effects_once(events: list[tuple[Any, int]], random: Any) -> None:
    """Property: however often and in whatever order events come, each has its effect once."""
    world = World()
    messages = deliveries(events)
    random.shuffle(messages)
    for message in messages:
        assert world.deliver(message)
    assert world.effects == dict.fromkeys({message.id for message in messages}, 1)


@given(EVENTS, st.randoms(use_true_random=False), st.lists(st.booleans(), max_size=6))
def test_failures(events: list[tuple[Any, int]], random: Any, fails: list[bool]) -> None:
    """Property: a failure before the effect leaves nothing that keeps the next delivery from having it, once."""
    world = World(fails=list(fails))
    messages = deliveries(events)
    random.shuffle(messages)
    for message in messages:
        world.deliver_until_done(message)
    assert world.effects == dict.fromkeys({message.id for message in messages}, 1)


@given(EVENTS, st.randoms(use_true_random=False), st.lists(st.booleans(), max_size=6))
def test_crashes(events: list[tuple[Any, int]], random: Any, crashes: list[bool]) -> None:
    """Property: a process that ends after the effect repeats it, with the same event id; never is there none."""
    world = World(crashes=list(crashes))
    messages = deliveries(events)
    random.shuffle(messages)
    for message in messages:
        world.deliver_until_done(message)
    assert world.effects.keys() == {message.id for message in messages}
    assert world.effects.total() <= len(world.effects) + sum(crashes)


@given(EVENTS, st.randoms(use_true_random=False), st.lists(st.booleans(), max_size=6), st.lists(st.booleans()))
def test_audit(events: list[tuple[Any, int]], random: Any, crashes: list[bool], fails: list[bool]) -> None:
    """Property: the audit trail holds each event once, whatever was delivered and however often processes ended."""
    world = World(crashes=list(crashes))
    trail, failing_next = FakeAudit(), list(fails)
    record = recorder(trail)

    def failing(event: Event) -> None:
        if failing_next and failing_next.pop():
            raise LookupError
        record(event)

    world.handle = failing
    messages = deliveries(events)
    random.shuffle(messages)
    for message in messages:
        world.deliver_until_done(message)
    assert Counter(entry.event_id for entry in trail.entries) == dict.fromkeys({m.id for m in messages}, 1)


def test_subscribers_apart() -> None:
    """What one subscriber has handled is new to another."""
    world = World()
    for name in ("counter", "another", "counter"):
        world.consumer(name).consume(event_of().as_json(), {})
    assert world.effects == {"e-1": 2}


def test_in_progress() -> None:
    """A duplicate that comes while the first is under way is not done with, and has no effect."""
    world = World(crashes=[True])
    with pytest.raises(Crash):
        world.consumer().consume(event_of().as_json(), {})
    assert not world.deliver(event_of())
    assert world.effects == {"e-1": 1}


@pytest.mark.parametrize(("days", "effects"), [(0, 1), (14, 1), (28, 1), (34.9, 1), (36, 2)])
def test_window(days: float, effects: int) -> None:
    """A dead letter that is redriven is known, also one that was redriven before and kept for 14 days again."""
    world = World()
    world.deliver(event_of())
    world.clock.added = days * 86_400
    world.deliver(event_of())
    assert world.effects["e-1"] == effects
    assert WINDOW > (14 + 4) * 86_400 * 1.9

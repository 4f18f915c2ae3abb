"""Replays: the trail's events go out once more under their ids, and nobody is told twice."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from contactsync.bus.audit import AuditEntry, entry_of
from contactsync.bus.dead_letters.pace import RedrivePace
from contactsync.bus.envelope import Event, parse_event
from contactsync.bus.events import EVENT_TYPES, AccountFailed, ConfigurationChanged, NoticeRequested
from contactsync.bus.ports import Message, Refusal
from contactsync.bus.replay import SAFE_AGE, Fate, Position, Replayer, ReplayOrder, announcement_of
from contactsync.errors import (
    AccessDeniedError,
    ContactSyncError,
    ReplayRefusedError,
    ReplayStoppedError,
    ServiceUnavailableError,
)
from tests.support.events import event_of
from tests.support.fakes.bus import FakeAudit, FakeTopic
from tests.support.fakes.surroundings import START, FakeClock
from tests.unit.bus.test_publish import publisher

DAY = timedelta(days=1)
SOURCE = "/contactsync/test"


@dataclass
class FakeSubscriberQueues:
    """Queues of subscribers in memory."""

    delivered: list[tuple[str, Message]] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    errors: list[ContactSyncError] = field(default_factory=list)
    subscribers: Sequence[str] = ("audit", "notices", "tickets")

    def deliver(self, subscriber: str, messages: Sequence[Message]) -> Mapping[str, str]:
        """Take messages, but those that are refused."""
        assert len(messages) <= 10
        if self.errors:
            raise self.errors.pop(0)
        self.delivered += [(subscriber, message) for message in messages if message.id not in self.refused]
        return {message.id: "InternalError" for message in messages if message.id in self.refused}

    def filter_policies(self, subscriber: str) -> Sequence[str]:
        """Answer that a subscriber takes everything."""
        assert subscriber in self.subscribers
        return []


class World:
    """A trail with events, a topic and subscribers' queues."""

    def __init__(self) -> None:
        """Begin two days after the first events."""
        self.trail, self.topic, self.queues = FakeAudit(), FakeTopic(), FakeSubscriberQueues()
        self.clock = FakeClock(START + 2 * DAY)
        self.replayer = Replayer(self.trail, publisher(self.topic, environment="test"), self.queues, self.clock, SOURCE)
        self.position = Position(START)

    def add(self, event: Event) -> AuditEntry:
        """Put an event into the trail."""
        self.trail.add(entry_of(event))
        return entry_of(event)

    def replay(self, *, rate: float = 1000, **parts: Any) -> Counter[Fate]:
        """Replay, and count what became of the events."""
        order = ReplayOrder(
            **{"since": START - DAY, "until": START + DAY, "by": "airflow:admin", "reason": "a new topic", **parts}
        )
        self.position = Position(order.since)
        return Counter(fate for fate, _ in self.replayer.replay(order, RedrivePace(self.clock, rate), self.position))

    @property
    def sent(self) -> list[Event]:
        """The events that the topic took."""
        return [parse_event(message.body) for message in self.topic.taken]

    def rows(self, what: str) -> list[dict[str, Any]]:
        """Return the data of the replay's own rows."""
        found = [entry for entry in self.trail.entries if entry.event_type == f"contactsync.replay.{what}"]
        return [json.loads(entry.data) for entry in sorted(found, key=lambda entry: entry.time)]


@pytest.fixture
def world() -> World:
    """Give a world with 25 events, ten minutes apart."""
    made = World()
    for number in range(25):
        made.add(event_of(event_id=f"e-{number:02}", time=START + number * timedelta(minutes=10)))
    return made


def test_replayed(world: World) -> None:
    """Every event of the period goes out once more, whole, under its id, the oldest first."""
    assert world.replay() == {Fate.SENT: 25}
    assert [event.id for event in world.sent] == [f"e-{number:02}" for number in range(25)]
    first = event_of(event_id="e-00")
    assert world.sent[0].data == first.data
    assert (world.sent[0].time, world.sent[0].subject) == (first.time, first.subject)
    assert (world.sent[0].correlationid, world.sent[0].severity) == (first.correlationid, first.severity)
    assert world.position == Position(START + DAY, complete=True, begun=True)


@pytest.mark.parametrize("kind", list(EVENT_TYPES.values()))
def test_every_type(kind: type) -> None:
    """Every type of event reads as it was, from its row."""
    world = World()
    world.add(event_of(kind))
    assert world.replay() == {Fate.SENT: 1}
    assert world.sent[0].data == event_of(kind).data


@pytest.mark.parametrize("kind", list(EVENT_TYPES.values()))
def test_older_rows(kind: type) -> None:
    """A row of before, which does not hold the subject, has one all the same."""
    assert announcement_of(replace(entry_of(event_of(kind)), subject=None))


def test_audited(world: World) -> None:
    """Who wanted what stands in the trail before anything is sent, and how it ended afterwards."""
    world.replay(types=["contactsync.account."], subscriber="tickets")
    (ordered,), (ended,) = world.rows("ordered"), world.rows("ended")
    assert (ordered["by"], ordered["reason"], ordered["subscriber"]) == ("airflow:admin", "a new topic", "tickets")
    assert ordered["types"] == ["contactsync.account."]
    assert (ended["events"], ended["complete"]) == ({"sent": 25}, True)
    world.trail.error = ServiceUnavailableError("PutItem", "InternalServerError")
    world.queues.delivered.clear()
    with pytest.raises(ServiceUnavailableError):
        world.replay(subscriber="tickets")
    assert world.queues.delivered == []


def test_not_its_own_rows(world: World) -> None:
    """Rows of replays and redrives are no events, and are not sent."""
    world.clock.time = START + timedelta(hours=12)
    assert world.replay() == {Fate.SENT: 25}
    assert world.replay() == {Fate.SENT: 25}


def test_types(world: World) -> None:
    """Only the wanted types go out; what no type begins with is refused by name."""
    world.add(event_of(ConfigurationChanged, event_id="c-1"))
    assert world.replay(types=["contactsync.configuration."]) == {Fate.SENT: 1}
    assert world.replay(types=["contactsync.configuration.changed.v1", "contactsync.account."]) == {Fate.SENT: 26}
    with pytest.raises(ReplayRefusedError, match=r"no event type begins with accounts; there are contactsync\."):
        world.replay(types=["accounts"])


def test_dry_run(world: World) -> None:
    """A dry run sends nothing, and leaves no row."""
    before = len(world.trail.rows)
    assert world.replay(dry_run=True) == {Fate.PLANNED: 25}
    assert (world.topic.taken, len(world.trail.rows), world.clock.slept) == ([], before, [])


def test_rate(world: World) -> None:
    """No more events a second go out than are allowed."""
    world.replay(rate=2)
    assert world.clock.slept == [0.5] * 24


def test_one_subscriber(world: World) -> None:
    """One subscriber's queue gets the events as the topic would deliver them, and nobody else gets any."""
    assert world.replay(subscriber="tickets") == {Fate.SENT: 25}
    assert world.topic.taken == []
    assert {name for name, _ in world.queues.delivered} == {"tickets"}
    _, message = world.queues.delivered[0]
    assert (parse_event(message.body).id, message.attributes["type"]) == ("e-00", "contactsync.account.failed.v1")
    with pytest.raises(ReplayRefusedError, match="no subscriber ticket; there are audit, notices, tickets"):
        world.replay(subscriber="ticket")


def test_notices_get_notices(world: World) -> None:
    """The queue for notices gets requests for notices only, as its filter policy has it."""
    world.add(event_of(NoticeRequested, event_id="n-1"))
    assert world.replay(subscriber="notices") == {Fate.SENT: 1}
    assert [parse_event(message.body).id for _, message in world.queues.delivered] == ["n-1"]


def old(world: World) -> dict[str, Any]:
    """Put events into the trail that are older than what subscribers remember, and return their period."""
    then = world.clock.now() - SAFE_AGE - DAY
    world.add(event_of(AccountFailed, event_id="old", time=then))
    world.add(event_of(NoticeRequested, event_id="old-notice", time=then))
    return {"since": then - DAY, "until": then + DAY}


def test_too_old(world: World) -> None:
    """What subscribers may have handled and forgotten is refused: on the bus always, and for notices always."""
    period = old(world)
    with pytest.raises(ReplayRefusedError, match="35 days"):
        world.replay(**period)
    for subscriber in (None, "notices"):
        with pytest.raises(ReplayRefusedError, match="each notice a second time"):
            world.replay(**period, older=True, subscriber=subscriber)
    assert (world.topic.taken, world.queues.delivered, world.rows("ordered")) == ([], [], [])


def test_older(world: World) -> None:
    """One subscriber that bears it gets older events, and never an old request for a notice."""
    assert world.replay(**old(world), older=True, subscriber="tickets") == {Fate.SENT: 1, Fate.TOO_OLD: 1}
    assert [message.id for _, message in world.queues.delivered] == ["old"]


def test_safe_age(world: World) -> None:
    """What is just young enough is sent."""
    young = world.clock.now() - SAFE_AGE
    world.add(event_of(NoticeRequested, event_id="young", time=young))
    assert world.replay(since=young, until=young + DAY) == {Fate.SENT: 1}


def test_cannot_be_sent(world: World) -> None:
    """What the row does not hold, or is of another environment, is told, and the others go."""
    for number, changes in enumerate(
        (
            {"data": json.dumps({"omitted_bytes": 400_000})},
            {"data": "no JSON"},
            {"data": json.dumps({"sync_id": 7})},
            {"source": "/contactsync/other"},
        )
    ):
        world.trail.add(replace(entry_of(event_of(event_id=f"bad-{number}")), **changes))
    assert world.replay() == {Fate.SENT: 25, Fate.INCOMPLETE: 3, Fate.FOREIGN: 1}


def test_refused(world: World) -> None:
    """Events that the topic does not take are told, and the others go."""
    world.topic.refusals = {"e-03": [Refusal("e-03", "InvalidParameter", may_pass=False)]}
    assert world.replay() == {Fate.SENT: 24, Fate.REFUSED: 1}
    world.queues.refused = {"e-05"}
    assert world.replay(subscriber="tickets") == {Fate.SENT: 24, Fate.REFUSED: 1}


@pytest.mark.parametrize("subscriber", [None, "tickets"])
def test_stopped(world: World, subscriber: str | None) -> None:
    """When the way is down it stops, says where to go on, and going on there leaves nothing out."""
    down = ServiceUnavailableError("PublishBatch", "InternalError")
    world.replay(until=START + timedelta(minutes=95), subscriber=subscriber)
    done = len(world.topic.taken) + len(world.queues.delivered)
    assert done == 10
    since = world.position.reached
    world.topic.errors, world.queues.errors = [down], [down]
    with pytest.raises(ReplayStoppedError, match="InternalError"):
        world.replay(since=since, subscriber=subscriber)
    assert world.position == Position(since, begun=True)
    assert [row["complete"] for row in world.rows("ended")] == [True, False]
    world.replay(since=world.position.reached, subscriber=subscriber)
    ids = {event.id for event in world.sent} | {message.id for _, message in world.queues.delivered}
    assert ids == {f"e-{number:02}" for number in range(25)}


def test_denied(world: World) -> None:
    """What does not pass by itself is told as it is."""
    world.queues.errors = [AccessDeniedError("SendMessageBatch", "AccessDenied")]
    with pytest.raises(AccessDeniedError):
        world.replay(subscriber="tickets")


def test_interrupted(world: World) -> None:
    """Broken off by its reader it has said how far it came, and the trail has it."""
    order = ReplayOrder(START - DAY, START + DAY, "airflow:admin", "a test")
    position = Position(order.since)
    replaying = world.replayer.replay(order, RedrivePace(world.clock, 50), position)
    for _ in range(11):
        next(replaying)
    replaying.close()
    assert position == Position(START + timedelta(minutes=90), begun=True)
    (ended,) = world.rows("ended")
    assert (ended["complete"], ended["reached"]) == (False, position.reached.isoformat())


def test_large_again() -> None:
    """An event that did not fit into a message goes out by claim check again."""
    world = World()
    large = event_of(ConfigurationChanged, event_id="large", changed_keys=["k" * 100] * 2800)
    world.add(large)
    assert world.replay() == {Fate.SENT: 1}
    assert world.sent[0].dataref is not None

"""Replay of events from the audit trail, for a topic that lost its subscriptions or a subscriber that was added late.

Event ids stay the same. So a subscriber ignores an event that it has handled, for as long as it remembers that.
"""

import json
import uuid
from collections import Counter
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice
from types import MappingProxyType
from typing import Final, Protocol

from contactsync.bus.audit import AuditEntry, AuditTrail, entity
from contactsync.bus.consume import REMEMBERED, object_in
from contactsync.bus.dead_letters.pace import RedrivePace
from contactsync.bus.envelope import EVENT_ID_NAMESPACE, Announcement, parse_announcement
from contactsync.bus.events import EVENT_TYPES, Severity
from contactsync.bus.ports import Message
from contactsync.bus.publish import Publisher
from contactsync.clock import Clock
from contactsync.errors import (
    ContactSyncError,
    EventInvalidError,
    EventTypeUnknownError,
    ReplayRefusedError,
    ReplayStoppedError,
)

SAFE_AGE: Final = REMEMBERED - timedelta(days=1)
"""Events younger than this are still remembered by every subscriber that has handled them."""

NOTICES: Final = "notices"
NOTICE_TYPE: Final = "contactsync.notice.requested."
"""The subscriber that sends notices, and the start of its event types."""

WANTED: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({NOTICES: (NOTICE_TYPE,)})
"""The event types that a subscriber's filter policy passes; the policy filters at the topic, not at the queue."""

OWN_ROWS: Final = ("contactsync.dead_letter.", "contactsync.replay.")
"""The start of the types of rows in the trail that were never events."""


class Fate(StrEnum):
    """What became of an event of the trail."""

    SENT = "sent"
    PLANNED = "planned"
    """Nothing was done: it was a dry run."""
    REFUSED = "refused"
    """The bus or the queue did not accept it."""
    TOO_OLD = "too_old"
    """It requests a notice, and it is no longer known whether people have received that."""
    INCOMPLETE = "incomplete"
    """The row has no data of the event, because that was too large, or cannot be read."""
    FOREIGN = "foreign"
    """It is of another environment."""


class SubscriberQueues(Protocol):
    """The queues of subscribers, by the subscribers' names."""

    @property
    def subscribers(self) -> Sequence[str]:
        """The names of the subscribers."""

    def deliver(self, subscriber: str, messages: Sequence[Message]) -> Mapping[str, str]:
        """Put up to ten messages into one subscriber's queue; return the codes of those not accepted, by event id.

        Raises DeadLetterSourceError when the queue cannot be found, and an AwsCallError.
        """

    def filter_policies(self, subscriber: str) -> Sequence[str]:
        """Return the filter policies of its subscriptions to the bus, as JSON; raises like `deliver`."""


@dataclass(frozen=True)
class ReplayOrder:
    """What a person wants to be published again."""

    since: datetime
    until: datetime
    by: str
    reason: str
    types: Collection[str] = ()
    """Event types, or how they begin; empty: all of them."""
    subscriber: str | None = None
    """The one subscriber whose queue gets the events; None: they go onto the bus, to all subscribers."""
    older: bool = False
    """Whether events are included that a subscriber may have handled and forgotten."""
    dry_run: bool = False


Replayed = Generator[tuple[Fate, AuditEntry], None, None]


@dataclass
class Position:
    """How far a replay came; it is correct also when the replay ends early."""

    reached: datetime
    """Everything before this time is done: a next replay can start here."""
    complete: bool = False
    begun: bool = False
    """Whether the order was accepted."""


@dataclass(frozen=True)
class Replayer:
    """The replay of events from the audit trail, oldest first; rows record who ordered it and how it ended."""

    trail: AuditTrail
    publisher: Publisher
    queues: SubscriberQueues
    clock: Clock
    source: str
    """The source of this environment's events, and of the rows."""

    def replay(self, order: ReplayOrder, pace: RedrivePace, position: Position) -> Replayed:
        """Publish what the order asks for, and yield what became of each event.

        Raises ReplayRefusedError before anything is sent, when the replay would not be harmless, and ReplayStoppedError
        when the bus or the queue cannot be reached.
        """
        self._check(order)
        position.begun = True
        fates = Counter[Fate]()
        with self._recorded(order, fates, position):
            entries = self._entries(order)
            while portion := list(islice(entries, pace.batch)):
                for fate, entry in self._sent(portion, order, pace):
                    fates[fate] += 1
                    yield fate, entry
                position.reached = portion[-1].time
            position.reached, position.complete = order.until, True

    def _check(self, order: ReplayOrder) -> None:
        if order.subscriber is not None and order.subscriber not in self.queues.subscribers:
            known = ", ".join(self.queues.subscribers)
            raise ReplayRefusedError(problem=f"there is no subscriber {order.subscriber}; there are {known}")
        unknown = [name for name in order.types if not any(known.startswith(name) for known in EVENT_TYPES)]
        if unknown:
            known = ", ".join(EVENT_TYPES)
            raise ReplayRefusedError(problem=f"no event type begins with {', '.join(unknown)}; there are {known}")
        if order.since >= self.clock.now() - SAFE_AGE:
            return
        if not order.older:
            raise ReplayRefusedError(
                problem=(
                    f"subscribers remember for {REMEMBERED.days} days which events they have handled, so events older "
                    f"than {SAFE_AGE.days} days could be handled a second time. Use a later --since; or --subscriber "
                    "NAME --older, for one subscriber to which that does no harm"
                )
            )
        if order.subscriber is None or order.subscriber == NOTICES:
            raise ReplayRefusedError(
                problem="--older is for one subscriber, named with --subscriber, and never for notices: people would "
                "get each notice a second time"
            )

    def _entries(self, order: ReplayOrder) -> Iterator[AuditEntry]:
        """Yield the events that the order includes, even if they cannot be sent."""
        wanted = WANTED.get(order.subscriber or "", ("",))
        for entry in self.trail.during(order.since, order.until, oldest_first=True):
            if entry.event_type.startswith(OWN_ROWS):
                continue
            if entry.event_type.startswith(wanted) and entry.event_type.startswith(tuple(order.types) or ("",)):
                yield entry

    def _sent(
        self, portion: Sequence[AuditEntry], order: ReplayOrder, pace: RedrivePace
    ) -> Iterator[tuple[Fate, AuditEntry]]:
        fates: list[Fate | None] = [self._excluded(entry) for entry in portion]
        announced = {entry.event_id: one for entry in portion if (one := announcement_of(entry)) is not None}
        chosen: dict[str, Announcement] = {}
        for number, entry in enumerate(portion):
            if fates[number] is None and entry.event_id not in announced:
                fates[number] = Fate.INCOMPLETE
            elif fates[number] is None:
                chosen[entry.event_id] = announced[entry.event_id]
        refused: Collection[str] = ()
        if chosen and not order.dry_run:
            pace.wait(len(chosen))
            refused = self._refused(list(chosen.values()), order.subscriber)
        done = Fate.PLANNED if order.dry_run else Fate.SENT
        for entry, fate in zip(portion, fates, strict=True):
            yield fate or (Fate.REFUSED if entry.event_id in refused else done), entry

    def _excluded(self, entry: AuditEntry) -> Fate | None:
        if entry.source != self.source:
            return Fate.FOREIGN
        is_old = entry.time < self.clock.now() - SAFE_AGE
        return Fate.TOO_OLD if is_old and entry.event_type.startswith(NOTICE_TYPE) else None

    def _refused(self, announced: Sequence[Announcement], subscriber: str | None) -> Collection[str]:
        """Send, and return the ids of what was not accepted."""
        if subscriber is None:
            published = self.publisher.publish(announced)
            if published.out_of_reach:
                raise ReplayStoppedError(cause=published.out_of_reach)
            return published.refused
        try:
            return self.queues.deliver(subscriber, [self.publisher.message(one) for one in announced])
        except ContactSyncError as error:
            if error.retryable:
                raise ReplayStoppedError(cause=error.code) from None
            raise

    @contextmanager
    def _recorded(self, order: ReplayOrder, fates: Mapping[Fate, int], position: Position) -> Iterator[None]:
        """Store who ordered what before anything is sent, and at the end how far it came."""
        if order.dry_run:
            yield
            return
        said = {
            "by": order.by,
            "reason": order.reason,
            "since": order.since.isoformat(),
            "until": order.until.isoformat(),
            "types": sorted(order.types),
            "subscriber": order.subscriber,
        }
        replay_id = str(uuid.uuid4())
        self.trail.add(self._row("ordered", replay_id, said))
        try:
            yield
        finally:
            counts = {str(fate): number for fate, number in fates.items()}
            end = {"events": counts, "reached": position.reached.isoformat(), "complete": position.complete}
            self.trail.add(self._row("ended", replay_id, {**said, **end}))

    def _row(self, what: str, replay_id: str, data: Mapping[str, object]) -> AuditEntry:
        return AuditEntry(
            event_id=str(uuid.uuid5(EVENT_ID_NAMESPACE, f"replay#{what}#{replay_id}")),
            event_type=f"contactsync.replay.{what}",
            time=self.clock.now(),
            severity=Severity.INFO,
            source=self.source,
            correlation_id=replay_id,
            entities=(entity("replay", str(data["subscriber"] or "all")),),
            data=json.dumps(dict(data)),
        )


def announcement_of(entry: AuditEntry) -> Announcement | None:
    """Return the announcement from a row; None when the row does not have it, or it cannot be read."""
    data = object_in(entry.data)
    if not data or "omitted_bytes" in data:
        return None
    fields = {
        "id": entry.event_id,
        "type": entry.event_type,
        "time": entry.time.isoformat(),
        "subject": entry.subject or _subject(data, entry.entities),
        "correlation_id": entry.correlation_id,
        "data": data,
    }
    try:
        return parse_announcement(json.dumps(fields))
    except (EventInvalidError, EventTypeUnknownError):
        return None


def _subject(data: Mapping[str, object], entities: Iterable[str]) -> str:
    """Return the subject of an event whose row has none: rows of earlier versions."""
    for name in ("account_id", "sync_id", "config_key", "system"):
        if isinstance(value := data.get(name), str) and value:
            return value
    return next(iter(entities), "#").partition("#")[2] or "unknown"

"""Fakes of the ports in contactsync/bus/ports.py: in memory, with the conditions of the real adapters."""

import uuid
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from contactsync.bus.audit import AuditEntry
from contactsync.bus.claims import refused
from contactsync.bus.consume import MessageFailure, own_attributes
from contactsync.bus.dead_letters.letters import RULE, TRIGGER, DeadLetter, original_event
from contactsync.bus.dead_letters.ports import QueueCounts
from contactsync.bus.envelope import Announcement, Event
from contactsync.bus.ports import FAR_AHEAD, Claim, Message, OutboxEntry, Refusal, SetAside, UnreadableEntry
from contactsync.bus.publish import BATCH_LIMIT, SIZE_LIMIT
from contactsync.errors import (
    ContactSyncError,
    DeadLetterQueueUnknownError,
    DeadLetterUnreadableError,
    RequestInvalidError,
)
from tests.support.fakes.surroundings import START


@dataclass
class FakeTopic:
    """Takes messages; a test chooses what it refuses, and how often."""

    taken: list[Message] = field(default_factory=list)
    refusals: dict[str, list[Refusal]] = field(default_factory=dict)
    """By event id: what the next sends of it are answered with, one after the other."""
    errors: list[Exception] = field(default_factory=list)
    """What the next calls raise, one after the other."""
    invalid: set[str] = field(default_factory=set)
    """Event ids that make every call that holds them invalid."""
    calls: int = 0

    def send(self, messages: Sequence[Message]) -> list[Refusal]:
        """Take a batch that keeps the limits of PublishBatch."""
        self.calls += 1
        assert 0 < len(messages) <= BATCH_LIMIT
        assert sum(message.size for message in messages) <= SIZE_LIMIT
        if self.errors:
            raise self.errors.pop(0)
        if self.invalid & {message.id for message in messages}:
            raise RequestInvalidError("PublishBatch", "InvalidParameter")
        refused = [self.refusals[one.id].pop(0) for one in messages if self.refusals.get(one.id)]
        ids = {refusal.id for refusal in refused}
        self.taken += [message for message in messages if message.id not in ids]
        return refused


@dataclass
class FakeClaims:
    """Keeps data under references of its own."""

    kept: dict[str, bytes] = field(default_factory=dict)
    error: Exception | None = None

    def put(self, claim: Claim, data: bytes) -> str:
        """Keep data."""
        if self.error:
            raise self.error
        reference = f"claim://{claim.event_id}.{claim.sha256}"
        self.kept[reference] = data
        return reference

    def get(self, claim: Claim, reference: str) -> bytes:
        """Return it."""
        if self.error:
            raise self.error
        if reference != f"claim://{claim.event_id}.{claim.sha256}":
            raise refused(claim, "dataref does not name this event's object")
        if reference not in self.kept:
            raise refused(claim, "the object is not in the bucket")
        if len(self.kept[reference]) > claim.size:
            raise refused(claim, "it is larger")
        return self.kept[reference]


@dataclass
class FakeOutbox:
    """Announcements by their ids."""

    kept: dict[str, Announcement] = field(default_factory=dict)
    error: Exception | None = None
    """What removing raises."""
    unreadable: list[str] = field(default_factory=list)
    """The codes of what is there too, and cannot be read."""
    refusals: Counter[str] = field(default_factory=Counter)
    """By the second part of keys."""
    aside: list[SetAside] = field(default_factory=list)
    stuck: Exception | None = None
    """What setting aside raises."""

    def add(self, *announcements: Announcement) -> None:
        """Store announcements, as the transaction of a change does."""
        self.kept |= {announced.id: announced for announced in announcements}

    def entries(
        self, before: datetime, unreadable: Callable[[UnreadableEntry], object] = lambda _: None
    ) -> Iterator[OutboxEntry]:
        """Yield the older ones, the oldest first, and those from far ahead."""
        for number, code in enumerate(self.unreadable):
            key = ("outbox", f"strange-{number}-{code}")
            unreadable(UnreadableEntry(key, code, "It cannot be read.", refusals=self.refusals[key[1]]))
        older = [one for one in self.kept.values() if one.time < before or one.time > before + FAR_AHEAD]
        for announced in sorted(older, key=lambda one: (one.time, one.id)):
            yield OutboxEntry(("outbox", announced.id), announced, self.refusals[announced.id])

    def refused(self, key: tuple[str, str]) -> None:
        """Count a refusal."""
        self.refusals[key[1]] += 1

    def set_aside(self, entry: SetAside) -> None:
        """Move an entry."""
        if self.stuck:
            raise self.stuck
        self.aside.append(entry)
        self.kept.pop(entry.key[1], None)
        if entry.key[1].startswith("strange-"):
            self.unreadable.remove(entry.code)

    def remove(self, announcements: Iterable[Announcement]) -> None:
        """Remove announcements."""
        if self.error:
            raise self.error
        for announced in announcements:
            self.kept.pop(announced.id, None)


@dataclass
class FakeMetrics:
    """Remembers what was recorded."""

    recorded: list[dict[str, float]] = field(default_factory=list)

    def record(self, values: Mapping[str, float]) -> None:
        """Remember values."""
        self.recorded.append(dict(values))

    def total(self, name: str) -> float:
        """Sum one metric up."""
        return sum(values.get(name, 0) for values in self.recorded)


@dataclass
class FakeAudit:
    """Rows by entity and event, never changed."""

    rows: dict[tuple[str, datetime, str], AuditEntry] = field(default_factory=dict)
    error: Exception | None = None
    unreadable: Exception | None = None
    """What asking about an entity raises."""

    def add(self, entry: AuditEntry) -> None:
        """Add a row per entity, unless it is there."""
        if self.error:
            raise self.error
        for name, row in entry.rows():
            self.rows.setdefault((name, row.time, row.event_id), row)

    def add_all(self, entries: Sequence[AuditEntry]) -> None:
        """Add rows."""
        for entry in entries:
            self.add(entry)

    def about(
        self, entity: str, *, since: datetime | None = None, until: datetime | None = None, limit: int | None = None
    ) -> Iterator[AuditEntry]:
        """Yield the rows of an entity."""
        if self.unreadable:
            raise self.unreadable
        found = [entry for (name, _, _), entry in self.rows.items() if name == entity]
        return self._newest(found, limit, since, until)

    def correlated(self, correlation_id: str, *, limit: int | None = None) -> Iterator[AuditEntry]:
        """Yield the entries of a correlation."""
        return self._newest([entry for entry in self.entries if entry.correlation_id == correlation_id], limit)

    def during(
        self, since: datetime, until: datetime, *, limit: int | None = None, oldest_first: bool = False
    ) -> Iterator[AuditEntry]:
        """Yield the entries of a period."""
        found = list(self._newest(self.entries, None, since, until))
        return iter((found[::-1] if oldest_first else found)[:limit])

    @property
    def entries(self) -> list[AuditEntry]:
        """Every entry once."""
        return [entry for (name, _, _), entry in self.rows.items() if name == entry.entities[0]]

    def _newest(
        self,
        entries: list[AuditEntry],
        limit: int | None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Iterator[AuditEntry]:
        within = [
            entry for entry in entries if (not since or entry.time >= since) and (not until or entry.time < until)
        ]
        return iter(sorted(within, key=lambda entry: (entry.time, entry.event_id), reverse=True)[:limit])


@dataclass
class FakeFailures:
    """Failures by subscriber and message id."""

    kept: dict[tuple[str, str], MessageFailure] = field(default_factory=dict)
    error: Exception | None = None
    unreadable: Exception | None = None
    """What asking for many raises."""

    def remember(self, subscriber: str, message_id: str, failure: MessageFailure) -> None:
        """Keep one."""
        if self.error:
            raise self.error
        self.kept[subscriber, message_id] = failure

    def find(self, subscriber: str, message_id: str) -> MessageFailure | None:
        """Return it."""
        return self.kept.get((subscriber, message_id))

    def find_all(self, subscriber: str, message_ids: Sequence[str]) -> dict[str, MessageFailure]:
        """Return many."""
        if self.unreadable:
            raise self.unreadable
        return {one: self.kept[subscriber, one] for one in message_ids if (subscriber, one) in self.kept}


@dataclass
class FakeQuarantine:
    """Keeps what was quarantined."""

    kept: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    error: Exception | None = None

    def send(self, body: str, attributes: Mapping[str, str]) -> None:
        """Keep a message."""
        if self.error:
            raise self.error
        self.kept.append((body, dict(attributes)))


@dataclass
class FakeOnce:
    """Remembers handled event ids; what raises is not remembered."""

    handled: set[str] = field(default_factory=set)

    def run(self, event: Event, effect: Callable[[], None]) -> None:
        """Call the effect of an event that was not handled."""
        if event.id not in self.handled:
            effect()
            self.handled.add(event.id)


@dataclass
class FakeDeadLetters:
    """Queues in memory: a letter that is taken is invisible until it is given back."""

    queues: dict[str, dict[str, DeadLetter]] = field(
        default_factory=lambda: {name: {} for name in ("audit", "notices", RULE, TRIGGER)}
    )
    hidden: set[str] = field(default_factory=set)
    sent_on: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    """What was accepted elsewhere: the queue that it was in, body or event, and attributes."""
    comes_back: bool = False
    """Whether everything that is sent on is a dead letter again at once."""
    errors: dict[str, Exception] = field(default_factory=dict)
    """What methods raise, by their names."""
    steps: list[tuple[str, str]] = field(default_factory=list)
    """What was done, in order, as (method, message id)."""
    refused: dict[str, ContactSyncError] = field(default_factory=dict)
    """Message ids that are not accepted in a batch, and why."""
    batches: list[int] = field(default_factory=list)
    """How many letters each batch had."""

    @property
    def names(self) -> Sequence[str]:
        """The queues."""
        return tuple(self.queues)

    def put(self, queue: str, body: str, **attributes: str) -> DeadLetter:
        """Put a letter into a queue."""
        number = sum(map(len, self.queues.values())) + len(self.steps)
        sent = START + timedelta(minutes=number)
        letter = DeadLetter(queue, str(uuid.uuid5(uuid.NAMESPACE_OID, f"{queue}{number}")), body, attributes, sent, "r")
        self.queues[queue][letter.message_id] = letter
        return letter

    def counts(self, queue: str) -> QueueCounts:
        """Count letters."""
        letters = self._letters(queue)
        hidden = len(self.hidden & set(letters))
        return QueueCounts(len(letters) - hidden, hidden)

    def take(self, queue: str, receivers: int = 1) -> Generator[DeadLetter, None, None]:
        """Yield what is visible, including what comes in meanwhile, and hide it."""
        del receivers
        self._step("take", queue)
        while visible := [one for one in self._letters(queue).values() if one.message_id not in self.hidden]:
            for letter in visible:
                self.hidden.add(letter.message_id)
                yield replace(letter, receipt=f"receipt of {letter.message_id}")

    def give_back(self, letters: Iterable[DeadLetter]) -> None:
        """Show letters again."""
        for letter in letters:
            self._step("give_back", letter.message_id)
            self.hidden.discard(letter.message_id)

    def send_on(self, letter: DeadLetter) -> None:
        """Accept a letter elsewhere."""
        self._step("send_on", letter.message_id)
        if letter.queue in {RULE, TRIGGER}:
            self.sent_on.append((letter.queue, original_event(letter), {}))
        else:
            self.sent_on.append((letter.queue, letter.body, own_attributes(letter.attributes)))
        if self.comes_back:
            self.put(letter.queue, letter.body, **letter.attributes)

    def send_all(self, letters: Sequence[DeadLetter]) -> dict[str, ContactSyncError]:
        """Accept letters elsewhere, but those that are refused or hold nothing."""
        refused: dict[str, ContactSyncError] = {}
        for letter in letters:
            if letter.message_id in self.refused:
                refused[letter.message_id] = self.refused[letter.message_id]
                continue
            try:
                self.send_on(letter)
            except DeadLetterUnreadableError as error:
                refused[letter.message_id] = error
        self.batches.append(len(letters))
        return refused

    def delete_all(self, letters: Sequence[DeadLetter]) -> None:
        """Delete letters."""
        for letter in letters:
            self.delete(letter)

    def delete(self, letter: DeadLetter) -> None:
        """Delete a letter."""
        self._step("delete", letter.message_id)
        self.queues[letter.queue].pop(letter.message_id, None)
        self.hidden.discard(letter.message_id)

    def _letters(self, queue: str) -> dict[str, DeadLetter]:
        if queue not in self.queues:
            raise DeadLetterQueueUnknownError(queue=queue, known=self.names)
        return self.queues[queue]

    def _step(self, method: str, about: str) -> None:
        self.steps.append((method, about))
        if method in self.errors:
            raise self.errors[method]

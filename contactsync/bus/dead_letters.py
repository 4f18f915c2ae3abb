"""Dead letters: what they are about, why they failed, and the two ways to be done with them."""

import hashlib
import json
import uuid
from collections.abc import Collection, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from contactsync.bus.advice import UNRECORDED, delivery_advice, invocation_advice
from contactsync.bus.audit import AuditEntry, entity
from contactsync.bus.consume import QUARANTINE_CODE, QUARANTINE_REASON, Names, name_in, names_in, object_in
from contactsync.bus.envelope import EVENT_ID_NAMESPACE
from contactsync.bus.events import Severity
from contactsync.bus.masking import masked_text
from contactsync.bus.ports import AuditTrail, Clock, DeadLetterQueues, Failures
from contactsync.errors import DeadLetterMissingError, DeadLetterQueueUnknownError, DeadLetterUnreadableError

RULE: Final = "rule"
"""The queue of events that EventBridge could not bring to the trigger function."""

TRIGGER: Final = "trigger"
"""The queue of events on which the trigger function failed for good; every other queue is a subscriber's."""


@dataclass(frozen=True)
class DeadLetter:
    """A message of a dead-letter queue, as it was taken; its body may hold contact values."""

    queue: str
    message_id: str
    body: str = field(repr=False)
    attributes: Mapping[str, str]
    sent: datetime
    """When it came into the queue, or into the one that it was moved from."""
    receipt: str = field(repr=False)
    """What gives it back or deletes it."""


@dataclass(frozen=True)
class LetterFacts:
    """What is known of a dead letter; no value of its body but names and ids."""

    queue: str
    message_id: str
    sent: datetime
    event_id: str | None
    event_type: str | None
    correlation_id: str | None
    code: str | None
    """Why it failed, in one word; None when nobody remembered."""
    reason: str | None


class Step(StrEnum):
    """What became of a letter."""

    REDRIVEN = "redriven"
    DISCARDED = "discarded"
    PLANNED = "planned"
    """Nothing: it was a dry run."""
    LEFT = "left"
    """Nothing: the same content was sent a moment ago by this command. It came back, or it is another copy."""
    UNREADABLE = "unreadable"
    """Nothing: nobody could be called with it."""


Done = Generator[tuple[Step, LetterFacts], None, None]
"""What became of one letter after the other; closing it gives back what was taken."""


@dataclass(frozen=True)
class Order:
    """What somebody wants done with letters of one queue."""

    queue: str
    message_ids: Collection[str] | None
    """None: all of them."""
    by: str
    reason: str | None = None
    dry_run: bool = False


@dataclass(frozen=True)
class DeadLetterDesk:
    """Looks at dead letters, sends them where they were to be handled, or throws them away.

    A letter leaves its queue only after it was accepted elsewhere, or after the audit trail says who discarded it. One
    that was only looked at is given back, and comes back by itself when this process dies.
    """

    queues: DeadLetterQueues
    failures: Failures
    trail: AuditTrail
    clock: Clock
    source: str
    """Of the audit trail's entries."""

    def look(self, queue: str) -> Generator[LetterFacts, None, None]:
        """Yield the facts of every letter."""
        with self._taken() as taken:
            for letter in self._take(queue, None, taken):
                yield self.facts(letter)

    def show(self, queue: str, message_id: str) -> dict[str, Any]:
        """Return one letter whole, with what could be a contact value masked; DeadLetterMissingError without it."""
        with self._taken() as taken:
            letter = next(self._take(queue, {message_id}, taken))
            shown = {"attributes": dict(letter.attributes), "body": masked_text(letter.body)}
            return {**asdict(self.facts(letter)), **shown}

    def redrive(self, order: Order, *, rate: float) -> Done:
        """Send letters on, so many a second at most, and yield what became of each."""
        sent: set[str] = set()
        if order.queue not in self.queues.names:
            raise DeadLetterQueueUnknownError(queue=order.queue, known=self.queues.names)
        if not order.dry_run:
            # Before anything is sent: without an audit trail nothing is.
            self.trail.add(self._ordered(order))
        with self._taken() as taken:
            for letter in self._take(order.queue, order.message_ids, taken):
                facts = self.facts(letter)
                step = self._redriven(letter, facts, order, sent, 1 / rate)
                if step is Step.REDRIVEN:
                    del taken[letter.message_id]
                yield step, facts

    def discard(self, order: Order) -> Done:
        """Delete letters, and yield what became of each."""
        with self._taken() as taken:
            for letter in self._take(order.queue, order.message_ids, taken):
                facts = self.facts(letter)
                if order.dry_run:
                    yield Step.PLANNED, facts
                    continue
                self._finish(letter, facts, order, Step.DISCARDED)
                del taken[letter.message_id]
                yield Step.DISCARDED, facts

    def facts(self, letter: DeadLetter) -> LetterFacts:
        """Return what is known of a letter, and why it failed."""
        names = names_of(letter)
        code, reason = self._why(letter)
        return LetterFacts(letter.queue, letter.message_id, letter.sent, **vars(names), code=code, reason=reason)

    def _why(self, letter: DeadLetter) -> tuple[str | None, str | None]:
        if letter.queue == RULE:
            return _undelivered(letter)
        if letter.queue == TRIGGER:
            return _invocation_failure(letter)
        if QUARANTINE_CODE in letter.attributes:
            return letter.attributes[QUARANTINE_CODE], letter.attributes.get(QUARANTINE_REASON)
        failure = self.failures.find(letter.queue, letter.message_id)
        return (failure.code, failure.sentence) if failure else (None, UNRECORDED)

    def _redriven(self, letter: DeadLetter, facts: LetterFacts, order: Order, sent: set[str], pause: float) -> Step:
        # What comes back at once, as a type that is still unknown does, would else be sent round and round.
        content = _digest(letter)
        if content in sent:
            return Step.LEFT
        if order.dry_run:
            return Step.PLANNED
        if sent:
            self.clock.sleep(pause)
        try:
            self.queues.send_on(letter)
        except DeadLetterUnreadableError:
            return Step.UNREADABLE
        sent.add(content)
        self._finish(letter, facts, order, Step.REDRIVEN)
        return Step.REDRIVEN

    def _finish(self, letter: DeadLetter, facts: LetterFacts, order: Order, step: Step) -> None:
        self.trail.add(self._entry(facts, order, step))
        self.queues.delete(letter)

    def _ordered(self, order: Order) -> AuditEntry:
        """Return the row that says who ordered what; each letter that is sent on has a row of its own after it."""
        now = self.clock.now()
        event_id = str(uuid.uuid5(EVENT_ID_NAMESPACE, f"redrive#{order.queue}#{order.by}#{now.isoformat()}"))
        wanted = sorted(order.message_ids) if order.message_ids is not None else "all"
        return AuditEntry(
            event_id=event_id,
            event_type="contactsync.dead_letter.redrive_ordered",
            time=now,
            severity=Severity.INFO,
            source=self.source,
            correlation_id=event_id,
            entities=(entity("dead-letter", order.queue),),
            data=json.dumps({"queue": order.queue, "messages": wanted, "by": order.by, "reason": order.reason}),
        )

    def _entry(self, facts: LetterFacts, order: Order, step: Step) -> AuditEntry:
        now = self.clock.now()
        unique = f"{step}#{facts.queue}#{facts.message_id}#{now.isoformat()}"
        said = {"by": order.by, "reason": order.reason, "failure": facts.code}
        about = {"queue": facts.queue, "message_id": facts.message_id, "event_id": facts.event_id}
        return AuditEntry(
            event_id=str(uuid.uuid5(EVENT_ID_NAMESPACE, unique)),
            event_type=f"contactsync.dead_letter.{step}",
            time=now,
            severity=Severity.INFO,
            source=self.source,
            correlation_id=facts.correlation_id or facts.event_id or facts.message_id,
            entities=(entity("dead-letter", facts.queue),),
            data=json.dumps({**about, "event_type": facts.event_type, **said}),
        )

    @contextmanager
    def _taken(self) -> Iterator[dict[str, DeadLetter]]:
        """Hold the letters that are taken, by message id, and give back those that are still there at the end."""
        taken: dict[str, DeadLetter] = {}
        try:
            yield taken
        finally:
            self.queues.give_back(taken.values())

    def _take(self, queue: str, wanted: Collection[str] | None, taken: dict[str, DeadLetter]) -> Iterator[DeadLetter]:
        missing = set(wanted or ())
        seen: set[str] = set()
        with closing(self.queues.take(queue)) as letters:
            for letter in letters:
                taken[letter.message_id] = letter
                if letter.message_id in seen:
                    continue
                seen.add(letter.message_id)
                if wanted is None or letter.message_id in missing:
                    missing.discard(letter.message_id)
                    yield letter
                if wanted is not None and not missing:
                    return
        if missing:
            raise DeadLetterMissingError(queue=queue, message_ids=sorted(missing))


def names_of(letter: DeadLetter) -> Names:
    """Return the ids and the type of a letter, as far as it has them."""
    if letter.queue not in {RULE, TRIGGER}:
        return names_in(letter.body)
    detail = _member(_recorded(letter), "detail")
    event_id = name_in(detail, "eventID")
    return Names(event_id, name_in(detail, "eventName"), event_id)


def original_event(letter: DeadLetter) -> str:
    """Return the JSON with which the trigger function is to be called again.

    Raises DeadLetterUnreadableError for a letter of another form.
    """
    event = _recorded(letter)
    if not event:
        problem = "it holds no event" if letter.queue == RULE else "it has no requestPayload"
        raise DeadLetterUnreadableError(queue=letter.queue, message_id=letter.message_id, problem=problem)
    return letter.body if letter.queue == RULE else json.dumps(event)


def _recorded(letter: DeadLetter) -> Mapping[str, Any]:
    """Return the event in what EventBridge kept, or in Lambda's record of an invocation."""
    found = object_in(letter.body)
    return found if letter.queue == RULE else _member(found, "requestPayload")


def _undelivered(letter: DeadLetter) -> tuple[str | None, str | None]:
    """Return EventBridge's code and sentence of an event that it did not deliver, and what to do."""
    code, said = letter.attributes.get("ERROR_CODE"), letter.attributes.get("ERROR_MESSAGE")
    if code is None and said is None:
        return None, None
    return code, f"{said}. {delivery_advice(code)}" if said else delivery_advice(code)


def _code_in_message(record: Mapping[str, Any]) -> str | None:
    """Return the error type of an invocation that ran too long, where Lambda writes that into the message only."""
    message = _member(record, "responsePayload").get("errorMessage")
    return "Sandbox.Timedout" if isinstance(message, str) and "Task timed out after" in message else None


def _invocation_failure(letter: DeadLetter) -> tuple[str | None, str | None]:
    """Return the error's type from Lambda's invocation record; its message may quote what the function was given."""
    record = object_in(letter.body)
    context = _member(record, "requestContext")
    code, condition = name_in(_member(record, "responsePayload"), "errorType"), name_in(context, "condition")
    count = context.get("approximateInvokeCount")
    tries = f" after {count} tries" if isinstance(count, int) else ""
    code = code or _code_in_message(record)
    if advice := invocation_advice(code, tries):
        return code, advice
    return code or condition, f"{condition}{tries}; see the function's log" if condition else None


def _digest(letter: DeadLetter) -> str:
    """Name what is sent on: invocation records of the same event differ in their times and request ids."""
    content = json.dumps(_recorded(letter)) if letter.queue in {RULE, TRIGGER} else letter.body
    return hashlib.sha256(content.encode(errors="replace")).hexdigest()


def _member(found: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = found.get(name)
    return value if isinstance(value, dict) else {}

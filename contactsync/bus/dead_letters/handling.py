"""The work on dead letters: what they are about, why they failed, and sending them on or discarding them."""

import json
import logging
import uuid
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Any, Final

from contactsync.bus.advice import UNRECORDED
from contactsync.bus.audit import AuditEntry, AuditTrail, entity
from contactsync.bus.consume import QUARANTINE_CODE, QUARANTINE_REASON, Failures, MessageFailure
from contactsync.bus.dead_letters.letters import (
    RULE,
    TRIGGER,
    DeadLetter,
    content_of,
    invocation_failure,
    names_of,
    undelivered,
)
from contactsync.bus.dead_letters.pace import LARGEST_BATCH, RedrivePace
from contactsync.bus.dead_letters.ports import DeadLetterQueues
from contactsync.bus.dead_letters.redrives import History, history_of
from contactsync.bus.envelope import EVENT_ID_NAMESPACE
from contactsync.bus.events import Severity
from contactsync.bus.masking import masked_text
from contactsync.clock import Clock
from contactsync.errors import (
    AwsCallError,
    ContactSyncError,
    DeadLetterMissingError,
    DeadLetterQueueUnknownError,
    DeadLetterUnreadableError,
)

log = logging.getLogger(__name__)

PORTION: Final = 100
"""Number of letters whose reasons are read together."""

LOOKERS: Final = 4
"""Number of pages that a listing requests at the same time."""

FAST: Final = 100
"""Messages per second from which on a redrive requests several pages at the same time."""


@dataclass(frozen=True)
class LetterFacts:
    """What is known about a dead letter; of its body only names and ids."""

    queue: str
    message_id: str
    sent: datetime
    event_id: str | None
    event_type: str | None
    correlation_id: str | None
    code: str | None
    """Why it failed, in one word; None when nothing was stored."""
    reason: str | None
    redriven: int | None = 0
    """How often it was sent on before and came back; None when that cannot be read."""
    last_redriven: datetime | None = None
    last_redriven_by: str | None = None


class LetterStep(StrEnum):
    """What became of a letter."""

    REDRIVEN = "redriven"
    DISCARDED = "discarded"
    PLANNED = "planned"
    """Nothing was done: it was a dry run."""
    LEFT = "left"
    """Nothing was done: this command sent the same content a moment ago. It came back, or it is another copy."""
    UNREADABLE = "unreadable"
    """Nothing was done: no function could be called with it."""
    REFUSED = "refused"
    """Nothing was done: its receiver did not accept it, but accepted others."""


Done = Generator[tuple[LetterStep, LetterFacts], None, None]
"""Each letter with what became of it; closing the generator gives back the letters that are still held."""


@dataclass(frozen=True)
class LetterOrder:
    """What a person wants done with letters of one queue."""

    queue: str
    message_ids: Collection[str] | None
    """The letters' message ids; None: all letters."""
    by: str
    reason: str | None = None
    dry_run: bool = False


@dataclass(frozen=True)
class DeadLetters:
    """The commands on dead letters: show them, send them to where they should have been handled, or discard them.

    A letter leaves its queue only after it was accepted elsewhere, or after the audit trail has stored who discarded
    it. A letter that was only shown is given back; if this process dies, SQS shows it again after some time.
    """

    queues: DeadLetterQueues
    failures: Failures
    trail: AuditTrail
    clock: Clock
    source: str
    """The source of the audit trail's entries."""

    def look(self, queue: str) -> Generator[LetterFacts, None, None]:
        """Yield what is known about each letter."""
        history: History | None = None
        with self._taken() as taken:
            letters = self._take(queue, None, taken, LOOKERS)
            for portion in _portions(letters, PORTION):
                history = history or self._history(queue)
                yield from self._all_facts(queue, portion, history)

    def show(self, queue: str, message_id: str) -> dict[str, Any]:
        """Return one letter in full, with possible contact values masked; raise DeadLetterMissingError without it."""
        with self._taken() as taken:
            letter = next(self._take(queue, {message_id}, taken, LOOKERS))
            (facts,) = self._all_facts(queue, [letter], self._history(queue))
            return {**asdict(facts), "attributes": dict(letter.attributes), "body": masked_text(letter.body)}

    def redrive(self, order: LetterOrder, *, rate: float, pace: RedrivePace | None = None) -> Done:
        """Send letters on, at most `rate` a second, and yield what became of each; `pace` measures the rate reached."""
        pace = pace or RedrivePace(self.clock, rate)
        sent: set[str] = set()
        if order.queue not in self.queues.names:
            raise DeadLetterQueueUnknownError(queue=order.queue, known=self.queues.names)
        if not order.dry_run:
            # Store the order before anything is sent: if the audit trail cannot be written, nothing is sent.
            self.trail.add(self._ordered(order))
        history = self._history(order.queue)
        with self._taken() as taken:
            letters = self._take(order.queue, order.message_ids, taken, LOOKERS // 2 if rate >= FAST else 1)
            for portion in _portions(letters, pace.batch):
                facts = self._all_facts(order.queue, portion, history)
                steps = self._redriven(portion, facts, order, sent, pace)
                yield from self._reported(portion, facts, steps, taken)

    def discard(self, order: LetterOrder) -> Done:
        """Delete letters, and yield what became of each."""
        history = self._history(order.queue)
        with self._taken() as taken:
            letters = self._take(order.queue, order.message_ids, taken, 1)
            for portion in _portions(letters, LARGEST_BATCH):
                facts = self._all_facts(order.queue, portion, history)
                step = LetterStep.PLANNED if order.dry_run else LetterStep.DISCARDED
                if not order.dry_run:
                    self._finish(portion, facts, order, step)
                yield from self._reported(portion, facts, [step] * len(portion), taken)

    def _reported(
        self,
        portion: Sequence[DeadLetter],
        facts: Sequence[LetterFacts],
        steps: Sequence[LetterStep],
        taken: dict[str, DeadLetter],
    ) -> Iterator[tuple[LetterStep, LetterFacts]]:
        """Yield what became of each letter; those that left their queue are not given back."""
        for letter, step in zip(portion, steps, strict=True):
            if step in {LetterStep.REDRIVEN, LetterStep.DISCARDED}:
                taken.pop(letter.message_id, None)
        yield from zip(steps, facts, strict=True)

    def _all_facts(self, queue: str, letters: Sequence[DeadLetter], history: History | None) -> list[LetterFacts]:
        """Return what is known about letters, and why they failed."""
        reasons = self._reasons(queue, letters)
        return [_facts(letter, *reasons[letter.message_id], history) for letter in letters]

    def _reasons(self, queue: str, letters: Sequence[DeadLetter]) -> dict[str, tuple[str | None, str | None]]:
        if queue == RULE:
            return {letter.message_id: undelivered(letter) for letter in letters}
        if queue == TRIGGER:
            return {letter.message_id: invocation_failure(letter) for letter in letters}
        stated = {
            letter.message_id: (letter.attributes[QUARANTINE_CODE], letter.attributes.get(QUARANTINE_REASON))
            for letter in letters
            if QUARANTINE_CODE in letter.attributes
        }
        wanted = [letter.message_id for letter in letters if letter.message_id not in stated]
        kept, missing = self._failures(queue, wanted)
        kept_reasons = {message_id: (one.code, one.sentence) for message_id, one in kept.items()}
        return {**dict.fromkeys(wanted, (None, missing)), **kept_reasons, **stated}

    def _failures(self, queue: str, message_ids: Sequence[str]) -> tuple[Mapping[str, MessageFailure], str]:
        """Return the stored failures, and the sentence for a message without one."""
        try:
            return (self.failures.find_all(queue, message_ids) if message_ids else {}), UNRECORDED
        except AwsCallError as error:  # the letters can be shown all the same
            log.warning("The reasons why messages failed cannot be read: %s", error)
            return {}, f"The reason cannot be read: {error}"

    def _history(self, queue: str) -> History | None:
        try:
            return history_of(self.trail, queue, self.clock.now())
        except AwsCallError as error:
            log.warning("Earlier redrives of messages cannot be read: %s", error)
            return None

    def _redriven(
        self,
        portion: Sequence[DeadLetter],
        facts: Sequence[LetterFacts],
        order: LetterOrder,
        sent: set[str],
        pace: RedrivePace,
    ) -> list[LetterStep]:
        """Send a portion on, and return what became of each of its letters."""
        steps: dict[str, LetterStep] = {}
        chosen: dict[str, DeadLetter] = {}
        for letter in portion:
            # A letter that comes back at once, such as one of a still unknown type, would be sent again and again.
            content = content_of(letter)
            if content in sent or content in chosen:
                steps[letter.message_id] = LetterStep.LEFT
            elif order.dry_run:
                steps[letter.message_id] = LetterStep.PLANNED
            else:
                chosen[content] = letter
        if chosen:
            pace.wait(len(chosen))
            refused = self.queues.send_all(list(chosen.values()))
            steps |= {message_id: _refused(message_id, error) for message_id, error in refused.items()}
            accepted = {one.message_id for one in chosen.values()} - refused.keys()
            sent |= {content for content, letter in chosen.items() if letter.message_id in accepted}
            done = [pair for pair in zip(portion, facts, strict=True) if pair[0].message_id in accepted]
            self._finish([letter for letter, _ in done], [known for _, known in done], order, LetterStep.REDRIVEN)
            steps |= dict.fromkeys(accepted, LetterStep.REDRIVEN)
        return [steps[letter.message_id] for letter in portion]

    def _finish(
        self, letters: Sequence[DeadLetter], facts: Iterable[LetterFacts], order: LetterOrder, step: LetterStep
    ) -> None:
        rows = [self._entry(letter, known, order, step) for letter, known in zip(letters, facts, strict=True)]
        self.trail.add_all(rows)
        self.queues.delete_all(letters)

    def _ordered(self, order: LetterOrder) -> AuditEntry:
        """Return the row that says who ordered what; each letter that is sent on gets a row of its own after it."""
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

    def _entry(self, letter: DeadLetter, facts: LetterFacts, order: LetterOrder, step: LetterStep) -> AuditEntry:
        now = self.clock.now()
        unique = f"{step}#{facts.queue}#{facts.message_id}#{now.isoformat()}"
        said = {"by": order.by, "reason": order.reason, "failure": facts.code}
        about = {"queue": facts.queue, "message_id": facts.message_id, "event_id": facts.event_id}
        # It identifies the message when it comes back under another id.
        content = {"content": content_of(letter)}
        return AuditEntry(
            event_id=str(uuid.uuid5(EVENT_ID_NAMESPACE, unique)),
            event_type=f"contactsync.dead_letter.{step}",
            time=now,
            severity=Severity.INFO,
            source=self.source,
            correlation_id=facts.correlation_id or facts.event_id or facts.message_id,
            entities=(entity("dead-letter", facts.queue),),
            data=json.dumps({**about, "event_type": facts.event_type, **said, **content}),
        )

    @contextmanager
    def _taken(self) -> Iterator[dict[str, DeadLetter]]:
        """Hold the letters that were taken, by message id; at the end give back those that are still in their queue."""
        taken: dict[str, DeadLetter] = {}
        try:
            yield taken
        finally:
            self.queues.give_back(taken.values())

    def _take(
        self, queue: str, wanted: Collection[str] | None, taken: dict[str, DeadLetter], receivers: int
    ) -> Iterator[DeadLetter]:
        missing = set(wanted or ())
        seen: set[str] = set()
        with closing(self.queues.take(queue, receivers)) as letters:
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


def _portions(letters: Iterator[DeadLetter], size: int) -> Iterator[list[DeadLetter]]:
    """Yield portions of `size` letters; if an error follows, the letters before it are yielded first."""
    while True:
        portion: list[DeadLetter] = []
        try:
            for letter in islice(letters, size):
                portion.append(letter)  # noqa: PERF402 -- an error must not take them along
        except ContactSyncError:
            if portion:
                yield portion
            raise
        if not portion:
            return
        yield portion


def _facts(letter: DeadLetter, code: str | None, reason: str | None, history: History | None) -> LetterFacts:
    names = names_of(letter)
    before = history.of(content_of(letter), names.event_id) if history else None
    return LetterFacts(
        letter.queue,
        letter.message_id,
        letter.sent,
        **vars(names),
        code=code,
        reason=reason,
        redriven=before.count if before else None,
        last_redriven=before.last if before else None,
        last_redriven_by=before.by if before else None,
    )


def _refused(message_id: str, error: ContactSyncError) -> LetterStep:
    if isinstance(error, DeadLetterUnreadableError):
        return LetterStep.UNREADABLE
    log.warning("Message %s was not sent on: %s", message_id, error)
    return LetterStep.REFUSED

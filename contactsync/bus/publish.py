"""The one way onto the bus: announcements are checked, enriched, packed into batches and sent."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from typing import Final

from tenacity import RetryError, Retrying, retry_if_result, stop_after_attempt, wait_random_exponential

from contactsync.bus.claims import CLAIM_LIMIT, claim_of
from contactsync.bus.envelope import Announcement, Event, source_of
from contactsync.bus.ports import Claims, Message, Metrics, Refusal, Topic
from contactsync.clock import Clock
from contactsync.errors import (
    AwsCallError,
    ContactSyncError,
    EventInvalidError,
    EventTooLargeError,
    RequestInvalidError,
)

log = logging.getLogger(__name__)

SIZE_LIMIT: Final = 262_144
"""Bytes that SNS accepts in one message, and in one batch altogether (docs/facts.md#size-of-a-message)."""

BATCH_LIMIT: Final = 10
"""Messages that PublishBatch accepts."""


@dataclass(frozen=True)
class PublishResult:
    """What became of announcements: those that the topic accepted, and the codes of those that it did not."""

    taken: tuple[Announcement, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    """AWS's code, or our error's, by event id."""
    for_good: frozenset[str] = frozenset()
    """The refused events that the topic refuses until something is corrected: sending them again does not help."""
    out_of_reach: str | None = None
    """AWS's code, if the topic could not be reached; after that nothing more was tried."""


@dataclass(frozen=True)
class Publisher:
    """The only publisher of announcements; a test makes sure that nothing else publishes."""

    topic: Topic
    claims: Claims | None
    metrics: Metrics
    clock: Clock
    environment: str
    tries: int = 3
    """How many times a message is sent that the topic did not accept for a reason of its own."""

    def publish(self, announcements: Iterable[Announcement]) -> PublishResult:
        """Send everything, and return what was accepted; one that cannot be sent does not stop the others.

        When the topic cannot be reached, nothing more is tried: the caller has other work to do.
        """
        started = self.clock.monotonic()
        known: dict[str, Announcement] = {}
        refused: dict[str, Refusal] = {}
        out_of_reach: ContactSyncError | None = None
        for batch in batches(self._messages(announcements, known, refused)):
            if out_of_reach is None:
                refusals, out_of_reach = self._send(batch)
            else:
                refusals = _all_refused(batch, out_of_reach)
            refused |= {refusal.id: refusal for refusal in refusals}
        taken = tuple(known[event_id] for event_id in known if event_id not in refused)
        for_good = frozenset(event_id for event_id, refusal in refused.items() if not refusal.may_pass)
        values = {"EventsPublished": len(taken), "EventsNotTaken": len(refused), "EventsRefused": len(for_good)}
        self.metrics.record({**values, "PublishTime": self.clock.monotonic() - started})
        codes = {event_id: refusal.code for event_id, refusal in refused.items()}
        return PublishResult(taken, codes, for_good, out_of_reach.code if out_of_reach else None)

    def _messages(
        self, announcements: Iterable[Announcement], known: dict[str, Announcement], refused: dict[str, Refusal]
    ) -> Iterator[Message]:
        for announced in announcements:
            known[announced.id] = announced
            try:
                yield self.message(announced)
            except (ContactSyncError, ValueError) as error:
                reason = error if isinstance(error, ContactSyncError) else _unwritable(announced, error)
                log.error("%s", reason)  # noqa: TRY400 -- the sentence says all
                refused[announced.id] = Refusal(announced.id, reason.code, may_pass=reason.retryable)

    def message(self, announced: Announcement) -> Message:
        """Return the message of an announcement; raise EventTooLargeError when it cannot be made small enough."""
        event = Event(
            specversion="1.0",
            id=announced.id,
            source=source_of(self.environment),
            type=announced.data.event_type,
            time=announced.time,
            subject=announced.subject,
            correlationid=announced.correlation_id,
            severity=getattr(announced.data, "priority", announced.data.severity),
            environment=self.environment,
            data=announced.data,
        )
        whole = _message(event)
        if whole.size <= SIZE_LIMIT:
            return whole
        if self.claims is None:
            raise EventTooLargeError(event_id=event.id, size=whole.size, limit=SIZE_LIMIT)
        data = announced.data.model_dump_json(exclude_none=True).encode()
        if len(data) > CLAIM_LIMIT:
            raise EventTooLargeError(event_id=event.id, size=len(data), limit=CLAIM_LIMIT, has_bucket=True)
        claim = claim_of(event.id, data)
        reference = self.claims.put(claim, data)
        kept = {"dataref": reference, "datasha256": claim.sha256, "datasize": claim.size}
        return _message(event.model_copy(update={"data": None, **kept}))

    def _send(self, batch: Sequence[Message]) -> tuple[list[Refusal], ContactSyncError | None]:
        """Send a batch, repeat what may be accepted later, and return what was not accepted in the end.

        The second value is an error when the topic cannot be reached; botocore has repeated the call by then. SNS does
        not say which message makes a call invalid, so the messages of such a call are sent one by one.
        """
        final: list[Refusal] = []
        left = list(batch)
        attempts = Retrying(
            retry=retry_if_result(bool),
            stop=stop_after_attempt(self.tries),
            wait=wait_random_exponential(multiplier=0.2, max=2),
            sleep=self.clock.sleep,
        )

        def send() -> list[Refusal]:
            nonlocal left
            refusals = self.topic.send(left)
            final.extend(refusal for refusal in refusals if not refusal.may_pass)
            passing = [refusal for refusal in refusals if refusal.may_pass]
            left = [message for message in left if message.id in {refusal.id for refusal in passing}]
            return passing

        try:
            attempts(send)
        except RetryError as error:
            return [*final, *error.last_attempt.result()], None
        except RequestInvalidError as error:
            if len(left) == 1:
                return [*final, *_all_refused(left, error)], None
            refused, down = self._send_singly(left)
            return [*final, *refused], down
        except AwsCallError as error:
            return [*final, *_all_refused(left, error)], error
        return final, None

    def _send_singly(self, messages: Sequence[Message]) -> tuple[list[Refusal], ContactSyncError | None]:
        refused: list[Refusal] = []
        down: ContactSyncError | None = None
        for message in messages:
            refused_now, down = self._send([message]) if down is None else (_all_refused([message], down), down)
            refused += refused_now
        return refused, down


def batches(messages: Iterable[Message]) -> Iterator[list[Message]]:
    """Pack messages in their order, within both limits of PublishBatch."""
    batch: list[Message] = []
    size = 0
    for message in messages:
        if batch and (len(batch) == BATCH_LIMIT or size + message.size > SIZE_LIMIT):
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += message.size
    if batch:
        yield batch


def _all_refused(messages: Iterable[Message], error: ContactSyncError) -> list[Refusal]:
    return [Refusal(message.id, error.code, may_pass=error.retryable) for message in messages]


def _unwritable(announced: Announcement, error: ValueError) -> EventInvalidError:
    """Return our error for what JSON, UTF-8 or the envelope does not accept; the text of `error` may quote a value."""
    return EventInvalidError(event_id=announced.id, problems=[f"it cannot be written ({type(error).__name__})"])


def _message(event: Event) -> Message:
    attributes = {
        "type": event.type,
        "severity": event.severity.value,
        "environment": event.environment,
        "correlation_id": event.correlationid,
        "timestamp": f"{event.time.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
    }
    return Message(event.id, event.as_json(), attributes)

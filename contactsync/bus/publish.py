"""The one way onto the bus: announcements are checked, enriched, packed into batches and sent."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from tenacity import RetryError, Retrying, retry_if_result, stop_after_attempt, wait_random_exponential

from contactsync.bus.envelope import Announcement, Event
from contactsync.bus.ports import Claims, Clock, Message, Metrics, Refusal, Topic
from contactsync.errors import (
    AwsCallError,
    ContactSyncError,
    EventInvalidError,
    EventTooLargeError,
    RequestInvalidError,
)

log = logging.getLogger(__name__)

SIZE_LIMIT: Final = 262_144
"""Bytes that SNS takes in one message, and in one batch altogether (SNS quotas)."""

BATCH_LIMIT: Final = 10
"""Messages that PublishBatch takes."""


@dataclass(frozen=True)
class Published:
    """What became of announcements: those the topic took, and the codes of those it did not."""

    taken: tuple[Announcement, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    """AWS's code, or our error's, by event id."""
    out_of_reach: str | None = None
    """AWS's code, when the topic could not be reached: nothing more was tried then."""


@dataclass(frozen=True)
class Publisher:
    """Publishes announcements; a static check keeps everybody else from doing so."""

    topic: Topic
    claims: Claims | None
    metrics: Metrics
    clock: Clock
    environment: str
    tries: int = 3
    """How often messages are sent that the topic did not take for a reason of its own."""

    def publish(self, announcements: Iterable[Announcement]) -> Published:
        """Send everything, and return what was taken; one that cannot be sent does not keep the others back.

        When the topic is out of reach nothing more is tried: whoever publishes has other things to do.
        """
        started = self.clock.monotonic()
        known: dict[str, Announcement] = {}
        refused: dict[str, str] = {}
        out_of_reach: str | None = None
        for batch in batches(self._messages(announcements, known, refused)):
            if out_of_reach is None:
                refused_now, out_of_reach = self._send(batch)
                refused |= refused_now
            else:
                refused |= {message.id: out_of_reach for message in batch}
        taken = tuple(known[event_id] for event_id in known if event_id not in refused)
        values = {"EventsPublished": len(taken), "EventsNotTaken": len(refused)}
        self.metrics.record({**values, "PublishTime": self.clock.monotonic() - started})
        return Published(taken, refused, out_of_reach)

    def _messages(
        self, announcements: Iterable[Announcement], known: dict[str, Announcement], refused: dict[str, str]
    ) -> Iterator[Message]:
        for announced in announcements:
            known[announced.id] = announced
            try:
                yield self.message(announced)
            except (ContactSyncError, ValueError) as error:
                reason = error if isinstance(error, ContactSyncError) else _unwritable(announced, error)
                log.error("%s", reason)  # noqa: TRY400 -- the sentence says all
                refused[announced.id] = reason.code

    def message(self, announced: Announcement) -> Message:
        """Return the message of an announcement; raise EventTooLargeError when it cannot be made small enough."""
        event = Event(
            specversion="1.0",
            id=announced.id,
            source=f"/contactsync/{self.environment}",
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
        reference = self.claims.put(event.id, announced.data.model_dump_json(exclude_none=True).encode())
        return _message(event.model_copy(update={"data": None, "dataref": reference}))

    def _send(self, batch: Sequence[Message]) -> tuple[dict[str, str], str | None]:
        """Send a batch, what may be taken later again, and return what was not taken in the end.

        Beside it AWS's code when the topic is out of reach; botocore has tried again already then. SNS does not say
        which message makes a call invalid: the messages of such a call are sent one by one.
        """
        final: dict[str, str] = {}
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
            final.update({refusal.id: refusal.code for refusal in refusals if not refusal.may_pass})
            passing = [refusal for refusal in refusals if refusal.may_pass]
            left = [message for message in left if message.id in {refusal.id for refusal in passing}]
            return passing

        try:
            attempts(send)
        except RetryError as error:
            return final | {refusal.id: refusal.code for refusal in error.last_attempt.result()}, None
        except RequestInvalidError as error:
            if len(left) == 1:
                return final | {left[0].id: error.code}, None
            refused, down = self._send_singly(left)
            return final | refused, down
        except AwsCallError as error:
            return final | {message.id: error.code for message in left}, error.code
        return final, None

    def _send_singly(self, messages: Sequence[Message]) -> tuple[dict[str, str], str | None]:
        refused: dict[str, str] = {}
        down: str | None = None
        for message in messages:
            refused_now, down = self._send([message]) if down is None else ({message.id: down}, down)
            refused |= refused_now
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


def _unwritable(announced: Announcement, error: ValueError) -> EventInvalidError:
    """Return our error for what JSON, UTF-8 or the envelope does not take; the text of `error` may quote a value."""
    return EventInvalidError(event_id=announced.id, problems=[f"it cannot be written ({type(error).__name__})"])


def _message(event: Event) -> Message:
    attributes = {"type": event.type, "severity": event.severity.value, "environment": event.environment}
    return Message(event.id, event.as_json(), attributes)

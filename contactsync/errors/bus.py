"""Events of the bus that cannot be published, or not be read."""

from collections.abc import Sequence
from dataclasses import dataclass

from contactsync.errors.refusals import said
from contactsync.errors.remedies import HEALTH, Remedy, RemedyStep
from contactsync.errors.root import ContactSyncError


@dataclass(eq=False)
class EventInvalidError(ContactSyncError):
    """An event lacks what its envelope or its type requires; trying again cannot help."""

    event_id: str | None
    problems: Sequence[str]

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        which = f"Event {self.event_id}" if self.event_id else "A message"
        return f"{which} is not a valid event: {said(self.problems)} Compare it with docs/events.md."


@dataclass(eq=False)
class EventTypeUnknownError(ContactSyncError):
    """An event has a type or a version that this version of contactsync does not know."""

    event_id: str | None
    event_type: str

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"Event {self.event_id} has the type {self.event_type}, which this version of contactsync does not know. "
            "The event is kept: update contactsync, then `contactsync dead-letters redrive QUEUE --all`."
        )


@dataclass(eq=False)
class EventForeignError(ContactSyncError):
    """An event of another environment, or of another product, was on this environment's bus."""

    event_id: str
    source: str
    environment: str
    expected: str

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"Event {self.event_id} comes from {self.source} (environment {self.environment}), but this is the bus of "
            f"environment {self.expected}. The event is not handled. Find what wrongly publishes to this topic (its "
            "CONTACTSYNC_EVENTS_TOPIC_ARN, and who may do sns:Publish), then discard this message."
        )


@dataclass(eq=False)
class ClaimRefusedError(ContactSyncError):
    """The data of an event, stored in the bucket for claim checks, is not what was published."""

    event_id: str
    problem: str

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"The data of event {self.event_id} in the bucket for claim checks cannot be used: {self.problem}. The "
            "event is not handled. Find out what happened to the object (docs/events.md). Put the published object "
            "back and redrive this message, or discard this message."
        )


@dataclass(eq=False)
class EventTooLargeError(ContactSyncError):
    """An event is larger than the bus accepts, without a bucket, or than the bucket accepts; sizes in bytes."""

    event_id: str
    size: int
    limit: int
    has_bucket: bool = False

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        if self.has_bucket:
            return (
                f"Event {self.event_id} has {self.size} bytes of data; the bucket for claim checks takes at most "
                f"{self.limit} bytes. The event cannot be published. What it announces is stored in contactsync's "
                "tables."
            )
        return (
            f"Event {self.event_id} has {self.size} bytes; a message takes at most {self.limit} bytes, and no bucket "
            "for claim checks is set. Set CONTACTSYNC_CLAIM_BUCKET (docs/settings.md)."
        )


@dataclass(eq=False)
class PublishFailedError(ContactSyncError):
    """The bus did not accept events, or they could not be removed from the outbox afterwards; they stay there."""

    failed: int
    """Number of events."""
    causes: Sequence[str]
    """AWS's codes or those of our errors, each once."""
    lasting: Sequence[str] = ()
    """The causes that do not pass by themselves: somebody has to correct something."""
    events: Sequence[str] = ()
    """The first events, with type and cause."""

    transient = True
    remedy = Remedy(
        "Events could not be sent over the bus; they are kept, and the DAG contact_housekeeping sends them again.",
        (
            RemedyStep(
                "If the sentence above names a cause that does not pass by itself, fix that cause (docs/events.md)."
            ),
            HEALTH,
        ),
    )

    @property
    def retryable(self) -> bool:
        """Whether some of the events may be published when they are sent again."""
        return bool(set(self.causes) - set(self.lasting))

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        unreadable = {"EventInvalid", "EventTypeUnknown"} & set(self.causes)
        more = (
            " The log names the events that this version cannot read or write; an update of contactsync may help."
            if unreadable
            else ""
        )
        then = "The DAG contact_housekeeping sends them again."
        if self.lasting:
            then = (
                f"{', '.join(self.lasting)} does not pass by itself: check the topic for events, its key and its "
                "policy, and this role's permissions (docs/events.md). Then the DAG contact_housekeeping sends the "
                "events."
            )
        return (
            f"{self.failed} events are left in the outbox ({', '.join(self.causes)}): the bus did not take them, or "
            f"they could not be removed afterwards.{self._named} {then}{more}"
        )

    @property
    def _named(self) -> str:
        more = f" and {self.failed - len(self.events)} more" if self.failed > len(self.events) else ""
        return f" They are {', '.join(self.events)}{more}." if self.events else ""


@dataclass(eq=False)
class DeadLetterQueueUnknownError(ContactSyncError):
    """No dead-letter queue has this name."""

    queue: str
    known: Sequence[str]

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"There is no dead-letter queue {self.queue}; there are {', '.join(self.known)}. "
            "CONTACTSYNC_DEAD_LETTER_QUEUES names them (docs/settings.md)."
        )


@dataclass(eq=False)
class DeadLetterMissingError(ContactSyncError):
    """The named messages are not in the queue, or another process has received them."""

    queue: str
    message_ids: Sequence[str]

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"The dead-letter queue {self.queue} did not return {', '.join(self.message_ids)}. `contactsync "
            f"dead-letters list {self.queue}` shows the messages in the queue. If another command is reading a "
            "message, the message comes back after five minutes."
        )


@dataclass(eq=False)
class DeadLetterUnreadableError(ContactSyncError):
    """A dead letter does not have what its function could be called with again."""

    queue: str
    message_id: str
    problem: str

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"Message {self.message_id} of the dead-letter queue {self.queue} cannot be sent again: {self.problem}. "
            f"Look at it with `contactsync dead-letters show {self.queue} {self.message_id}`, then discard it."
        )


@dataclass(eq=False)
class DeadLetterSourceError(ContactSyncError):
    """It is not known where the messages of a dead-letter queue should have been handled."""

    queue: str
    sources: int
    """Number of queues that name this one as their dead-letter queue."""

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"Messages of the dead-letter queue {self.queue} cannot be sent on, and stay in the queue: exactly one "
            f"queue must name it in its redrive policy, and {self.sources} queues do. Fix the redrive policy "
            f"(RedrivePolicy, infra/bus.yaml), then run `contactsync dead-letters redrive {self.queue} --all` again."
        )


@dataclass(eq=False)
class OutOfTimeError(ContactSyncError):
    """A subscriber's function has too little time left to begin with a message."""

    seconds: float
    """Seconds that are left."""

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"The function had {self.seconds:.0f} s left, so it did not start to handle the message; the message is "
            "delivered again. The messages before took long: see their lines in this log."
        )


@dataclass(eq=False)
class NoticeUndeliveredError(ContactSyncError):
    """A channel has not accepted a notice for a day."""

    notice_id: str
    scenario: str
    channels: Sequence[str]
    tries: int
    """Number of times that the notice was sent."""

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"Notice {self.notice_id} ({self.scenario}) was not accepted by {', '.join(self.channels)}, in "
            f"{self.tries} tries. Check the notices topic and its subscriptions, then `contactsync dead-letters "
            "redrive notices --all`."
        )

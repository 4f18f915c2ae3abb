"""What the bus needs from the outside, and nothing more."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol

from contactsync.bus.envelope import Announcement, Event
from contactsync.errors import ContactSyncError

if TYPE_CHECKING:
    from contactsync.bus.audit import AuditEntry
    from contactsync.bus.consume import Failure
    from contactsync.bus.letters import DeadLetter


class Clock(Protocol):
    """Tells the time and passes it."""

    def now(self) -> datetime:
        """Return the current time, in UTC."""

    def sleep(self, seconds: float) -> None:
        """Wait."""

    def monotonic(self) -> float:
        """Return seconds that only ever grow."""


@dataclass(frozen=True)
class Message:
    """A message as the topic takes it: the body, and the attributes that subscriptions filter by."""

    id: str
    body: str
    attributes: Mapping[str, str]

    @property
    def size(self) -> int:
        """The bytes that count against SNS's limit: the body and the attributes with their names and types."""
        attributes = (len(f"{name}{ATTRIBUTE_TYPE}{value}".encode()) for name, value in self.attributes.items())
        return len(self.body.encode()) + sum(attributes)


ATTRIBUTE_TYPE = "String"


@dataclass(frozen=True)
class Refusal:
    """A message of a batch that the topic did not take."""

    id: str
    code: str
    may_pass: bool
    """Whether the same message may be taken later: the fault is not the sender's."""


class Topic(Protocol):
    """Where messages go out to all subscribers."""

    def send(self, messages: Sequence[Message]) -> list[Refusal]:
        """Send up to 10 messages of together at most 262,144 bytes, and return those that were not taken.

        Raises an AwsCallError when the call as a whole failed.
        """


@dataclass(frozen=True)
class Claim:
    """What is kept elsewhere: whose data it is, and which."""

    event_id: str
    sha256: str
    size: int
    """Bytes."""


class Claims(Protocol):
    """Where data is kept that does not fit into a message."""

    def put(self, claim: Claim, data: bytes) -> str:
        """Keep the data, and return the reference that goes into the event."""

    def get(self, claim: Claim, reference: str) -> bytes:
        """Return the data of a reference, and no more bytes than the claim has; its digest is not checked here.

        Raises ClaimRefusedError for a reference that this place did not give out for the claim, and for data that is
        gone or larger; an AwsCallError when that cannot be known.
        """


FAR_AHEAD: Final = timedelta(days=1)
"""No clock of ours is so wrong: an entry of the outbox with a later time is no young one, and would wait for ever."""


@dataclass(frozen=True)
class OutboxEntry:
    """An announcement that was stored with the change it announces, until it is published."""

    key: tuple[str, str]
    announcement: Announcement
    refusals: int = 0
    """How often housekeeping was refused it for good."""


@dataclass(frozen=True)
class UnreadableEntry:
    """What stands in the outbox, and this version cannot read."""

    key: tuple[str, str]
    code: str
    reason: str
    event_id: str | None = None
    event_type: str | None = None
    refusals: int = 0


@dataclass(frozen=True)
class SetAside:
    """An entry that nobody can publish, and why: it is kept beside the outbox."""

    key: tuple[str, str]
    code: str
    reason: str
    event_id: str | None
    event_type: str | None
    is_about_delivery: bool = False
    """Whether it is itself the notice of events that could not be delivered, of which nobody is told once more."""


class Outbox(Protocol):
    """The announcements that are not known to be published."""

    def entries(
        self, before: datetime, unreadable: Callable[[UnreadableEntry], object] = lambda _: None
    ) -> Iterator[OutboxEntry]:
        """Yield what was announced before a moment, over all pages, the oldest of each part first.

        What has a time more than FAR_AHEAD after it, or none, is yielded last: nobody would look at it else.
        An entry that cannot be read is logged, left where it is, and given to `unreadable`.
        """

    def remove(self, announcements: Iterable[Announcement]) -> None:
        """Remove what was published; what is not there does not matter."""

    def refused(self, key: tuple[str, str]) -> None:
        """Count one more refusal of an entry; one that is gone does not matter."""

    def set_aside(self, entry: SetAside) -> None:
        """Move an entry out of the outbox, as it stands, in one transaction; one that is gone does not matter."""


class Metrics(Protocol):
    """Counts and times for CloudWatch."""

    def record(self, values: Mapping[str, float]) -> None:
        """Record values by metric name; a failure is logged and never raised. Names that end in Time are seconds."""


class Once(Protocol):
    """Remembers which events a subscriber has handled."""

    def run(self, event: Event, effect: Callable[[], None]) -> None:
        """Call `effect` unless a call for the same event id has ended well; raise what it raises.

        Raises also while another call for the same event is under way, or when nothing can be remembered. After a
        crash between the effect and its being remembered, the effect comes again.
        """


class Quarantine(Protocol):
    """Where messages go that a subscriber cannot read yet."""

    def send(self, body: str, attributes: Mapping[str, str]) -> None:
        """Keep a message; raise an AwsCallError when it was not taken."""


class AuditTrail(Protocol):
    """Everything that happened, append-only."""

    def add(self, entry: "AuditEntry") -> None:
        """Add an entry; one that is there already is left as it is."""

    def add_all(self, entries: Sequence["AuditEntry"]) -> None:
        """Add entries in few calls; after an error some may be there."""

    def about(
        self, entity: str, *, since: datetime | None = None, until: datetime | None = None, limit: int | None = None
    ) -> Iterator["AuditEntry"]:
        """Yield the entries about an entity from `since` on and before `until`, the newest first, over all pages."""

    def correlated(self, correlation_id: str, *, limit: int | None = None) -> Iterator["AuditEntry"]:
        """Yield the entries that one cause brought about, each once, the newest first."""

    def during(
        self, since: datetime, until: datetime, *, limit: int | None = None, oldest_first: bool = False
    ) -> Iterator["AuditEntry"]:
        """Yield the entries of a period, each once, the newest first; a period is read day by day."""


class Failures(Protocol):
    """Why messages failed, by subscriber and SQS message id; forgotten after some weeks."""

    def remember(self, subscriber: str, message_id: str, failure: "Failure") -> None:
        """Keep the latest failure of a message."""

    def find(self, subscriber: str, message_id: str) -> "Failure | None":
        """Return it; None also for one that cannot be read."""

    def find_all(self, subscriber: str, message_ids: Sequence[str]) -> Mapping[str, "Failure"]:
        """Return those of many messages in few calls, by message id; what is not there is left out."""


@dataclass(frozen=True)
class QueueCounts:
    """How many messages a queue holds, approximately."""

    waiting: int
    in_flight: int
    """Taken by somebody and neither deleted nor given back."""


class DeadLetterQueues(Protocol):
    """The queues of what could not be delivered or handled, by their names."""

    @property
    def names(self) -> Sequence[str]:
        """The names, in a fixed order."""

    def counts(self, queue: str) -> QueueCounts:
        """Count the messages of a queue."""

    def take(self, queue: str, receivers: int = 1) -> Generator["DeadLetter", None, None]:
        """Yield every message of a queue; nobody else gets it for some minutes, or until it is given back.

        Up to so many pages are asked for at a time, ahead of what is yielded. Closed half-way it keeps nothing that it
        has not yielded.
        One that is still in the queue after these minutes may be yielded again: only its newest receipt is good then.
        """

    def give_back(self, letters: Iterable["DeadLetter"]) -> None:
        """Let others take messages at once that were only looked at."""

    def send_on(self, letter: "DeadLetter") -> None:
        """Send a message where it was to be handled, and return when it was accepted there.

        Raises DeadLetterUnreadableError for one that nobody could handle, DeadLetterSourceError when nobody can tell
        where the messages of its queue were to be handled, and an AwsCallError.
        """

    def send_all(self, letters: Sequence["DeadLetter"]) -> Mapping[str, ContactSyncError]:
        """Send messages of one queue on in few calls, and return why some were not accepted, by message id.

        Raises as `send_on` does when that concerns all of them, and nothing was accepted.
        """

    def delete(self, letter: "DeadLetter") -> None:
        """Delete a message; one that is gone already does not matter."""

    def delete_all(self, letters: Sequence["DeadLetter"]) -> None:
        """Delete messages of one queue in few calls; raise an AwsCallError when one of them could not be deleted."""

"""What the bus needs from the outside, and nothing more."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from contactsync.bus.envelope import Announcement, Event


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


class HandledOnce(Protocol):
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

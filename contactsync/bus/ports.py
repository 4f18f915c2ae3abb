"""What the bus needs from outside, and nothing more."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from contactsync.bus.envelope import Announcement, Event


@dataclass(frozen=True)
class Message:
    """A message for the topic: the body, and the attributes that subscriptions filter by."""

    id: str
    body: str
    attributes: Mapping[str, str]

    @property
    def size(self) -> int:
        """Number of bytes that count towards SNS's limit: the body, and the attributes with their names and types."""
        attributes = (len(f"{name}{ATTRIBUTE_TYPE}{value}".encode()) for name, value in self.attributes.items())
        return len(self.body.encode()) + sum(attributes)


ATTRIBUTE_TYPE = "String"


@dataclass(frozen=True)
class Refusal:
    """A message of a batch that the topic did not accept."""

    id: str
    code: str
    may_pass: bool
    """Whether the same message may be accepted later: the cause is not in the message."""


class Topic(Protocol):
    """The topic that sends messages to all subscribers."""

    def send(self, messages: Sequence[Message]) -> list[Refusal]:
        """Send up to 10 messages of at most 262,144 bytes together, and return those that were not accepted.

        Raises an AwsCallError when the whole call failed.
        """


@dataclass(frozen=True)
class Claim:
    """The description of data that is kept elsewhere: its event, digest and size."""

    event_id: str
    sha256: str
    size: int
    """Number of bytes."""


class Claims(Protocol):
    """The storage for data that does not fit into a message."""

    def put(self, claim: Claim, data: bytes) -> str:
        """Store the data, and return the reference that goes into the event."""

    def get(self, claim: Claim, reference: str) -> bytes:
        """Return the data of a reference, at most as many bytes as the claim says; its digest is not checked here.

        Raises ClaimRefusedError for a reference that this storage did not return for the claim, and for data that is
        gone or too large; an AwsCallError when the storage cannot be asked.
        """


FAR_AHEAD: Final = timedelta(days=1)
"""No clock of ours is wrong by more: an entry with a later time is not new, and would otherwise wait for ever."""


@dataclass(frozen=True)
class OutboxEntry:
    """An announcement that was stored with the change that it announces, and is not known to be published."""

    key: tuple[str, str]
    announcement: Announcement
    refusals: int = 0
    """How often the topic refused it for good when housekeeping sent it."""


@dataclass(frozen=True)
class UnreadableEntry:
    """An item of the outbox that this version cannot read."""

    key: tuple[str, str]
    code: str
    reason: str
    event_id: str | None = None
    event_type: str | None = None
    refusals: int = 0
    """How often housekeeping has found it unreadable before."""


@dataclass(frozen=True)
class SetAside:
    """An entry that cannot be published, and why; it is kept beside the outbox."""

    key: tuple[str, str]
    code: str
    reason: str
    event_id: str | None
    event_type: str | None
    is_about_delivery: bool = False
    """Whether it is itself the notice about undeliverable events; no further notice is sent about it."""


class Outbox(Protocol):
    """The announcements that are not known to be published."""

    def entries(
        self, before: datetime, unreadable: Callable[[UnreadableEntry], object] = lambda _: None
    ) -> Iterator[OutboxEntry]:
        """Yield what was announced before this time, over all pages, the oldest of each part first.

        Entries whose time is more than FAR_AHEAD after it, or that have no time, are yielded last: otherwise nothing
        would ever read them. An entry that cannot be read is logged, kept, and given to `unreadable`.
        """

    def remove(self, announcements: Iterable[Announcement]) -> None:
        """Remove what was published; entries that no longer exist are ignored."""

    def refused(self, key: tuple[str, str]) -> None:
        """Count one more refusal of an entry; one that no longer exists is ignored."""

    def set_aside(self, entry: SetAside) -> None:
        """Move an entry out of the outbox, unchanged, in one transaction; one that no longer exists is ignored."""


class Metrics(Protocol):
    """Metrics for CloudWatch: counts and times."""

    def record(self, values: Mapping[str, float]) -> None:
        """Record values by metric name; a failure is logged and never raised. Names that end in Time are seconds."""


class HandledOnce(Protocol):
    """The memory of which events a subscriber has handled."""

    def run(self, event: Event, effect: Callable[[], None]) -> None:
        """Call `effect` unless an earlier call for this event id ended well; raise what it raises.

        Raises also while another call for the same event is running, or when the memory cannot be used. After a crash
        between the effect and storing it, the effect is called again.
        """


class Quarantine(Protocol):
    """The place for messages that a subscriber cannot handle yet."""

    def send(self, body: str, attributes: Mapping[str, str]) -> None:
        """Keep a message; raise an AwsCallError when it was not accepted."""

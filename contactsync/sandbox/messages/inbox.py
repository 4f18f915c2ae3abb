"""What people would have received: e-mails, text messages, chat messages and User Notifications, kept in memory."""

import threading
from collections import Counter, deque
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

CAPACITY = 10_000  # messages


class Channel(StrEnum):
    """How a message reaches people; the control API and the command line use these values."""

    EMAIL = "email"
    SMS = "sms"
    CHAT = "chat"
    USER_NOTIFICATIONS = "user-notifications"


@dataclass(frozen=True)
class InboxMessage:
    """One message to one recipient."""

    sequence: int
    time: datetime
    channel: Channel
    recipient: str
    subject: str | None
    text: str
    origin: str
    """The ARN of the topic or of the notification configuration; empty for a text message to a number."""

    def as_json(self) -> dict[str, Any]:
        """Describe it for the control API."""
        return {**asdict(self), "time": self.time.isoformat()}


@dataclass(frozen=True)
class Drop:
    """A message that AWS would have dropped without an error to its sender, and why."""

    recipient: str
    reason: str


class Inbox:
    """The received messages, added by many threads; above `capacity` the oldest ones are dropped."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._lock = threading.Lock()
        self._messages: deque[InboxMessage] = deque(maxlen=capacity)
        self._dropped: Counter[Drop] = Counter()
        self._last_sequence = 0

    def put(self, channel: Channel, recipient: str, *, text: str, origin: str, subject: str | None = None) -> None:
        """Store a message with the current time."""
        with self._lock:
            self._last_sequence += 1
            now = datetime.now(UTC)
            self._messages.append(InboxMessage(self._last_sequence, now, channel, recipient, subject, text, origin))

    def drop(self, recipient: str, reason: str) -> None:
        """Count a message that never arrives."""
        with self._lock:
            self._dropped[Drop(recipient, reason)] += 1

    def messages(self, *, channel: str | None = None, since: int | datetime | None = None) -> list[InboxMessage]:
        """List the messages, oldest first; with `since`, only those after this sequence number or time."""
        with self._lock:
            kept = list(self._messages)
        return [message for message in kept if channel in (None, message.channel) and _is_after(message, since)]

    def dropped(self) -> list[dict[str, Any]]:
        """List the dropped messages, with how many there were for each recipient and reason."""
        with self._lock:
            return [{**asdict(drop), "count": count} for drop, count in self._dropped.items()]

    def clear(self) -> None:
        """Forget all messages and drops; sequence numbers continue."""
        with self._lock:
            self._messages.clear()
            self._dropped.clear()


def _is_after(message: InboxMessage, since: int | datetime | None) -> bool:
    if since is None:
        return True
    return message.time > since if isinstance(since, datetime) else message.sequence > since

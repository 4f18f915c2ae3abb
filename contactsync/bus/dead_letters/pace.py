"""How fast a command sends: at most so many messages a second, in batches as large as the rate allows."""

import math
from dataclasses import dataclass, field
from typing import Final

from contactsync.clock import Clock

LARGEST_BATCH: Final = 10
"""Messages that SQS and SNS accept in one call."""

BATCHES_PER_SECOND: Final = 5
"""Batches a second: if the rate needs no more than this, each batch has one message, so that they are sent evenly."""


@dataclass
class RedrivePace:
    """The waits before each batch, so that no more than `rate` messages a second are sent over time."""

    clock: Clock
    rate: float
    """Messages per second, more than 0."""
    sent: int = 0
    """Number of messages sent so far."""
    _began: float | None = field(default=None, init=False)
    """The monotonic time in seconds when the first batch was sent."""
    _due: float = field(default=0.0, init=False)
    """The monotonic time in seconds from which on the next batch may be sent."""

    @property
    def batch(self) -> int:
        """Number of messages that a batch may have."""
        return min(LARGEST_BATCH, max(1, math.floor(self.rate / BATCHES_PER_SECOND)))

    @property
    def reached(self) -> float:
        """Messages per second so far; the rate itself before anything was sent."""
        seconds = self.clock.monotonic() - self._began if self._began is not None else 0
        return self.sent / seconds if seconds > 0 else self.rate

    def wait(self, messages: int) -> None:
        """Wait for the turn of a batch of so many messages."""
        now = self.clock.monotonic()
        if self._began is None:
            self._began = self._due = now
        if self._due > now:
            self.clock.sleep(self._due - now)
        self._due = max(self._due, now) + messages / self.rate
        self.sent += messages

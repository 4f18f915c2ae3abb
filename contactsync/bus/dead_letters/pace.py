"""How fast a command sends: so many a second at most, in batches as large as the rate allows."""

import math
from dataclasses import dataclass, field
from typing import Final

from contactsync.clock import Clock

LARGEST_BATCH: Final = 10
"""Messages that SQS and SNS take in one call."""

BATCHES_PER_SECOND: Final = 5
"""At a rate for which this is enough a batch has one message: what is sent slowly is sent evenly."""


@dataclass
class RedrivePace:
    """Waits before each batch, so that no more than `rate` messages a second are sent over time."""

    clock: Clock
    rate: float
    sent: int = 0
    """How many messages were let through."""
    _began: float | None = field(default=None, init=False)
    _due: float = field(default=0.0, init=False)

    @property
    def batch(self) -> int:
        """How many messages a batch may have."""
        return min(LARGEST_BATCH, max(1, math.floor(self.rate / BATCHES_PER_SECOND)))

    @property
    def reached(self) -> float:
        """The messages per second so far; the rate itself before there was a second batch to wait for."""
        seconds = self.clock.monotonic() - self._began if self._began is not None else 0
        return self.sent / seconds if seconds > 0 else self.rate

    def wait(self, messages: int) -> None:
        """Wait for the turn of a batch."""
        now = self.clock.monotonic()
        if self._began is None:
            self._began = self._due = now
        if self._due > now:
            self.clock.sleep(self._due - now)
        self._due = max(self._due, now) + messages / self.rate
        self.sent += messages

"""The clock that everything else is given."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """A clock that returns the time and can wait."""

    def now(self) -> datetime:
        """Return the current time, in UTC."""

    def sleep(self, seconds: float) -> None:
        """Wait for so many seconds."""

    def monotonic(self) -> float:
        """Return seconds that only increase, to measure how long something took."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the current time, in UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Wait for so many seconds."""
        time.sleep(seconds)

    def monotonic(self) -> float:
        """Return the seconds of a clock that cannot be set."""
        return time.monotonic()

"""A rate of calls, and the turns that a limiter gives for it."""

import math
import random
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Final, Protocol, Self

from pydantic import Field

from contactsync.sections.section import Section

MICROSECONDS: Final = 1_000_000
LARGEST_SKEW: Final = 10
"""Seconds by which the clocks of workers may differ at most."""

LONGEST_WAIT: Final = 3600
"""Seconds that `max_wait` can be at most."""


class Rate(Section):
    """Calls per second, and how many calls may come at once after a quiet time."""

    rate: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]
    """Calls per second."""
    burst: Annotated[int, Field(ge=1, le=10_000, strict=True)]
    """Number of calls that may come at once."""


class Rates(Protocol):
    """How many calls of each API operation a caller may make."""

    @property
    def enabled(self) -> bool:
        """Whether calls wait for a turn at all."""

    @property
    def api_operations(self) -> tuple[str, ...]:
        """All API operations that have a rate, by AWS's names."""

    def pace(self, api: str) -> "Pace":
        """Return the rate of one operation in the limiter's units."""


@dataclass(frozen=True)
class Pace:
    """A rate as the generic cell rate algorithm, in microseconds (en.wikipedia.org/wiki/Generic_cell_rate_algorithm).

    The limiter stores one number, the theoretical arrival time of the next call. Calls that come one interval apart
    keep it close to the present; each call adds an interval, and may be early by the tolerance.
    """

    interval: int
    """Microseconds between two calls at a steady rate."""
    tolerance: int
    """Microseconds by which a call may be early: room for a burst."""
    longest: int
    """Microseconds that a call waits for its turn at most."""

    @classmethod
    def of(cls, rate: Rate, max_wait: float) -> Self:
        """Return the pace of a rate, for calls that wait at most `max_wait` seconds for their turn."""
        interval = math.ceil(MICROSECONDS / Fraction(rate.rate))
        return cls(interval, tolerance=(rate.burst - 1) * interval, longest=int(max_wait * MICROSECONDS))

    def wait(self, arrival: int, now: int) -> int:
        """Return how many microseconds a call has to wait that finds this theoretical arrival time."""
        return max(0, arrival - self.tolerance - now)

    def last_arrival(self, now: int) -> int:
        """Return the latest theoretical arrival time, in microseconds, at which a call may still wait in the queue."""
        return now + self.tolerance + self.longest

    def impossible_arrival(self, now: int) -> int:
        """Return a time in microseconds that no queue reaches; a later one comes from a worker with a wrong clock."""
        return now + self.tolerance + 2 * int(LONGEST_WAIT * MICROSECONDS)


def jitter(seconds: float) -> float:
    """Return a random time of at most so many seconds, so that many tasks do not come back at once."""
    return random.uniform(0, seconds)  # noqa: S311 -- nothing secret

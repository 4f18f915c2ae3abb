"""How many calls per second AWS allows, as configuration (https://docs.aws.amazon.com/accounts/latest/reference/quotas.html)."""

import math
import random
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Annotated, Final

from pydantic import Field

from contactsync.sync.calls import ApiOperation
from contactsync.sync.section import Section

MICROSECONDS: Final = 1_000_000
LARGEST_SKEW: Final = 10
"""Seconds by which the clocks of workers may differ at most."""

LONGEST_WAIT: Final = 3600
"""The most that `max_wait` can be, in seconds."""


class RatePreset(StrEnum):
    """AWS's partitions have quotas of their own."""

    COMMERCIAL = "commercial"
    CHINA = "china"


class Rate(Section):
    """Calls per second, and how many may come at once after a pause."""

    rate: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]
    burst: Annotated[int, Field(ge=1, le=10_000, strict=True)]


QUOTAS: Final[dict[RatePreset, dict[ApiOperation, Rate]]] = {
    RatePreset.COMMERCIAL: {
        ApiOperation.GET_ALTERNATE_CONTACT: Rate(rate=10, burst=15),
        ApiOperation.GET_CONTACT_INFORMATION: Rate(rate=10, burst=15),
        ApiOperation.PUT_ALTERNATE_CONTACT: Rate(rate=5, burst=8),
        ApiOperation.PUT_CONTACT_INFORMATION: Rate(rate=5, burst=8),
        ApiOperation.DELETE_ALTERNATE_CONTACT: Rate(rate=1, burst=6),
    },
    RatePreset.CHINA: {
        ApiOperation.GET_ALTERNATE_CONTACT: Rate(rate=3, burst=5),
        ApiOperation.GET_CONTACT_INFORMATION: Rate(rate=3, burst=5),
        ApiOperation.PUT_ALTERNATE_CONTACT: Rate(rate=1, burst=6),
        ApiOperation.PUT_CONTACT_INFORMATION: Rate(rate=1, burst=2),
        ApiOperation.DELETE_ALTERNATE_CONTACT: Rate(rate=1, burst=6),
    },
}


class RatesConfig(Section):
    """The pace of calls; times in seconds."""

    enabled: bool = True
    preset: RatePreset = RatePreset.COMMERCIAL
    operations: dict[ApiOperation, Rate] = Field(default_factory=dict)
    """Instead of the preset's, for single operations."""
    clock_skew: Annotated[float, Field(ge=0, le=LARGEST_SKEW, allow_inf_nan=False)] = 1
    """How far the clocks of workers may differ; so much is taken off the bursts."""
    max_wait: Annotated[float, Field(gt=0, le=LONGEST_WAIT, allow_inf_nan=False)] = 60
    """The longest wait for a turn inside a task; beyond it the task is rescheduled."""

    def quota(self, operation: ApiOperation) -> Rate:
        """Return AWS's quota for this operation."""
        return self.operations.get(operation) or QUOTAS[self.preset][operation]

    def paced(self, operation: ApiOperation) -> Rate:
        """Return what the limiter gives out: AWS's burst minus rate times clock skew.

        Where AWS's burst is smaller than that plus one, single calls go out, and so much more slowly that AWS never
        sees too many: rate and skew together are what the burst has to hold.
        """
        quota = self.quota(operation)
        skewed = quota.rate * self.clock_skew
        slower = min(1.0, quota.burst / (1 + skewed))
        return Rate(rate=quota.rate * slower, burst=max(1, int(quota.burst - skewed)))

    def pace(self, operation: ApiOperation) -> "Pace":
        """Return the same in the limiter's terms."""
        paced = self.paced(operation)
        interval = math.ceil(MICROSECONDS / Fraction(paced.rate))
        return Pace(interval, tolerance=(paced.burst - 1) * interval, longest=int(self.max_wait * MICROSECONDS))


@dataclass(frozen=True)
class Pace:
    """The generic cell rate algorithm in whole microseconds (https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm).

    The limiter stores one number, the theoretical arrival time of the next call. Calls that come one interval apart
    keep it close to the present; each call adds an interval, and may be early by the tolerance.
    """

    interval: int
    tolerance: int
    longest: int

    def wait(self, arrival: int, now: int) -> int:
        """Return how long a call has to wait that finds this theoretical arrival time."""
        return max(0, arrival - self.tolerance - now)

    def last_arrival(self, now: int) -> int:
        """Return the latest theoretical arrival time at which a call may still queue."""
        return now + self.tolerance + self.longest

    def impossible_arrival(self, now: int) -> int:
        """Return a time that no queue reaches: behind it stands a worker whose clock was far ahead."""
        return now + self.tolerance + 2 * int(LONGEST_WAIT * MICROSECONDS)


def jitter(seconds: float) -> float:
    """Return up to so many seconds, so that many tasks do not come back together."""
    return random.uniform(0, seconds)  # noqa: S311 -- nothing secret

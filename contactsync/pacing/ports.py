"""What all workers share for pacing."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from contactsync.pacing.breaker import BreakerState, Bucket, CallCounts, Transition
from contactsync.pacing.rates import Rates


class Limiter(Protocol):
    """The limiter, which gives turns for calls to all workers of one caller account; `api` is AWS's name of one."""

    def reserve(self, api: str, rates: Rates) -> float:
        """Reserve the next turn and return the seconds until then.

        Raises WaitingError, and reserves nothing, when that would be longer than the pace allows (`Pace.longest`).
        """


class Breakers(Protocol):
    """The circuit breakers of one caller account, one for each API operation, shared by all workers."""

    def get(self, api: str) -> BreakerState:
        """Return a breaker, read consistently; a closed one of version 0 when nothing is stored."""

    def change(self, api: str, step: Callable[[BreakerState], BreakerState]) -> BreakerState:
        """Store what `step` returns for the stored state, and return it.

        `step` is called again when another worker was faster. Nothing is written when it returns an equal state.
        """

    def count(self, api: str, bucket: Bucket, counts: CallCounts) -> None:
        """Add to the counts of a bucket."""

    def call_counts(self, api: str, newest: Bucket) -> list[CallCounts]:
        """Return the counts of a window's buckets, read consistently, newest first; empty buckets are left out.

        The newest bucket has only begun, so one more bucket than BUCKETS is read for a whole window.
        """

    def transitions(self, since: datetime) -> list[Transition]:
        """Return the known changes of phase from `since` on, oldest first."""

    def access_checked(self) -> datetime | None:
        """Return when any worker last confirmed that it may call, or None."""

    def store_access_check(self, moment: datetime) -> None:
        """Store when a worker confirmed that it may call."""

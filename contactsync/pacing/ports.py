"""What pacing shares between all workers."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from contactsync.pacing.breaker import BreakerState, Bucket, CallCounts, Transition
from contactsync.pacing.rates import Rates


class Limiter(Protocol):
    """Gives out the turns of calls, to all workers of one caller account together; operations have AWS's names."""

    def reserve(self, api: str, rates: Rates) -> float:
        """Reserve the next turn and return the seconds until then.

        Raises PausedError, and reserves nothing, when that would be longer than the pace allows (`Pace.longest`).
        """


class Breakers(Protocol):
    """The circuit breakers of one caller account, one for each API operation, shared by all workers."""

    def get(self, api: str) -> BreakerState:
        """Return a breaker, read consistently; a closed one of version 0 when nothing is stored."""

    def change(self, api: str, step: Callable[[BreakerState], BreakerState]) -> BreakerState:
        """Store what `step` makes of the stored state, and return it.

        `step` is called again when somebody else was faster, and nothing is written when it returns what it was given.
        """

    def count(self, api: str, bucket: Bucket, tally: CallCounts) -> None:
        """Add to the calls of a bucket."""

    def tallies(self, api: str, newest: Bucket) -> list[CallCounts]:
        """Return the calls of a window's buckets, read consistently, newest first; empty buckets are left out.

        The window is whole with the bucket before the `BUCKETS` newest ones, as the newest has only begun.
        """

    def transitions(self, since: datetime) -> list[Transition]:
        """Return what is known of the changes of phase from `since` on, oldest first."""

    def access_checked(self) -> datetime | None:
        """Return when any worker has last found that it may call, or None."""

    def store_access_check(self, moment: datetime) -> None:
        """Store that a worker found so."""

"""Fakes of the ports Limiter and Breakers, with the conditions of the real adapters; threads may share them."""

import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from contactsync.clock import Clock
from contactsync.errors import StateConflictError, WaitingError
from contactsync.pacing.breaker import BUCKETS, BreakerState, Bucket, CallCounts, Transition
from contactsync.pacing.guarded_calls import CallGuard
from contactsync.pacing.rates import Rates
from tests.support.fakes.surroundings import FakeClock

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class FakeLimiterItems:
    """What the limiter's items hold: a theoretical arrival time in microseconds for each API operation."""

    arrivals: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass
class FakeLimiter:
    """The limiter as one worker's clock sees it; workers share the limiters. `error` meets every reservation."""

    clock: Clock
    limiters: FakeLimiterItems = field(default_factory=FakeLimiterItems)
    error: Exception | None = None
    reserved: list[str] = field(default_factory=list)

    def reserve(self, api: str, rates: Rates) -> float:
        """Reserve the next turn and return the seconds until then."""
        if self.error:
            raise self.error
        pace = rates.pace(api)
        now = (self.clock.now() - EPOCH) // timedelta(microseconds=1)
        with self.limiters.lock:
            arrival = self.limiters.arrivals.get(api, 0)
            if not now <= arrival <= pace.impossible_arrival(now):
                arrival = now
            wait = pace.wait(arrival, now) / 1e6
            if arrival > pace.last_arrival(now):
                raise WaitingError(cause="Backlog", resume_in=wait)
            self.limiters.arrivals[api] = arrival + pace.interval
        self.reserved.append(api)
        return wait


@dataclass
class FakeBreakers:
    """Breakers in memory; `error` meets every method while it is set."""

    states: dict[str, BreakerState] = field(default_factory=dict)
    counters: defaultdict[tuple[str, Bucket], CallCounts] = field(default_factory=lambda: defaultdict(CallCounts))
    checked: datetime | None = None
    error: Exception | None = None
    tries: int = 5
    reads: int = 0
    writes: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, api: str) -> BreakerState:
        """Return a breaker."""
        self._called(reads=1)
        return self.states.get(api) or BreakerState(api)

    def change(self, api: str, step: Callable[[BreakerState], BreakerState]) -> BreakerState:
        """Store what `step` makes of the stored state; it may itself let somebody else be faster."""
        for _ in range(self.tries):
            stored = self.get(api)
            state = step(stored)
            with self.lock:
                if state == stored or self.states.get(api, BreakerState(api)).version == stored.version:
                    return self._store(state, stored)
        raise StateConflictError(item=f"The breaker of {api}", tries=self.tries)

    def _store(self, state: BreakerState, stored: BreakerState) -> BreakerState:
        if state != stored:
            self._called(writes=1)
            assert state.version == stored.version + 1
            self.states[state.api_operation] = state
        return state

    def count(self, api: str, bucket: Bucket, outcome_counts: CallCounts) -> None:
        """Add to the calls of a bucket."""
        with self.lock:
            self._called(writes=1)
            self.counters[api, bucket] += outcome_counts

    def call_counts(self, api: str, newest: Bucket) -> list[CallCounts]:
        """Return the calls of a window's buckets, newest first."""
        with self.lock:
            self._called(reads=1)
            keys = ((api, newest.earlier(count)) for count in range(BUCKETS + 1))
            return [self.counters[key] for key in keys if key in self.counters]

    def transitions(self, since: datetime) -> list[Transition]:
        """Return all breakers' transitions in the order of time."""
        self._called(reads=1)
        found = [change for state in self.states.values() for change in state.transitions if change.time >= since]
        return sorted(found, key=lambda change: change.time)

    def access_checked(self) -> datetime | None:
        """Return the time that was stored."""
        self._called(reads=1)
        return self.checked

    def store_access_check(self, moment: datetime) -> None:
        """Store the time."""
        self._called(writes=1)
        self.checked = moment

    def _called(self, reads: int = 0, writes: int = 0) -> None:
        if self.error:
            raise self.error
        self.reads += reads
        self.writes += writes


def call_guard(
    clock: FakeClock | None = None, limiter: FakeLimiter | None = None, breakers: FakeBreakers | None = None
) -> CallGuard:
    """Return a guard of fakes; without a limiter of the test's the limiter begins idle."""
    clock = clock or FakeClock()
    return CallGuard(
        limiter or FakeLimiter(clock), breakers or FakeBreakers(), clock, throttle_tries=6, throttle_wait=8.0
    )

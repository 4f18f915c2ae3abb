"""Workers that call through guards of fakes, and the service that they call."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from contactsync.account_management.api_operations import ApiOperation
from contactsync.configuration.schema import Configuration
from contactsync.errors import (
    AccessDeniedError,
    ServiceUnavailableError,
    ThrottledError,
    WaitingError,
)
from contactsync.pacing.breaker import CallCounts, Phase
from contactsync.pacing.guarded_calls import GuardedCalls
from tests.support.builders import configuration
from tests.support.fakes.pacing import FakeBreakers, FakeLimiter, call_guard
from tests.support.fakes.surroundings import FakeClock

GET, PUT = ApiOperation.GET_ALTERNATE_CONTACT, ApiOperation.PUT_ALTERNATE_CONTACT
ACCOUNT = "200000000001"
THROTTLED = ThrottledError(PUT, "TooManyRequestsException", ACCOUNT)
UNAVAILABLE = ServiceUnavailableError(PUT, "InternalServerException", ACCOUNT)
DENIED = AccessDeniedError(PUT, "AccessDeniedException", ACCOUNT)
TABLE_THROTTLED = ThrottledError("UpdateItem", "ProvisionedThroughputExceededException")


@dataclass
class Service:
    """What is called: answers and errors in their turn, then `done`."""

    script: Iterator[Exception | None] = field(default_factory=lambda: iter(()))
    calls: int = 0

    def __call__(self) -> str:
        """Answer."""
        self.calls += 1
        error = next(self.script, None)
        if error:
            raise error
        return "done"


def service(*script: Exception | None) -> Service:
    """Return a service that answers so, None being a good answer."""
    return Service(iter(script))


@dataclass
class Workers:
    """Tasks of one run: they share a clock, limiter and breakers, and each has its own gate."""

    settings: Configuration = field(default_factory=lambda: configuration(breaker={"threshold": 3}))
    clock: FakeClock = field(default_factory=FakeClock)
    breakers: FakeBreakers = field(default_factory=FakeBreakers)

    def __post_init__(self) -> None:
        """Share the limiter."""
        self.limiter = FakeLimiter(self.clock)

    def guarded_calls(self) -> GuardedCalls:
        """Return another task's guard."""
        return call_guard(self.clock, self.limiter, self.breakers).guarded_calls(self.settings)

    def open(self) -> None:
        """Let the service fail until the breaker of PUT opens."""
        guarded = self.guarded_calls()
        for _ in range(3):
            with pytest.raises((ServiceUnavailableError, WaitingError)):
                guarded.call(PUT, service(UNAVAILABLE))
        assert self.phase is Phase.OPEN

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.time += timedelta(seconds=seconds)

    @property
    def phase(self) -> Phase:
        """The phase of PUT's breaker."""
        return self.breakers.get(PUT).phase

    @property
    def outcome_counts(self) -> CallCounts:
        """What is counted of PUT."""
        return sum(
            (outcome_counts for (api, _), outcome_counts in self.breakers.counters.items() if api is PUT), CallCounts()
        )

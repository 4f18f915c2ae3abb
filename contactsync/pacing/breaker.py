"""The circuit breaker: calls of one API operation wait while its service fails them for everyone."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final, Self

from pydantic import Field

from contactsync.sections.section import Section

Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]

KEPT_TRANSITIONS: Final = 20
"""Number of transitions that are kept: as many as a report can show, so that the item stays small."""

BUCKETS: Final = 12
"""Number of buckets in a window: a sudden outage is known after about one of them."""

RECOVERED: Final = "Recovered"
PROBE: Final = "Probe"
RESET: Final = "Reset"


@dataclass(frozen=True)
class CallCounts:
    """Number of calls that failed and of calls that were answered, in one bucket."""

    failures: int = 0
    answers: int = 0

    def __add__(self, other: "CallCounts") -> "CallCounts":
        """Return the sum."""
        return CallCounts(self.failures + other.failures, self.answers + other.answers)


@dataclass(frozen=True)
class Bucket:
    """A part of the window, in which calls are counted."""

    episode: int
    """The breaker's episode: calls that began before a recovery say nothing about the time after it."""
    number: int
    """Its number, counted in buckets since 1970."""
    seconds: float
    """How many seconds it lasts."""

    @property
    def end(self) -> float:
        """The end, in seconds since 1970."""
        return (self.number + 1) * self.seconds

    def earlier(self, count: int) -> "Bucket":
        """Return the bucket that is `count` buckets before it."""
        return replace(self, number=self.number - count)


class BreakerConfig(Section):
    """When calls have to wait, and how they continue; times in seconds."""

    enabled: bool = True
    threshold: Annotated[int, Field(ge=1, le=10_000, strict=True)] = 20
    """Number of service errors and timeouts of one API operation within `window` that opens the breaker."""
    failure_ratio: Annotated[float, Field(gt=0, le=1)] = 0.5
    """The smallest share of failed calls that opens it, among the newest calls that have `threshold` failures."""
    window: Seconds = 60
    """Seconds in which calls are counted."""
    open_for: Seconds = 15
    """Seconds for which it stays open before one account may probe."""
    probe_lease: Seconds = 60
    """Seconds after which a probe without a report counts as dead, so that another account may probe."""
    max_pause: Seconds = 1800
    """The longest wait in seconds; after it the operation is halted."""
    check_interval: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)] = 1
    """Seconds for which a confirmed access is trusted when an account is denied.

    Denied calls go on for so long after trusted access was switched off, and Organizations is asked no more often.
    """

    def trips(self, newest_first: Iterable[CallCounts]) -> bool:
        """Return whether the calls in a window's buckets open a closed breaker.

        Only the newest buckets that together have `threshold` failures are judged. Otherwise answers from before a
        sudden outage would delay its discovery, and the first accounts would use up their retries.
        """
        seen = CallCounts()
        for counts in newest_first:
            seen += counts
            if seen.failures >= self.threshold:
                return seen.failures >= self.failure_ratio * (seen.failures + seen.answers)
        return False

    def bucket_at(self, now: datetime, episode: int) -> Bucket:
        """Return the bucket that contains this time."""
        return Bucket(episode, int(now.timestamp() // self.bucket_seconds), self.bucket_seconds)

    @property
    def bucket_seconds(self) -> float:
        """Length of a bucket in seconds."""
        return self.window / BUCKETS

    @property
    def silence(self) -> float:
        """The longest time in seconds between two probes of an outage for which a task waits.

        A probe may keep its lease to the end, and a waiting task needs about a window to come back.
        """
        return self.open_for + self.probe_lease + self.window


class Phase(StrEnum):
    """Whether calls are made."""

    CLOSED = "closed"
    """All calls are made."""
    OPEN = "open"
    """No call is made."""
    HALF_OPEN = "half_open"
    """One call is made, to see whether the service works again."""


@dataclass(frozen=True)
class Transition:
    """A change of phase, for reports."""

    api_operation: str
    time: datetime
    before: Phase
    after: Phase
    cause: str
    """An AWS code, or why calls are made again."""


@dataclass(frozen=True)
class BreakerState:
    """What all workers know about one API operation; every change gives a new state, and an equal state is no change.

    Times come from workers whose clocks differ and can be set. So differences of times are used without their sign: no
    clock makes a task wait longer than twice the configured time.
    """

    api_operation: str
    version: int = 0
    """Number of stored changes; 0 when nothing is stored."""
    phase: Phase = Phase.CLOSED
    episode: int = 0
    """Number of recoveries."""
    since: datetime | None = None
    """When the outage began; a failed probe does not change it."""
    tried: datetime | None = None
    """When the breaker opened, or the latest probe began."""
    cause: str | None = None
    """The AWS code of the latest failure."""
    probe: str | None = None
    """The token of the task that probes."""
    transitions: tuple[Transition, ...] = ()
    """The newest KEPT_TRANSITIONS, oldest first."""

    def tripped(self, now: datetime, cause: str, episode: int) -> Self:
        """Open after too many failures of calls that began in `episode`."""
        if self.phase is not Phase.CLOSED or self.episode != episode:
            return self
        return self._moved(Phase.OPEN, now, cause, since=now, tried=now, cause=cause)

    def claimed(self, token: str, now: datetime, config: BreakerConfig) -> Self:
        """Let the holder of `token` probe, if it is time and nobody else probes.

        If nobody has tried for a long time, it may be another outage: its time starts again.
        """
        if self.phase is Phase.CLOSED or self.seconds_to_wait(now, config) > 0:
            return self
        since = now if _apart(now, self.tried) > config.silence else self.since
        if self.phase is Phase.HALF_OPEN:
            return replace(self, version=self.version + 1, since=since, tried=now, probe=token)
        return self._moved(Phase.HALF_OPEN, now, PROBE, since=since, tried=now, probe=token)

    def succeeded(self, token: str, now: datetime) -> Self:
        """Close, if the holder of `token` is still the one that probes."""
        if not self.is_probed_by(token):
            return self
        episode = self.episode + 1
        return self._moved(
            Phase.CLOSED, now, RECOVERED, episode=episode, since=None, tried=None, cause=None, probe=None
        )

    def failed(self, token: str, now: datetime, cause: str) -> Self:
        """Open again, if the holder of `token` is still the one that probes; the outage continues."""
        if not self.is_probed_by(token):
            return self
        since = min(now, self.since or now)
        return self._moved(Phase.OPEN, now, cause, since=since, tried=now, cause=cause, probe=None)

    def released(self, token: str) -> Self:
        """End the probe of the holder of `token`, so that another task may probe at once."""
        if not self.is_probed_by(token):
            return self
        return replace(self, version=self.version + 1, probe=None)

    def restarted(self, now: datetime, config: BreakerConfig) -> Self:
        """Start the time of an outage that has lasted too long again, and allow a probe at once."""
        if not self.is_overdue(now, config):
            return self
        if self.phase is Phase.HALF_OPEN:
            return replace(self, version=self.version + 1, since=now)
        return self._moved(Phase.HALF_OPEN, now, RESET, since=now, tried=now, probe=None)

    def is_probed_by(self, token: str) -> bool:
        """Return whether the holder of `token` probes, however long ago it began."""
        return self.phase is Phase.HALF_OPEN and self.probe == token

    def is_overdue(self, now: datetime, config: BreakerConfig) -> bool:
        """Return whether the outage has lasted longer than calls may wait."""
        return self.since is not None and now - self.since > timedelta(seconds=config.max_pause)

    def seconds_to_wait(self, now: datetime, config: BreakerConfig) -> float:
        """Return the seconds until the next call or probe may begin."""
        if self.phase is Phase.CLOSED or (self.phase is Phase.HALF_OPEN and self.probe is None):
            return 0.0
        rest = config.open_for if self.phase is Phase.OPEN else config.probe_lease
        return max(0.0, rest - _apart(now, self.tried))

    def _moved(self, phase: Phase, now: datetime, why: str, **changes: Any) -> Self:  # noqa: ANN401 -- fields of this class
        transition = Transition(self.api_operation, now, self.phase, phase, why)
        transitions = (*self.transitions, transition)[-KEPT_TRANSITIONS:]
        return replace(self, version=self.version + 1, phase=phase, transitions=transitions, **changes)


def _apart(one: datetime, other: datetime | None) -> float:
    return abs((one - other).total_seconds()) if other else float("inf")

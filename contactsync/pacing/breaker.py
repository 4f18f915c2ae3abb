"""The circuit breaker: calls of one API operation pause while its service fails them for everyone."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final, Self

from pydantic import Field

from contactsync.sections.section import Section

Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]

KEPT_TRANSITIONS: Final = 20
"""As many as a report can show; the state's item stays small."""

BUCKETS: Final = 12
"""So many stretches a window is counted in: a sudden outage is known after one of them, about."""

RECOVERED: Final = "Recovered"
PROBE: Final = "Probe"
RESET: Final = "Reset"


@dataclass(frozen=True)
class CallCounts:
    """How many calls failed and how many were answered, within a bucket."""

    failures: int = 0
    answers: int = 0

    def __add__(self, other: "CallCounts") -> "CallCounts":
        """Add up."""
        return CallCounts(self.failures + other.failures, self.answers + other.answers)


@dataclass(frozen=True)
class Bucket:
    """A stretch of the window in which calls are counted."""

    episode: int
    """Which one of the breaker: calls that began before a recovery say nothing about the time after it."""
    number: int
    """Since 1970, counting in buckets."""
    seconds: float

    @property
    def end(self) -> float:
        """The end, in seconds since 1970."""
        return (self.number + 1) * self.seconds

    def earlier(self, count: int) -> "Bucket":
        """Return the one so many buckets before it."""
        return replace(self, number=self.number - count)


class BreakerConfig(Section):
    """When calls pause and how they resume; times in seconds."""

    enabled: bool = True
    threshold: Annotated[int, Field(ge=1, le=10_000, strict=True)] = 20
    """How many service errors and timeouts of one API operation within `window` open it."""
    failure_ratio: Annotated[float, Field(gt=0, le=1)] = 0.5
    """The least share of failed calls that opens it, among the newest calls that hold `threshold` failures."""
    window: Seconds = 60
    open_for: Seconds = 15
    """How long it stays open before one account may probe."""
    probe_lease: Seconds = 60
    """After this long a probe that did not report counts as dead, and another account may probe."""
    max_pause: Seconds = 1800
    """The longest pause; then the operation is halted."""
    check_interval: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)] = 1
    """For how long a confirmed permission to call is trusted when an account is denied.

    So long denied calls go on after trusted access was switched off, and so often Organizations is asked at most.
    """

    def trips(self, newest_first: Iterable[CallCounts]) -> bool:
        """Tell whether the calls of a window's buckets open a closed breaker.

        Only the newest buckets that together hold `threshold` failures are judged: what was answered before a sudden
        outage does not delay its discovery, by which time the first accounts would have used up their retries.
        """
        seen = CallCounts()
        for tally in newest_first:
            seen += tally
            if seen.failures >= self.threshold:
                return seen.failures >= self.failure_ratio * (seen.failures + seen.answers)
        return False

    def bucket_at(self, now: datetime, episode: int) -> Bucket:
        """Return the bucket that a moment lies in."""
        return Bucket(episode, int(now.timestamp() // self.bucket_seconds), self.bucket_seconds)

    @property
    def bucket_seconds(self) -> float:
        """How long a bucket lasts."""
        return self.window / BUCKETS

    @property
    def silence(self) -> float:
        """The longest time in seconds between two probes of an outage that somebody waits for.

        A probe may hold its lease to the end, and a paused task needs some time to come back: a window, about.
        """
        return self.open_for + self.probe_lease + self.window


class Phase(StrEnum):
    """Whether calls are made."""

    CLOSED = "closed"
    """All are."""
    OPEN = "open"
    """None is."""
    HALF_OPEN = "half_open"
    """One is, to see whether the service is back."""


@dataclass(frozen=True)
class Transition:
    """A change of phase, for people to look at."""

    operation: str
    time: datetime
    before: Phase
    after: Phase
    cause: str
    """An AWS code, or why calls are let through again."""


@dataclass(frozen=True)
class BreakerState:
    """What all workers know of one API operation; every change is a new state, and the same state means no change.

    Times come from workers whose clocks differ, and that can be set. Distances in time are therefore taken without
    their sign: no clock makes anybody wait for longer than twice the configured time.
    """

    operation: str
    version: int = 0
    """Counts the stored changes; 0 when nothing is stored."""
    phase: Phase = Phase.CLOSED
    episode: int = 0
    """Counts the recoveries."""
    since: datetime | None = None
    """When the outage began; it stays when a probe fails."""
    tried: datetime | None = None
    """When the breaker opened, or the latest probe began."""
    cause: str | None = None
    """The AWS code of the latest failure."""
    probe: str | None = None
    """The token of whoever probes."""
    transitions: tuple[Transition, ...] = ()
    """The newest, oldest first."""

    def tripped(self, now: datetime, cause: str, episode: int) -> Self:
        """Open, after too many failures of calls that began in `episode`."""
        if self.phase is not Phase.CLOSED or self.episode != episode:
            return self
        return self._moved(Phase.OPEN, now, cause, since=now, tried=now, cause=cause)

    def claimed(self, token: str, now: datetime, config: BreakerConfig) -> Self:
        """Let the holder of `token` probe, when it is time and nobody else does.

        When nobody has tried for long, nobody knows whether it is the same outage: its time is counted again.
        """
        if self.phase is Phase.CLOSED or self.pause(now, config) > 0:
            return self
        since = now if _apart(now, self.tried) > config.silence else self.since
        if self.phase is Phase.HALF_OPEN:
            return replace(self, version=self.version + 1, since=since, tried=now, probe=token)
        return self._moved(Phase.HALF_OPEN, now, PROBE, since=since, tried=now, probe=token)

    def succeeded(self, token: str, now: datetime) -> Self:
        """Close, when the holder of `token` still is the one who probes."""
        if not self.is_probed_by(token):
            return self
        episode = self.episode + 1
        return self._moved(
            Phase.CLOSED, now, RECOVERED, episode=episode, since=None, tried=None, cause=None, probe=None
        )

    def failed(self, token: str, now: datetime, cause: str) -> Self:
        """Open again, when the holder of `token` still is the one who probes; the outage goes on."""
        if not self.is_probed_by(token):
            return self
        since = min(now, self.since or now)
        return self._moved(Phase.OPEN, now, cause, since=since, tried=now, cause=cause, probe=None)

    def released(self, token: str) -> Self:
        """Let somebody else probe at once."""
        if not self.is_probed_by(token):
            return self
        return replace(self, version=self.version + 1, probe=None)

    def restarted(self, now: datetime, config: BreakerConfig) -> Self:
        """Count the time of an outage that has lasted too long again, and allow a probe at once."""
        if not self.is_overdue(now, config):
            return self
        if self.phase is Phase.HALF_OPEN:
            return replace(self, version=self.version + 1, since=now)
        return self._moved(Phase.HALF_OPEN, now, RESET, since=now, tried=now, probe=None)

    def is_probed_by(self, token: str) -> bool:
        """Tell whether the holder of `token` probes, however long ago it began."""
        return self.phase is Phase.HALF_OPEN and self.probe == token

    def is_overdue(self, now: datetime, config: BreakerConfig) -> bool:
        """Tell whether the outage has lasted for longer than calls may pause."""
        return self.since is not None and now - self.since > timedelta(seconds=config.max_pause)

    def pause(self, now: datetime, config: BreakerConfig) -> float:
        """Return the seconds until the next call or probe may begin."""
        if self.phase is Phase.CLOSED or (self.phase is Phase.HALF_OPEN and self.probe is None):
            return 0.0
        rest = config.open_for if self.phase is Phase.OPEN else config.probe_lease
        return max(0.0, rest - _apart(now, self.tried))

    def _moved(self, phase: Phase, now: datetime, why: str, **changes: Any) -> Self:  # noqa: ANN401 -- fields of this class
        transition = Transition(self.operation, now, self.phase, phase, why)
        transitions = (*self.transitions, transition)[-KEPT_TRANSITIONS:]
        return replace(self, version=self.version + 1, phase=phase, transitions=transitions, **changes)


def _apart(one: datetime, other: datetime | None) -> float:
    return abs((one - other).total_seconds()) if other else float("inf")

"""The guard of every paced call: breaker, limiter, and repeated tries of throttled calls."""

import logging
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_attempt, wait_random_exponential

from contactsync.clock import Clock
from contactsync.errors import (
    AwsCallError,
    AwsSetupError,
    ContactSyncError,
    CredentialsError,
    CredentialsUnreachableError,
    OutageError,
    ServiceUnavailableError,
    ThrottledError,
    WaitingError,
)
from contactsync.pacing.breaker import BreakerConfig, BreakerState, Bucket, CallCounts, Phase
from contactsync.pacing.ports import Breakers, Limiter
from contactsync.pacing.rates import Rates, jitter

T = TypeVar("T")

log = logging.getLogger(__name__)


class PacingSettings(Protocol):
    """The part of a configuration that is about calls."""

    @property
    def rates(self) -> Rates:
        """How many calls may be made."""

    @property
    def breaker(self) -> BreakerConfig:
        """When calls wait because the service fails."""


@dataclass(frozen=True)
class CallGuard:
    """The source of guarded calls, with the ports that they share; times in seconds."""

    limiter: Limiter
    breakers: Breakers
    clock: Clock
    throttle_tries: int
    """How many times a call is made that AWS throttles, before its task waits outside of its worker."""
    throttle_wait: float
    """The longest wait between two of these tries, in seconds."""
    glance: float = 1.0
    """Seconds for which a guard uses what it has read about a breaker."""
    long_wait: float = 5.0
    """Seconds: a wait of at least this length is logged."""

    def guarded_calls(self, settings: PacingSettings) -> "GuardedCalls":
        """Return the guard of one task, with its operation's configuration."""
        return GuardedCalls(self, settings)


class GuardedCalls:
    """The calls of one task; they are made in one thread, which ends them with `finish`.

    What is written about a call *after* AWS has answered is bookkeeping: if that fails it is logged, and AWS's answer
    is returned all the same. What is read *before* a call is not: without it there is no call.
    """

    def __init__(self, keeper: CallGuard, settings: PacingSettings) -> None:
        self._keeper = keeper
        self._clock = keeper.clock
        self._rates, self._breaker = settings.rates, settings.breaker
        self._token = secrets.token_hex(16)
        self._seen: dict[str, tuple[float, BreakerState]] = {}
        self._answers: Counter[tuple[str, Bucket]] = Counter()

    def __enter__(self) -> Self:
        """Return the guard."""
        return self

    def __exit__(self, *_: object) -> None:
        """Call `finish`, whatever happened."""
        self.finish()

    def call(self, api: str, call: Callable[[], T], *, before: Callable[[], object] = lambda: None) -> T:
        """Make one call when it is its turn, and again while AWS throttles it, which means that it was not carried out.

        `before` is called immediately before each try; its errors are raised unchanged. Raises WaitingError when the
        turn is too far away or the service fails for everyone, and OutageError when it has failed for too long. If an
        error of the call opened the breaker, it is the cause (`__cause__`) of the error that is raised.
        """
        tries = Retrying(
            retry=retry_if_result(lambda answer: isinstance(answer, ThrottledError)),
            stop=stop_after_attempt(self._keeper.throttle_tries),
            wait=wait_random_exponential(multiplier=1, max=self._keeper.throttle_wait),
            sleep=self._clock.sleep,
            retry_error_callback=_last_answer,
        )
        answer: T | ThrottledError = tries(self._try, api, call, before)
        if isinstance(answer, ThrottledError):
            wait = self._keeper.throttle_wait
            raise WaitingError(cause=answer.code, resume_in=wait + jitter(wait)) from answer
        return answer

    def finish(self) -> None:
        """Report what was counted, and let others probe if this task has not; never raises."""
        for api, (_, state) in self._seen.items():
            with self._bookkeeping(api):
                if state.is_probed_by(self._token):
                    self._change(api, lambda state: state.released(self._token))
                self._report_answers(api)

    def reset(self) -> None:
        """Start the time of outages that have lasted too long again, so that calls may wait and probe again.

        For an operation that begins, or that an operator has cleared; shorter outages are not changed.
        """
        now = self._clock.now()
        for api in self._rates.api_operations if self._breaker.enabled else ():
            self._change(api, lambda state: state.restarted(now, self._breaker))

    def _try(self, api: str, call: Callable[[], T], before: Callable[[], object]) -> T | ThrottledError:
        self._admit(api)
        if self._take_turn(api):
            self._admit(api)
        before()
        try:
            answer: T | ThrottledError = call()
        except ThrottledError as error:
            answer = error
        except ServiceUnavailableError as error:
            if no_call := self._count_failure(api, error):
                raise no_call from error
            raise
        except AwsCallError as error:
            if _is_answer(api, error):
                self._count_answer(api)
            raise
        self._count_answer(api)
        return answer

    def _take_turn(self, api: str) -> bool:
        """Wait for a turn, and return whether that took time."""
        if not self._rates.enabled:
            return False
        wait = self._keeper.limiter.reserve(api, self._rates)
        if wait <= 0:
            return False
        if wait >= self._keeper.long_wait:
            log.info("%s waits %.1f s for its turn (AWS's quota).", api, wait)
        self._report_before(wait)
        self._clock.sleep(wait)
        return True

    def _admit(self, api: str) -> None:
        if not self._breaker.enabled:
            return
        state, now = self._look(api), self._clock.now()
        if state.seconds_to_wait(now, self._breaker) == 0 and not self._may_call(state):
            state = self._change(api, lambda state: state.claimed(self._token, now, self._breaker))
        if not self._may_call(state):
            raise self._no_call_error(api, state)

    def _may_call(self, state: BreakerState) -> bool:
        if state.phase is Phase.CLOSED:
            return True
        return state.is_probed_by(self._token) and state.seconds_to_wait(self._clock.now(), self._breaker) > 0

    def _no_call_error(self, api: str, state: BreakerState) -> ContactSyncError:
        """Return an error that says why there is no call now, and for how long."""
        now, cause = self._clock.now(), state.cause or "Unknown"
        if state.is_overdue(now, self._breaker):
            return OutageError(api_operation=api, cause=cause, seconds=self._breaker.max_pause)
        wait = min(state.seconds_to_wait(now, self._breaker), self._breaker.open_for)
        return WaitingError(cause=cause, resume_in=wait + jitter(self._breaker.open_for))

    def _look(self, api: str) -> BreakerState:
        """Return the breaker as it was at most `glance` seconds ago."""
        now = self._clock.monotonic()
        read, state = self._seen.get(api, (None, None))
        if read is None or state is None or now - read >= self._keeper.glance:
            state = self._keeper.breakers.get(api)
            self._seen[api] = (now, state)
        return state

    def _change(self, api: str, step: Callable[[BreakerState], BreakerState]) -> BreakerState:
        state = self._keeper.breakers.change(api, step)
        self._seen[api] = (self._clock.monotonic(), state)
        return state

    def _count_answer(self, api: str) -> None:
        """Close the breaker if this was the probe; else count the answer in this process until the bucket ends."""
        if not self._breaker.enabled:
            return
        now, (_, state) = self._clock.now(), self._seen[api]
        if state.is_probed_by(self._token):
            with self._bookkeeping(api):
                self._change(api, lambda state: state.succeeded(self._token, now))
            return
        bucket = self._breaker.bucket_at(now, state.episode)
        if any(counted[0] == api and counted[1] != bucket for counted in self._answers):
            with self._bookkeeping(api):
                self._report_answers(api)
        self._answers[api, bucket] += 1

    def _count_failure(self, api: str, error: AwsCallError) -> ContactSyncError | None:
        """Return why the task has to wait, if this failure or an earlier one has opened the breaker."""
        if not self._breaker.enabled:
            return None
        with self._bookkeeping(api):
            self._report_answers(api)
            state = self._change(api, self._after_failure(api, error))
            if state.phase is not Phase.CLOSED:
                return self._no_call_error(api, state)
        return None

    def _after_failure(self, api: str, error: AwsCallError) -> Callable[[BreakerState], BreakerState]:
        now, (_, seen) = self._clock.now(), self._seen[api]
        if seen.is_probed_by(self._token):
            return lambda state: state.failed(self._token, now, error.code)
        bucket = self._breaker.bucket_at(now, seen.episode)
        self._keeper.breakers.count(api, bucket, CallCounts(failures=1))
        if self._breaker.trips(self._keeper.breakers.call_counts(api, bucket)):
            return lambda state: state.tripped(now, error.code, seen.episode)
        return lambda state: state

    def _report_before(self, wait: float) -> None:
        """Report the counts before a wait of a bucket or more: other tasks judge the newest buckets in that time."""
        if self._breaker.enabled and wait >= self._breaker.bucket_seconds:
            for api in {counted[0] for counted in self._answers}:
                with self._bookkeeping(api):
                    self._report_answers(api)

    def _report_answers(self, api: str) -> None:
        for key in [key for key in self._answers if key[0] == api]:
            self._keeper.breakers.count(*key, CallCounts(answers=self._answers[key]))
            del self._answers[key]

    @contextmanager
    def _bookkeeping(self, api: str) -> Iterator[None]:
        try:
            yield
        except ContactSyncError as error:
            log.warning("The results of calls were not stored at the breaker of %s: %s", api, error)


_UNASKED = (AwsSetupError, CredentialsError, CredentialsUnreachableError)


def _is_answer(api: str, error: AwsCallError) -> bool:
    """Return whether the service itself answered, such as denied, invalid or an unknown code: then it works.

    Not when it was never called: without valid credentials, or when STS refused to assume the role.
    """
    return error.api_operation == api and not isinstance(error, _UNASKED)


def _last_answer(tries: RetryCallState) -> ThrottledError | None:
    return tries.outcome.result() if tries.outcome else None

"""What the guard counts for the breaker: failures at once, answers in time for others to judge."""

from dataclasses import dataclass

import pytest

from contactsync.errors import (
    AccessDeniedError,
    AwsCallError,
    CredentialsMissingError,
    RequestInvalidError,
    ServiceUnavailableError,
    UnexpectedAwsError,
    WaitingError,
)
from contactsync.pacing.breaker import CallCounts, Phase
from tests.support.builders import configuration
from tests.support.fakes.pacing import call_guard
from tests.support.worlds.workers import (
    ACCOUNT,
    DENIED,
    GET,
    PUT,
    THROTTLED,
    UNAVAILABLE,
    Workers,
    service,
)


def test_throttling_is_an_answer(workers: Workers) -> None:
    """Throttling opens nothing: a service that throttles lives."""
    with pytest.raises(WaitingError):
        workers.guarded_calls().call(PUT, service(*[THROTTLED] * 10))
    assert workers.phase is Phase.CLOSED
    assert workers.outcome_counts.failures == 0


@pytest.mark.parametrize(
    "error",
    [
        DENIED,
        RequestInvalidError(PUT, "ValidationException", ACCOUNT),
        UnexpectedAwsError(PUT, "TeapotException", ACCOUNT),
    ],
)
def test_answers(workers: Workers, error: AwsCallError) -> None:
    """Whatever else AWS answers goes out at once, and shows that the service lives."""
    guarded, called = workers.guarded_calls(), service(error)
    with pytest.raises(type(error)) as caught:
        guarded.call(PUT, called)
    guarded.finish()
    assert caught.value is error
    assert called.calls == 1
    assert workers.outcome_counts == CallCounts(answers=1)


@pytest.mark.parametrize(
    "error",
    [CredentialsMissingError(PUT, "NoCredentials"), AccessDeniedError("AssumeRole", "AccessDenied")],
)
def test_not_asked(workers: Workers, error: AwsCallError) -> None:
    """An error that came before the service was asked says nothing about it, not even to a probe."""
    workers.open()
    workers.wait(15)
    guarded = workers.guarded_calls()
    before = workers.outcome_counts
    with pytest.raises(type(error)):
        guarded.call(PUT, service(error))
    guarded.finish()
    assert workers.outcome_counts == before
    assert workers.phase is Phase.HALF_OPEN


def test_healthy_majority(workers: Workers) -> None:
    """Failures among many answers open nothing; a task tells its answers before it counts a failure."""
    guarded = workers.guarded_calls()
    for _ in range(3):
        guarded.call(PUT, service())
        guarded.call(PUT, service())
        with pytest.raises(ServiceUnavailableError):
            guarded.call(PUT, service(UNAVAILABLE))
    assert workers.outcome_counts == CallCounts(failures=3, answers=6)
    assert workers.phase is Phase.CLOSED


def test_old_failures(workers: Workers) -> None:
    """Failures that are older than the window count no more."""
    for _ in range(4):
        with pytest.raises(ServiceUnavailableError):
            workers.guarded_calls().call(PUT, service(UNAVAILABLE))
        workers.wait(60)
    assert workers.phase is Phase.CLOSED


def test_outage_in_a_big_run() -> None:
    """A sudden outage in a run of many calls is known before an account has used up its retries (2, 4 and 8 s)."""
    workers = Workers(settings=configuration(rates={"enabled": False}))
    for _ in range(929):  # ten calls a second; the outage begins in the middle of a minute, and late in a bucket
        with workers.guarded_calls() as guarded:
            guarded.call(PUT, service())
        workers.wait(0.1)
    assert workers.phase is Phase.CLOSED
    failed = 0
    while workers.phase is Phase.CLOSED:
        with pytest.raises((ServiceUnavailableError, WaitingError)), workers.guarded_calls() as guarded:
            guarded.call(PUT, service(UNAVAILABLE))
        failed += 1
        workers.wait(0.1)
    assert failed <= 10 * 7


def test_answers_of_long_tasks() -> None:
    """A task tells its answers when a bucket is over, and before it waits for long: others judge the newest buckets."""
    workers = Workers(settings=configuration(rates={"enabled": False}))
    guarded = workers.guarded_calls()
    for _ in range(3):
        guarded.call(PUT, service())
        workers.wait(5)
    assert workers.outcome_counts == CallCounts(answers=2)
    guarded.finish()
    assert workers.outcome_counts == CallCounts(answers=3)


@pytest.mark.parametrize(("wait", "told"), [(4.9, 0), (5.0, 1), (30.0, 1)])
def test_answers_before_a_wait(wait: float, told: int) -> None:
    """What is held is told before a wait of a bucket or more."""
    workers = Workers()
    seen: list[int] = []

    @dataclass
    class Turns:
        """Gives the second turn late."""

        waits: list[float]

        def reserve(self, *_: object) -> float:
            """Return the wait."""
            return self.waits.pop(0)

    def sleep(_: float) -> None:
        seen.append(workers.outcome_counts.answers)

    keeper = call_guard(workers.clock, Turns([0.0, wait]), workers.breakers)  # type: ignore[arg-type] # a limiter
    workers.clock.sleep = sleep  # type: ignore[method-assign] # looks while it sleeps
    guarded = keeper.guarded_calls(workers.settings)
    guarded.call(PUT, service())
    guarded.call(GET, service())
    assert seen == [told]

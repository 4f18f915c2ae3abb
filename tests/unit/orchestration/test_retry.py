"""Airflow's retries: how often, how soon, and what is final at once."""

from datetime import timedelta

import pytest
from airflow.sdk import RetryAction

from contactsync.configuration.schema import RetryConfig
from contactsync.errors import (
    AccessDeniedError,
    AccountsFailedError,
    ConfigurationMissingError,
    ContactSyncError,
    RequestInvalidError,
    RunRequestError,
    ThrottledError,
)
from contactsync.limits import RETRIES_LIMIT
from contactsync.orchestration.retry import RETRY_CONFIG_KEY, ContactSyncRetryPolicy
from tests.support.recorded import MEMBER_ACCOUNT

THROTTLED = AccountsFailedError(MEMBER_ACCOUNT, [ThrottledError("PutAlternateContact", "TooManyRequestsException")])
POLICY = ContactSyncRetryPolicy(RETRIES_LIMIT)


def decisions(config: RetryConfig, *, cleared_after: int = 0) -> list[float | None]:
    """Return the delays of the tries after a clear; None where the task ends."""
    max_tries = cleared_after + RETRIES_LIMIT
    found: list[float | None] = []
    for try_number in range(cleared_after + 1, max_tries + 2):
        decision = POLICY.evaluate(THROTTLED, try_number, max_tries, {RETRY_CONFIG_KEY: config})  # type: ignore[typeddict-unknown-key]
        if decision.action is RetryAction.FAIL:
            return [*found, None]
        assert isinstance(decision.retry_delay, timedelta)
        found.append(decision.retry_delay.total_seconds())
    return found


def test_documented_delays() -> None:
    """The default configuration tries three times more, after 2, 4 and 8 seconds."""
    assert decisions(RetryConfig()) == [2, 4, 8, None]


@pytest.mark.parametrize("cleared_after", [1, 4, 11, 25])
def test_after_a_clear(cleared_after: int) -> None:
    """A cleared task has all of its retries again, although Airflow keeps counting tries."""
    assert decisions(RetryConfig(), cleared_after=cleared_after) == [2, 4, 8, None]


def test_configured() -> None:
    """Number, base and cap come from the configuration; none at all is possible."""
    assert decisions(RetryConfig(max_attempts=5, base_delay=10, max_delay=30)) == [10, 20, 30, 30, 30, None]
    assert decisions(RetryConfig(max_attempts=0)) == [None]


def test_bound() -> None:
    """The most retries that a configuration may ask for are within the task's own."""
    assert decisions(RetryConfig(max_attempts=RETRIES_LIMIT))[-2:] == [60, None]


@pytest.mark.parametrize(
    "error",
    [
        AccountsFailedError(MEMBER_ACCOUNT, [AccessDeniedError("GetAlternateContact", "AccessDeniedException")]),
        AccountsFailedError(MEMBER_ACCOUNT, [RequestInvalidError("PutAlternateContact", "ValidationException")]),
        ConfigurationMissingError("config", "default"),
        RunRequestError(["accounts: wrong"]),
    ],
)
@pytest.mark.parametrize("context", [None, {}, {RETRY_CONFIG_KEY: RetryConfig()}])
def test_final(error: ContactSyncError, context: object) -> None:
    """What trying again cannot fix ends the task at its first try, with or without a configuration."""
    decision = POLICY.evaluate(error, 1, RETRIES_LIMIT, context)  # type: ignore[arg-type]
    assert decision.action is RetryAction.FAIL
    assert decision.reason


@pytest.mark.parametrize("context", [None, {}])
@pytest.mark.parametrize("error", [THROTTLED, RuntimeError("bug"), KeyboardInterrupt()])
def test_without_configuration(error: BaseException, context: object) -> None:
    """A failure before the configuration was read waits for the task's plain delay."""
    assert POLICY.evaluate(error, 1, RETRIES_LIMIT, context).action is RetryAction.DEFAULT  # type: ignore[arg-type]


def test_serialized() -> None:
    """The policy survives Airflow's serialization."""
    retries = 7
    again = ContactSyncRetryPolicy.deserialize(ContactSyncRetryPolicy(retries).serialize())
    assert again.serialize() == {"retries": retries}

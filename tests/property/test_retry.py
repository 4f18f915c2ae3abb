"""Retries of an account, step and policy together."""

from airflow.sdk import RetryAction
from hypothesis import given
from hypothesis import strategies as st

from contactsync.contacts import ContactType
from contactsync.errors import AccountsFailedError, AwsCallError, ServiceUnavailableError, ThrottledError, WaitingError
from contactsync.limits import RETRIES_LIMIT
from contactsync.operations.operation import OutcomeStatus
from contactsync.orchestration.retry import RETRY_CONFIG_KEY, ContactSyncRetryPolicy
from tests.support.builders import RUN, account
from tests.support.fakes.surroundings import Fault
from tests.support.worlds.world import World

ONE = account(1).account_id
POLICY = ContactSyncRetryPolicy(RETRIES_LIMIT)

methods = st.sampled_from(["read", "write"])
first_tries = st.integers(1, 30)
"""The try that a clear leaves a task with: Airflow's count of tries goes on."""


def tried(world: World, *, first_try: int) -> list[float]:
    """Run the account's task as Airflow does, from its first try since a clear, and return the waits between tries."""
    delays: list[float] = []
    try_number, max_tries = first_try, first_try - 1 + RETRIES_LIMIT
    while try_number <= max_tries + 1:
        operation, settings = world.account_sync.open(RUN)
        try:
            world.account_sync.sync(operation, settings, ONE, try_number, first_try=first_try)
        except WaitingError as pause:  # rescheduled: the same try goes on later
            world.clock.sleep(pause.resume_in)
        except AccountsFailedError as error:
            context = {RETRY_CONFIG_KEY: settings.retry_config}
            decision = POLICY.evaluate(error, try_number, max_tries, context)  # type: ignore[arg-type]
            if decision.action is RetryAction.FAIL or decision.retry_delay is None:
                return delays
            delays.append(decision.retry_delay.total_seconds())
            try_number += 1
        else:
            return delays
    return delays


def troubled(error: AwsCallError, method: str, *, times: int, applied: bool = False) -> World:
    """Return a world with a planned run, in which an account's calls fail so many times."""
    world = World.of(1, contact_types=["security"])
    world.plan()
    world.contacts.faults.append(Fault(error, method, ONE, times=times, applied=applied))
    return world


@given(st.integers(0, 8), methods, st.booleans(), st.booleans(), first_tries)
def test_temporary_failures(
    failures: int,
    method: str,
    answered: bool,  # noqa: FBT001 -- Hypothesis passes it
    applied: bool,  # noqa: FBT001 -- as above
    first_try: int,
) -> None:
    """Feature: aws-contact-sync, Property 3: Retry Logic with Exponential Backoff.

    Temporary failures are retried exactly 3 times, after 2, 4 and 8 seconds; then the account is failed. Also after the
    task was cleared, when Airflow's count of tries goes on, and whether or not AWS answered or did what it was asked.
    """
    error = ServiceUnavailableError("Scripted", "ScriptedException", ONE, answered=answered)
    world = troubled(error, method, times=failures, applied=applied)
    assert tried(world, first_try=first_try) == [2.0, 4.0, 8.0][:failures]
    outcome = world.outcomes()[ONE, ContactType.SECURITY]
    assert outcome.status is (OutcomeStatus.SUCCESS if failures <= 3 else OutcomeStatus.FAILED)
    # A clear is no retry; tries that recorded nothing are.
    assert outcome.retry_count == min(failures, 3)


@given(st.integers(0, 8), methods, first_tries)
def test_throttled(failures: int, method: str, first_try: int) -> None:
    """A throttled account is tried again within its try, now or after a pause, and no retry is used up."""
    world = troubled(ThrottledError("Scripted", "TooManyRequestsException", ONE), method, times=failures)
    assert tried(world, first_try=first_try) == []
    outcome = world.outcomes()[ONE, ContactType.SECURITY]
    assert outcome.status is OutcomeStatus.SUCCESS
    assert outcome.retry_count == 0

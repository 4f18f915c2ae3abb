"""Retries of an account, step and policy together."""

from airflow.sdk import RetryAction
from hypothesis import given
from hypothesis import strategies as st

from contactsync.contacts import ContactType
from contactsync.errors import AccountsFailedError, ServiceUnavailableError, ThrottledError
from contactsync.orchestration.retry import RETRY_CONFIG_KEY, ContactSyncRetryPolicy
from contactsync.sync.bounds import RETRIES_LIMIT
from contactsync.sync.operation import OutcomeStatus
from tests.builders import RUN, World, account
from tests.fakes import Fault

ONE = account(1).account_id
POLICY = ContactSyncRetryPolicy(RETRIES_LIMIT)


def tried(world: World, *, first_try: int) -> list[float]:
    """Run the account's task as Airflow does, from its first try since a clear, and return the waits between tries."""
    delays: list[float] = []
    max_tries = first_try - 1 + RETRIES_LIMIT
    for try_number in range(first_try, max_tries + 2):
        operation, config = world.account_sync.open(RUN)
        try:
            world.account_sync.sync(operation, ONE, try_number, first_try=first_try)
        except AccountsFailedError as error:
            decision = POLICY.evaluate(error, try_number, max_tries, {RETRY_CONFIG_KEY: config})  # type: ignore[typeddict-unknown-key]
            if decision.action is RetryAction.FAIL or decision.retry_delay is None:
                return delays
            delays.append(decision.retry_delay.total_seconds())
        else:
            return delays
    return delays


@given(
    st.integers(0, 8),
    st.sampled_from([ThrottledError, ServiceUnavailableError]),
    st.sampled_from(["read", "write"]),
    st.integers(1, 30),
)
def test_temporary_failures(
    failures: int, kind: type[ThrottledError | ServiceUnavailableError], method: str, first_try: int
) -> None:
    """Feature: aws-contact-sync, Property 3: temporary failures are retried 3 times, after 2, 4 and 8 seconds.

    Then the account is failed; also after the task was cleared, when Airflow's count of tries goes on.
    """
    world = World.of(1, contact_types=["security"])
    world.plan()
    world.contacts.faults.append(Fault(kind("Scripted", "ScriptedException", ONE), method, times=failures))
    assert tried(world, first_try=first_try) == [2.0, 4.0, 8.0][:failures]
    outcome = world.outcomes()[ONE, ContactType.SECURITY]
    assert outcome.status is (OutcomeStatus.SUCCESS if failures <= 3 else OutcomeStatus.FAILED)
    assert outcome.retry_count == min(failures, 3)

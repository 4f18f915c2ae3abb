"""Operations and outcomes: ids, and what an outcome remembers over its attempts."""

import uuid
from datetime import timedelta

from contactsync.contacts import ContactType
from contactsync.operations.operation import AccountOutcome, Attempt, OutcomeDetail, OutcomeStatus, sync_id_of
from tests.fakes import START


def attempt(number: int, status: OutcomeStatus, detail: OutcomeDetail, code: str | None = None) -> Attempt:
    """Return one try."""
    return Attempt(number, START, START + timedelta(seconds=number), status, detail, code)


FAILED = attempt(1, OutcomeStatus.FAILED, OutcomeDetail.THROTTLED, "TooManyRequestsException")
UPDATED = attempt(2, OutcomeStatus.SUCCESS, OutcomeDetail.UPDATED)
EXPECTED = AccountOutcome("444455556666", "payments", ContactType.SECURITY)


def test_sync_id() -> None:
    """The operation's id is a UUIDv5 of the run id: the same for the same run, another for another."""
    assert sync_id_of("run-1") == sync_id_of("run-1") != sync_id_of("run-2")
    assert uuid.UUID(sync_id_of("run-1")).version == 5


def test_pending() -> None:
    """An outcome starts as pending, without a time."""
    assert (EXPECTED.status, EXPECTED.detail, EXPECTED.timestamp, EXPECTED.retry_count) == ("pending", None, None, 0)


def test_settled() -> None:
    """Settling takes status, detail, code and time from the attempt, and the rest from its arguments."""
    outcome = EXPECTED.settled(UPDATED, changed_fields=("Name",), generation=7)
    assert (outcome.status, outcome.detail, outcome.changed_fields, outcome.generation) == (
        OutcomeStatus.SUCCESS,
        OutcomeDetail.UPDATED,
        ("Name",),
        7,
    )
    assert outcome.timestamp == UPDATED.ended
    assert outcome.key == EXPECTED.key


def test_attempts_are_kept() -> None:
    """A later try keeps the earlier one's record, and clears its error."""
    outcome = EXPECTED.settled(FAILED, error_message="throttled").settled(UPDATED)
    assert outcome.attempts == (FAILED, UPDATED)
    assert outcome.retry_count == 1
    assert (outcome.error_code, outcome.error_message) == (None, None)


def test_same_try_again() -> None:
    """A try that is recorded twice counts once: its process died after recording, and ran again."""
    again = attempt(1, OutcomeStatus.SUCCESS, OutcomeDetail.UNCHANGED)
    outcome = EXPECTED.settled(FAILED).settled(again)
    assert outcome.attempts == (again,)
    assert outcome.retry_count == 0

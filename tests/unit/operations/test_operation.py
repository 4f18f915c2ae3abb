"""Operations and outcomes: ids, and what an outcome remembers over its attempts."""

import uuid
from dataclasses import dataclass, field, fields
from datetime import timedelta

import pytest

from contactsync.contacts import ContactType
from contactsync.operations.operation import (
    OF_LAST_TRY,
    AccountOutcome,
    Attempt,
    OutcomeDetail,
    OutcomeStatus,
    sync_id_of,
)
from tests.support.fakes.surroundings import START


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


OF_THE_TRY = {
    "detail",
    "changed_fields",
    "generation",
    "error_code",
    "error_message",
    "paused_since",
    "announced",
    "other_form",
    "outside",
}
OF_EVERY_TRY = {"status", "attempts", "timestamp"}
FULL = AccountOutcome(
    "444455556666",
    "payments",
    ContactType.SECURITY,
    OutcomeStatus.FAILED,
    OutcomeDetail.THROTTLED,
    changed_fields=("Name",),
    generation=7,
    error_code="TooManyRequestsException",
    error_message="A sentence.",
    attempts=(FAILED,),
    timestamp=START,
    paused_since=START,
    announced="an event",
    written_announced=START,
    other_form=("PhoneNumber",),
    outside=True,
)


@pytest.mark.parametrize("name", [field.name for field in fields(AccountOutcome)])
def test_every_field(name: str) -> None:
    """What is not about the last try is never lost by settling, whatever fields there are."""
    empty = AccountOutcome("444455556666", "payments", ContactType.SECURITY)
    value = getattr(FULL.settled(UPDATED), name)
    if name in OF_THE_TRY:
        assert value == getattr(empty.settled(UPDATED), name)
    elif name not in OF_EVERY_TRY:
        assert value == getattr(FULL, name)


def test_field_of_a_later_version() -> None:
    """A field that is added is kept unless it says that it is about the last try, without a word in `settled`."""

    @dataclass(frozen=True)
    class Later(AccountOutcome):
        unit: str = ""
        seen: dict[str, int] = field(default_factory=dict, metadata=OF_LAST_TRY)

    first = Later("444455556666", "payments", ContactType.SECURITY, unit="ou-1").settled(FAILED, seen={"Name": 1})
    outcome = first.settled(UPDATED)
    assert isinstance(first, Later)
    assert isinstance(outcome, Later)
    assert (first.seen, outcome.seen) == ({"Name": 1}, {})
    assert outcome.unit == "ou-1"

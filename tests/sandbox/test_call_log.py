"""The call log: what it keeps, finds and never tells."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from contactsync.sandbox.requests.call_log import ApiCall, CallLog

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def call(**changes: object) -> ApiCall:
    """Make a call by the management account to a member."""
    fields: dict[str, object] = {
        "sequence": 0,
        "time": NOON,
        "service": "account",
        "operation": "PutAlternateContact",
        "caller_account": "111122223333",
        "caller_arn": "arn:aws:iam::111122223333:user/sandbox",
        "source_ip": "127.0.0.1",
        "user_agent": "Boto3",
        "region": "us-east-1",
        "target_account": "444455556666",
        "parameters": {"Name": "Sam Secret", "AlternateContactType": "SECURITY"},
        "status": 200,
        "error_code": None,
        "error_message": None,
        "duration": 0.01,
        "request_id": "r-1",
    }
    return ApiCall(**(fields | changes))  # type: ignore[arg-type]


def test_numbers() -> None:
    """Calls are numbered in the order they were logged, also after the log was cleared."""
    log = CallLog()
    assert [log.append(call()).sequence for _ in range(2)] == [1, 2]
    log.clear()
    assert len(log) == 0
    assert log.append(call()).sequence == 3


def test_oldest_go_first() -> None:
    """A full log drops its oldest calls."""
    log = CallLog(capacity=2)
    for _ in range(3):
        log.append(call())
    assert [kept.sequence for kept in log.query()] == [2, 3]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"service": "sqs"}, [3]),
        ({"operation": "PutAlternateContact"}, [1, 2]),
        ({"account": "444455556666"}, [1]),
        ({"account": "111122223333"}, [2, 3]),
        ({"caller": "111122223333"}, [1, 2, 3]),
        ({"caller": "user/sandbox"}, [1, 2, 3]),
        ({"caller": "999900001111"}, []),
        ({"since": 1}, [2, 3]),
        ({"since": NOON}, [3]),
        ({"error": "*"}, [2]),
        ({"error": "TooManyRequestsException"}, [2]),
        ({"error": "AccessDeniedException"}, []),
        ({"operation": "PutAlternateContact", "error": "*"}, [2]),
    ],
)
def test_query(filters: dict[str, object], found: list[int]) -> None:
    """Each filter narrows the list, and they work together; the account acted on is the caller's own by default."""
    log = CallLog()
    log.append(call())
    log.append(call(target_account=None, status=429, error_code="TooManyRequestsException"))
    log.append(call(service="sqs", operation="SendMessage", target_account=None, time=NOON + timedelta(seconds=1)))
    assert [kept.sequence for kept in log.query(**filters)] == found  # type: ignore[arg-type]


def test_no_contact_values() -> None:
    """What leaves the process has neither parameters nor error messages, and no text of a client's as contact type."""
    spoken = call(error_code="ValidationException", error_message="Sam Secret is too long").as_json()
    assert "Secret" not in str(spoken)
    assert spoken["contact_type"] == "SECURITY"
    assert call(parameters={"AlternateContactType": "Sam Secret"}).as_json()["contact_type"] is None
    assert call(parameters={"AlternateContactType": ["SECURITY"]}).as_json()["contact_type"] is None


def test_subscribers() -> None:
    """A subscriber gets every later call as it was kept."""
    log, seen = CallLog(), []
    log.append(call())
    log.subscribe(seen.append)
    kept = log.append(call())
    assert seen == [kept]


def test_threads() -> None:
    """Calls of many threads are all kept and have different numbers."""
    log = CallLog()
    threads = [threading.Thread(target=lambda: [log.append(call()) for _ in range(200)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [kept.sequence for kept in log.query()] == list(range(1, 1601))

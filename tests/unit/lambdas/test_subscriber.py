"""What subscribers' functions share: failures are reported and remembered, and nothing of a message is logged."""

import io
import json
import logging
import uuid
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from contactsync.bus.advice import Reader, sentence_for
from contactsync.bus.consume import MessageFailure, failure_of
from contactsync.errors import FunctionTimeoutError, ServiceUnavailableError, SettingsError
from contactsync.lambdas.failed_messages import RememberingProcessor
from contactsync.lambdas.subscriber import LEAST_TIMEOUT, subscribed
from contactsync.services.functions.audit import audit_recorder
from contactsync.services.functions.subscriber import SubscriberParts
from contactsync.settings.groups import Group
from tests.support.events import event_of
from tests.support.fakes.bus import FakeFailures
from tests.support.recorded import MANAGEMENT_ACCOUNT, in_sqs

CONTEXT: Any = SimpleNamespace(
    function_name="contactsync-prod-audit",
    memory_limit_in_mb=256,
    invoked_function_arn=f"arn:aws:lambda:us-east-1:{MANAGEMENT_ACCOUNT}:function:contactsync-prod-audit",
    aws_request_id="6f1d6b9a-7d0c-4d3e-9f7e-000000000001",
    get_remaining_time_in_millis=lambda: 30_000,
)
UNAVAILABLE = ServiceUnavailableError("PutItem", "InternalServerError")
SECRET = "wanda.quillfeather@quagga.example"


@pytest.fixture
def log() -> io.StringIO:
    """Catch what is logged, as it is written."""
    return io.StringIO()


@pytest.fixture
def logger(log: io.StringIO) -> Iterator[Logger]:
    """Give a logger that writes there."""
    handler = logging.StreamHandler(log)
    made = Logger(service=f"tests-{uuid.uuid4()}", logger_handler=handler)
    yield made
    made.removeHandler(handler)


def processed(failing: dict[str, Exception], failures: FakeFailures, logger: Logger) -> list[str]:
    """Process three messages, of which some fail, and return the numbers of those that are reported."""

    def handle(record: SQSRecord) -> None:
        if error := failing.get(json.loads(record.body)["id"]):
            raise error

    batch = in_sqs(*(json.loads(event_of(event_id=str(number)).as_json()) for number in range(3)))
    processor = RememberingProcessor("audit", failures, logger)
    answer = process_partial_response(event=batch, record_handler=handle, processor=processor, context=CONTEXT)
    return [item["itemIdentifier"][-1] for item in answer["batchItemFailures"]]


def test_mates(logger: Logger) -> None:
    """Only the messages that failed are reported, and why is kept for each."""
    failures = FakeFailures()
    assert processed({"1": UNAVAILABLE}, failures, logger) == ["1"]
    ((key, failure),) = failures.kept.items()
    assert key == ("audit", "059f36b4-87a3-44ab-83d2-661975040001")
    assert failure == MessageFailure("InternalServerError", sentence_for(UNAVAILABLE, Reader("audit")), 1)


def test_all_failed(logger: Logger) -> None:
    """A batch of failures is reported as such, and is no error of the function, whose text would quote them."""
    failures = FakeFailures()
    errors = dict.fromkeys("012", LookupError(SECRET))
    assert processed(errors, failures, logger) == ["0", "1", "2"]
    assert len(failures.kept) == 3


def test_nothing_quoted(logger: Logger, log: io.StringIO) -> None:
    """What a foreign error says is neither logged nor kept; what it was, where, and for which event is."""
    failures = FakeFailures()
    processed({"1": LookupError(SECRET)}, failures, logger)
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    (line,) = [line for line in lines if line["level"] == "ERROR"]
    assert (line["error"], line["event_id"], line["receive_count"]) == ("LookupError", "1", 1)
    assert line["correlation_id"] == event_of().correlationid
    assert any("raise error" in frame for frame in line["where"])
    assert SECRET not in log.getvalue()
    assert SECRET not in str(failures.kept)


def test_not_remembered(logger: Logger, log: io.StringIO) -> None:
    """A failure that cannot be kept is reported all the same, and so is what comes after it."""
    failures = FakeFailures(error=UNAVAILABLE)
    assert processed({"0": UNAVAILABLE, "2": UNAVAILABLE}, failures, logger) == ["0", "2"]
    assert "was not stored" in log.getvalue()


def test_out_of_time(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """With too little time left messages are reported untouched, and the function itself ends well."""
    for name in ("ENVIRONMENT", "IDEMPOTENCY_TABLE", "DEAD_LETTERS_URL"):
        monkeypatch.setenv(f"CONTACTSYNC_{name}", "t")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    handler = subscribed("late", lambda: pytest.fail("nothing may be handled"))
    context: Any = SimpleNamespace(**{**vars(CONTEXT), "get_remaining_time_in_millis": lambda: 7_900})
    answer = handler(in_sqs(json.loads(event_of().as_json()), json.loads(event_of().as_json())), context)
    assert len(answer["batchItemFailures"]) == 2
    said = capsys.readouterr().out
    assert "did not start to handle the message" in said
    (metrics,) = [json.loads(line) for line in said.splitlines() if "EventsFailed" in line]
    assert (sum(metrics["EventsFailed"]), sum(metrics["EventsHandled"])) == (2, 0)  # a share needs both


@pytest.mark.parametrize("timeout", [1.0, 3.0, 8.0, 9.0])
def test_timeout_too_short(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], timeout: float) -> None:
    """A function that Lambda gives too little time for anything says so at its start, and touches no message."""
    for name in ("ENVIRONMENT", "IDEMPOTENCY_TABLE", "DEAD_LETTERS_URL"):
        monkeypatch.setenv(f"CONTACTSYNC_{name}", "t")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "contactsync-prod-tickets")
    handler = subscribed(f"short-{timeout}", lambda: pytest.fail("nothing may be handled"))
    left = int(timeout * 1000) - 20
    context: Any = SimpleNamespace(**{**vars(CONTEXT), "get_remaining_time_in_millis": lambda: left})
    answer = handler(in_sqs(json.loads(event_of().as_json())), context)
    assert len(answer["batchItemFailures"]) == 1
    said = capsys.readouterr().out
    assert "The Timeout of contactsync-prod-tickets is too short" in said
    assert "Set Timeout to 10 s or more" in said
    assert failure_of(FunctionTimeoutError(timeout, LEAST_TIMEOUT), 1).code == "FunctionTimeout"


def test_nothing_set() -> None:
    """A function without its environment names everything that is missing at once, and its batch fails as a whole."""
    handler = subscribed("unset", lambda: lambda _: None, needs=[Group.AUDIT])
    with pytest.raises(SettingsError) as found, pytest.warns(UserWarning, match="No application metrics to publish"):
        handler(in_sqs({}), CONTEXT)
    names = ("ENVIRONMENT", "IDEMPOTENCY_TABLE", "DEAD_LETTERS_URL", "AUDIT_TABLE")
    assert set(found.value.problems) == {f"CONTACTSYNC_{name}" for name in names}


def test_own_settings_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only what a subscriber itself reads is missing, its messages fail by name, which is kept for each."""
    for name in ("ENVIRONMENT", "IDEMPOTENCY_TABLE", "DEAD_LETTERS_URL"):
        monkeypatch.setenv(f"CONTACTSYNC_{name}", "t")
    parts = SubscriberParts.of("audit", audit_recorder, [Group.AUDIT, Group.MANAGEMENT], Logger(service="unset"))
    parts.check()
    with pytest.raises(SettingsError) as found:
        _ = parts.consumer
    assert set(found.value.problems) == {"CONTACTSYNC_AUDIT_TABLE", "CONTACTSYNC_MANAGEMENT_ACCOUNT_ID"}

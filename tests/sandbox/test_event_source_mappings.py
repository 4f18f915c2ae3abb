"""What a mapping may say, and what Lambda makes of a function's answer."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactsync.sandbox.functions.event_source_mappings import MappingRefusedError, check
from contactsync.sandbox.functions.functions import Invocation
from contactsync.sandbox.functions.queue_polling import failed_messages

QUEUE = "arn:aws:sqs:us-east-1:123456789012:no-such-queue"
SENT = frozenset({"m-1", "m-2"})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.sampled_from(sorted(SENT)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["batchItemFailures", "itemIdentifier", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


def invocation(answer: object = None, error: dict[str, Any] | None = None) -> Invocation:
    """Make an invocation that came to this."""
    return Invocation("r-1", "function", datetime.now(UTC), 0.1, True, json.dumps(answer), error, "")  # noqa: FBT003 -- a row of plain values


def failures(*items: object) -> dict[str, object]:
    """Make an answer that names these."""
    return {"batchItemFailures": list(items)}


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        (None, set()),
        ({}, set()),
        ({"batchItemFailures": None}, set()),
        (failures(), set()),
        ({"statusCode": 207}, set()),
        (failures({"itemIdentifier": "m-1"}), {"m-1"}),
        (failures({"itemIdentifier": "m-1"}, {"itemIdentifier": "m-1"}), {"m-1"}),
        (failures({"itemIdentifier": ""}), SENT),
        (failures({"itemIdentifier": None}), SENT),
        (failures({"itemIdentifier": ["m-1"]}), SENT),
        (failures({"messageId": "m-1"}), SENT),
        (failures("m-1"), SENT),
        (failures({"itemIdentifier": "m-1"}, {"itemIdentifier": "another"}), SENT),
        ({"batchItemFailures": "m-1"}, SENT),
        ({"batchItemFailures": {"itemIdentifier": "m-1"}}, SENT),
        ("done", SENT),
        ([], SENT),
    ],
)
def test_answers(answer: object, failed: set[str]) -> None:
    """An answer without failures takes the batch, and one that cannot be understood takes none of it."""
    assert failed_messages(invocation(answer), SENT, reports=True) == failed


@given(answer=JSON)
def test_any_answer(answer: object) -> None:
    """Whatever a function answers, only messages that were sent fail, and without reporting none does."""
    assert failed_messages(invocation(answer), SENT, reports=True) <= SENT
    assert failed_messages(invocation(answer), SENT, reports=False) == frozenset()


def test_error() -> None:
    """An error of the function fails the batch, whether or not failures are reported."""
    for reports in (True, False):
        assert failed_messages(invocation(error={"errorType": "E"}), SENT, reports=reports) == SENT


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"FilterCriteria": {"Filters": []}}, "does not support FilterCriteria"),
        ({"DestinationConfig": {"OnFailure": {"Destination": "arn"}}}, "does not support DestinationConfig"),
        ({"MaximumRetryAttempts": 2, "KmsKeyArn": "arn"}, "does not support KmsKeyArn, MaximumRetryAttempts"),
        ({"ProvisionedPollerConfig": {"MinimumPollers": 2}}, "does not support ProvisionedPollerConfig"),
        ({"BatchSize": 20}, "batch window in seconds must be greater than 0"),
        ({"BatchSize": 10_001, "MaximumBatchingWindowInSeconds": 1}, "BatchSize: 10001"),
        ({"MaximumBatchingWindowInSeconds": 301}, "MaximumBatchingWindowInSeconds: 301"),
        ({"ScalingConfig": {"MaximumConcurrency": 1}}, "MaximumConcurrency: 1"),
        ({"FunctionResponseTypes": ["ReportFailures"]}, "'ReportFailures' is not ReportBatchItemFailures"),
        ({"EventSourceArn": "arn:aws:kinesis:us-east-1:123456789012:stream/s"}, "standard SQS queues only"),
        ({"EventSourceArn": f"{QUEUE}.fifo"}, "standard SQS queues only"),
    ],
)
def test_refused(properties: dict[str, Any], message: str) -> None:
    """What Lambda refuses, and what the sandbox would not do as Lambda does, is refused in a sentence."""
    with pytest.raises(MappingRefusedError) as caught:
        check({"EventSourceArn": QUEUE} | properties, SimpleNamespace(timeout=3))
    assert message in caught.value.message


def test_accepted() -> None:
    """All that the sandbox does support is accepted together."""
    properties = {
        "EventSourceArn": QUEUE,
        "FunctionName": "f",
        "BatchSize": 100,
        "MaximumBatchingWindowInSeconds": 5,
        "Enabled": True,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "ScalingConfig": {"MaximumConcurrency": 2},
        "Tags": [],
    }
    check(properties, SimpleNamespace(timeout=3))

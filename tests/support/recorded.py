"""Recorded events: the files in tests/data/events, and how a test derives its own event from one with one change."""

import copy
import json
from pathlib import Path
from typing import Any, Final

DIRECTORY: Final = Path(__file__).parents[1] / "data" / "events"
MANAGEMENT_ACCOUNT: Final = "111122223333"
MEMBER_ACCOUNT: Final = "444455556666"

NAMES: Final = ("put_alternate_camel", "put_alternate_pascal_redacted", "delete_alternate", "put_contact_information")

ABSENT: Final = object()
"""The value of `changed` that removes a key."""


def recorded(name: str) -> dict[str, Any]:
    """Return a fresh copy of a recorded EventBridge event."""
    event: dict[str, Any] = json.loads((DIRECTORY / f"{name}.json").read_text())
    return event


def user_identities() -> dict[str, dict[str, Any]]:
    """Return CloudTrail's forms of userIdentity by type."""
    identities: dict[str, dict[str, Any]] = json.loads((DIRECTORY / "user_identities.json").read_text())
    return identities


def changed(event: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """Return a copy of the event with one change: the value at a dotted path, or its absence."""
    result = copy.deepcopy(event)
    *parents, last = path.split(".")
    place: Any = result
    for key in parents:
        place = place[key]
    if value is ABSENT:
        place.pop(last, None)
    else:
        place[last] = value
    return result


def in_sqs(*events: object) -> dict[str, Any]:
    """Wrap events as SQS hands them to a Lambda."""
    return {"Records": [_sqs_record(json.dumps(event), number) for number, event in enumerate(events)]}


def in_sns(*events: object) -> dict[str, Any]:
    """Wrap events as SNS hands them to a Lambda."""
    return {"Records": [_sns_record(json.dumps(event), number) for number, event in enumerate(events)]}


def in_sns_in_sqs(*events: object) -> dict[str, Any]:
    """Wrap events as a queue hands them on that is subscribed to a topic without raw delivery."""
    return in_sqs(*({**_notification(json.dumps(event)), "UnsubscribeURL": "https://sns.example"} for event in events))


def _sqs_record(body: str, number: int) -> dict[str, Any]:
    return {
        "messageId": f"059f36b4-87a3-44ab-83d2-66197504{number:04}",
        "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1768379412000"},
        "messageAttributes": {},
        "md5OfBody": "098f6bcd4621d373cade4e832627b4f6",
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:us-east-1:{MANAGEMENT_ACCOUNT}:contact-changes",
        "awsRegion": "us-east-1",
    }


def _sns_record(message: str, number: int) -> dict[str, Any]:
    topic = f"arn:aws:sns:us-east-1:{MANAGEMENT_ACCOUNT}:contact-changes"
    return {
        "EventVersion": "1.0",
        "EventSource": "aws:sns",
        "EventSubscriptionArn": f"{topic}:21be56ed-a058-49f5-8c98-{number:012}",
        "Sns": {**_notification(message), "MessageAttributes": {}},
    }


def _notification(message: str) -> dict[str, Any]:
    return {
        "Type": "Notification",
        "MessageId": "95df01b4-ee98-5cb9-9903-4c221d41eb5e",
        "TopicArn": f"arn:aws:sns:us-east-1:{MANAGEMENT_ACCOUNT}:contact-changes",
        "Subject": None,
        "Message": message,
        "Timestamp": "2026-01-14T08:40:13.000Z",
        "SignatureVersion": "1",
    }

"""Resource policies: who gets in, on behalf of whom, to what."""

from typing import Any

import pytest

from contactsync.sandbox.queues.resource_policy import allows

TOPIC, QUEUE = "arn:aws:sns:us-east-1:123456789012:events", "arn:aws:sqs:us-east-1:123456789012:queue"
STATEMENT = {
    "Effect": "Allow",
    "Principal": {"Service": "sns.amazonaws.com"},
    "Action": "sqs:SendMessage",
    "Resource": QUEUE,
    "Condition": {"ArnEquals": {"aws:SourceArn": TOPIC}},
}


def lets_in(*statements: dict[str, Any]) -> bool:
    """Ask whether SNS may send to the queue for the topic."""
    return allows(
        statements,
        service="sns.amazonaws.com",
        action="sqs:SendMessage",
        source_arn=TOPIC,
        source_account="123456789012",
        resource=QUEUE,
    )


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"Principal": "*"},
        {"Principal": {"AWS": "*"}},
        {"Principal": {"Service": ["events.amazonaws.com", "sns.amazonaws.com"]}},
        {"Action": "sqs:*"},
        {"Action": ["SQS:SendMessage"]},
        {"Resource": "*"},
        {"Resource": [QUEUE]},
        {"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:*:events"}}},
        {"Condition": {"StringEquals": {"AWS:SourceAccount": "123456789012"}}},
        {"Condition": {"Bool": {"aws:SecureTransport": "true"}, "ArnEquals": {"aws:SourceArn": TOPIC}}},
    ],
)
def test_allowed(changes: dict[str, Any]) -> None:
    """The usual ways to let a service in work."""
    assert lets_in(STATEMENT | changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"Principal": {"Service": "events.amazonaws.com"}},
        {"Principal": {"AWS": "arn:aws:iam::123456789012:root"}},
        {"Action": "sqs:ReceiveMessage"},
        {"Resource": "arn:aws:sqs:us-east-1:123456789012:other"},
        {"Condition": {"ArnEquals": {"aws:SourceArn": "arn:aws:sns:us-east-1:123456789012:other"}}},
        {"Condition": {"StringEquals": {"aws:SourceAccount": "1"}}},
        {"Condition": {"Bool": {"aws:SecureTransport": "false"}}},
        {"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}},
        {"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}},
        {"Effect": "Deny"},
    ],
)
def test_not_allowed(changes: dict[str, Any]) -> None:
    """A statement about something else, or with a condition that fails or is not known, lets nobody in."""
    assert not lets_in(STATEMENT | changes)


def test_deny_wins() -> None:
    """A denial stands above what is allowed; one for plain text does not concern AWS's own calls."""
    plain = {**STATEMENT, "Effect": "Deny", "Principal": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    assert lets_in(STATEMENT, plain)
    assert not lets_in(STATEMENT, plain | {"Condition": {}})
    assert not lets_in()

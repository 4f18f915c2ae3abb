"""Sending to queues on behalf of EventBridge, SNS and Lambda: to targets and to dead-letter queues."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moto.sqs.models import Queue, sqs_backends

from contactsync.sandbox.queues.resource_policy import allows

_MESSAGE_LIMIT = 1024 * 1024  # bytes, SQS's limit


@dataclass(frozen=True)
class QueueRefusal:
    """Why a message was not put into a queue: EventBridge's error code and a sentence."""

    code: str
    message: str


def send(
    queue_arn: str,
    body: object,
    attributes: Mapping[str, str | int],
    *,
    rule_arn: str | None = None,
    group: str | None = None,
) -> QueueRefusal | None:
    """Put a document into a queue; with a rule's ARN, the queue's policy must let EventBridge send for that rule."""
    refused = None if rule_arn is None else refusal(queue_arn, service="events.amazonaws.com", source_arn=rule_arn)
    return refused or put(queue_arn, json.dumps(body), _typed(attributes), group)


def refusal(queue_arn: str, *, service: str, source_arn: str) -> QueueRefusal | None:
    """Return why a service may not send to a queue on behalf of a rule or a topic; None when it may."""
    queue = _find(queue_arn)
    if queue is None:
        return _missing(queue_arn)
    statements: list[Mapping[str, Any]] = json.loads(queue.policy or "{}").get("Statement", [])
    if allows(
        statements,
        service=service,
        action="sqs:SendMessage",
        source_arn=source_arn,
        source_account=source_arn.split(":")[4],
        resource=queue_arn,
    ):
        return None
    return QueueRefusal("NO_PERMISSIONS", f"The policy of {queue_arn} does not let {service} send to it")


def put(
    queue_arn: str, text: str, attributes: Mapping[str, Mapping[str, Any]], group: str | None = None
) -> QueueRefusal | None:
    """Put a message into a queue without checking its policy; `attributes` have SQS's form."""
    queue = _find(queue_arn)
    if queue is None:
        return _missing(queue_arn)
    if len(text.encode()) > _MESSAGE_LIMIT:
        return QueueRefusal("SDK_CLIENT_ERROR", f"The message is longer than {_MESSAGE_LIMIT} bytes")
    sqs_backends[queue.account_id][queue.region].send_message(
        queue.name, text, message_attributes=dict(attributes), group_id=group
    )
    return None


def _missing(queue_arn: str) -> QueueRefusal:
    return QueueRefusal("NO_RESOURCE", f"The queue {queue_arn} does not exist")


def _find(queue_arn: str) -> Queue | None:
    parts = queue_arn.split(":")
    expected = 6
    if len(parts) != expected or parts[2] != "sqs":
        return None
    _, _, _, region, account, name = parts
    queue: Queue | None = sqs_backends[account][region].queues.get(name)
    return queue


def _typed(attributes: Mapping[str, str | int]) -> dict[str, dict[str, str]]:
    """Return message attributes in SQS's form, without empty texts; numbers keep their type, as Lambda's ErrorCode."""
    return {
        name: {"DataType": "Number" if isinstance(value, int) else "String", "StringValue": str(value)}
        for name, value in attributes.items()
        if value != ""
    }

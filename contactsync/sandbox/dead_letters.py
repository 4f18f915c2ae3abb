"""Queues as EventBridge and Lambda use them: as targets, for what failed for good, and under their queue policies."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moto.sqs.models import Queue, sqs_backends

from contactsync.sandbox.resource_policy import allows

_MESSAGE_LIMIT = 1024 * 1024  # bytes; SQS


@dataclass(frozen=True)
class QueueRefusal:
    """Why a message did not get into a queue, as an error code of EventBridge and a sentence."""

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
    """Put a message into a queue; with a rule's ARN the queue's policy must let EventBridge in for that rule."""
    queue = _find(queue_arn)
    if queue is None:
        return QueueRefusal("NO_RESOURCE", f"The queue {queue_arn} does not exist")
    if rule_arn is not None and not _lets_in(queue, rule_arn):
        return QueueRefusal("NO_PERMISSIONS", f"The policy of {queue_arn} does not let events.amazonaws.com send to it")
    text = json.dumps(body)
    if len(text.encode()) > _MESSAGE_LIMIT:
        return QueueRefusal("SDK_CLIENT_ERROR", f"The message is longer than {_MESSAGE_LIMIT} bytes")
    sqs_backends[queue.account_id][queue.region].send_message(
        queue.name, text, message_attributes=_typed(attributes), group_id=group
    )
    return None


def _find(queue_arn: str) -> Queue | None:
    parts = queue_arn.split(":")
    expected = 6
    if len(parts) != expected or parts[2] != "sqs":
        return None
    _, _, _, region, account, name = parts
    found: Queue | None = sqs_backends[account][region].queues.get(name)
    return found


def _lets_in(queue: Queue, rule_arn: str) -> bool:
    statements: list[Mapping[str, Any]] = json.loads(queue.policy or "{}").get("Statement", [])
    return allows(
        statements,
        service="events.amazonaws.com",
        action="sqs:SendMessage",
        source_arn=rule_arn,
        source_account=rule_arn.split(":")[4],
    )


def _typed(attributes: Mapping[str, str | int]) -> dict[str, dict[str, str]]:
    """Write message attributes; numbers keep their type, as Lambda's ErrorCode does."""
    return {
        name: {"DataType": "Number" if isinstance(value, int) else "String", "StringValue": str(value)}
        for name, value in attributes.items()
        if value != ""
    }

"""The corrections of moto's SNS and SQS: what is published and sent, and locks that moto's queues lack."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from moto.core.exceptions import ServiceException
from moto.sns.exceptions import SNSInvalidParameter
from moto.sns.models import SNSBackend, Subscription
from moto.sqs.models import Message, Queue, SQSBackend

from contactsync.sandbox.handover import Attribute, Handover
from contactsync.sandbox.messages.publish_limits import check_batch, check_message
from contactsync.sandbox.messages.topic_delivery import Published, TopicDelivery
from contactsync.sandbox.requests.faults import Faults, FaultSettings
from contactsync.sandbox.requests.wire import status_of

_SERVER_ERROR = 500
_LONG_POLL_STEP = 0.05  # seconds


@dataclass(frozen=True)
class Messages:
    """The part of a running sandbox that moto calls for messages."""

    topics: TopicDelivery
    faults: Faults


_original_deliver = Subscription.publish
_original_publish = SNSBackend.publish
_original_publish_batch = SNSBackend.publish_batch
_original_send_batch = SQSBackend.send_message_batch
_original_receive = SQSBackend.receive_message
_original_delete = Queue.delete_message


def _deliver(  # noqa: PLR0913, PLR0917 - moto's interface
    subscription: Subscription,
    message: str,
    message_id: str,
    subject: str | None = None,
    message_attributes: dict[str, Any] | None = None,
    group_id: str | None = None,
    deduplication_id: str | None = None,
    message_structure: str | None = None,
) -> None:
    """Apply the subscription's filter policy; then let the sandbox deliver what it can, and moto the rest."""
    messages = handover.part
    matcher = subscription._filter_policy_matcher  # noqa: SLF001 - moto has no public way
    if messages is not None and matcher is not None and not matcher.matches(message_attributes, message):
        return
    published = Published(message, message_id, subject, message_attributes or {}, message_structure)
    if messages is None or not messages.topics.deliver(subscription, published):
        _original_deliver(
            subscription,
            message,
            message_id,
            subject=subject,
            message_attributes=message_attributes,
            group_id=group_id,
            deduplication_id=deduplication_id,
            message_structure=message_structure,
        )


def _publish(  # noqa: PLR0913, PLR0917 - moto's interface
    backend: SNSBackend,
    message: str,
    arn: str | None,
    phone_number: str | None = None,
    subject: str | None = None,
    message_attributes: dict[str, Any] | None = None,
    group_id: str | None = None,
    deduplication_id: str | None = None,
    message_structure: str | None = None,
) -> str:
    messages = handover.part
    if messages is not None:
        check_message(message, subject, message_attributes, message_structure)
    message_id: str = _original_publish(
        backend,
        message,
        arn,
        phone_number,
        subject,
        message_attributes,
        group_id,
        deduplication_id,
        message_structure,
    )
    if messages is not None and phone_number:
        messages.topics.text_message(phone_number, message)
    return message_id


def _publish_batch(
    backend: SNSBackend, topic_arn: str, publish_batch_request_entries: list[dict[str, Any]]
) -> tuple[list[dict[str, str]], list[dict[str, Any]]]:
    """Check the batch, and answer every entry; moto leaves out entries that fail with an unexpected error."""
    messages = handover.part
    if messages is None:
        answered: tuple[list[dict[str, str]], list[dict[str, Any]]] = _original_publish_batch(
            backend, topic_arn, publish_batch_request_entries
        )
        return answered
    topic = backend.get_topic(topic_arn)
    check_batch(publish_batch_request_entries)
    if topic.fifo_topic and not all("MessageGroupId" in entry for entry in publish_batch_request_entries):
        message = "Invalid parameter: The MessageGroupId parameter is required for FIFO topics"
        raise SNSInvalidParameter(message)
    left, failed = _struck(messages.faults, "sns", "PublishBatch", backend.account_id, publish_batch_request_entries)
    successful = []
    for entry in left:
        try:
            successful.append({"Id": entry["Id"], "MessageId": _publish_entry(backend, topic_arn, entry)})
        except ServiceException as error:
            failed.append(_failure(entry["Id"], error.code, error.message, sender=True))
    return successful, failed


def _publish_entry(backend: SNSBackend, topic_arn: str, entry: Mapping[str, Any]) -> str:
    return _publish(
        backend,
        entry["Message"],
        topic_arn,
        subject=entry.get("Subject"),
        message_attributes=entry.get("MessageAttributes", {}),
        group_id=entry.get("MessageGroupId"),
        deduplication_id=entry.get("MessageDeduplicationId"),
        message_structure=entry.get("MessageStructure"),
    )


def _send_batch(
    backend: SQSBackend, queue_name: str, entries: dict[str, dict[str, Any]]
) -> tuple[list[Message], list[dict[str, Any]]]:
    messages = handover.part
    struck: list[dict[str, Any]] = []
    if messages is not None:
        left, struck = _struck(messages.faults, "sqs", "SendMessageBatch", backend.account_id, entries.values())
        entries = {key: entry for key, entry in entries.items() if entry in left}
    sent, failed = _original_send_batch(backend, queue_name, entries)
    return sent, [*failed, *struck]


def _struck(
    faults: Faults, service: str, operation: str, account: str, entries: Iterable[dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the entries that no scripted fault hits, and the answers to those that one hits."""
    hits = [(entry, faults.strike_entry(service, operation, account, entry)) for entry in entries]
    failed = [_scripted(service, entry["Id"], fault) for entry, fault in hits if fault is not None]
    return [entry for entry, fault in hits if fault is None], failed


def _scripted(service: str, entry_id: str, fault: FaultSettings) -> dict[str, Any]:
    code = str(fault.error)
    status = fault.status or status_of(service, code)
    return _failure(entry_id, code, fault.message or f"{code} scripted by the sandbox", sender=status < _SERVER_ERROR)


def _failure(entry_id: str, code: str, message: str, *, sender: bool) -> dict[str, Any]:
    return {"Id": entry_id, "Code": code, "Message": message, "SenderFault": sender}


def _receive(
    backend: SQSBackend,
    queue_name: str,
    count: int,
    wait_seconds_timeout: int,
    visibility_timeout: int,
    message_attribute_names: list[str] | None = None,
) -> Sequence[Message]:
    """Receive under the queue's lock; else two receivers can get the same message, and a deleted one can come back."""
    if handover.part is None:
        received: list[Message] = _original_receive(
            backend, queue_name, count, wait_seconds_timeout, visibility_timeout, message_attribute_names
        )
        return received
    end = time.monotonic() + (wait_seconds_timeout or 0)
    while True:
        queue = backend.get_queue(queue_name)
        with queue._messages_lock:  # noqa: SLF001 - the lock that moto itself takes to add a message
            messages: list[Message] = _original_receive(
                backend, queue_name, count, 0, visibility_timeout, message_attribute_names
            )
        if messages or time.monotonic() >= end or handover.part is None:
            return messages
        time.sleep(_LONG_POLL_STEP)


def _delete(queue: Queue, receipt_handle: str) -> None:
    """Delete under the queue's lock: moto replaces the list, and a message that is added meanwhile would be lost."""
    with queue._messages_lock:  # noqa: SLF001 - the lock that moto itself takes to add a message
        _original_delete(queue, receipt_handle)


handover: Handover[Messages] = Handover(
    Attribute(Subscription, "publish", _deliver),
    Attribute(SNSBackend, "publish", _publish),
    Attribute(SNSBackend, "publish_batch", _publish_batch),
    Attribute(SQSBackend, "send_message_batch", _send_batch),
    Attribute(SQSBackend, "receive_message", _receive),
    Attribute(Queue, "delete_message", _delete),
)

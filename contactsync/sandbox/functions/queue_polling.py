"""Lambda's polling of SQS queues: messages come in batches, and are deleted only when the function has handled them.

As in AWS: messages of a failed batch are visible again when the queue's visibility timeout is over, which began when
they were received; with ReportBatchItemFailures, only the messages that the function reports. moto counts the receives
and applies the redrive policy.
Unlike AWS: polling does not slow down after errors, and a batch is not limited to 6 MB.
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

import base64
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from moto.awslambda.models import EventSourceMapping, LambdaFunction, lambda_backends
from moto.sqs.exceptions import SQSException
from moto.sqs.models import Message, Queue, sqs_backends

from contactsync.sandbox.functions.event_source_mappings import (
    concurrency_of,
    is_enabled,
    queue_at,
    reports_failures,
    window_of,
)
from contactsync.sandbox.functions.functions import Functions, Invocation

logger = logging.getLogger(__name__)

POLL_SECONDS: Final = 0.05
_WORKERS = 8


@dataclass(frozen=True)
class _Batch:
    """Messages that were received together, and when their visibility timeout ends."""

    mapping: EventSourceMapping
    queue: Queue
    messages: Sequence[Message]
    visible_at: float
    """In milliseconds since 1970, as moto has it."""

    @property
    def sent(self) -> frozenset[str]:
        """The ids of the messages."""
        return frozenset(message.id for message in self.messages)


class QueuePolling:
    """The threads that poll the queues of all mappings between `start` and `join`."""

    def __init__(self, functions: Functions, time_scale: Callable[[], float]) -> None:
        """Keep the parts; `time_scale` returns the factor, from 0 to 1, for AWS's waits."""
        self._functions = functions
        self._time_scale = time_scale
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._workers = ThreadPoolExecutor(max_workers=_WORKERS, thread_name_prefix="queue-batch")
        self._lock = threading.Lock()
        self._under_way: dict[str, int] = {}

    def start(self) -> None:
        """Begin to poll."""
        self._thread = threading.Thread(target=self._poll, name="queue-polling", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Begin no more batches."""
        self._stopping.set()

    def join(self) -> None:
        """Wait for running batches; before that, call `close` and end their functions."""
        if self._thread:
            self._thread.join()
        self._workers.shutdown(wait=True, cancel_futures=True)

    def is_idle(self) -> bool:
        """Return whether no batch is running and no polled queue has a message, visible or not."""
        with self._lock:
            busy = any(self._under_way.values())
        queues = [queue_at(mapping.event_source_arn) for mapping in _mappings()]
        return not busy and not any(queue._messages for queue in queues if queue)  # noqa: SLF001 - moto counts visible ones

    def _poll(self) -> None:
        while not self._stopping.wait(POLL_SECONDS):
            for mapping in list(_mappings()):
                try:
                    self._take(mapping)
                except Exception:  # the edge of the thread, which must go on when moto fails on one queue
                    logger.exception("Queue %s could not be polled", mapping.event_source_arn)

    def _take(self, mapping: EventSourceMapping) -> None:
        queue = queue_at(mapping.event_source_arn)
        while queue is not None and not self._stopping.is_set() and self._may_take(mapping, queue):
            batch = self._receive(mapping, queue)
            if not batch.messages:
                return
            with self._lock:
                self._under_way[mapping.uuid] = self._under_way.get(mapping.uuid, 0) + 1
            self._workers.submit(self._handle, batch)

    def _may_take(self, mapping: EventSourceMapping, queue: Queue) -> bool:
        """Return whether a batch may begin: one more may run, and it is full or its window is over."""
        with self._lock:
            if self._under_way.get(mapping.uuid, 0) >= concurrency_of(mapping):
                return False
        window = window_of(mapping) * self._time_scale()
        waiting = queue.messages if window else []
        if not waiting or len(waiting) >= mapping.batch_size:
            return True
        oldest = min(max(message.sent_timestamp or 0, message.visible_at) for message in waiting)
        return bool(_now() - oldest >= window * 1000)

    def _receive(self, mapping: EventSourceMapping, queue: Queue) -> _Batch:
        """Receive a batch; its messages stay invisible for the whole, unscaled timeout or until they are given back."""
        timeout = int(queue.visibility_timeout)
        visible_at = _now() + timeout * 1000 * self._time_scale()
        backend = sqs_backends[queue.account_id][queue.region]
        return _Batch(
            mapping, queue, backend.receive_message(queue.name, mapping.batch_size, 0, timeout, ["All"]), visible_at
        )

    def _handle(self, batch: _Batch) -> None:
        failed = batch.sent
        try:
            try:
                failed = self._run(batch)
            finally:
                _acknowledge(batch, failed)
        except Exception:  # the edge of a pool thread: the pool would drop the error silently
            if not self._stopping.is_set():
                logger.exception("A batch of queue %s was not handled", batch.queue.name)
        finally:  # also when messages cannot be acknowledged: without its slot the queue would stop
            with self._lock:
                self._under_way[batch.mapping.uuid] -= 1

    def _run(self, batch: _Batch) -> frozenset[str]:
        queue = batch.queue
        function = self._functions.find(batch.mapping.function_arn, queue.account_id, queue.region)
        if function is None or _is_throttled(function):
            return batch.sent
        invocation = self._functions.invoke(function, {"Records": [record(item, queue) for item in batch.messages]})
        return failed_messages(invocation, batch.sent, reports=reports_failures(batch.mapping))


def _acknowledge(batch: _Batch, failed: frozenset[str]) -> None:
    """Delete the handled messages, and make the failed ones visible again after the scaled timeout."""
    for message in batch.messages:
        if message.id in failed:
            _give_back(batch, message)
        else:
            _delete(batch, message)


def _delete(batch: _Batch, message: Message) -> None:
    try:
        sqs_backends[batch.queue.account_id][batch.queue.region].delete_message(
            batch.queue.name, message.receipt_handle
        )
    except SQSException as error:
        logger.debug("Message %s was gone already: %s", message.id, error.code)


def _give_back(batch: _Batch, message: Message) -> None:
    kept = next((item for item in batch.queue._messages if item.id == message.id), None)  # noqa: SLF001 - received messages are copies
    if kept is not None and kept.receipt_handle == message.receipt_handle:
        kept.visible_at = batch.visible_at


def failed_messages(invocation: Invocation, sent: frozenset[str], *, reports: bool) -> frozenset[str]:
    """Return the ids of the messages that the function did not handle.

    These are all messages after an error, an unreadable answer, or an identifier that is missing or was not sent.
    """
    if invocation.error is not None:
        return sent
    answer = json.loads(invocation.payload)
    if not reports or answer is None:
        return frozenset()
    failures = (answer.get("batchItemFailures") or []) if isinstance(answer, dict) else ...
    if not isinstance(failures, list):
        return sent
    named = frozenset(_identifier(item) for item in failures)
    if named <= sent:
        return named
    return sent


def _identifier(item: object) -> str:
    identifier = item.get("itemIdentifier") if isinstance(item, dict) else None
    return identifier if isinstance(identifier, str) else ""


def record(message: Message, queue: Queue) -> dict[str, Any]:
    """Return a message in the form in which Lambda passes it to a function."""
    attributes = message.message_attributes
    written = {
        "messageId": message.id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": {
            "ApproximateReceiveCount": str(message.approximate_receive_count),
            "SentTimestamp": str(message.sent_timestamp),
            "SenderId": message.sender_id,
            "ApproximateFirstReceiveTimestamp": str(message.approximate_first_receive_timestamp),
        },
        "messageAttributes": {name: _attribute(value) for name, value in attributes.items()},
        "md5OfBody": message.body_md5,
        "eventSource": "aws:sqs",
        "eventSourceARN": queue.queue_arn,
        "awsRegion": queue.region,
    }
    return written | ({"md5OfMessageAttributes": message.attribute_md5} if attributes else {})


def _attribute(value: Mapping[str, Any]) -> dict[str, Any]:
    written: dict[str, Any] = {"stringListValues": [], "binaryListValues": [], "dataType": value["DataType"]}
    if value.get("BinaryValue") is not None:
        binary = value["BinaryValue"]  # bytes from clients of SQS, base64 text from SNS
        return written | {"binaryValue": binary if isinstance(binary, str) else base64.b64encode(binary).decode()}
    return written | {"stringValue": value.get("StringValue")}


def _mappings() -> Iterator[EventSourceMapping]:
    for regions in list(lambda_backends.values()):
        for backend in list(regions.values()):
            for mapping in list(backend._event_source_mappings.values()):  # noqa: SLF001 - moto lists them only per function
                if ":sqs:" in mapping.event_source_arn and is_enabled(mapping):
                    yield mapping


def _is_throttled(function: LambdaFunction) -> bool:
    return str(function.reserved_concurrency) == "0"


def _now() -> float:
    return time.time() * 1000

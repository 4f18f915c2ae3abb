"""What the sandbox accepts of an AWS::Lambda::EventSourceMapping, checked as Lambda checks it.

Limits: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-parameters.html and services-sqs-configure.html.
"""

from collections.abc import Mapping
from typing import Any, Final

from moto.awslambda.models import EventSourceMapping, LambdaFunction
from moto.core.exceptions import JsonRESTError
from moto.sqs.models import Queue, sqs_backends

REPORT_FAILURES: Final = "ReportBatchItemFailures"
SUPPORTED: Final = frozenset(
    {
        "EventSourceArn",
        "FunctionName",
        "BatchSize",
        "Enabled",
        "FunctionResponseTypes",
        "MaximumBatchingWindowInSeconds",
        "ScalingConfig",
        "Tags",
    }
)
_ADDED_BY_MOTO = frozenset({"RegionName", "AccountId", "FunctionArn", "UUID", "FunctionName"})
_DEFAULT_CONCURRENCY: Final = 2
"""How many batches of one mapping may run at the same time by default; Lambda begins with 5 and goes up to 1,250."""
_SMALL_BATCH, _LARGEST_BATCH = 10, 10_000  # messages
_LONGEST_WINDOW = 300  # seconds
_CONCURRENCY = range(2, 1001)  # batches at the same time


class MappingRefusedError(JsonRESTError):  # type: ignore[misc] # moto has no types for us
    """A mapping that Lambda refuses, or that the sandbox would not carry out as Lambda does."""

    code = 400

    def __init__(self, message: str) -> None:
        super().__init__("InvalidParameterValueException", message)


def check(spec: Mapping[str, Any], function: LambdaFunction) -> None:
    """Refuse a mapping that has no standard queue, or unsupported properties, or that exceeds Lambda's limits."""
    arn = str(spec.get("EventSourceArn"))
    if ":sqs:" not in arn or arn.endswith(".fifo"):
        message = f"the sandbox polls standard SQS queues only, not {arn}"
        raise MappingRefusedError(message)
    unknown = sorted(name for name, value in spec.items() if value and name not in SUPPORTED | _ADDED_BY_MOTO)
    if unknown:
        message = f"the sandbox does not support {', '.join(unknown)} of an event source mapping"
        raise MappingRefusedError(message)
    for complaint in (_batch_complaint(spec), _response_complaint(spec), _concurrency_complaint(spec)):
        if complaint:
            raise MappingRefusedError(complaint)
    _check_timeouts(queue_at(arn), function)


def queue_at(arn: str) -> Queue | None:
    """Return the queue with this ARN, or None."""
    _, _, service, region, account, name = arn.split(":", 5)
    queue: Queue | None = sqs_backends[account][region].queues.get(name) if service == "sqs" else None
    return queue


def is_enabled(mapping: EventSourceMapping) -> bool:
    """Return whether the mapping is enabled; a template may give this as text."""
    return str(mapping.enabled).lower() == "true"


def window_of(mapping: EventSourceMapping) -> float:
    """Return for how many seconds a batch is collected."""
    return float(mapping.max_batch_window or 0)


def concurrency_of(mapping: EventSourceMapping) -> int:
    """Return how many batches may run at the same time."""
    return int((mapping.scaling_config or {}).get("MaximumConcurrency") or _DEFAULT_CONCURRENCY)


def reports_failures(mapping: EventSourceMapping) -> bool:
    """Return whether the function may report the messages that failed."""
    return REPORT_FAILURES in (mapping.function_response_types or ())


def _batch_complaint(spec: Mapping[str, Any]) -> str:
    size, window = int(spec.get("BatchSize") or _SMALL_BATCH), int(spec.get("MaximumBatchingWindowInSeconds") or 0)
    if not 1 <= size <= _LARGEST_BATCH:
        return f"BatchSize: {size} is not from 1 to {_LARGEST_BATCH}"
    if not 0 <= window <= _LONGEST_WINDOW:
        return f"MaximumBatchingWindowInSeconds: {window} is not from 0 to {_LONGEST_WINDOW}"
    if size > _SMALL_BATCH and not window:
        return "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"
    return ""


def _response_complaint(spec: Mapping[str, Any]) -> str:
    unknown = [name for name in spec.get("FunctionResponseTypes") or () if name != REPORT_FAILURES]
    return f"FunctionResponseTypes: {unknown[0]!r} is not {REPORT_FAILURES}" if unknown else ""


def _concurrency_complaint(spec: Mapping[str, Any]) -> str:
    wanted = (spec.get("ScalingConfig") or {}).get("MaximumConcurrency")
    wrong = wanted is not None and int(wanted) not in _CONCURRENCY
    return f"ScalingConfig.MaximumConcurrency: {wanted} is not from 2 to 1000" if wrong else ""


def _check_timeouts(queue: Queue | None, function: LambdaFunction) -> None:
    """Refuse a queue whose messages could be received again while the function still handles them."""
    if queue is not None and int(queue.visibility_timeout) < int(function.timeout):
        message = (
            f"Queue visibility timeout: {queue.visibility_timeout} seconds is less than "
            f"Function timeout: {function.timeout} seconds"
        )
        raise MappingRefusedError(message)

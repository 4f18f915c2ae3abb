"""What the reader of a dead letter does next: no task is cleared here, and nobody looks at trusted access.

Errors of AWS calls carry advice for a run's tasks. A subscriber's function fails on its own role and its own tables,
and what follows a correction is a redrive.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from contactsync.errors import (
    AccessDeniedError,
    AwsCallError,
    AwsSetupError,
    ContactSyncError,
    CredentialsError,
    RequestInvalidError,
    ResourceMissingError,
    ServiceUnavailableError,
    StateConflictError,
    ThrottledError,
)

_S3, _DYNAMODB, _SNS, _SQS = "Amazon S3", "DynamoDB", "Amazon SNS", "Amazon SQS"
_SSM, _LAMBDA, _STS, _CLOUDWATCH = "Systems Manager", "Lambda", "STS", "CloudWatch"

SERVICES: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(("GetObject", "PutObject", "HeadObject", "ListObjectsV2"), _S3),
        **dict.fromkeys(("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan"), _DYNAMODB),
        **dict.fromkeys(("BatchGetItem", "BatchWriteItem", "TransactGetItems", "TransactWriteItems"), _DYNAMODB),
        **dict.fromkeys(("Publish", "PublishBatch"), _SNS),
        **dict.fromkeys(("SendMessage", "SendMessageBatch", "ReceiveMessage", "DeleteMessage"), _SQS),
        "CreateOpsItem": _SSM,
        "Invoke": _LAMBDA,
        "AssumeRole": _STS,
        "PutMetricData": _CLOUDWATCH,
    }
)
"""The services by the operations that subscribers call."""

RESOURCES: Final[Mapping[str, str]] = MappingProxyType(
    {_S3: "bucket", _DYNAMODB: "table", _SNS: "topic", _SQS: "queue", _LAMBDA: "function"}
)

GONE: Final = frozenset({"NoSuchKey", "NoSuchVersion"})
"""S3's codes for an object that is not there (any more)."""

KMS: Final = re.compile(r"KMS|Kms")
"""Part of the codes with which services say that a key could not be used."""


@dataclass(frozen=True)
class Reader:
    """Who will read why a message failed: somebody with the queue's and the function's name."""

    queue: str = "QUEUE"
    function: str = "the subscriber's function"

    @property
    def redrive(self) -> str:
        """The command that follows a correction."""
        return f"`contactsync dead-letters redrive {self.queue} --all`"


def sentence_for(error: ContactSyncError, reader: Reader) -> str:
    """Return an error's sentence with what the reader of a dead letter does next."""
    if isinstance(error, AwsCallError):
        return _of_call(error, reader)
    if isinstance(error, StateConflictError):
        return f"{error.item} changed {error.tries} times while it was being written. Then {reader.redrive}."
    return str(error)


_GONE: Final = (
    "The object that the event names with dataref is gone: the bucket keeps event data for 35 days. `contactsync "
    "audit` shows what is kept of the event; discard the message."
)
_KMS: Final = "The KMS key of the {thing} cannot be used: check the key's state and its policy. Then {redrive}."
_BY_KIND: Final[tuple[tuple[type[AwsCallError], str], ...]] = (
    (
        CredentialsError,
        "{function} has no valid credentials: check its role, and whom the role trusts. Then {redrive}.",
    ),
    (
        AccessDeniedError,
        (
            "The role of {function} lacks the permission, or a policy of the {thing} or of its KMS key denies it: "
            "compare them with infra/bus.yaml. Then {redrive}."
        ),
    ),
    (
        ResourceMissingError,
        (
            "The {thing} does not exist: compare the CONTACTSYNC_* variables of {function} with the outputs of the "
            "stacks. Then {redrive}."
        ),
    ),
    (
        ThrottledError,
        "AWS allows fewer calls per second than were made, in every try. When there is less to do, {redrive}.",
    ),
    (ServiceUnavailableError, "The service failed or did not answer, in every try. When it answers again, {redrive}."),
    (
        RequestInvalidError,
        (
            "The request was invalid, so trying again does not help: look at the message, and update contactsync or "
            "correct the settings of {function}. Then {redrive}."
        ),
    ),
    (
        AwsCallError,
        (
            "Look the code up in the API reference of {service}, and read the log of {function}. When the cause is "
            "gone, {redrive}."
        ),
    ),
)
"""What to do, by the first kind that an error is of."""


def _of_call(error: AwsCallError, reader: Reader) -> str:
    if isinstance(error, AwsSetupError):  # knows the variable or the file
        return f"{error} Then {reader.redrive}."
    service = SERVICES.get(error.operation)
    call = f"{error.operation} of {service}" if service else error.operation
    if error.aws_code in GONE:
        advice = _GONE
    elif KMS.search(error.aws_code):
        advice = _KMS
    else:
        advice = next(advice for kind, advice in _BY_KIND if isinstance(error, kind))
    thing = RESOURCES.get(service or "", "resource")
    parts = {"thing": thing, "service": service or "the service", "function": reader.function}
    return f"{call} failed with {error.aws_code}. {advice.format(**parts, redrive=reader.redrive)}"


TIMED_OUT: Final = frozenset({"Sandbox.Timedout", "Function.Timedout", "Runtime.Timedout"})
PROCESS_ENDED: Final = frozenset({"Runtime.ExitError", "Runtime.OutOfMemory", "Extension.Crash"})
NOT_STARTED: Final = frozenset(
    {
        "Runtime.ImportModuleError",
        "Runtime.HandlerNotFound",
        "Runtime.UserCodeSyntaxError",
        "Runtime.MalformedHandlerName",
        "Runtime.InvalidEntrypoint",
        "Runtime.Unknown",
    }
)
"""Lambda's own error types: of an invocation that ran too long, whose process ended, and whose code was not started."""

_DELIVERIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "NO_PERMISSIONS": "EventBridge may not invoke the function: check TriggerPermission of infra/trigger.yaml",
        "NO_RESOURCE": "The trigger function, the rule's target, does not exist: deploy infra/trigger.yaml again",
        "THROTTLING": "The trigger function was throttled: check its reserved concurrency and the account's limit",
        "TIMEOUT": "Lambda did not answer EventBridge",
        "INTERNAL_ERROR": "EventBridge or Lambda failed",
        "SDK_CLIENT_ERROR": "EventBridge's call of the trigger function failed: check the rule's target",
        "INVALID_PARAMETER": "EventBridge's call of the trigger function was invalid: check the rule's target",
    }
)
"""EventBridge's ERROR_CODE of events that it did not bring to their target."""


def delivery_advice(code: str | None) -> str:
    """Return what to do about an event that EventBridge did not deliver."""
    what = _DELIVERIES.get(code or "", "Look EventBridge's code up in its user guide")
    return f"{what}. Then {Reader('rule').redrive}."


def invocation_advice(code: str | None, tries: str) -> str | None:
    """Return what happened to an asynchronous invocation that failed in Lambda itself, and what to do; None for others.

    `tries` is put behind what happened.
    """
    again = f"Then {Reader('trigger').redrive}."
    if code in TIMED_OUT:
        return (
            f"The trigger function did not end within its Timeout{tries}: see its log for what it waited for, such as "
            f"an Airflow that does not answer. {again}"
        )
    if code in PROCESS_ENDED:
        return (
            f"The process of the trigger function ended{tries}: it ran out of memory, or exited; see its log, and "
            f"raise MemorySize when memory was short. {again}"
        )
    if code in NOT_STARTED:
        return (
            f"The trigger function's code could not be started{tries}: see its log, and deploy infra/trigger.yaml with "
            f"a complete zip. {again}"
        )
    return None


UNRECORDED: Final = (
    "No reason was recorded: SNS could not deliver the message, or the subscriber's function was not started, or its "
    "process ended every time. See the function's log and its metrics Errors and Throttles."
)

"""What the reader of a dead letter can do next, other than for a failed task of Airflow.

A subscriber's function fails because of its own role and its own tables, and after a correction the letter is sent
again: each class of errors says so in its `dead_letter`. Advice about EventBridge's and Lambda's own errors is here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from contactsync.errors import AwsCallError, ContactSyncError
from contactsync.plain_text import log_text


@dataclass(frozen=True)
class Reader:
    """The reader of why a message failed: somebody who needs the queue's and the function's name."""

    queue: str = "QUEUE"
    function: str = "the subscriber's function"

    @property
    def redrive(self) -> str:
        """The command to run after a correction."""
        return f"`contactsync dead-letters redrive {self.queue} --all`"


def sentence_for(error: ContactSyncError, reader: Reader) -> str:
    """Return what happened, with the advice of the error's class for the reader of a dead letter."""
    if not error.dead_letter:
        return str(error)
    parts = {"function": reader.function, "redrive": reader.redrive, "thing": "resource", "service": "the service"}
    if isinstance(error, AwsCallError):
        parts |= {"thing": error.thing, "service": error.service_name or "the service"}
    return log_text(f"{error.brief} {error.dead_letter.format(**parts)}")


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
"""Lambda's own types of errors: the invocation ran too long, its process ended, or its code could not start."""

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
"""EventBridge's ERROR_CODE of events that it could not deliver to their target."""


def delivery_advice(code: str | None) -> str:
    """Return what to do about an event that EventBridge did not deliver."""
    what = _DELIVERIES.get(code or "", "Look up EventBridge's code in its user guide")
    return f"{what}. Then {Reader('rule').redrive}."


def invocation_advice(code: str | None, tries: str) -> str | None:
    """Return what happened to an asynchronous invocation that Lambda itself failed, and what to do; None for others.

    `tries` is appended to what happened.
    """
    again = f"Then {Reader('trigger').redrive}."
    if code in TIMED_OUT:
        return (
            f"The trigger function did not end within its Timeout{tries}: its log shows what it waited for, such as "
            f"an Airflow that does not answer. {again}"
        )
    if code in PROCESS_ENDED:
        return (
            f"The process of the trigger function ended{tries}: it ran out of memory, or exited; see its log, and "
            f"raise MemorySize if the memory was too small. {again}"
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

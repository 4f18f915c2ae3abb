"""Asynchronous invocations by Lambda's rules: queued, retried after errors, and sent to a destination at the end.

Developer guide, "How Lambda handles errors and retries with asynchronous invocation" and "Capturing records of Lambda
asynchronous invocations": after errors of the function there are two retries, after one minute and after two.
"""

import json
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from moto.awslambda.models import LambdaFunction

from contactsync.sandbox.functions.functions import Functions, Invocation
from contactsync.sandbox.queues import dead_letters
from contactsync.sandbox.queues.delayed_calls import DelayedCalls

RETRY_DELAYS = (60.0, 120.0)  # seconds
_DEFAULT_RETRIES = 2
_DEFAULT_AGE = 21_600.0  # seconds
_SYSTEM_ERROR_LONGEST = 300.0  # seconds between tries after throttling and errors of Lambda itself
_DLQ_MESSAGE_LIMIT = 1024  # bytes of the error message in a dead letter's attribute
PAYLOAD_LIMIT = 1024 * 1024  # bytes of an asynchronous invocation's event

Report = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True)
class AsyncRules:
    """A function's settings for asynchronous invocation, with Lambda's defaults where nothing is set."""

    maximum_retries: int
    maximum_age: float
    """In seconds."""
    on_failure: str | None
    on_success: str | None
    dead_letter_target: str | None


def rules_of(function: LambdaFunction) -> AsyncRules:
    """Return the rules from the function's event invoke config and dead-letter config."""
    config: Mapping[str, Any] = function.event_invoke_config[-1].config if function.event_invoke_config else {}
    destinations = config.get("DestinationConfig") or {}
    dead_letters_to = getattr(function, "dead_letter_config", None) or {}
    return AsyncRules(
        maximum_retries=int(config.get("MaximumRetryAttempts", _DEFAULT_RETRIES)),
        maximum_age=float(config.get("MaximumEventAgeInSeconds", _DEFAULT_AGE)),
        on_failure=(destinations.get("OnFailure") or {}).get("Destination"),
        on_success=(destinations.get("OnSuccess") or {}).get("Destination"),
        dead_letter_target=dead_letters_to.get("TargetArn"),
    )


class AsyncInvocations:
    """The queue of asynchronous events: each is tried until it succeeds, has no retries left, or is too old."""

    def __init__(self, functions: Functions, calls: DelayedCalls, time_scale: Callable[[], float]) -> None:
        """Keep the parts; `time_scale` returns the factor, from 0 to 1, for AWS's waits."""
        self._functions = functions
        self._calls = calls
        self._time_scale = time_scale

    def accept(self, function: LambdaFunction, event: object, report: Report) -> str:
        """Queue an event and return the request id that all its tries share; `report` gets a note about each one."""
        queued = _Queued(function, event, report)
        self._calls.after(0, lambda: self._attempt(queued))
        return queued.request_id

    def _attempt(self, queued: "_Queued") -> None:
        function = self._functions.find(queued.function, queued.account, queued.region)
        if function is None:
            queued.report({"step": "invoke", "result": "dropped", "message": "the function was deleted meanwhile"})
            return
        rules = rules_of(function)
        if str(function.reserved_concurrency) == "0":
            _give_up(function, queued, "ZeroReservedConcurrency", None)
            return
        queued.attempts += 1
        try:
            invocation = self._functions.invoke(function, queued.event, request_id=queued.request_id)
        except OSError as error:  # no process could be started: Lambda's own failure, not the function's
            queued.attempts -= 1
            queued.report({"step": "invoke", "result": "system error", "message": str(error)})
            self._after_system_error(function, rules, queued)
            return
        queued.report(_note(queued, invocation))
        if invocation.error is None:
            _hand_on(rules.on_success, _record(function, queued, "Success", invocation), queued, "on-success")
        else:
            self._after_error(function, rules, queued, invocation)

    def _after_system_error(self, function: LambdaFunction, rules: AsyncRules, queued: "_Queued") -> None:
        """Try again until the event is too old; these errors do not count as retries."""
        scale = self._time_scale()
        delay = min(2.0**queued.system_errors, _SYSTEM_ERROR_LONGEST) * scale
        queued.system_errors += 1
        if time.monotonic() + delay - queued.since > rules.maximum_age * scale:
            _give_up(function, queued, "EventAgeExceeded", None)
        else:
            self._calls.after(delay, lambda: self._attempt(queued))

    def _after_error(
        self, function: LambdaFunction, rules: AsyncRules, queued: "_Queued", invocation: Invocation
    ) -> None:
        scale = self._time_scale()
        delay = RETRY_DELAYS[min(queued.attempts, len(RETRY_DELAYS)) - 1] * scale
        if queued.attempts > rules.maximum_retries:
            _give_up(function, queued, "RetriesExhausted", invocation)
        elif time.monotonic() + delay - queued.since > rules.maximum_age * scale:
            _give_up(function, queued, "EventAgeExceeded", invocation)
        else:
            self._calls.after(delay, lambda: self._attempt(queued))


class _Queued:
    """An event in a function's queue."""

    def __init__(self, function: LambdaFunction, event: object, report: Report) -> None:
        self.function = function.function_name
        self.account = function.account_id
        self.region = function.region
        self.event = event
        self.report = report
        self.request_id = str(uuid.uuid4())
        self.attempts = 0
        self.system_errors = 0
        self.since = time.monotonic()


def _give_up(function: LambdaFunction, queued: _Queued, condition: str, invocation: Invocation | None) -> None:
    rules = rules_of(function)
    _hand_on(rules.on_failure, _record(function, queued, condition, invocation), queued, "on-failure")
    if rules.dead_letter_target:
        attributes = _dead_letter_attributes(queued, invocation)
        refusal = dead_letters.send(rules.dead_letter_target, queued.event, attributes)
        queued.report(_handed(queued, "dead-letter", rules.dead_letter_target, refusal))
    if not rules.on_failure and not rules.dead_letter_target:
        queued.report({"step": "give-up", "result": "dropped", "condition": condition})


def _note(queued: _Queued, invocation: Invocation) -> dict[str, Any]:
    return {
        "step": "invoke",
        "attempt": queued.attempts,
        "function": queued.function,
        "request_id": queued.request_id,
        "time": invocation.started.isoformat(),
        "duration": round(invocation.duration, 4),
        "result": "success" if invocation.error is None else "error",
        "error_type": None if invocation.error is None else invocation.error.get("errorType"),
        "error_message": None if invocation.error is None else invocation.error.get("errorMessage"),
    }


def _record(function: LambdaFunction, queued: _Queued, condition: str, invocation: Invocation | None) -> dict[str, Any]:
    """Return the invocation record that a destination receives, in the form of the developer guide."""
    record: dict[str, Any] = {
        "version": "1.0",
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "requestContext": {
            "requestId": queued.request_id,
            "functionArn": f"{function.function_arn}:$LATEST",
            "condition": condition,
            "approximateInvokeCount": queued.attempts,
        },
        "requestPayload": queued.event,
    }
    if invocation is None:
        return record
    response: dict[str, Any] = {"statusCode": 200, "executedVersion": "$LATEST"}
    if invocation.error is not None:
        response["functionError"] = "Unhandled"
    return record | {"responseContext": response, "responsePayload": json.loads(invocation.payload)}


def _hand_on(destination: str | None, record: Mapping[str, Any], queued: _Queued, step: str) -> None:
    if destination is None:
        return
    if ":sqs:" not in destination:
        refusal: dead_letters.QueueRefusal | None = dead_letters.QueueRefusal(
            "UNSUPPORTED", "the sandbox hands invocation records to SQS queues only"
        )
    else:
        refusal = dead_letters.send(destination, record, {})
    queued.report(_handed(queued, step, destination, refusal))


def _handed(queued: _Queued, step: str, destination: str, refusal: dead_letters.QueueRefusal | None) -> dict[str, Any]:
    return {
        "step": step,
        "destination": destination,
        "attempts": queued.attempts,
        "time": datetime.now(UTC).isoformat(),
        "result": "sent" if refusal is None else "refused",
        "message": None if refusal is None else refusal.message,
    }


def _dead_letter_attributes(queued: _Queued, invocation: Invocation | None) -> dict[str, str | int]:
    error = invocation.error if invocation is not None and invocation.error is not None else {}
    message = str(error.get("errorMessage", "")).encode()[:_DLQ_MESSAGE_LIMIT].decode(errors="ignore")
    return {"RequestID": queued.request_id, "ErrorCode": 200, "ErrorMessage": message}

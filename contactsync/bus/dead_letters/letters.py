"""A dead letter and what is in it, whichever queue it is from."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from contactsync.bus.advice import delivery_advice, invocation_advice
from contactsync.bus.consume import MessageIds, name_in, names_in, object_in
from contactsync.errors import DeadLetterUnreadableError

RULE: Final = "rule"
"""The queue of events that EventBridge could not deliver to the trigger function."""

TRIGGER: Final = "trigger"
"""The queue of events on which the trigger function failed for good; every other queue is a subscriber's."""


OUTBOX: Final = "outbox"
"""Not a queue of SQS: announcements that could not be published, stored beside the outbox."""


@dataclass(frozen=True)
class DeadLetter:
    """A message as it was taken from a dead-letter queue; its body may hold contact values."""

    queue: str
    message_id: str
    body: str = field(repr=False)
    attributes: Mapping[str, str]
    sent: datetime
    """When it came into this queue, or into the queue from which it was moved."""
    receipt: str = field(repr=False)
    """The receipt handle, with which it is given back or deleted."""


def names_of(letter: DeadLetter) -> MessageIds:
    """Return the ids and the type of a letter, where it has them."""
    if letter.queue == OUTBOX:
        body = object_in(letter.body)
        return MessageIds(name_in(body, "id"), name_in(body, "type"), name_in(body, "correlation_id"))
    if letter.queue not in {RULE, TRIGGER}:
        return names_in(letter.body)
    detail = _member(_recorded(letter), "detail")
    event_id = name_in(detail, "eventID")
    return MessageIds(event_id, name_in(detail, "eventName"), event_id)


def original_event(letter: DeadLetter) -> str:
    """Return the JSON with which to call the trigger function again.

    Raises DeadLetterUnreadableError for a letter of another form.
    """
    event = _recorded(letter)
    if not event:
        problem = "it holds no event" if letter.queue == RULE else "it has no requestPayload"
        raise DeadLetterUnreadableError(queue=letter.queue, message_id=letter.message_id, problem=problem)
    return letter.body if letter.queue == RULE else json.dumps(event)


def _recorded(letter: DeadLetter) -> Mapping[str, Any]:
    """Return the event from what EventBridge kept, or from Lambda's record of an invocation."""
    body = object_in(letter.body)
    return body if letter.queue == RULE else _member(body, "requestPayload")


def undelivered(letter: DeadLetter) -> tuple[str | None, str | None]:
    """Return EventBridge's code for an event that it did not deliver, and a sentence with what to do."""
    code, said = letter.attributes.get("ERROR_CODE"), letter.attributes.get("ERROR_MESSAGE")
    if code is None and said is None:
        return None, None
    return code, f"{said}. {delivery_advice(code)}" if said else delivery_advice(code)


def _code_in_message(record: Mapping[str, Any]) -> str | None:
    """Return the error type of an invocation that ran too long; Lambda writes it only into the message."""
    message = _member(record, "responsePayload").get("errorMessage")
    return "Sandbox.Timedout" if isinstance(message, str) and "Task timed out after" in message else None


def invocation_failure(letter: DeadLetter) -> tuple[str | None, str | None]:
    """Return the error's type from Lambda's invocation record; its message is not used: it may quote the event."""
    record = object_in(letter.body)
    context = _member(record, "requestContext")
    code, condition = name_in(_member(record, "responsePayload"), "errorType"), name_in(context, "condition")
    count = context.get("approximateInvokeCount")
    tries = f" after {count} tries" if isinstance(count, int) else ""
    code = code or _code_in_message(record)
    if advice := invocation_advice(code, tries):
        return code, advice
    return code or condition, f"{condition}{tries}; see the function's log" if condition else None


def content_of(letter: DeadLetter) -> str:
    """Return a name for what is sent on; invocation records of one event differ in times and request ids."""
    content = json.dumps(_recorded(letter)) if letter.queue in {RULE, TRIGGER} else letter.body
    return hashlib.sha256(content.encode(errors="replace")).hexdigest()


def _member(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = body.get(name)
    return value if isinstance(value, dict) else {}

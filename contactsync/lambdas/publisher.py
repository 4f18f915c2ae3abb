"""The optional publisher: other systems put events onto the bus through API Gateway, with IAM authorization."""

import json
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools import Logger

from contactsync.bus.outside import announced_outside, answer_of
from contactsync.bus.publish import Publisher
from contactsync.bus.values import json_value
from contactsync.clock import SystemClock
from contactsync.errors import EventInvalidError
from contactsync.services.functions.publisher import outside_publisher

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

LARGEST_BODY: Final = 65_536
"""Bytes of a request at most; an event with the allowed fields needs far fewer."""

FOR_GOOD: Final = (
    "the event bus refuses this event, and another try does not help: ask the operators of contactsync, who get an "
    "alarm"
)

# The event is never logged: it holds what a stranger sent.
logger = Logger(service="contactsync-publisher")


@logger.inject_lambda_context
def handler(event: Any, context: "LambdaContext") -> dict[str, Any]:  # noqa: ANN401, ARG001 -- Lambda's own signature
    """Answer 202 with the event's ids, 400 with the problems, or 403, 413, 500 or 503 when it is not published.

    The caller waits for a status, so an error is not raised. After 503 the caller should send again; after 500 that
    does not help until an operator has corrected the cause, for which there is an alarm.
    """
    caller = _caller(event)
    if caller is None:
        return _answer(403, {"problems": ["sign the request with IAM credentials"]})
    try:
        announced = announced_outside(_body(event), reported_by=caller, now=SystemClock().now())
    except _TooLargeError:
        return _answer(413, {"problems": [f"the body is larger than {LARGEST_BODY} bytes"]})
    except EventInvalidError as error:
        logger.info("refused", extra={"problems": list(error.problems)})
        return _answer(400, {"problems": list(error.problems)})
    published = _publisher().publish([announced])
    ids = answer_of(announced)
    if published.refused:
        for_good = announced.id in published.for_good
        logger.error("not taken", extra={**ids, "error": published.refused[announced.id], "for_good": for_good})
        if for_good:
            return _answer(500, {**ids, "problems": [FOR_GOOD]})
        return _answer(503, {"problems": ["the event bus did not take the event; send it again"]})
    logger.info("published", extra=ids)
    return _answer(202, ids)


class _TooLargeError(Exception):
    """Raised when the body is larger than anything that would be accepted."""


def _body(event: Any) -> object:  # noqa: ANN401 -- API Gateway's proxy event
    text = str(event.get("body") or "")
    if len(text.encode(errors="replace")) > LARGEST_BODY:
        raise _TooLargeError
    if event.get("isBase64Encoded"):
        raise EventInvalidError(event_id=None, problems=["the body must be JSON text"])
    try:
        return json_value(text)
    except ValueError as error:
        raise EventInvalidError(event_id=None, problems=[str(error)]) from None


def _caller(event: Any) -> str | None:  # noqa: ANN401 -- API Gateway's proxy event
    """Return the ARN that IAM authorization has found; None when the stage has no such authorization."""
    identity = (event.get("requestContext") or {}).get("identity") or {}
    caller = str(identity.get("userArn") or "")
    return caller if caller.startswith("arn:") else None


@cache
def _publisher() -> Publisher:
    return outside_publisher()


def _answer(status: int, body: dict[str, Any]) -> dict[str, Any]:
    return {"statusCode": status, "headers": {"content-type": "application/json"}, "body": json.dumps(body)}

"""What the values of an event may be: times, ids, numbers, and the JSON that contains them."""

import json
import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field

EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2100, 1, 1, tzinfo=UTC)
"""Events have times from EARLIEST on and before LATEST: other times are mistakes, and no table could sort them."""

DEEPEST: Final = 32
"""Levels of objects and lists inside each other that are accepted at most."""

LARGEST: Final = 2**53 - 1
"""The largest whole number that every reader of JSON reads without loss (RFC 8259)."""

_TIME: Final = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
"""The format of RFC 3339, which CloudEvents requires."""

_CONTROL: Final = "\\x00-\\x1f\\x7f-\\x9f\\u2028-\\u202e\\u2066-\\u2069\\ud800-\\udfff\\ufffe\\uffff"
"""Control characters, line ends, what changes the direction of text, and what UTF-8 or SQS does not accept."""

CONTROL: Final = re.compile(f"[{_CONTROL}]")
CONTROL_PATTERN: Final = "[\\u0000-\\u001f\\u007f-\\u009f\\u2028-\\u202e\\u2066-\\u2069]"
"""The same for the schemas, as far as JSON Schema can express it.

It says which characters no id has. A pattern of the allowed characters would end in `$`, which lets a last line feed
pass in some languages.
"""

UNSENDABLE: Final = re.compile("[\\ud800-\\udfff\\ufffe\\uffff]")
"""Characters that UTF-8 cannot encode, or SQS does not accept.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
"""


def json_value(text: str | bytes) -> Any:  # noqa: ANN401 -- any JSON value
    """Read JSON as RFC 8259 defines it; raise ValueError for everything else, with a message that holds no value.

    NaN, Infinity, numbers that a double cannot hold, a key that an object has twice, and more than DEEPEST levels are
    refused: readers disagree about their meaning, or fail on them.
    """
    try:
        value = json.loads(text, parse_constant=_no_number, parse_float=_finite, object_pairs_hook=_object)
    except _RefusedError as error:
        raise ValueError(str(error)) from None
    except (ValueError, RecursionError):
        message = "it is not JSON"
        raise ValueError(message) from None
    if not is_shallow(value):
        message = f"it is nested deeper than {DEEPEST} levels"
        raise ValueError(message)
    return value


def is_shallow(value: object) -> bool:
    """Return whether at most DEEPEST objects and lists are inside each other."""
    level = _nested([value])
    for _ in range(DEEPEST):
        level = [part for one in level for part in _nested(one.values() if isinstance(one, dict) else one)]
        if not level:
            return True
    return not level


def has_control(text: str) -> bool:
    """Return whether text has characters that no id may have."""
    return CONTROL.search(text) is not None


def without_control(text: str) -> str:
    """Return text with those characters replaced."""
    return CONTROL.sub("\ufffd", text)


def _nested(values: Iterable[object]) -> list[Any]:
    return [value for value in values if isinstance(value, (dict, list, tuple))]


class _RefusedError(ValueError):
    """Raised for what Python's reader takes as JSON and other readers do not."""


def _no_number(_: str) -> float:
    message = "it holds NaN or Infinity, which JSON does not have"
    raise _RefusedError(message)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        message = "it holds a number that is too large"
        raise _RefusedError(message)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        message = "it has the same key twice in one object"
        raise _RefusedError(message)
    return value


def _as_stated(value: object) -> object:
    """Refuse a number, a date or a time without zone in place of a time, which pydantic would accept."""
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        message = "must be a time with its zone, as 2026-01-31T09:00:00Z"
        raise ValueError(message)
    return value


def _in_range(value: datetime) -> datetime:
    if not EARLIEST <= value < LATEST:
        message = f"must be from {EARLIEST:%Y} on and before {LATEST:%Y}"
        raise ValueError(message)
    return value


def _clean(value: str) -> str:
    if has_control(value):
        message = "has control characters"
        raise ValueError(message)
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_as_stated), AfterValidator(_in_range)]
"""A time in RFC 3339 with its zone, from EARLIEST on and before LATEST."""

Clean = AfterValidator(_clean)
Count = Annotated[int, Field(strict=True, ge=0, le=LARGEST)]
Flag = Annotated[bool, Field(strict=True)]

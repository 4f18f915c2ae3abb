"""Items of DynamoDB as lines of JSON, without any loss: each value keeps the type that DynamoDB gives it.

A line has the form of DynamoDB's own exports, `{"Item": {...}}`, so that other tools read it too.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html
"""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from contactsync.backups.kinds import Item

T = TypeVar("T")

LONGEST: Final = 8 * 1024 * 1024
"""Bytes of a line at most: an item has 400 KB, and JSON writes some characters in six bytes."""


def to_line(item: Item) -> bytes:
    """Return an item as one line, with its line end."""
    written = {name: _written(value) for name, value in item.items()}
    return json.dumps({"Item": written}, separators=(",", ":")).encode() + b"\n"


def from_line(line: bytes) -> Item:
    """Return the item that `to_line` wrote; raise ValueError for anything else."""
    try:
        return _map_of(json.loads(line)["Item"])
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError):
        message = "a line is not an item of DynamoDB"
        raise ValueError(message) from None


def _written(value: Mapping[str, Any]) -> dict[str, Any]:
    ((kind, content),) = value.items()
    return {kind: _WRITES[kind](content) if kind in _WRITES else content}


def _read(value: Mapping[str, Any]) -> dict[str, Any]:
    ((kind, content),) = value.items()
    return {kind: _READS[kind](content)}


def _map_of(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _read(value) for name, value in values.items()}


def _base64_of(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _bytes_of(content: object) -> bytes:
    return base64.b64decode(_text(content), validate=True)


def _text(content: object) -> str:
    return _of(str, content)


def _flag(content: object) -> bool:
    return _of(bool, content)


def _each(read: Callable[[Any], Any]) -> Callable[[Any], list[Any]]:
    return lambda content: [read(part) for part in _of(list, content)]


def _of(wanted: type[T], content: object) -> T:
    if not isinstance(content, wanted):
        raise TypeError
    return content


_WRITES: Final[Mapping[str, Callable[[Any], Any]]] = {
    "B": _base64_of,
    "BS": lambda content: [_base64_of(part) for part in content],
    "M": lambda content: {name: _written(value) for name, value in content.items()},
    "L": lambda content: [_written(value) for value in content],
}

_READS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "S": _text,
    "N": _text,
    "BOOL": _flag,
    "NULL": _flag,
    "B": _bytes_of,
    "SS": _each(_text),
    "NS": _each(_text),
    "BS": _each(_bytes_of),
    "L": _each(_read),
    "M": _map_of,
}

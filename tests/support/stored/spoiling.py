"""Stored items as somebody's hand, a restore or another version may leave them, and what may come of reading one."""

import copy
import functools
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import UTC, datetime
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from contactsync.bus.values import EARLIEST, LARGEST, LATEST
from contactsync.contacts import Contact

Raw = dict[str, Any]
"""DynamoDB's own form, in which each value names its type."""

WORDS: Final = ["", "escalated", "2026-01-14", "1", "false", "{}"]
MOMENTS: Final = [
    "0001-01-01T00:00:00.000000Z",
    "0999-01-14T09:00:00.000000Z",
    "2026-01-14T09:00:00.000000+02:00",
    "2026-02-30T09:00:00.000000Z",
    "9999-12-31T23:59:59.999999Z",
    "yesterday",
]
NUMBERS: Final = ["0", "-1", "1.5", "7", "9007199254740993", "9" * 38, f"0.{'0' * 30}1"]

VALUES: Final = st.one_of(
    st.sampled_from([*WORDS, *MOMENTS]).map(lambda text: {"S": text}),
    st.sampled_from(NUMBERS).map(lambda number: {"N": number}),
    st.booleans().map(lambda value: {"BOOL": value}),
    st.sampled_from(
        [
            {"NULL": True},
            {"L": []},
            {"L": [{"NULL": True}]},
            {"L": [{"S": "escalated"}, {"N": "1"}]},
            {"M": {}},
            {"M": {"escalated": {"S": "x"}}},
            {"M": {"security": {"M": {}}}},
            {"B": b"\x00\xff"},
            {"SS": ["security", "x"]},
            {"NS": ["1", "2.5"]},
            {"BS": [b"\x00"]},
        ]
    ),
)
"""A value of every type of DynamoDB's, among them words that are none of a closed set, and times and numbers that
cannot be."""

UNKNOWN_TIME: Final = datetime.fromtimestamp(0, UTC)
"""What stands for the time at which a dead letter came, where that cannot be read."""

DROPPED: Final = None


@dataclass(frozen=True, repr=False)
class Reader:
    """One way to read items of a kind."""

    read: Callable[[], Any]
    others: Callable[[Any], object] | None = None
    """Of a listing: tells of its answer whether the other items are in it. Without it, it may be refused."""
    bad: Callable[[Any], object] = bool
    """Of a listing: tells of its answer whether the item itself is in it."""
    indexed_by: Sequence[str] = ()
    """The attributes without which the item is in no answer."""


@dataclass(frozen=True, repr=False)
class Kind:
    """A kind of stored items: where one of them lies, its neighbours beside it, and all that reads it."""

    table: str
    key: Raw
    readers: Mapping[str, Reader]
    absent: Sequence[str] = ()
    """Attributes that the item does not have, and may."""
    protected: Callable[[], object] = lambda: True
    """Tells whether nothing is lost that would keep contacts from being written or deleted."""
    listings: Sequence[Sequence[str]] = ()
    """Commands that list it among others."""
    commands: Sequence[Sequence[str]] = ()
    """Commands that show it alone, or do not go without it."""
    finally_: Callable[[], object] = lambda: None
    """Takes away what readers left beside the item."""


@st.composite
def spoiled(draw: st.DrawFn, item: Raw, untouched: Sequence[str], absent: Sequence[str]) -> Raw:
    """Give an item of which one attribute, or one part of an attribute, is gone or is something else."""
    again = copy.deepcopy(item)
    top = sorted(again.keys() - set(untouched))
    name = draw(st.sampled_from([*top, *absent]))
    holder: Any = again
    place: Any = name
    while name in again and (parts := _parts(holder[place])) and draw(st.booleans()):
        holder = next(iter(holder[place].values()))
        place = draw(st.sampled_from(parts))
    value = draw(VALUES if place not in _places(holder) else st.just(DROPPED) | VALUES)
    if value is DROPPED:
        del holder[place]
    else:
        holder[place] = copy.deepcopy(value)
    return again


def _parts(value: Raw) -> list[Any]:
    ((kind, parts),) = value.items()
    return _places(parts) if kind in ("M", "L") else []


def _places(holder: Any) -> list[Any]:
    return sorted(holder) if isinstance(holder, dict) else list(range(len(holder)))


@contextmanager
def logged() -> Iterator[list[str]]:
    """Give what contactsync logs as warning or worse, without the tests' own fixtures, which last too short."""
    found: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(record.getMessage())

    handler, logger = Kept(logging.WARNING), logging.getLogger("contactsync")
    logger.addHandler(handler)
    try:
        yield found
    finally:
        logger.removeHandler(handler)


def times_named(messages: Sequence[str], key: Raw) -> int:
    """Count the messages that name an item by its key."""
    name = next(reversed(key.values()))
    text = next(iter(name.values()))
    return sum(bool(re.search(rf"(?<![\w#-]){re.escape(text)}(?![\w#-])", message)) for message in messages)


@dataclass
class Typed:
    """Looks through an answer for values that are not of the type that their class declares."""

    wrong: list[str] = field(default_factory=list)

    @classmethod
    def problems(cls, answer: object) -> list[str]:
        """Return where an answer holds something else than it says."""
        found = cls()
        found.look("answer", answer)
        return found.wrong

    def look(self, place: str, value: Any) -> None:
        """Look at a value that no class declares."""
        if is_dataclass(value) and not isinstance(value, type):
            self._fields(place, value)
        elif isinstance(value, Mapping):
            for name, part in value.items():
                self.look(f"{place}.{name}", part)
        elif isinstance(value, (list, tuple, set, frozenset)):
            for part in value:
                self.look(f"{place}.", part)

    def _fields(self, place: str, value: Any) -> None:
        hints = _hints(type(value))
        for one in fields(value):
            found = getattr(value, one.name)
            if not _fits(found, hints[one.name]):
                self.wrong.append(f"{place}.{one.name} is {found!r}")
            self.look(f"{place}.{one.name}", found)


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _fits(value: Any, hint: Any) -> bool:  # noqa: PLR0911 -- a case for each form of a hint
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return any(_fits(value, one) for one in arguments)
    if origin is tuple and arguments[-1:] == (Ellipsis,):
        return isinstance(value, tuple) and all(_fits(part, arguments[0]) for part in value)
    if origin is tuple:
        return isinstance(value, tuple) and all(map(_fits, value, arguments))
    if origin is not None and issubclass(origin, Mapping):
        keys, parts = (*arguments, Any)[:2]  # a Counter names its keys only
        return isinstance(value, Mapping) and all(
            _fits(name, keys) and _fits(part, parts) for name, part in value.items()
        )
    if hint is Any or not isinstance(hint, type):
        return True
    if hint is int:
        return type(value) is int and 0 <= value <= LARGEST
    if hint is datetime:
        in_range = isinstance(value, datetime) and value.tzinfo is not None and EARLIEST <= value < LATEST
        return in_range or value == UNKNOWN_TIME
    if issubclass(hint, Contact):
        return isinstance(value, hint) and bool(value.verbatim()) and all(map(_is_text, value.verbatim().values()))
    return isinstance(value, hint)


def _is_text(value: object) -> bool:
    return isinstance(value, str)

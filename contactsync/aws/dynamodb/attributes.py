"""The attributes of a stored item, each read as the expected type; anything else in its place is refused."""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeVar, overload

from contactsync.aws.dynamodb.items import WrongAttributeError, to_moment
from contactsync.bus.events import TEXT_LENGTH
from contactsync.bus.values import EARLIEST, LARGEST, LATEST

T = TypeVar("T")
K = TypeVar("K")
E = TypeVar("E", bound=StrEnum)

Reads = Callable[[object], T]
"""A function that returns a value as the expected type, or raises WrongAttributeError."""

ID_DIGITS: Final = 12

LATEST_EXPIRY: Final = 2 * LATEST.timestamp()
"""The latest time of expiry, in seconds since 1970: retention is years, not centuries."""

QUOTED: Final = 40
"""Characters of an unknown word that an error quotes at most."""


class Attributes:
    """An item, or a map inside one; each attribute is read with the type that it must have."""

    def __init__(self, values: Mapping[str, object]) -> None:
        """Take plain values, as `from_item` returns them."""
        self._values = values

    def required(self, name: str, read: Reads[T]) -> T:
        """Return an attribute; raise WrongAttributeError when it is missing."""
        if name not in self._values:
            problem = "is missing"
            raise WrongAttributeError(problem, place=name)
        try:
            return read(self._values[name])
        except WrongAttributeError as error:
            raise error.within(name) from None

    @overload
    def optional(self, name: str, read: Reads[T]) -> T | None: ...

    @overload
    def optional(self, name: str, read: Reads[T], default: T) -> T: ...

    def optional(self, name: str, read: Reads[T], default: T | None = None) -> T | None:
        """Return an attribute, or the default when it is missing; NULL does not count as missing."""
        return self.required(name, read) if name in self._values else default

    def check_key(self, key: Mapping[str, object]) -> None:
        """Refuse an item that is stored under another key than its contents require."""
        if any(self._values.get(name) != value for name, value in key.items()):
            problem = "its attributes are those of another item"
            raise WrongAttributeError(problem)


def text(value: object) -> str:
    """Read a text, which may be empty."""
    if not isinstance(value, str):
        raise _wrong(value, "text")
    return value


def filled(value: object) -> str:
    """Read a text that is not empty."""
    found = text(value)
    if not found:
        problem = "is empty"
        raise WrongAttributeError(problem)
    return found


def name(value: object) -> str:
    """Read an id or a name as events accept it."""
    found = filled(value)
    if len(found) > TEXT_LENGTH:
        problem = f"has more than {TEXT_LENGTH} characters"
        raise WrongAttributeError(problem)
    return found


def id_of_account(value: object) -> str:
    """Read an account's id."""
    found = text(value)
    if len(found) != ID_DIGITS or not (found.isascii() and found.isdigit()):
        problem = "is no account id"
        raise WrongAttributeError(problem)
    return found


def count(value: object) -> int:
    """Read a whole number from 0 on, such as a version, a generation or a count."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(value, "whole number")
    if not 0 <= value <= LARGEST:
        problem = f"is not from 0 to {LARGEST}"
        raise WrongAttributeError(problem)
    return value


def expiry(value: object) -> int:
    """Read when an item expires, in seconds since 1970."""
    seconds = count(value)
    if not EARLIEST.timestamp() <= seconds < LATEST_EXPIRY:
        problem = "is no time"
        raise WrongAttributeError(problem)
    return seconds


def ordinal(value: object) -> int:
    """Read a whole number from 1 on; 0 would mean that nothing is stored."""
    number = count(value)
    if number == 0:
        problem = "is 0"
        raise WrongAttributeError(problem)
    return number


def flag(value: object) -> bool:
    """Read a boolean; a text or a number is refused."""
    if not isinstance(value, bool):
        raise _wrong(value, "truth value")
    return value


def moment(value: object) -> datetime:
    """Read a time as `to_text` writes it."""
    try:
        return to_moment(text(value))
    except WrongAttributeError:
        raise
    except ValueError:
        problem = "is no time"
        raise WrongAttributeError(problem) from None


def one_of(words: type[E]) -> Reads[E]:
    """Read one of the words of a closed set."""

    def read(value: object) -> E:
        word = text(value)
        try:
            return words(word)
        except ValueError:
            problem = f"is unknown: {word[:QUOTED]!r}"
            raise WrongAttributeError(problem) from None

    return read


def part(read: Callable[[Attributes], T]) -> Reads[T]:
    """Read a map with the given function."""
    return lambda value: read(Attributes(_map(value)))


def listed(read: Reads[T]) -> Reads[tuple[T, ...]]:
    """Read a list whose elements all have one type."""

    def read_all(value: object) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise _wrong(value, "list")
        return tuple(_within(str(number), read, found) for number, found in enumerate(value))

    return read_all


def mapped(read: Reads[T]) -> Reads[dict[str, T]]:
    """Read a map with any keys and values of one type."""
    return lambda value: {name: _within(name[:QUOTED], read, found) for name, found in _map(value).items()}


def mapped_by(words: type[E], read: Reads[T]) -> Reads[dict[E, T]]:
    """Read a map whose keys are words of a closed set, in the order of the set: DynamoDB's maps have no order."""

    def read_all(value: object) -> dict[E, T]:
        found = {one_of(words)(name): one for name, one in _map(value).items()}
        return {word: _within(word, read, found[word]) for word in words if word in found}

    return read_all


texts = listed(text)


def _within(name: str, read: Reads[T], value: object) -> T:
    return Attributes({name: value}).required(name, read)


def _map(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise _wrong(value, "map")
    return value


def _wrong(value: object, wanted: str) -> WrongAttributeError:
    """Return an error that names only the type of the value: it may be a contact value in the wrong place."""
    return WrongAttributeError(f"is {_TYPES.get(type(value), 'bytes')} and no {wanted}")


_TYPES: Final = {
    str: "a text",
    bool: "a truth value",
    int: "a number",
    float: "a fraction",
    list: "a list",
    dict: "a map",
    set: "a set",
    type(None): "NULL",
}

"""Versions of the configuration: who changed what, how two of them differ, and changes of single fields."""

import copy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Final

from contactsync.configuration.schema import Configuration, parse_configuration
from contactsync.errors import ConfigurationInvalidError


class Missing(Enum):
    """The value of a field that a version does not have."""

    MISSING = "(missing)"


MISSING: Final = Missing.MISSING


@dataclass(frozen=True)
class StoredVersion:
    """A version as it is stored: it may be of an older release, or invalid after a change by hand."""

    number: int
    """The version's number, from 1."""
    data: Mapping[str, Any] = field(repr=False)
    changed_at: datetime | None
    changed_by: str | None
    reason: str | None

    @property
    def configuration(self) -> Configuration:
        """The validated settings; raises ConfigurationInvalidError with every problem."""
        return parse_configuration(self.data, version=self.number)

    @property
    def effective(self) -> Mapping[str, Any]:
        """The settings as plain data with defaults; for an invalid version, as they are stored."""
        try:
            return self.configuration.model_dump(mode="json")
        except ConfigurationInvalidError:
            return {name: _plain(value) for name, value in self.data.items()}


def _plain(value: Any) -> Any:  # noqa: ANN401 -- whatever somebody's hand put there
    """Return a value that JSON can hold: a table can also have sets and bytes."""
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if isinstance(value, (set, frozenset)):
        return sorted(str(_plain(part)) for part in value)
    return value if value is None or isinstance(value, (str, bool, int, float)) else f"({type(value).__name__})"


@dataclass(frozen=True)
class Difference:
    """A field that has different values in two versions."""

    path: str
    before: Any
    after: Any


def differences(before: Mapping[str, Any], after: Mapping[str, Any], prefix: str = "") -> Iterator[Difference]:
    """Yield the fields that differ, each with its dotted path, in the order of the schema."""
    for key in [*before, *(key for key in after if key not in before)]:
        one, other, path = before.get(key, MISSING), after.get(key, MISSING), f"{prefix}{key}"
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            yield from differences(one, other, f"{path}.")
        elif one != other or isinstance(one, bool) is not isinstance(other, bool):
            yield Difference(path, one, other)


def changed(data: Mapping[str, Any], assignments: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return the data with values set at dotted paths; `parse_configuration` checks whether that is valid.

    Raises ConfigurationInvalidError for a path through a value that has no keys.
    """
    result = copy.deepcopy(dict(data))
    for path, value in assignments:
        *sections, key = path.split(".")
        place = result
        for depth, section in enumerate(sections, start=1):
            place = place.setdefault(section, {})
            if not isinstance(place, dict):
                where = ".".join(sections[:depth])
                raise ConfigurationInvalidError(problems=[f"{where}: holds no keys; set it as a whole"])
        place[key] = value
    return result


def with_added(data: Mapping[str, Any], path: str, values: Iterable[str]) -> dict[str, Any]:
    """Return the data with values added to the list at a dotted path; existing ones keep their place.

    Raises ConfigurationInvalidError when there is something other than a list.
    """
    return changed(data, [(path, list(dict.fromkeys([*_list_at(data, path), *values])))])


def with_removed(data: Mapping[str, Any], path: str, values: Iterable[str]) -> dict[str, Any]:
    """Return the data without some values of the list at a dotted path.

    A tag without values would mean all its values, so it is removed with its last value. Raises
    ConfigurationInvalidError for a value that is not in the list, and when there is something other than a list.
    """
    before, removed = _list_at(data, path), set(values)
    if absent := sorted(removed - set(before)):
        raise ConfigurationInvalidError(problems=[f"{path}: does not name {', '.join(absent)}"])
    left = [value for value in before if value not in removed]
    section, _, key = path.rpartition(".")
    if left or section.rpartition(".")[2] != "tags":
        return changed(data, [(path, left)])
    return changed(data, [(section, {tag: kept for tag, kept in _at(data, section).items() if tag != key})])


def _list_at(data: Mapping[str, Any], path: str) -> list[Any]:
    value = _at(data, path)
    if value is None:
        return []
    if not isinstance(value, (list, tuple)):
        raise ConfigurationInvalidError(problems=[f"{path}: is not a list; use `config set`"])
    return list(value)


def _at(data: Any, path: str) -> Any:  # noqa: ANN401 -- whatever stands there
    for key in path.split("."):
        data = data.get(key) if isinstance(data, Mapping) else None
    return data

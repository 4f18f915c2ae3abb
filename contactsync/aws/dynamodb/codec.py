"""Dataclasses as maps of DynamoDB, and back: what a class declares is stored and read."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType, NoneType, UnionType
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, Union, get_args, get_origin, get_type_hints

from contactsync.aws.dynamodb.attributes import (
    Attributes,
    Reads,
    count,
    flag,
    listed,
    mapped,
    mapped_by,
    moment,
    one_of,
    part,
    text,
)

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")

Writes = Callable[[Any], Any]

READS: Final[Mapping[object, Reads[Any]]] = MappingProxyType({str: text, int: count, bool: flag, datetime: moment})
"""How a plain type is read when a codec does not say more about the field."""

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class Codec(Generic[T]):
    """Writes values of a dataclass as maps, and reads them as strictly as `Attributes` does.

    Every field is an attribute, so a new field needs no further code to be stored and read. A field without a default
    must exist in the map, unless it may be None. A field with a default may be missing, as in items that are older than
    the field.
    """

    def __init__(
        self,
        value_class: type[T],
        *,
        names: Mapping[str, str] = _NOTHING,
        reads: Mapping[str, Reads[Any]] = _NOTHING,
        parts: Collection["Codec[Any]"] = (),
        required: Collection[str] = (),
        sparse: Collection[str] = (),
        apart: Collection[str] = (),
    ) -> None:
        """Take what the class does not say about its fields.

        `names`: attributes with another name than the field, as for indexes. `reads`: fields that are read more
        strictly than their type. `parts`: codecs of dataclasses inside, if they need more than their class. `required`:
        fields with a default that are nevertheless in every item. `sparse`: fields that are not stored when they have
        their default. `apart`: fields that are not attributes; the reader of an item passes them.
        """
        _check_names(value_class, names, reads, required, sparse, apart)
        self.value_class: type[T] = value_class
        types = _Types(value_class, {codec.value_class: codec for codec in parts})
        self._fields = [
            _StoredField(
                name=field.name,
                attribute=names.get(field.name, field.name),
                read=reads.get(field.name) or types.read_of(field.name),
                write=types.write_of(field.name),
                default=None if field.name in required else types.default_of(field),
                is_sparse=field.name in sparse,
            )
            for field in fields(value_class)
            if field.name not in apart
        ]

    @property
    def attributes(self) -> set[str]:
        """The names of the attributes that hold the fields."""
        return {field.attribute for field in self._fields}

    def to_map(self, value: T) -> dict[str, Any]:
        """Return the attributes as plain values; `to_item` leaves out those that are None."""
        return {field.attribute: field.written(getattr(value, field.name)) for field in self._fields}

    def read(self, stored: Attributes, **apart: Any) -> T:  # noqa: ANN401 -- fields of the class
        """Return the value that `to_map` wrote, with its `apart` fields; else raise WrongAttributeError."""
        return self.value_class(**{field.name: field.read_in(stored) for field in self._fields}, **apart)

    def from_map(self, values: Mapping[str, Any]) -> T:
        """Read an item of a class that has no `apart` fields."""
        return self.read(Attributes(values))


@dataclass(frozen=True)
class _StoredField:
    """A field with its attribute."""

    name: str
    attribute: str
    read: Reads[Any]
    write: Writes | None
    """None when the value itself is stored."""
    default: Callable[[], Any] | None
    """Returns the value of a missing attribute; None when the attribute must exist."""
    is_sparse: bool

    def read_in(self, stored: Attributes) -> Any:  # noqa: ANN401 -- whatever the field holds
        if self.default is None:
            return stored.required(self.attribute, self.read)
        return stored.optional(self.attribute, self.read, self.default())

    def written(self, value: Any) -> Any:  # noqa: ANN401 -- whatever the field holds
        if self.is_sparse and self.default and value == self.default():
            return None
        return value if self.write is None or value is None else self.write(value)


class _Types:
    """The types of a dataclass's fields, and how each is read and written."""

    def __init__(self, value_class: type["DataclassInstance"], codecs: Mapping[type, Codec[Any]]) -> None:
        self._hints = get_type_hints(value_class)
        self._class_name = value_class.__name__
        self._codecs = dict(codecs)

    def default_of(self, field: Field[Any]) -> Callable[[], Any] | None:
        if field.default_factory is not MISSING:
            return field.default_factory
        if field.default is not MISSING:
            return _always(field.default)
        return _always(None) if NoneType in get_args(self._hints[field.name]) else None

    def read_of(self, name: str) -> Reads[Any]:
        return self._read(name, _without_none(self._hints[name]))

    def _read(self, name: str, hint: Any) -> Reads[Any]:  # noqa: ANN401 -- any annotation
        if hint in READS:
            return READS[hint]
        origin, *parts = get_origin(hint), *get_args(hint)
        if origin is tuple and parts[1:] == [...]:
            return listed(self._read(name, parts[0]))
        if origin is dict and _is_word(parts[0]):
            return mapped_by(parts[0], self._read(name, parts[1]))
        if origin is dict and parts[0] is str:
            return mapped(self._read(name, parts[1]))
        if _is_word(hint):
            return one_of(hint)
        if is_dataclass(hint):
            return part(self._codec_of(hint).read)
        message = f"{self._class_name}.{name}: nothing reads a {hint}; name what does under `reads`"
        raise TypeError(message)

    def write_of(self, name: str) -> Writes | None:
        return self._write(_without_none(self._hints[name]))

    def _write(self, hint: Any) -> Writes | None:  # noqa: ANN401 -- any annotation
        if isinstance(hint, type) and is_dataclass(hint):
            return self._codec_of(hint).to_map
        parts = [found for found in get_args(hint) if found is not ...]
        write = self._write(parts[-1]) if parts else None
        if write is None:
            return None
        return _each(write) if get_origin(hint) is tuple else _each_value(write)

    def _codec_of(self, value_class: Any) -> Codec[Any]:  # noqa: ANN401 -- a dataclass
        if value_class not in self._codecs:
            self._codecs[value_class] = Codec(value_class)
        return self._codecs[value_class]


def _check_names(value_class: type["DataclassInstance"], names: Mapping[str, str], *others: Collection[str]) -> None:
    known = [field.name for field in fields(value_class)]
    unknown = {name for named in (names, *others) for name in named} - set(known)
    if unknown:
        message = f"{value_class.__name__} has no field {', '.join(sorted(unknown))}"
        raise TypeError(message)
    if len({names.get(name, name) for name in known}) < len(known):
        message = f"Two fields of {value_class.__name__} have one attribute"
        raise TypeError(message)


def _without_none(hint: Any) -> Any:  # noqa: ANN401 -- any annotation
    if get_origin(hint) not in (Union, UnionType):
        return hint
    left = [found for found in get_args(hint) if found is not NoneType]
    return left[0] if len(left) == 1 else hint


def _is_word(hint: Any) -> bool:  # noqa: ANN401 -- any annotation
    return isinstance(hint, type) and issubclass(hint, StrEnum)


def _always(value: object) -> Callable[[], Any]:
    return lambda: value


def _each(write: Writes) -> Writes:
    return lambda values: [write(value) for value in values]


def _each_value(write: Writes) -> Writes:
    return lambda values: {name: write(value) for name, value in values.items()}

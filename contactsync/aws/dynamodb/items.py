"""DynamoDB items, converted from plain Python values and to them."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeVar

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from contactsync.aws.sdk.error_codes import translated
from contactsync.bus.values import EARLIEST, LATEST
from contactsync.errors import ItemUnreadableError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import PaginatorConfigTypeDef

log = logging.getLogger(__name__)

T = TypeVar("T")

LARGEST_PAGE: Final = 1000
"""Items per page when the caller gives a limit; without a limit a page is 1 MB."""

PROBLEM_LENGTH: Final = 200


class _Deserializer(TypeDeserializer):
    """Boto3's own, but it accepts every number that a table returns: too many digits are no error of the call."""

    def _deserialize_n(self, value: str) -> Decimal:
        return Decimal(value)


_serializer = TypeSerializer()
_deserializer = _Deserializer()


def to_item(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return DynamoDB's form; None is left out, floats become decimals, tuples become lists."""
    return {name: _serializer.serialize(_storable(value)) for name, value in values.items() if value is not None}


def from_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return plain values; whole numbers as int, others as float."""
    return {name: _plain(_deserializer.deserialize(value)) for name, value in item.items()}


def _storable(value: Any) -> Any:  # noqa: ANN401 -- any JSON-like value
    if isinstance(value, float):
        return Decimal(str(value))
    if isinstance(value, datetime):
        return to_text(value)
    if isinstance(value, Mapping):
        return {str(key): _storable(part) for key, part in value.items() if part is not None}
    if isinstance(value, (list, tuple)):
        return [_storable(part) for part in value]
    return value


def _plain(value: Any) -> Any:  # noqa: ANN401 -- any JSON-like value
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return value


def to_text(moment: datetime) -> str:
    """Return a time in UTC as text of fixed width, so that texts sort like times."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def to_moment(text: str) -> datetime:
    """Read what `to_text` wrote; raise ValueError for anything else, and for times outside EARLIEST to LATEST."""
    moment = datetime.fromisoformat(text)  # accepts other forms too, and is ten times as fast as strptime
    if moment.tzinfo is None or not EARLIEST <= moment < LATEST or to_text(moment) != text:
        message = f"no time from {EARLIEST:%Y} on and before {LATEST:%Y} in this form"
        raise ValueError(message)
    return moment


class WrongAttributeError(ValueError):
    """Raised when an attribute is missing or wrong; `read_one` turns it into an error of the whole item."""

    def __init__(self, problem: str, *, place: str = "") -> None:
        """Take the problem, without stored values except unknown names, and the path of the attribute."""
        super().__init__(f"{place} {problem}".strip())
        self._problem = problem
        self._place = place

    def within(self, name: str) -> "WrongAttributeError":
        """Return the same problem with the name of the surrounding item or map added to its path."""
        return WrongAttributeError(self._problem, place=f"{name}.{self._place}" if self._place else name)


def readable(
    items: Iterable[dict[str, Any]],
    read: Callable[[dict[str, Any]], T],
    table: str,
    unreadable: list[ItemUnreadableError] | None = None,
) -> Iterator[T]:
    """Yield what items hold; one that cannot be read is logged by its key, and the others are still yielded.

    It is added to `unreadable`, for a caller that has to report it.
    """
    for item in items:
        try:
            found = read_one(item, read, table)
        except ItemUnreadableError as error:
            log.error("%s This item is left out here.", error)  # noqa: TRY400 -- the sentence says all
            if unreadable is not None:
                unreadable.append(error)
        else:
            yield found


def read_one(item: dict[str, Any], read: Callable[[dict[str, Any]], T], table: str) -> T:
    """Return what an item holds; raise ItemUnreadableError with its key when it cannot be read."""
    try:
        return read(item)
    except WrongAttributeError as error:
        raise ItemUnreadableError(table=table, item=_named(item), problem=_problem(error)) from None


def _named(item: Mapping[str, Any]) -> str:
    names = ("pk", "sk", "id") if "pk" in item or "id" in item else ("contact_type", "config_key", "version")
    return " ".join(repr(item[key]) for key in names if key in item)


def _problem(error: WrongAttributeError) -> str:
    return repr(str(error)[:PROBLEM_LENGTH])[1:-1]


def query(client: "DynamoDBClient", *, limit: int | None = None, **parameters: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 -- boto3's own keywords
    """Yield the plain items of every page of a query, or the first `limit`, without reading many more."""
    paging: PaginatorConfigTypeDef = {"MaxItems": limit, "PageSize": min(limit, LARGEST_PAGE)} if limit else {}
    with translated("Query"):
        for page in client.get_paginator("query").paginate(**parameters, PaginationConfig=paging):
            yield from map(from_item, page["Items"])

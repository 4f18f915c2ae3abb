"""The outbox: announcements in the state table, stored in the same transactions as the changes that they announce."""

import logging
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from contactsync.aws.dynamodb.attributes import Attributes, count, text
from contactsync.aws.dynamodb.batches import write_all
from contactsync.aws.dynamodb.items import WrongAttributeError, from_item, query, to_item, to_text
from contactsync.aws.sdk.error_codes import translated
from contactsync.bus.consume import names_in, printable
from contactsync.bus.envelope import Announcement, parse_announcement
from contactsync.bus.ports import FAR_AHEAD, OutboxEntry, SetAside, UnreadableEntry
from contactsync.clock import Clock
from contactsync.errors import EventInvalidError, EventTypeUnknownError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

log = logging.getLogger(__name__)

PARTS: Final = 4
"""Number of partitions of the outbox; housekeeping reads all of them."""

REFUSALS: Final = "refusals"
"""The attribute that counts how often the topic refused an entry."""

ASIDE: Final = "outbox-aside"
"""The partition of entries that are set aside."""

UNREADABLE: Final = (
    "This version cannot read outbox item %s %s (%s), so the item stays in the outbox: update contactsync, then "
    "housekeeping sends the item. If contactsync did not store the item, delete it. After some more runs the item is "
    "set aside."
)


def outbox_puts(table: str, announcements: Iterable[Announcement]) -> list[Any]:
    """Return the writes of announcements for a transaction that stores a change."""
    return [{"Put": {"TableName": table, "Item": to_item(_item(announced))}} for announced in announcements]


class DynamoDbOutbox:
    """The announcements that are not known to be published; they never expire."""

    def __init__(self, client: "DynamoDBClient", table: str, *, conflict_tries: int, clock: Clock) -> None:
        self._client = client
        self._table = table
        self._tries = conflict_tries
        self._clock = clock

    def entries(
        self, before: datetime, unreadable: Callable[[UnreadableEntry], object] = lambda _: None
    ) -> Iterator[OutboxEntry]:
        """Yield the entries, partition by partition, read consistently."""
        return chain.from_iterable(self._part(number, before, unreadable) for number in range(PARTS))

    def _part(
        self, number: int, before: datetime, unreadable: Callable[[UnreadableEntry], object]
    ) -> Iterator[OutboxEntry]:
        for item in chain(
            self._items(number, "sk < :moment", before), self._items(number, "sk > :moment", before + FAR_AHEAD)
        ):
            try:
                announced = _announcement(item)
            except (EventInvalidError, EventTypeUnknownError) as error:  # of another version of contactsync, or by hand
                log.error(UNREADABLE, item["pk"], item["sk"], _problem(error))  # noqa: TRY400 -- the sentence says all
                unreadable(_unreadable(item, error))
            else:
                yield OutboxEntry((item["pk"], item["sk"]), announced, _refusals(item))

    def _items(self, number: int, condition: str, moment: datetime) -> Iterator[dict[str, Any]]:
        return query(
            self._client,
            TableName=self._table,
            KeyConditionExpression=f"pk = :pk AND {condition}",
            ExpressionAttributeValues=to_item({":pk": _partition(number), ":moment": to_text(moment)}),
            ConsistentRead=True,
        )

    def refused(self, key: tuple[str, str]) -> None:
        """Raise the item's count by one, if the item exists."""
        with translated("UpdateItem"):
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key=to_item({"pk": key[0], "sk": key[1]}),
                    UpdateExpression="SET #refusals = :refusals",
                    ConditionExpression="attribute_exists(pk)",
                    ExpressionAttributeNames={"#refusals": REFUSALS},
                    ExpressionAttributeValues=to_item({":refusals": self._refusals_of(key) + 1}),
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                return

    def set_aside(self, entry: SetAside) -> None:
        """Move the item into the partition of entries that are set aside, in one transaction."""
        item = self._found(entry.key)
        if item is None:
            return
        kept = {name: value for name, value in item.items() if name != REFUSALS}
        writes: Any = [
            {"Put": {"TableName": self._table, "Item": {**kept, **to_item(_aside(entry, self._clock.now()))}}},
            {"Delete": {"TableName": self._table, "Key": to_item({"pk": entry.key[0], "sk": entry.key[1]})}},
        ]
        with translated("TransactWriteItems"):
            self._client.transact_write_items(TransactItems=writes)

    def _refusals_of(self, key: tuple[str, str]) -> int:
        return _refusals(from_item(self._found(key) or {}))

    def _found(self, key: tuple[str, str]) -> dict[str, Any] | None:
        """Return an item as it is stored, whatever is in it."""
        with translated("GetItem"):
            answer = self._client.get_item(
                TableName=self._table, Key=to_item({"pk": key[0], "sk": key[1]}), ConsistentRead=True
            )
        return dict(answer["Item"]) if "Item" in answer else None

    def add(self, announced: Announcement) -> None:
        """Store an announcement that belongs to no stored change."""
        with translated("PutItem"):
            self._client.put_item(TableName=self._table, Item=to_item(_item(announced)))

    def remove(self, announcements: Iterable[Announcement]) -> None:
        """Remove entries in batches."""
        requests = ({"DeleteRequest": {"Key": to_item(_key(announced))}} for announced in announcements)
        write_all(self._client, self._table, requests, tries=self._tries, sleep=self._clock.sleep)


def _announcement(item: Mapping[str, Any]) -> Announcement:
    try:
        announced = parse_announcement(Attributes(item).required("announcement", text))
        Attributes(item).check_key(_key(announced))
    except WrongAttributeError as error:
        raise EventInvalidError(event_id=None, problems=[str(error)]) from None
    return announced


def _refusals(item: Mapping[str, Any]) -> int:
    """Return the count of an entry; 0 when it is not a number."""
    try:
        return Attributes(item).optional(REFUSALS, count, 0)
    except WrongAttributeError:
        return 0


def _unreadable(item: Mapping[str, Any], error: EventInvalidError | EventTypeUnknownError) -> UnreadableEntry:
    text = item.get("announcement")
    names = names_in(text if isinstance(text, str) else "")
    key = (str(item["pk"]), str(item["sk"]))
    return UnreadableEntry(key, error.code, printable(str(error)), names.event_id, names.event_type, _refusals(item))


def _aside(entry: SetAside, now: datetime) -> dict[str, Any]:
    """Return the attributes that an item gets in addition when it is set aside."""
    return {
        "pk": ASIDE,
        "sk": entry.key[1],
        "outbox_pk": entry.key[0],
        "code": entry.code,
        "reason": entry.reason,
        "set_aside_at": to_text(now),
    }


def _problem(error: EventInvalidError | EventTypeUnknownError) -> str:
    if isinstance(error, EventTypeUnknownError):
        return f"unknown type {error.event_type}"
    return "; ".join(error.problems)


def _item(announced: Announcement) -> dict[str, Any]:
    return {**_key(announced), "announcement": announced.as_json()}


def _key(announced: Announcement) -> dict[str, str]:
    number = zlib.crc32(announced.id.encode()) % PARTS
    return {"pk": _partition(number), "sk": f"{to_text(announced.time)}#{announced.id}"}


def _partition(number: int) -> str:
    return f"outbox#{number}"

"""The outbox: announcements in the state table, stored in the transactions that change what they announce."""

import logging
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from contactsync.aws.batches import write_all
from contactsync.aws.error_codes import translated
from contactsync.aws.items import query, to_item, to_text
from contactsync.bus.envelope import Announcement, parse_announcement
from contactsync.bus.ports import Clock, OutboxEntry
from contactsync.errors import EventInvalidError, EventTypeUnknownError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

log = logging.getLogger(__name__)

PARTS: Final = 4
"""The outbox is spread over so many partitions; each is asked for when what is left is sent."""

UNREADABLE: Final = (
    "Outbox item %s %s stays where it is, this version cannot read it (%s): update contactsync; housekeeping sends it "
    "then. If contactsync did not store it, delete it."
)


def outbox_puts(table: str, announcements: Iterable[Announcement]) -> list[Any]:
    """Return what a transaction that stores a change takes along for its announcements."""
    return [{"Put": {"TableName": table, "Item": to_item(_item(announced))}} for announced in announcements]


class DynamoDbOutbox:
    """The announcements that are not known to be published; they never expire."""

    def __init__(self, client: "DynamoDBClient", table: str, *, conflict_tries: int, clock: Clock) -> None:
        """Take the state table's name."""
        self._client = client
        self._table = table
        self._tries = conflict_tries
        self._clock = clock

    def entries(self, before: datetime, unreadable: Counter[str] | None = None) -> Iterator[OutboxEntry]:
        """Yield the entries of one partition after the other, read consistently."""
        codes = Counter[str]() if unreadable is None else unreadable
        return chain.from_iterable(self._part(number, before, codes) for number in range(PARTS))

    def _part(self, number: int, before: datetime, unreadable: Counter[str]) -> Iterator[OutboxEntry]:
        items = query(
            self._client,
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND sk < :before",
            ExpressionAttributeValues=to_item({":pk": _partition(number), ":before": to_text(before)}),
            ConsistentRead=True,
        )
        for item in items:
            try:
                announced = _announcement(item)
            except (EventInvalidError, EventTypeUnknownError) as error:  # of another version of contactsync, or by hand
                log.error(UNREADABLE, item["pk"], item["sk"], _problem(error))  # noqa: TRY400 -- the sentence says all
                unreadable[error.code] += 1
            else:
                yield OutboxEntry((item["pk"], item["sk"]), announced)

    def add(self, announced: Announcement) -> None:
        """Store an announcement of its own, with no change beside it."""
        with translated("PutItem"):
            self._client.put_item(TableName=self._table, Item=to_item(_item(announced)))

    def remove(self, announcements: Iterable[Announcement]) -> None:
        """Remove entries in batches."""
        requests = ({"DeleteRequest": {"Key": to_item(_key(announced))}} for announced in announcements)
        write_all(self._client, self._table, requests, tries=self._tries, sleep=self._clock.sleep)


def _announcement(item: Mapping[str, Any]) -> Announcement:
    text = item.get("announcement")
    if not isinstance(text, str):
        raise EventInvalidError(event_id=None, problems=["announcement: is missing or no text"])
    return parse_announcement(text)


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

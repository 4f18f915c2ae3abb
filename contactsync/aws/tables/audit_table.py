"""The audit trail in DynamoDB: an item per event and entity, stored only if it does not exist yet."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from contactsync.aws.dynamodb.codec import Codec
from contactsync.aws.dynamodb.items import query, readable, to_item, to_text
from contactsync.aws.sdk.error_codes import translated
from contactsync.bus.audit import FEW, AuditEntry
from contactsync.bus.values import EARLIEST, LATEST

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEY_LIMIT: Final = 900
"""Bytes of a name in a key; DynamoDB accepts 1024 in a sort key, 2048 in a partition key."""

GROUP: Final = 20
"""Entries in one transaction of at most 100 items and 4 MB: an entry has up to four items, and some are large."""

PORTION: Final = 50
"""Rows in one transaction when an entry has many; they have some kilobytes each."""

RESOLUTION: Final = timedelta(microseconds=1)
"""The step between two stored times."""

BEFORE_ALL: Final = " "
AFTER_ALL: Final = "~"
"""They sort before and after every time; AFTER_ALL also after what follows a time in a sort key."""

ENTRY: Final = Codec(AuditEntry)


class DynamoDbAuditTrail:
    """Rows that are never changed, and expire `retention_days` after their time."""

    def __init__(self, client: "DynamoDBClient", table: str, *, retention_days: int) -> None:
        self._client = client
        self._table = table
        self._retention = timedelta(days=retention_days)

    def add(self, entry: AuditEntry) -> None:
        """Put an item for every entity; the item of the first entity has the keys of the indexes."""
        items = list(self._items(entry))
        if len(items) <= FEW:
            self._put_each(items)
            return
        for begin in range(0, len(items), PORTION):
            portion = items[begin : begin + PORTION]
            if not self._put_together(portion):
                self._put_each(portion)

    def _items(self, entry: AuditEntry) -> Iterator[dict[str, Any]]:
        for number, (entity, row) in enumerate(entry.rows()):
            index_keys = _index_keys(row) if number == 0 else {}
            yield {"pk": _fitting(entity), **_item(row, self._retention), **index_keys}

    def add_all(self, entries: Sequence[AuditEntry]) -> None:
        """Put the items of many entries in transactions, or one by one when one of them exists already."""
        remaining = iter(entries)
        while group := list(islice(remaining, GROUP)):
            if not self._put_together([item for entry in group for item in self._items(entry)]):
                for entry in group:
                    self.add(entry)

    def about(
        self, entity: str, *, since: datetime | None = None, until: datetime | None = None, limit: int | None = None
    ) -> Iterator[AuditEntry]:
        """Yield an entity's entries from the base table, read consistently."""
        return self._newest("pk", _fitting(entity), since, until, ConsistentRead=True, limit=limit)

    def correlated(self, correlation_id: str, *, limit: int | None = None) -> Iterator[AuditEntry]:
        """Yield the entries of the index, which may be a moment older than the table."""
        value = _fitting(correlation_id)
        return self._newest("correlation", value, None, None, IndexName="by_correlation", limit=limit)

    def during(
        self, since: datetime, until: datetime, *, limit: int | None = None, oldest_first: bool = False
    ) -> Iterator[AuditEntry]:
        """Yield the entries day by day."""
        return islice(self._days(since, until, oldest_first=oldest_first), limit)

    def _days(self, since: datetime, until: datetime, *, oldest_first: bool) -> Iterator[AuditEntry]:
        # Every event has a time in this range, and each day is a query.
        since, until = max(since, EARLIEST), min(until, LATEST)
        last, first = (until - RESOLUTION).astimezone(UTC).date(), since.astimezone(UTC).date()
        count = (last - first).days + 1
        for number in range(count):
            day = first + timedelta(days=number) if oldest_first else last - timedelta(days=number)
            parameters: dict[str, Any] = {"IndexName": "by_day", "ScanIndexForward": oldest_first}
            yield from self._newest("day", day.isoformat(), since, until, **parameters)

    def _newest(
        self,
        key: str,
        value: str,
        since: datetime | None,
        until: datetime | None,
        **parameters: Any,  # noqa: ANN401 -- boto3's own keywords
    ) -> Iterator[AuditEntry]:
        begin = to_text(since) if since else BEFORE_ALL
        end = (to_text(until - RESOLUTION) if until else AFTER_ALL) + AFTER_ALL
        if begin > end:  # DynamoDB refuses bounds in this order
            return iter(())
        items = query(
            self._client,
            TableName=self._table,
            KeyConditionExpression="#key = :value AND sk BETWEEN :begin AND :end",
            ExpressionAttributeNames={"#key": key},
            ExpressionAttributeValues=to_item({":value": value, ":begin": begin, ":end": end}),
            **{"ScanIndexForward": False, **parameters},
        )
        return readable(items, ENTRY.from_map, self._table)

    def _put_together(self, items: Sequence[Mapping[str, Any]]) -> bool:
        """Put items in one transaction; False when one of them exists, or another process writes at the same time."""
        with translated("TransactWriteItems"):
            try:
                self._client.transact_write_items(TransactItems=[{"Put": self._put_of(item)} for item in items])
            except self._client.exceptions.TransactionCanceledException:
                return False
        return True

    def _put_each(self, items: Iterable[Mapping[str, Any]]) -> None:
        for item in items:
            with translated("PutItem"), suppress(self._client.exceptions.ConditionalCheckFailedException):
                self._client.put_item(**self._put_of(item))  # it may exist already, and is never changed

    def _put_of(self, item: Mapping[str, Any]) -> Any:  # noqa: ANN401 -- the stubs' type differs between the two calls
        return {"TableName": self._table, "Item": to_item(item), "ConditionExpression": "attribute_not_exists(pk)"}


def _item(entry: AuditEntry, retention: timedelta) -> dict[str, Any]:
    return {
        "sk": f"{to_text(entry.time)}#{_fitting(entry.event_id)}",
        **ENTRY.to_map(entry),
        "expires_at": int((entry.time + retention).timestamp()),
    }


def _index_keys(entry: AuditEntry) -> dict[str, str]:
    return {"correlation": _fitting(entry.correlation_id), "day": entry.time.astimezone(UTC).date().isoformat()}


def _fitting(name: str) -> str:
    """Return a name as part of a key; one that is too long is replaced by its hash, so that no row is lost."""
    data = name.encode()
    return name if len(data) <= KEY_LIMIT else f"sha256#{hashlib.sha256(data).hexdigest()}"

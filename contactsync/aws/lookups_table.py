"""What was looked up in AWS Organizations a while ago, in the state table, so that not every process asks again."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from contactsync.aws.error_codes import translated
from contactsync.aws.items import from_item, query, readable, to_item, to_moment, to_text

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEPT: Final = timedelta(days=1)


class DynamoDbLookups:
    """The answers that a plan got before it was tried again, and units that were found to be there."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        """Take the state table's name."""
        self._client = client
        self._table = table

    def tags(self, sync_id: str, since: datetime) -> Mapping[str, Mapping[str, str]]:
        """Return the tags by account that were kept since then."""
        items = query(
            self._client,
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND sk >= :since",
            ExpressionAttributeValues=to_item({":pk": f"LOOKUP#{sync_id}", ":since": f"TAGS#{to_text(since)}"}),
            ConsistentRead=True,
        )
        # What cannot be read is asked for again.
        return dict(entry for portion in readable(items, _tags_in, self._table) for entry in portion)

    def keep_tags(self, sync_id: str, tags: Mapping[str, Mapping[str, str]], now: datetime) -> None:
        """Store tags of some accounts; they expire after a day."""
        self._put({"pk": f"LOOKUP#{sync_id}", "sk": f"TAGS#{to_text(now)}#{min(tags)}", "tags": tags}, now)

    def units_found(self, version: int, names: Iterable[str]) -> datetime | None:
        """Return when all these units of a configuration version were last found to be there."""
        with translated("GetItem"):
            answer = self._client.get_item(TableName=self._table, Key=to_item(_key(version)), ConsistentRead=True)
        wanted = frozenset(names)
        found = readable(filter(None, [from_item(answer.get("Item", {}))]), _units_in, self._table)
        return next((moment for moment, units in found if wanted <= units), None)

    def store_units_found(self, version: int, names: Iterable[str], now: datetime) -> None:
        """Store that; it expires after a day."""
        self._put({**_key(version), "units": sorted(names), "found_at": now}, now)

    def _put(self, item: Mapping[str, Any], now: datetime) -> None:
        with translated("PutItem"):
            self._client.put_item(
                TableName=self._table, Item=to_item({**item, "expires_at": int((now + KEPT).timestamp())})
            )


def _tags_in(item: Mapping[str, Any]) -> list[tuple[str, dict[str, str]]]:
    return [(account_id, {key: str(value) for key, value in tags.items()}) for account_id, tags in item["tags"].items()]


def _units_in(item: Mapping[str, Any]) -> tuple[datetime, frozenset[str]]:
    return to_moment(item["found_at"]), frozenset(item["units"])


def _key(version: int) -> dict[str, str]:
    return {"pk": "LOOKUP#UNITS", "sk": f"{version:012}"}

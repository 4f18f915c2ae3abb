"""The questions of auditors and operators about stored operations: each is one query or one read, never a scan."""

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from contactsync.aws.dynamodb.attributes import Attributes, expiry, moment
from contactsync.aws.dynamodb.codec import Codec
from contactsync.aws.dynamodb.items import from_item, query, read_one, readable, to_item, to_text
from contactsync.aws.operations.operation_items import ALL_OPERATIONS, operation_from, past_outcome_from
from contactsync.aws.sdk.error_codes import translated
from contactsync.contacts import ContactType
from contactsync.operations.operation import OperationStatus, SyncOperation
from contactsync.operations.queries import ALWAYS, DesiredVersion, PastOutcome, Period

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

RESOLUTION: Final = timedelta(microseconds=1)
"""The step between two stored times."""


VERSION: Final = Codec(DesiredVersion)


class DynamoDbOperationQueries:
    """Listings from the indexes, newest first; they may be a moment older than the table."""

    def __init__(self, client: "DynamoDBClient", state_table: str) -> None:
        self._client = client
        self._table = state_table

    def recent(
        self, *, limit: int | None = None, status: OperationStatus | None = None, period: Period = ALWAYS
    ) -> Iterator[SyncOperation]:
        """Yield operations page by page, of all or of one status; the period is one of their `timestamp`."""
        index, key, value = (
            ("operations_by_status", "operation_status", str(status))
            if status
            else ("operations_by_time", "operations", ALL_OPERATIONS)
        )
        items = self._newest(index, key, value, "operation_time", period, limit)
        return readable(items, operation_from, self._table)

    def lasts(self) -> timedelta | None:
        """Return how long operations are kept after their plan, judging by the newest one; None when there is none."""
        items = self._newest("operations_by_time", "operations", ALL_OPERATIONS, "operation_time", ALWAYS, 1)
        return next(readable(items, _lasts, self._table), None)

    def account_history(
        self, account_id: str, *, limit: int | None = None, period: Period = ALWAYS
    ) -> Iterator[PastOutcome]:
        """Yield the settled outcomes of one account page by page, of all operations and contact types."""
        items = self._newest("outcomes_by_account", "account_id", account_id, "outcome_time", period, limit)
        return readable(items, _past_outcome, self._table)

    def _newest(
        self, index: str, key: str, value: str, time_key: str, period: Period, limit: int | None
    ) -> Iterator[dict[str, Any]]:
        if period.empty:
            return iter(())
        during, values = _during(time_key, period)
        return query(
            self._client,
            TableName=self._table,
            IndexName=index,
            KeyConditionExpression=f"{key} = :value{during}",
            ExpressionAttributeValues=to_item({":value": value, **values}),
            ScanIndexForward=False,
            limit=limit,
        )


def _lasts(item: dict[str, Any]) -> timedelta:
    stored = Attributes(item)
    return timedelta(
        seconds=stored.required("expires_at", expiry) - int(stored.required("planned", moment).timestamp())
    )


def _past_outcome(item: dict[str, Any]) -> PastOutcome:
    return PastOutcome(*past_outcome_from(item))


class DynamoDbDesiredVersions:
    """The desired contacts that are in force, without their values."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def of(self, contact_type: ContactType) -> DesiredVersion | None:
        """Return the latest desired contact's generation and operation, read consistently, without its values."""
        item = self._read(contact_type)
        return read_one(item, VERSION.from_map, self._table) if item else None

    def every(self) -> Iterator[DesiredVersion]:
        """Yield one for each contact type that has a desired contact."""
        items = filter(None, map(self._read, ContactType))
        return readable(items, VERSION.from_map, self._table)

    def _read(self, contact_type: ContactType) -> dict[str, Any]:
        with translated("GetItem"):
            answer = self._client.get_item(
                TableName=self._table,
                Key=to_item({"contact_type": contact_type}),
                ProjectionExpression="contact_type, generation, sync_id",
                ConsistentRead=True,
            )
        return from_item(answer.get("Item", {}))


def _during(time_key: str, period: Period) -> tuple[str, dict[str, str]]:
    """Return one key condition, because DynamoDB accepts one per key, and its values."""
    since, until = period.since, period.until
    values = {":since": since and to_text(since), ":until": until and to_text(until - RESOLUTION)}
    conditions = {
        (True, True): f" AND {time_key} BETWEEN :since AND :until",
        (True, False): f" AND {time_key} >= :since",
        (False, True): f" AND {time_key} <= :until",
        (False, False): "",
    }
    return conditions[since is not None, until is not None], {name: text for name, text in values.items() if text}

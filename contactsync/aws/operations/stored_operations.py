"""Sync operations and outcomes as they are stored, for code that only reads them."""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any

from contactsync.aws.dynamodb.attributes import Attributes, count
from contactsync.aws.dynamodb.items import from_item, query, read_one, readable, to_item
from contactsync.aws.operations.operation_items import (
    PARTITIONS,
    generation_key,
    operation_from,
    operation_key,
    outcome_from,
    outcome_partition,
)
from contactsync.aws.sdk.error_codes import translated
from contactsync.contacts import ContactType
from contactsync.errors import ItemUnreadableError
from contactsync.operations.operation import AccountOutcome, OperationStatus, SyncOperation

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DynamoDbStoredOperations:
    """Operations and outcomes, read consistently from the table itself."""

    def __init__(self, client: "DynamoDBClient", state_table: str) -> None:
        self._client = client
        self._table = state_table

    def generation(self, contact_type: ContactType) -> int:
        """Return the counter, read consistently."""
        return self._counter(contact_type, "generation")

    def last_deletion(self, contact_type: ContactType) -> int:
        """Return the generation of the last plan that found the contact deleted, read consistently."""
        return self._counter(contact_type, "deletion")

    def _counter(self, contact_type: ContactType, name: str) -> int:
        item = self._read(generation_key(contact_type)) or {}
        return read_one(item, lambda found: Attributes(found).optional(name, count, 0), self._table)

    def get(self, sync_id: str) -> SyncOperation | None:
        """Return an operation, read consistently."""
        item = self._read(operation_key(sync_id))
        return read_one(item, operation_from, self._table) if item else None

    def outcomes_of(self, sync_id: str, account_id: str) -> Mapping[ContactType, AccountOutcome]:
        """Return the outcomes of one account by contact type."""
        items = query(
            self._client,
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :account)",
            ExpressionAttributeValues=to_item(
                {":pk": outcome_partition(sync_id, account_id[-1]), ":account": f"{account_id}#"}
            ),
            ConsistentRead=True,
        )
        outcomes = (read_one(item, outcome_from, self._table) for item in items)
        return {outcome.contact_type: outcome for outcome in outcomes}

    def outcomes(self, sync_id: str) -> Iterator[AccountOutcome]:
        """Return every outcome, partition by partition and page by page."""
        return chain.from_iterable(self._partition(sync_id, digit) for digit in range(PARTITIONS))

    def _partition(self, sync_id: str, digit: int) -> Iterator[AccountOutcome]:
        items = query(
            self._client,
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=to_item({":pk": outcome_partition(sync_id, digit)}),
            ConsistentRead=True,
        )
        # An outcome that cannot be read is left out here. It counts as missing, which is a failure of its account.
        return readable(items, outcome_from, self._table)

    def unfinished(self, unreadable: list[ItemUnreadableError] | None = None) -> Iterator[SyncOperation]:
        """Return the operations without an end from the index by status, from all pages."""
        for status in (OperationStatus.PENDING, OperationStatus.IN_PROGRESS):
            items = query(
                self._client,
                TableName=self._table,
                IndexName="operations_by_status",
                KeyConditionExpression="operation_status = :status",
                ExpressionAttributeValues=to_item({":status": status}),
            )
            yield from readable(items, operation_from, self._table, unreadable)

    def _read(self, key: dict[str, str]) -> dict[str, Any] | None:
        with translated("GetItem"):
            answer = self._client.get_item(TableName=self._table, Key=to_item(key), ConsistentRead=True)
        return from_item(answer["Item"]) if "Item" in answer else None

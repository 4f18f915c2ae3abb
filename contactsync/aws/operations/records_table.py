"""The account records in the state table, with optimistic locking."""

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from tenacity import RetryError, Retrying, retry_if_result, stop_after_attempt, wait_random_exponential

from contactsync.aws.dynamodb.attributes import Attributes, id_of_account, ordinal
from contactsync.aws.dynamodb.codec import Codec
from contactsync.aws.dynamodb.items import from_item, read_one, readable, to_item
from contactsync.aws.sdk.error_codes import translated
from contactsync.clock import Clock
from contactsync.contacts import ContactType
from contactsync.errors import StateConflictError
from contactsync.operations.account_record import AccountRecord

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SAME_VERSION: Final = "attribute_not_exists(pk) OR version = :version"

BATCH: Final = 100
"""Number of items that BatchGetItem accepts."""

RECORD: Final = Codec(
    AccountRecord,
    names={"account_id": "account"},
    reads={"account_id": id_of_account, "version": ordinal},
    required=["version"],
    sparse=["written_fields"],
)


def record_key(account_id: str, contact_type: ContactType) -> dict[str, str]:
    """Return the key of an account record; each account has its own partition, so none gets all writes."""
    return {"pk": f"RECORD#{account_id}", "sk": str(contact_type)}


def record_item(record: AccountRecord) -> dict[str, Any]:
    """Return a record's item; it never expires."""
    return {**record_key(record.account_id, record.contact_type), **RECORD.to_map(record)}


def record_from(item: dict[str, Any]) -> AccountRecord:
    """Read what `record_item` wrote."""
    stored = Attributes(item)
    record = RECORD.read(stored)
    stored.check_key(record_key(record.account_id, record.contact_type))
    return record


class DynamoDbAccountRecords:
    """One item per account and contact type; a new version replaces only the version that was read."""

    def __init__(self, client: "DynamoDBClient", table: str, *, conflict_tries: int, clock: Clock) -> None:
        self._client = client
        self._table = table
        self._tries = conflict_tries
        self._clock = clock

    def get(self, account_id: str, contact_type: ContactType) -> AccountRecord:
        """Return the record, read consistently."""
        item = self._read(account_id, contact_type)
        return read_one(item, record_from, self._table) if item else AccountRecord(account_id, contact_type)

    def replace(self, record: AccountRecord, **changes: Any) -> AccountRecord | None:  # noqa: ANN401 -- fields of AccountRecord
        """Store the next version, or return None; a stored token of ours means that the SDK repeated the write."""
        stored = replace(record, **changes, version=record.version + 1)
        token = secrets.token_hex(16)
        with translated("PutItem"):
            try:
                self._client.put_item(
                    TableName=self._table,
                    Item=to_item({**record_item(stored), "token": token}),
                    ConditionExpression=SAME_VERSION,
                    ExpressionAttributeValues=to_item({":version": record.version}),
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                if self._read(record.account_id, record.contact_type).get("token") != token:
                    return None
        return stored

    def many(
        self, keys: Iterable[tuple[str, ContactType]], unreadable: set[tuple[str, ContactType]] | None = None
    ) -> Iterator[AccountRecord]:
        """Yield the stored records, a hundred for each call."""
        remaining = iter(keys)
        while batch := list(islice(remaining, BATCH)):
            asked = {tuple(record_key(*key).values()): key for key in batch}
            for item in self._read_batch([to_item(record_key(*key)) for key in batch]):
                records = list(readable([item], record_from, self._table))
                if not records and unreadable is not None:
                    unreadable.add(asked[item["pk"], item["sk"]])
                yield from records

    def _read_batch(self, keys: list[dict[str, Any]]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        requests: Any = {self._table: {"Keys": keys, "ConsistentRead": True}}
        attempts = Retrying(
            retry=retry_if_result(bool),
            stop=stop_after_attempt(self._tries),
            wait=wait_random_exponential(multiplier=0.1, max=2),
            sleep=self._clock.sleep,
        )

        def read() -> bool:
            nonlocal requests
            with translated("BatchGetItem"):
                answer = self._client.batch_get_item(RequestItems=requests)
            found.extend(map(from_item, answer["Responses"].get(self._table, [])))
            requests = answer["UnprocessedKeys"]
            return bool(requests)

        try:
            attempts(read)
        except RetryError:
            raise StateConflictError(item=f"Table {self._table}", tries=self._tries) from None
        return found

    def _read(self, account_id: str, contact_type: ContactType) -> dict[str, Any]:
        with translated("GetItem"):
            answer = self._client.get_item(
                TableName=self._table, Key=to_item(record_key(account_id, contact_type)), ConsistentRead=True
            )
        return from_item(answer.get("Item", {}))

"""Why messages failed, in items of the idempotency table, beside those of aws-lambda-powertools."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from contactsync.aws.dynamodb.codec import Codec
from contactsync.aws.dynamodb.items import from_item, readable, to_item
from contactsync.aws.sdk.error_codes import translated
from contactsync.bus.consume import MessageFailure
from contactsync.clock import Clock
from contactsync.errors import ThrottledError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEYS: Final = 100
"""Number of keys that BatchGetItem accepts."""

LEFT_OVER_WAITS: Final = (0.1, 0.4, 1.6, 3.0)
"""Seconds to wait before each new request for what BatchGetItem did not return."""

FAILURE_LIFE: Final = timedelta(days=20)
"""How long the failure of a message is kept: longer than dead letters are."""

FAILURE: Final = Codec(MessageFailure)


class DynamoDbFailures:
    """The stored failures of messages, in items of the idempotency table."""

    def __init__(self, client: "DynamoDBClient", table: str, clock: Clock) -> None:
        self._client = client
        self._table = table
        self._clock = clock

    def remember(self, subscriber: str, message_id: str, failure: MessageFailure) -> None:
        """Put the item; the latest failure replaces an earlier one."""
        expiration = int((self._clock.now() + FAILURE_LIFE).timestamp())
        item = {**_failure_key(subscriber, message_id), **FAILURE.to_map(failure), "expiration": expiration}
        with translated("PutItem"):
            self._client.put_item(TableName=self._table, Item=to_item(item))

    def find(self, subscriber: str, message_id: str) -> MessageFailure | None:
        """Get the item."""
        key = to_item(_failure_key(subscriber, message_id))
        with translated("GetItem"):
            answer = self._client.get_item(TableName=self._table, Key=key)
        items = [from_item(answer["Item"])] if "Item" in answer else []
        return next(readable(items, FAILURE.from_map, self._table), None)

    def find_all(self, subscriber: str, message_ids: Sequence[str]) -> dict[str, MessageFailure]:
        """Get the items in batches."""
        failures: dict[str, MessageFailure] = {}
        remaining = iter(message_ids)
        while batch := list(islice(remaining, KEYS)):
            keys = {_failure_key(subscriber, message_id)["id"]: message_id for message_id in batch}
            for item in self._items(keys):
                for failure in readable([item], FAILURE.from_map, self._table):
                    failures[keys[item["id"]]] = failure
        return failures

    def _items(self, keys: Iterable[str]) -> Iterator[dict[str, Any]]:
        """Yield the items of keys; what DynamoDB did not process is requested again."""
        left: Any = {self._table: {"Keys": [to_item({"id": key}) for key in keys]}}
        for wait in (0.0, *LEFT_OVER_WAITS):
            self._clock.sleep(wait)
            with translated("BatchGetItem"):
                answer = self._client.batch_get_item(RequestItems=left)
            yield from map(from_item, answer["Responses"].get(self._table, []))
            left = answer["UnprocessedKeys"]
            if not left:
                return
        raise ThrottledError("BatchGetItem", "UnprocessedKeys")


def _failure_key(subscriber: str, message_id: str) -> dict[str, str]:
    return {"id": f"failure#{subscriber}#{message_id}"}

"""Batches of DynamoDB writes; what DynamoDB does not process is written again."""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from tenacity import RetryError, Retrying, retry_if_result, stop_after_attempt, wait_random_exponential

from contactsync.aws.sdk.error_codes import translated
from contactsync.errors import StateConflictError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

BATCH: Final = 25
"""Number of items that BatchWriteItem accepts."""


def write_all(
    client: "DynamoDBClient",
    table: str,
    requests: Iterable[Any],
    *,
    tries: int,
    sleep: Callable[[float], None],
    before_each: Callable[[], None] = lambda: None,
) -> None:
    """Write put and delete requests; call `before_each` before every batch.

    Raises StateConflictError when DynamoDB has not processed all of a batch after `tries` tries.
    """
    remaining = iter(requests)
    while batch := list(islice(remaining, BATCH)):
        before_each()
        _write(client, table, batch, tries, sleep)


def _write(client: "DynamoDBClient", table: str, batch: list[Any], tries: int, sleep: Callable[[float], None]) -> None:
    requests: Any = {table: batch}
    attempts = Retrying(
        retry=retry_if_result(bool),
        stop=stop_after_attempt(tries),
        wait=wait_random_exponential(multiplier=0.1, max=2),
        sleep=sleep,
    )

    def write() -> bool:
        nonlocal requests
        with translated("BatchWriteItem"):
            requests = client.batch_write_item(RequestItems=requests)["UnprocessedItems"]
        return bool(requests)

    try:
        attempts(write)
    except RetryError:
        raise StateConflictError(item=f"Table {table}", tries=tries) from None

"""Writes that are stored only while their plan is the latest plan of its run."""

import itertools
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from tenacity import RetryError, Retrying, retry_if_result, stop_after_attempt, wait_random_exponential

from contactsync.aws.dynamodb.items import to_item
from contactsync.aws.operations.operation_items import operation_key
from contactsync.aws.sdk.error_codes import translated
from contactsync.clock import Clock
from contactsync.errors import OvertakenError, StateConflictError
from contactsync.operations.operation import SyncOperation

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

GROUP: Final = 99
"""Writes in one transaction; with the check of the plan they are the 100 items that DynamoDB accepts."""

NOT_PLANNED_LATER: Final = "attribute_not_exists(pk) OR planned <= :planned"
CONDITION_FAILED: Final = "ConditionalCheckFailed"


class PlanTransactions:
    """Transactions that store many items in groups, each with a check that the run was not planned again.

    A plan that Airflow has given up may still be running, so checking before a write is not enough.
    """

    def __init__(self, client: "DynamoDBClient", table: str, *, conflict_tries: int, clock: Clock) -> None:
        self._client = client
        self._table = table
        self._tries = conflict_tries
        self._clock = clock

    def write(self, operation: SyncOperation, writes: Iterable[Any]) -> None:
        """Store unconditional writes, each in the form of TransactWriteItems.

        Raises OvertakenError when a later plan is stored, and StateConflictError when others keep changing an item.
        """
        remaining = iter(writes)
        while group := list(itertools.islice(remaining, GROUP)):
            self._write_group(operation, group)

    def _write_group(self, operation: SyncOperation, group: list[Any]) -> None:
        attempts = Retrying(
            retry=retry_if_result(lambda stored: not stored),
            stop=stop_after_attempt(self._tries),
            wait=wait_random_exponential(multiplier=0.1, max=2),
            sleep=self._clock.sleep,
        )
        try:
            attempts(self._try_group, operation, [self._check(operation), *group])
        except RetryError:
            raise StateConflictError(item=f"Sync operation {operation.sync_id}", tries=self._tries) from None

    def _check(self, operation: SyncOperation) -> Any:  # noqa: ANN401 -- a deep boto3 shape
        return {
            "ConditionCheck": {
                "TableName": self._table,
                "Key": to_item(operation_key(operation.sync_id)),
                "ConditionExpression": NOT_PLANNED_LATER,
                "ExpressionAttributeValues": to_item({":planned": operation.planned}),
            }
        }

    def _try_group(self, operation: SyncOperation, writes: list[Any]) -> bool:
        with translated("TransactWriteItems"):
            try:
                self._client.transact_write_items(TransactItems=writes)
            except self._client.exceptions.TransactionCanceledException as error:
                reasons: list[Any] = error.response.get("CancellationReasons", [])
                if reasons and reasons[0].get("Code") == CONDITION_FAILED:
                    raise OvertakenError(item=f"The plan of run {operation.dag_run_id}") from None
                return False
        return True

"""The state table: sync operations, their outcomes and the generation counters."""

import logging
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError
from tenacity import RetryError, Retrying, retry_if_result, stop_after_attempt, wait_random_exponential

from contactsync.aws.dynamodb.attributes import Attributes, count, moment
from contactsync.aws.dynamodb.items import from_item, read_one, to_item
from contactsync.aws.operations.desired_contacts_table import desired_item
from contactsync.aws.operations.operation_items import (
    HALT,
    OPERATION,
    generation_key,
    operation_item,
    operation_key,
    outcome_item,
    outcome_key,
)
from contactsync.aws.operations.plan_transactions import NOT_PLANNED_LATER, PlanTransactions
from contactsync.aws.operations.stored_operations import DynamoDbStoredOperations
from contactsync.aws.sdk.error_codes import translated
from contactsync.aws.tables.outbox_transactions import OutboxTransactions
from contactsync.bus.envelope import Announcement
from contactsync.clock import Clock
from contactsync.contacts import ContactType
from contactsync.errors import AwsCallError, ItemUnreadableError, OvertakenError, StateConflictError
from contactsync.operations.desired import DesiredContact
from contactsync.operations.operation import AccountOutcome, Halt, OperationStatus, SyncOperation

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

log = logging.getLogger(__name__)

SAME_OUTCOME: Final = "outcome_time = :time"
MAY_STORE_OUTCOME: Final = (
    "attribute_exists(pk) AND attribute_not_exists(outside) "
    "AND (attribute_not_exists(try_started) OR try_started <= :started)"
)
"""The condition for settling an outcome: the latest plan has it, and no try that started later has settled it."""
BEHIND: Final = "attribute_not_exists(generation) OR generation < :generation"

UNPLANNED_KEY: Final = {"pk": "HOUSEKEEPING", "sk": "UNPLANNED"}

OF_THIS_PLAN: Final = "planned = :planned"
NOT_FINISHED: Final = "attribute_not_exists(finished) AND operation_status IN (:pending, :in_progress)"
NO_LATER_DELETION: Final = "attribute_not_exists(deletion) OR deletion < :generation"
NO_NEWER_DESIRED: Final = "attribute_not_exists(contact_type) OR generation < :generation"


class DynamoDbOperations(DynamoDbStoredOperations):
    """Operations and outcomes, stored with conditions and read consistently from the table itself."""

    def __init__(
        self,
        client: "DynamoDBClient",
        *,
        state_table: str,
        desired_contacts_table: str,
        retention_days: int,
        conflict_tries: int,
        clock: Clock,
    ) -> None:
        """Take the tables' names; all items of an operation expire `retention_days` after its latest plan."""
        super().__init__(client, state_table)
        self._desired_table = desired_contacts_table
        self._retention = timedelta(days=retention_days)
        self._tries = conflict_tries
        self._clock = clock
        self._transactions = OutboxTransactions(client, state_table, conflict_tries=conflict_tries, clock=clock)
        self._plan_transactions = PlanTransactions(client, state_table, conflict_tries=conflict_tries, clock=clock)

    def raise_generation(self, contact_type: ContactType) -> int:
        """Raise the counter atomically; if the answer is lost, a number is skipped.

        If the counter is behind the stored desired contact, it is set to that one's generation first.
        """
        desired = self._desired_generation(contact_type)
        generation = self._count_up(contact_type)
        if generation <= desired:
            self.raise_to(contact_type, desired)
            generation = self._count_up(contact_type)
        return generation

    def raise_to(self, contact_type: ContactType, generation: int) -> None:
        """Raise the counter to this generation; never lower it."""
        with translated("UpdateItem"), suppress(self._client.exceptions.ConditionalCheckFailedException):
            self._client.update_item(
                TableName=self._table,
                Key=to_item(generation_key(contact_type)),
                UpdateExpression="SET generation = :generation",
                ConditionExpression=BEHIND,
                ExpressionAttributeValues=to_item({":generation": generation}),
            )

    def _desired_generation(self, contact_type: ContactType) -> int:
        with translated("GetItem"):
            answer = self._client.get_item(
                TableName=self._desired_table,
                Key=to_item({"contact_type": contact_type}),
                ProjectionExpression="contact_type, generation",
                ConsistentRead=True,
            )
        if "Item" not in answer:
            return 0
        return read_one(
            from_item(answer["Item"]),
            lambda found: Attributes(found).required("generation", count),
            self._desired_table,
        )

    def _count_up(self, contact_type: ContactType) -> int:
        try:
            with translated("UpdateItem"):
                answer = self._client.update_item(
                    TableName=self._table,
                    Key=to_item(generation_key(contact_type)),
                    UpdateExpression="ADD generation :one",
                    ExpressionAttributeValues=to_item({":one": 1}),
                    ReturnValues="ALL_NEW",
                )
        except AwsCallError:
            self.generation(contact_type)  # name a counter that is not a number: it cannot be raised
            raise
        return read_one(
            from_item(answer["Attributes"]), lambda found: Attributes(found).required("generation", count), self._table
        )

    def found_deletion(self, contact_type: ContactType, generation: int) -> None:
        """Store the generation of the deletion beside the counter; the greatest one stays."""
        with translated("UpdateItem"), suppress(self._client.exceptions.ConditionalCheckFailedException):
            self._client.update_item(
                TableName=self._table,
                Key=to_item(generation_key(contact_type)),
                UpdateExpression="SET deletion = :generation",
                ConditionExpression=NO_LATER_DELETION,
                ExpressionAttributeValues=to_item({":generation": generation}),
            )

    def unplanned_since(self, now: datetime) -> datetime:
        """Return since when there have been unplanned runs; store `now` when no time is stored."""
        with translated("UpdateItem"):
            answer = self._client.update_item(
                TableName=self._table,
                Key=to_item(UNPLANNED_KEY),
                UpdateExpression="SET #since = if_not_exists(#since, :now)",
                ExpressionAttributeNames={"#since": "since"},
                ExpressionAttributeValues=to_item({":now": now}),
                ReturnValues="ALL_NEW",
            )
        try:
            item = from_item(answer["Attributes"])
            return read_one(item, lambda found: Attributes(found).required("since", moment), self._table)
        except ItemUnreadableError as error:
            log.warning("%s This item is stored again.", error)
            self.none_unplanned()
            return now

    def none_unplanned(self) -> None:
        """Remove the time since when there have been unplanned runs."""
        with translated("DeleteItem"):
            self._client.delete_item(TableName=self._table, Key=to_item(UNPLANNED_KEY))

    def store_plan(self, operation: SyncOperation, desired: Iterable[DesiredContact]) -> None:
        """Store everything in one transaction, except desired contacts for which a later plan has stored newer ones."""
        self._store(operation, self._put_operation, desired)

    def decide(self, operation: SyncOperation, desired: Iterable[DesiredContact]) -> None:
        """Store decisions and note of this plan in one transaction with the deletions that follow from them."""
        self._store(operation, self._put_decisions, desired)

    def _store(
        self,
        operation: SyncOperation,
        write: Callable[[SyncOperation, str], Any],
        desired: Iterable[DesiredContact],
    ) -> None:
        token = secrets.token_hex(16)
        remaining = list(desired)
        attempts = Retrying(
            retry=retry_if_result(lambda stored: not stored),
            stop=stop_after_attempt(self._tries),
            wait=wait_random_exponential(multiplier=0.1, max=2),
            sleep=self._clock.sleep,
        )
        try:
            attempts(self._try_storing, operation, write(operation, token), remaining, token)
        except RetryError:
            raise StateConflictError(item=f"Sync operation {operation.sync_id}", tries=self._tries) from None

    def _try_storing(
        self,
        operation: SyncOperation,
        write: Any,  # noqa: ANN401 -- a deep boto3 shape
        desired: list[DesiredContact],
        token: str,
    ) -> bool:
        writes = [write, *(self._put_desired(contact, token) for contact in desired)]
        with translated("TransactWriteItems"):
            try:
                self._client.transact_write_items(TransactItems=writes)
            except self._client.exceptions.TransactionCanceledException as error:
                if self._is_ours(operation.sync_id, token):
                    return True
                own, *others = _failed_conditions(error, len(writes))
                if own:
                    raise OvertakenError(item=f"The plan of run {operation.dag_run_id}") from None
                desired[:] = [contact for contact, overtaken in zip(desired, others, strict=True) if not overtaken]
                return False
        return True

    def _put_operation(self, operation: SyncOperation, token: str) -> Any:  # noqa: ANN401 -- a deep boto3 shape
        item = {**operation_item(operation, self._expiry(operation)), "token": token}
        return _put(self._table, item, NOT_PLANNED_LATER, {":planned": operation.planned})

    def _put_decisions(self, operation: SyncOperation, token: str) -> Any:  # noqa: ANN401 -- a deep boto3 shape
        """Change nothing else, because others store the status and the halt at the same time."""
        note = ", note = :note" if operation.note else " REMOVE note"
        values = {
            ":plans": OPERATION.to_map(operation)["plans"],
            ":note": operation.note,
            ":token": token,
            ":planned": operation.planned,
        }
        return {
            "Update": {
                "TableName": self._table,
                "Key": to_item(operation_key(operation.sync_id)),
                "UpdateExpression": f"SET plans = :plans, #token = :token{note}",
                "ConditionExpression": OF_THIS_PLAN,
                "ExpressionAttributeNames": {"#token": "token"},
                "ExpressionAttributeValues": to_item(values),
            }
        }

    def _put_desired(self, contact: DesiredContact, token: str) -> Any:  # noqa: ANN401 -- a deep boto3 shape
        item = {**desired_item(contact), "token": token}
        return _put(self._desired_table, item, NO_NEWER_DESIRED, {":generation": contact.generation})

    def _is_ours(self, sync_id: str, token: str) -> bool:
        """Return whether the SDK repeated a transaction of ours whose first answer was lost."""
        item = self._read(operation_key(sync_id))
        return item is not None and item.get("token") == token

    def update(self, operation: SyncOperation, announced: Sequence[Announcement] = ()) -> None:
        """Store how far the operation has come; repeating it, as a cleared report does, stores the newer end."""
        values = {
            ":status": operation.status,
            ":counts": operation.counts,
            ":would_change": operation.would_change,
            ":finished": operation.finished,
            ":ends": operation.ends,
            ":followed_by": operation.followed_by,
        }
        expression = "SET operation_status = :status, counts = :counts, would_change = :would_change, ends = :ends"
        expression += ", followed_by = :followed_by" if operation.followed_by else ""
        expression += ", finished = :finished" if operation.finished else " REMOVE finished"
        self._change(operation, expression, values, announced=announced)

    def store_end(self, operation: SyncOperation, announced: Sequence[Announcement] = ()) -> bool:
        """Store the end if nobody else has stored one; a report or a plan that came first is right."""
        values = {
            ":status": operation.status,
            ":counts": operation.counts,
            ":would_change": operation.would_change,
            ":finished": operation.finished,
            ":ends": operation.ends,
            ":note": operation.note,
            ":pending": OperationStatus.PENDING,
            ":in_progress": OperationStatus.IN_PROGRESS,
        }
        expression = (
            "SET operation_status = :status, counts = :counts, would_change = :would_change, finished = :finished, "
            "ends = :ends, note = :note"
        )
        try:
            self._change(operation, expression, values, NOT_FINISHED, announced)
        except OvertakenError:
            return False
        return True

    def halt(self, operation: SyncOperation, halt: Halt) -> None:
        """Store why the operation stopped; it replaces an earlier reason."""
        self._change(operation, "SET halt = :halt", {":halt": HALT.to_map(halt)})

    def lift_halt(self, operation: SyncOperation) -> None:
        """Remove the halt that `operation` has; a newer one stays."""
        if operation.halt is None:
            return
        with suppress(OvertakenError):
            self._change(operation, "REMOVE halt", {":halt": HALT.to_map(operation.halt)}, "halt = :halt")

    def _change(
        self,
        operation: SyncOperation,
        expression: str,
        values: dict[str, Any],
        condition: str = "attribute_exists(pk)",
        announced: Sequence[Announcement] = (),
    ) -> None:
        """Change parts of an operation; raise OvertakenError when the run has been planned again since."""
        update = {
            "TableName": self._table,
            "Key": to_item(operation_key(operation.sync_id)),
            "UpdateExpression": expression,
            "ConditionExpression": f"{OF_THIS_PLAN} AND ({condition})",
            "ExpressionAttributeValues": to_item({**values, ":planned": operation.planned}),
        }
        if not self._transactions.store(update, announced):
            raise OvertakenError(item=f"The plan of run {operation.dag_run_id}")

    def store_outcomes(self, operation: SyncOperation, outcomes: Iterable[AccountOutcome]) -> None:
        """Store outcomes, unless another process has planned the run again."""
        puts = (
            {"Put": {"TableName": self._table, "Item": self._outcome_item(operation, outcome)}} for outcome in outcomes
        )
        self._plan_transactions.write(operation, puts)

    def keep_outcomes(self, operation: SyncOperation, outcomes: Iterable[AccountOutcome]) -> None:
        """Change only when the outcomes expire."""
        values = to_item({":expires_at": self._expiry(operation)})
        updates = (
            {
                "Update": {
                    "TableName": self._table,
                    "Key": to_item(outcome_key(operation.sync_id, outcome.account_id, outcome.contact_type)),
                    "UpdateExpression": "SET expires_at = :expires_at",
                    "ConditionExpression": "attribute_exists(pk)",
                    "ExpressionAttributeValues": values,
                }
            }
            for outcome in outcomes
        )
        self._plan_transactions.write(operation, updates)

    def remove_outcomes(self, operation: SyncOperation, outcomes: Iterable[AccountOutcome]) -> None:
        """Remove outcomes, unless another process has planned the run again."""
        keys = (outcome_key(operation.sync_id, outcome.account_id, outcome.contact_type) for outcome in outcomes)
        deletes = ({"Delete": {"TableName": self._table, "Key": to_item(key)}} for key in keys)
        self._plan_transactions.write(operation, deletes)

    def settle_outcome(self, operation: SyncOperation, outcome: AccountOutcome) -> None:
        """Replace one outcome, if the latest plan has it and no later try has settled it."""
        item = self._outcome_item(operation, outcome)
        with translated("PutItem"):
            try:
                self._client.put_item(
                    TableName=self._table,
                    Item=item,
                    ConditionExpression=MAY_STORE_OUTCOME,
                    ExpressionAttributeValues={":started": item.get("try_started", {"S": ""})},
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                raise OvertakenError(item=f"The outcome of account {outcome.account_id}") from None

    def announce_failures(
        self, operation: SyncOperation, failures: Iterable[tuple[AccountOutcome, Announcement]]
    ) -> Iterator[Announcement]:
        """Store each mark in the same transaction as its announcement."""
        return self._transactions.store_each(
            (self._announced(operation, outcome, announced), announced) for outcome, announced in failures
        )

    def announce_writes(
        self,
        operation: SyncOperation,
        outcomes: Sequence[AccountOutcome],
        announced: Callable[[list[AccountOutcome]], Announcement],
    ) -> Announcement | None:
        """Store the marks in the transaction of the announcement."""
        changes = [
            (self._marked(operation, outcome, written_announced=outcome.written_announced), outcome)
            for outcome in outcomes
        ]
        return self._transactions.store_together(changes, announced)

    def _announced(self, operation: SyncOperation, outcome: AccountOutcome, announced: Announcement) -> dict[str, Any]:
        return self._marked(operation, outcome, announced=announced.id)

    def _marked(self, operation: SyncOperation, outcome: AccountOutcome, **mark: object) -> dict[str, Any]:
        ((name, value),) = mark.items()
        return {
            "TableName": self._table,
            "Key": to_item(outcome_key(operation.sync_id, outcome.account_id, outcome.contact_type)),
            "UpdateExpression": f"SET {name} = :mark",
            "ConditionExpression": SAME_OUTCOME,
            "ExpressionAttributeValues": to_item({":mark": value, ":time": outcome.timestamp}),
        }

    def _outcome_item(self, operation: SyncOperation, outcome: AccountOutcome) -> dict[str, Any]:
        return to_item(outcome_item(operation.sync_id, outcome, self._expiry(operation)))

    def _expiry(self, operation: SyncOperation) -> int:
        return int((operation.planned + self._retention).timestamp())


def _put(table: str, item: dict[str, Any], condition: str, values: dict[str, Any]) -> Any:  # noqa: ANN401 -- a deep boto3 shape
    return {
        "Put": {
            "TableName": table,
            "Item": to_item(item),
            "ConditionExpression": condition,
            "ExpressionAttributeValues": to_item(values),
        }
    }


def _failed_conditions(error: ClientError, writes: int) -> list[bool]:
    """Return for each write of a cancelled transaction whether its own condition failed; AWS may omit the reasons."""
    reasons: list[Any] = error.response.get("CancellationReasons", [])
    failed = [reason.get("Code") == "ConditionalCheckFailed" for reason in reasons]
    return failed if len(failed) == writes else [False] * writes

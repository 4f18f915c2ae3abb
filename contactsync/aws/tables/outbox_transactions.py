"""Changes of items, stored in one transaction with their announcements."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, zip_longest
from typing import TYPE_CHECKING, Any, Final, TypeVar

from botocore.exceptions import ClientError
from tenacity import RetryError, Retrying, retry_if_result, stop_after_attempt, wait_random_exponential

from contactsync.aws.sdk.error_codes import translated
from contactsync.aws.tables.outbox_table import outbox_puts
from contactsync.bus.envelope import Announcement
from contactsync.clock import Clock
from contactsync.errors import StateConflictError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

GROUP: Final = 50
"""Changes in one transaction; with their announcements they are the 100 items that DynamoDB accepts."""

T = TypeVar("T")

CONDITION_FAILED: Final = "ConditionalCheckFailed"


class OutboxTransactions:
    """Transactions that store conditional updates together with their announcements."""

    def __init__(self, client: "DynamoDBClient", table: str, *, conflict_tries: int, clock: Clock) -> None:
        self._client = client
        self._table = table
        self._tries = conflict_tries
        self._clock = clock

    def store(self, update: dict[str, Any], announced: Sequence[Announcement]) -> bool:
        """Store the update and the announcements; False when the update's condition does not hold.

        Without announcements it is a plain update. Raises StateConflictError when others keep changing the item.
        """
        if not announced:
            return self._update(update)
        attempts = Retrying(
            retry=retry_if_result(lambda stored: stored is None),
            stop=stop_after_attempt(self._tries),
            wait=wait_random_exponential(multiplier=0.1, max=2),
            sleep=self._clock.sleep,
        )
        try:
            return bool(attempts(self._transact, [{"Update": update}, *outbox_puts(self._table, announced)]))
        except RetryError:
            raise StateConflictError(item=f"Table {update['TableName']}", tries=self._tries) from None

    def store_each(self, changes: Iterable[tuple[dict[str, Any], Announcement]]) -> Iterator[Announcement]:
        """Store updates with one announcement each, many in a transaction, and yield the stored announcements.

        Updates whose condition does not hold are left out.
        """
        remaining = iter(changes)
        while group := list(islice(remaining, GROUP)):
            yield from self._store_group(group, list)

    def store_together(
        self, changes: Iterable[tuple[dict[str, Any], T]], announced: Callable[[list[T]], Announcement]
    ) -> Announcement | None:
        """Store updates, each of one thing, with one announcement of them all; 99 at most.

        Those whose update's condition does not hold are left out; None when that is all of them.
        """
        return next(iter(self._store_group(list(changes), lambda things: [announced(things)])), None)

    def _store_group(
        self, changes: list[tuple[dict[str, Any], T]], announced: Callable[[list[T]], list[Announcement]]
    ) -> list[Announcement]:
        """Store those changes whose conditions hold, with what `announced` makes of them, and return that."""
        made: list[Announcement] = []

        def attempt() -> bool:
            nonlocal made
            made = announced([thing for _, thing in changes]) if changes else []
            refused = self._refused([update for update, _ in changes], made) if changes else None
            changes[:] = [change for change, failed in zip_longest(changes, refused or ()) if not failed]
            return refused is None

        attempts = Retrying(
            retry=retry_if_result(lambda stored: not stored),
            stop=stop_after_attempt(self._tries),
            wait=wait_random_exponential(multiplier=0.1, max=2),
            sleep=self._clock.sleep,
        )
        try:
            attempts(attempt)
        except RetryError:
            raise StateConflictError(item=f"Table {self._table}", tries=self._tries) from None
        return made

    def _refused(self, updates: Sequence[Any], announced: Sequence[Announcement]) -> list[bool] | None:
        """Store updates with announcements and return None; else return which updates' conditions failed, if known."""
        writes: list[Any] = [{"Update": update} for update in updates]
        with translated("TransactWriteItems"):
            try:
                self._client.transact_write_items(TransactItems=[*writes, *outbox_puts(self._table, announced)])
            except self._client.exceptions.TransactionCanceledException as error:
                return _failed_conditions(error)[: len(updates)]
        return None

    def _update(self, update: dict[str, Any]) -> bool:
        with translated("UpdateItem"):
            try:
                self._client.update_item(**update)
            except self._client.exceptions.ConditionalCheckFailedException:
                return False
        return True

    def _transact(self, writes: Any) -> bool | None:  # noqa: ANN401 -- a deep boto3 shape
        """Return whether the writes were stored; None when another process changed an item at the same time."""
        with translated("TransactWriteItems"):
            try:
                self._client.transact_write_items(TransactItems=writes)
            except self._client.exceptions.TransactionCanceledException as error:
                return False if any(_failed_conditions(error)) else None
        return True


def _failed_conditions(error: ClientError) -> list[bool]:
    """Return for each write of a cancelled transaction whether its own condition failed; AWS may omit the reasons."""
    reasons: list[Any] = error.response.get("CancellationReasons", [])
    return [reason.get("Code") == CONDITION_FAILED for reason in reasons]

"""The events that could not be published, beside the outbox in the state table, used like a dead-letter queue."""

from collections.abc import Generator, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from contactsync.aws.dynamodb.items import query, to_item, to_moment
from contactsync.aws.sdk.error_codes import translated
from contactsync.aws.tables.outbox_table import ASIDE
from contactsync.bus.consume import QUARANTINE_CODE, QUARANTINE_REASON
from contactsync.bus.dead_letters.letters import OUTBOX, DeadLetter
from contactsync.bus.dead_letters.ports import QueueCounts
from contactsync.errors import ContactSyncError, DeadLetterQueueUnknownError, DeadLetterUnreadableError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SEPARATOR: Final = "\n"
"""In place of a receipt: it separates an item's sort key from the partition that the item came from."""


class DynamoDbSetAside:
    """The one queue OUTBOX: reading a message hides it from nobody, and nothing expires."""

    names: Sequence[str] = (OUTBOX,)

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def counts(self, queue: str) -> QueueCounts:
        """Count the items."""
        return QueueCounts(sum(1 for _ in self.take(queue)), 0)

    def take(self, queue: str, receivers: int = 1) -> Generator[DeadLetter, None, None]:
        """Yield every item, the oldest event first."""
        del receivers
        _check(queue)
        items = query(
            self._client,
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=to_item({":pk": ASIDE}),
            ConsistentRead=True,
        )
        yield from map(_letter, items)

    def give_back(self, letters: Iterable[DeadLetter]) -> None:
        """Do nothing: others could always read these messages."""

    def send_on(self, letter: DeadLetter) -> None:
        """Put an event into the outbox again, where housekeeping finds it within minutes."""
        sk, _, pk = letter.receipt.partition(SEPARATOR)
        if not pk or not letter.body:
            problem = "it holds no event"
            raise DeadLetterUnreadableError(queue=OUTBOX, message_id=letter.message_id, problem=problem)
        with translated("PutItem"):
            self._client.put_item(
                TableName=self._table, Item=to_item({"pk": pk, "sk": sk, "announcement": letter.body})
            )

    def send_all(self, letters: Sequence[DeadLetter]) -> dict[str, ContactSyncError]:
        """Put each event into the outbox again, and return the errors by message id."""
        refused: dict[str, ContactSyncError] = {}
        for letter in letters:
            try:
                self.send_on(letter)
            except DeadLetterUnreadableError as error:
                refused[letter.message_id] = error
        return refused

    def delete(self, letter: DeadLetter) -> None:
        """Delete an item."""
        sk, _, _ = letter.receipt.partition(SEPARATOR)
        with translated("DeleteItem"):
            self._client.delete_item(TableName=self._table, Key=to_item({"pk": ASIDE, "sk": sk}))

    def delete_all(self, letters: Sequence[DeadLetter]) -> None:
        """Delete the items one by one."""
        for letter in letters:
            self.delete(letter)


def _check(queue: str) -> None:
    if queue != OUTBOX:
        raise DeadLetterQueueUnknownError(queue=queue, known=(OUTBOX,))


def _letter(item: Mapping[str, Any]) -> DeadLetter:
    """Return what an item holds, whoever wrote it: one that cannot be read can still be shown and discarded."""
    sk = str(item["sk"])
    attributes = {QUARANTINE_CODE: _text(item, "code") or "Unknown", QUARANTINE_REASON: _text(item, "reason")}
    return DeadLetter(
        queue=OUTBOX,
        message_id=sk.partition("#")[2] or sk,
        body=_text(item, "announcement"),
        attributes={name: value for name, value in attributes.items() if value},
        sent=_moment(_text(item, "set_aside_at")),
        receipt=f"{sk}{SEPARATOR}{_text(item, 'outbox_pk')}",
    )


def _text(item: Mapping[str, Any], name: str) -> str:
    value = item.get(name)
    return value if isinstance(value, str) else ""


def _moment(text: str) -> datetime:
    try:
        return to_moment(text)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)

"""Whole tables as backups read and restore them: items stay in DynamoDB's own form, so that nothing is converted."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

from botocore.exceptions import ClientError
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from contactsync.aws.sdk.error_codes import translate, translated
from contactsync.backups.kinds import KEYS, Item, Table
from contactsync.backups.ports import Put, Rule
from contactsync.clock import Clock
from contactsync.errors import ConflictError, ThrottledError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

T = TypeVar("T")

GROUP: Final = 100
"""Items in one transaction, as many as DynamoDB accepts."""
GROUP_SIZE: Final = 3_500_000
"""Bytes of lines in one transaction; DynamoDB accepts 4 MB of items, and a line is longer than its item."""
TRIES: Final = 12
LONGEST_WAIT: Final = 20.0
"""Seconds between two tries of a throttled call at most: the twelve take about two minutes."""


class DynamoDbWholeTables:
    """All items of the tables of a deployment.

    Items are put with conditions, in transactions: BatchWriteItem has no conditions, and the audit table refuses it.
    """

    def __init__(self, client: "DynamoDBClient", names: Mapping[Table, str], clock: Clock) -> None:
        self._client = client
        self._names = names
        self._clock = clock

    def items(self, table: Table, names: Collection[str] | None = None) -> Iterator[Item]:
        """Yield every item, page by page."""
        parameters: dict[str, Any] = {"TableName": self._names[table], "ConsistentRead": True}
        if names is not None:
            placeholders = {f"#n{number}": name for number, name in enumerate(names)}
            parameters |= {
                "ProjectionExpression": ", ".join(placeholders),
                "ExpressionAttributeNames": placeholders,
            }
        start: Any = None
        while True:
            page = self._patiently(self._scan, parameters | ({"ExclusiveStartKey": start} if start else {}))
            yield from page["Items"]
            start = page.get("LastEvaluatedKey")
            if not start:
                return

    def get(self, table: Table, key: Item) -> Item | None:
        """Return an item, read consistently."""
        return self._patiently(self._get, table, key)

    def put(self, table: Table, puts: Iterable[Put]) -> Iterator[tuple[Put, bool]]:
        """Put items in groups, each in one transaction; an item that its rule keeps out leaves the others in."""
        for group in _groups(puts):
            left = list(enumerate(group))
            kept: set[int] = set()
            while left:
                refused = self._patiently(self._transact, table, [put for _, put in left])
                kept |= {left[place][0] for place in refused}
                left = [one for place, one in enumerate(left) if place not in refused] if refused else []
            yield from ((put, number not in kept) for number, put in enumerate(group))

    def remove(self, table: Table, key: Item) -> None:
        """Remove an item, if it is there."""
        self._patiently(self._delete, table, key)

    def raise_to(self, key: Item, name: str, number: int) -> None:
        """Raise a number in the state table; never lower it."""
        self._patiently(self._raise, key, name, number)

    def _scan(self, parameters: Any) -> Any:  # noqa: ANN401 -- deep boto3 shapes
        with translated("Scan"):
            return self._client.scan(**parameters)

    def _get(self, table: Table, key: Any) -> Item | None:  # noqa: ANN401 -- a deep boto3 shape
        with translated("GetItem"):
            answer = self._client.get_item(TableName=self._names[table], Key=dict(key), ConsistentRead=True)
        return answer.get("Item")

    def _delete(self, table: Table, key: Any) -> None:  # noqa: ANN401 -- a deep boto3 shape
        with translated("DeleteItem"):
            self._client.delete_item(TableName=self._names[table], Key=dict(key))

    def _raise(self, key: Any, name: str, number: int) -> None:  # noqa: ANN401 -- a deep boto3 shape
        with translated("UpdateItem"):
            try:
                self._client.update_item(
                    TableName=self._names[Table.STATE],
                    Key=dict(key),
                    UpdateExpression="SET #name = :number",
                    ConditionExpression="attribute_not_exists(#name) OR #name < :number",
                    ExpressionAttributeNames={"#name": name},
                    ExpressionAttributeValues={":number": {"N": str(number)}},
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                return

    def _transact(self, table: Table, puts: list[Put]) -> set[int]:
        """Put all of these, or none; return the places of those whose rules kept them out, if that is the cause."""
        writes: Any = [{"Put": {"TableName": self._names[table], **_conditional(table, put)}} for put in puts]
        with translated("TransactWriteItems"):
            try:
                self._client.transact_write_items(TransactItems=writes)
            except self._client.exceptions.TransactionCanceledException as error:
                refused = _refused(error)
                if not refused:
                    raise translate(error, "TransactWriteItems") from None
                return refused
        return set()

    def _patiently(self, call: Callable[..., T], *arguments: Any) -> T:  # noqa: ANN401 -- the call's own
        """Repeat a throttled call, and one that meets another write to the same item."""
        tries = Retrying(
            retry=retry_if_exception_type((ThrottledError, ConflictError)),
            stop=stop_after_attempt(TRIES),
            wait=wait_random_exponential(multiplier=0.2, max=LONGEST_WAIT),
            sleep=self._clock.sleep,
            reraise=True,
        )
        return tries(call, *arguments)


def _groups(puts: Iterable[Put]) -> Iterator[list[Put]]:
    group: list[Put] = []
    size = 0
    for put in puts:
        if group and (len(group) == GROUP or size + put.size > GROUP_SIZE):
            yield group
            group, size = [], 0
        group.append(put)
        size += put.size
    if group:
        yield group


def _refused(error: ClientError) -> set[int]:
    answered: Any = error.response
    reasons = answered.get("CancellationReasons") or ()
    return {place for place, reason in enumerate(reasons) if reason.get("Code") == "ConditionalCheckFailed"}


def _conditional(table: Table, put: Put) -> dict[str, Any]:
    """Return an item with the condition of its rule."""
    item: dict[str, Any] = {"Item": put.item}
    if put.rule is Rule.ALWAYS:
        return item
    names = {"#key": next(iter(KEYS[table]))}
    conditions, values = ["attribute_not_exists(#key)"], {}
    newer, compared = _newer(put)
    if newer:
        conditions.append(newer)
        names |= {f"#{name}": name for name in ("version", "generation", "mark") if f"#{name}" in newer}
        values = {f":{name}": put.item[name] for name in compared}
    return (
        item
        | {"ConditionExpression": " OR ".join(conditions), "ExpressionAttributeNames": names}
        | ({"ExpressionAttributeValues": values} if values else {})
    )


def _newer(put: Put) -> tuple[str, list[str]]:
    """Return the condition for taking a stored item's place, and the attributes that it compares with."""
    compared = [name for name in ("version", "generation") if "N" in put.item.get(name, {})]
    if put.rule is Rule.NEWER_DESIRED and "generation" in compared:
        return "#generation < :generation", ["generation"]
    if put.rule is not Rule.NEWER_RECORD or "version" not in compared:
        return "", []
    older = "attribute_not_exists(#generation)"
    older = f"({older} OR #generation <= :generation)" if "generation" in compared else older
    return f"(#version < :version AND attribute_not_exists(#mark) AND {older})", compared

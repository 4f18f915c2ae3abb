"""The permissions that a request to DynamoDB needs: one for each table, index and part of a transaction.

Transactions have no action of their own (DynamoDB developer guide, "Using IAM with DynamoDB transactions").
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from contactsync.sandbox.access.conditions import ATTRIBUTES, LEADING_KEYS
from contactsync.sandbox.access.policies import Need

HashKeys = Callable[[str, str, str, str | None], str | None]
"""Return the name of a partition key by account, region, table and index; None for a table that is not there."""

_FindKeys = Callable[[], tuple[str, ...] | None]

_PARTS: Final = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
    "Get": "GetItem",
}
_EQUATION: Final = re.compile(r"([#\w.-]+)\s*=\s*(:\w+)")
_UNKNOWN: Final = ("",)
"""What cannot be read from a request, or is not known here: no pattern but `*` matches."""


@dataclass(frozen=True)
class TableRequest:
    """A request to DynamoDB, and where it goes."""

    partition: str
    account: str
    region: str
    operation: str
    parameters: Mapping[str, Any]
    hash_keys: HashKeys

    def needs(self) -> tuple[Need, ...]:
        """Return what it needs; a request that names no table needs its action on all of them."""
        if self.operation in ("TransactWriteItems", "TransactGetItems"):
            return tuple(self._of_transaction()) or self._of_all()
        if self.operation in ("BatchGetItem", "BatchWriteItem"):
            return tuple(self._of_batch()) or self._of_all()
        table = self.parameters.get("TableName")
        if not isinstance(table, str):
            return self._of_all()
        index = self.parameters.get("IndexName")
        index = index if isinstance(index, str) else None
        return (self._need(self.operation, table, lambda: self._keys_of_request(table, index), index),)

    def _of_all(self) -> tuple[Need, ...]:
        return (Need(f"dynamodb:{self.operation}"),)

    def _of_transaction(self) -> Iterator[Need]:
        for part in _maps(self.parameters.get("TransactItems")):
            for name, content in part.items():
                action = _PARTS.get(str(name), str(name))
                table = content.get("TableName") if isinstance(content, Mapping) else None
                if not isinstance(table, str):
                    yield Need(f"dynamodb:{action}")
                    continue
                items = [content.get("Item") or content.get("Key")]
                yield self._need(action, table, partial(self._keys_in, table, items))

    def _of_batch(self) -> Iterator[Need]:
        asked = self.parameters.get("RequestItems")
        for table, content in (asked if isinstance(asked, Mapping) else {}).items():
            items: list[Any] = []
            if isinstance(content, Mapping):
                items = list(content.get("Keys") or [])
            for write in _maps(content):
                items += [part.get("Item") or part.get("Key") for part in _maps(list(write.values()))]
            yield self._need(self.operation, str(table), partial(self._keys_in, str(table), items))

    def _need(self, action: str, table: str, keys: _FindKeys, index: str | None = None) -> Need:
        arn = table if table.startswith("arn:") else self._arn(table)

        def context() -> dict[str, tuple[str, ...]]:
            found = keys()
            return {} if found is None else {LEADING_KEYS: found, **self._attributes()}

        return Need(f"dynamodb:{action}", (f"{arn}/index/{index}" if index else arn,), context)

    def _attributes(self) -> dict[str, tuple[str, ...]]:
        """Return the attributes that a read names; nothing when it asks for all, and no name for other requests."""
        if self.operation not in ("GetItem", "Query"):
            return {ATTRIBUTES: _UNKNOWN}
        projection = self.parameters.get("ProjectionExpression")
        if not isinstance(projection, str):
            return {}
        names = self._named("ExpressionAttributeNames")
        asked = [re.split(r"[.\[]", one.strip())[0] for one in projection.split(",")]
        return {ATTRIBUTES: (*(str(names.get(one, one)) for one in asked), *map(str, self._named("Key")))}

    def _arn(self, table: str) -> str:
        return f"arn:{self.partition}:dynamodb:{self.region}:{self.account}:table/{table}"

    def _keys_of_request(self, table: str, index: str | None) -> tuple[str, ...] | None:
        """Return the partition keys of the items that it is about; None for requests that name no items."""
        if self.operation == "Query":
            return self._keys_of_query(table, index)
        item = self.parameters.get("Item") or self.parameters.get("Key")
        return None if item is None else self._keys_in(table, [item])

    def _keys_in(self, table: str, items: Sequence[object]) -> tuple[str, ...]:
        name = self.hash_keys(self.account, self.region, table.rpartition("/")[2], None)
        if name is None:
            return _UNKNOWN
        keys = [_text(item.get(name)) if isinstance(item, Mapping) else "" for item in items]
        return tuple(dict.fromkeys(keys)) or _UNKNOWN

    def _keys_of_query(self, table: str, index: str | None) -> tuple[str, ...]:
        name = self.hash_keys(self.account, self.region, table.rpartition("/")[2], index)
        names, values = self._named("ExpressionAttributeNames"), self._named("ExpressionAttributeValues")
        expression = self.parameters.get("KeyConditionExpression")
        for left, right in _EQUATION.findall(expression if isinstance(expression, str) else ""):
            if names.get(left, left) == name:
                return (_text(values.get(right)),)
        return _UNKNOWN

    def _named(self, member: str) -> Mapping[str, Any]:
        found = self.parameters.get(member)
        return found if isinstance(found, Mapping) else {}


def _maps(found: object) -> list[Mapping[str, Any]]:
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def _text(value: object) -> str:
    """Return a key value, such as {"S": "text"}, as text."""
    return str(next(iter(value.values()), "")) if isinstance(value, Mapping) else ""

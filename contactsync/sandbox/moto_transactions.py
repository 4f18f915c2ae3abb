"""DynamoDB's transactions at the price of the items they touch: moto copies the whole table once per item.

A transaction of 100 items on a table of some thousands would take minutes, and every other call waits for it.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table

_original = DynamoDBBackend.transact_write_items
_MISSING = None  # copies as itself; no item is None


def install() -> None:
    """Replace moto's own way; a second call changes nothing."""
    DynamoDBBackend.transact_write_items = _transact_write_items


def _transact_write_items(backend: DynamoDBBackend, transact_items: list[dict[str, Any]]) -> None:
    """Let moto do it, and put back the touched items when it refuses; calls of DynamoDB come one after the other."""
    before = [(table, place, _item_at(table, place)) for table, place in _touched(backend, transact_items)]
    kept = [(table, place, copy.deepcopy(item)) for table, place, item in before]
    try:
        with _uncopied(backend):
            _original(backend, transact_items)
    except BaseException:  # goes on below, whatever it is: a transaction is carried out whole or not at all
        for table, place, item in kept:
            _restore(table, place, item)
        raise


def _touched(backend: DynamoDBBackend, writes: list[dict[str, Any]]) -> Iterator[tuple[Table, list[DynamoType]]]:
    for write in writes:
        for operation in write.values():
            table = backend.tables.get(operation.get("TableName"))
            key = operation.get("Item") or operation.get("Key") or {}
            names = [table.hash_key_attr, *([table.range_key_attr] if table.range_key_attr else [])] if table else []
            if table and all(name in key for name in names):  # moto refuses other keys before it writes
                yield table, [DynamoType(key[name]) for name in names]


def _item_at(table: Table, place: list[DynamoType]) -> Any:  # noqa: ANN401 - moto's Item, or our marker
    first, *rest = place
    if first not in table.items:
        return _MISSING
    return table.items[first].get(rest[0], _MISSING) if rest else table.items[first]


def _restore(table: Table, place: list[DynamoType], item: Any) -> None:  # noqa: ANN401 - as above
    first, *rest = place
    items, key = (table.items[first], rest[0]) if rest else (table.items, first)
    if item is _MISSING:
        items.pop(key, None)
    else:
        items[key] = item


@contextmanager
def _uncopied(backend: DynamoDBBackend) -> Iterator[None]:
    """Let moto's copies of whole tables, which it makes to go back to, be the tables themselves."""
    tables = list(backend.tables.values())
    for table in tables:
        table.__deepcopy__ = lambda _, itself=table: itself
    try:
        yield
    finally:
        for table in tables:
            del table.__deepcopy__

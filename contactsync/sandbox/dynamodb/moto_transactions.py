"""DynamoDB's transactions at the price of the items they touch: moto copies the whole table once per item.

A transaction of 100 items on a table of some thousands would take minutes, and every other call waits for it.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import Table

from contactsync.sandbox.dynamodb.dynamodb_limits import check_transaction_size

_original = DynamoDBBackend.transact_write_items
_MISSING = None  # copies as itself; no item is None
_running: ContextVar[bool] = ContextVar("_running", default=False)


def transact_write_items(backend: DynamoDBBackend, transact_items: list[dict[str, Any]]) -> None:
    """Let moto do it, and put back the touched items when it refuses; calls of DynamoDB come one after the other."""
    before = [(table, place, item_at(table, place)) for table, place in touched(backend, transact_items)]
    kept = [(table, place, copy.deepcopy(item)) for table, place, item in before]
    token = _running.set(True)
    try:
        with _uncopied(backend):
            _original(backend, transact_items)
        check_transaction_size(_size(item_at(table, place) or item) for table, place, item in kept)
    except BaseException:  # goes on below, whatever it is: a transaction is carried out whole or not at all
        for table, place, item in kept:
            restore(table, place, item)
        raise
    finally:
        _running.reset(token)


def is_running() -> bool:
    """Tell whether the write is part of a transaction."""
    return _running.get()


def touched(backend: DynamoDBBackend, writes: list[dict[str, Any]]) -> Iterator[tuple[Table, list[DynamoType]]]:
    """Find the table and the key of each write that has both."""
    for write in writes:
        for operation in write.values():
            table = backend.tables.get(operation.get("TableName"))
            key = operation.get("Item") or operation.get("Key") or {}
            names = [table.hash_key_attr, *([table.range_key_attr] if table.range_key_attr else [])] if table else []
            if table and all(name in key for name in names):  # moto refuses other keys before it writes
                yield table, [DynamoType(key[name]) for name in names]


def _size(item: Item | None) -> int:
    return int(item.size()) if item else 0


def item_at(table: Table, place: list[DynamoType]) -> Any:  # noqa: ANN401 - moto's Item, or our marker
    """Return the item at a key, or that there is none."""
    first, *rest = place
    if first not in table.items:
        return _MISSING
    return table.items[first].get(rest[0], _MISSING) if rest else table.items[first]


def restore(table: Table, place: list[DynamoType], item: Any) -> None:  # noqa: ANN401 - as above
    """Put back what `item_at` found."""
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

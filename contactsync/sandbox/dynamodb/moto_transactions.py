"""Fast transactions of DynamoDB: they copy only their own items, while moto copies the whole table for each item.

With moto's copies, 100 items on a table of some thousands would take minutes, and every other call would wait.
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
_MISSING = None  # deepcopy returns None itself, and no item is None
_running: ContextVar[bool] = ContextVar("_running", default=False)


def transact_write_items(backend: DynamoDBBackend, transact_items: list[dict[str, Any]]) -> None:
    """Let moto run the transaction, and restore its items if it fails; calls of DynamoDB never run at the same time."""
    before = [(table, place, item_at(table, place)) for table, place in touched(backend, transact_items)]
    kept = [(table, place, copy.deepcopy(item)) for table, place, item in before]
    token = _running.set(True)
    try:
        with _uncopied(backend):
            _original(backend, transact_items)
        check_transaction_size(_size(item_at(table, place) or item) for table, place, item in kept)
    except BaseException:  # raised again below: a transaction is done completely or not at all
        for table, place, item in kept:
            restore(table, place, item)
        raise
    finally:
        _running.reset(token)


def is_running() -> bool:
    """Return whether the write is part of a transaction."""
    return _running.get()


def touched(backend: DynamoDBBackend, writes: list[dict[str, Any]]) -> Iterator[tuple[Table, list[DynamoType]]]:
    """Yield the table and the key of each write that has a known table and a complete key."""
    for write in writes:
        for operation in write.values():
            table = backend.tables.get(operation.get("TableName"))
            key = operation.get("Item") or operation.get("Key") or {}
            names = [table.hash_key_attr, *([table.range_key_attr] if table.range_key_attr else [])] if table else []
            if table and all(name in key for name in names):  # moto refuses other keys before it writes
                yield table, [DynamoType(key[name]) for name in names]


def _size(item: Item | None) -> int:
    return int(item.size()) if item else 0


def item_at(table: Table, place: list[DynamoType]) -> Any:  # noqa: ANN401 - moto's Item, or None
    """Return the item at a key, or None."""
    first, *rest = place
    if first not in table.items:
        return _MISSING
    return table.items[first].get(rest[0], _MISSING) if rest else table.items[first]


def restore(table: Table, place: list[DynamoType], item: Any) -> None:  # noqa: ANN401 - what item_at returns
    """Put back the item that `item_at` returned; None removes the key."""
    first, *rest = place
    items, key = (table.items[first], rest[0]) if rest else (table.items, first)
    if item is _MISSING:
        items.pop(key, None)
    else:
        items[key] = item


@contextmanager
def _uncopied(backend: DynamoDBBackend) -> Iterator[None]:
    """Let a copy of a table be the table itself, so that the copies that moto makes for a rollback cost nothing."""
    tables = list(backend.tables.values())
    for table in tables:
        table.__deepcopy__ = lambda _, itself=table: itself
    try:
        yield
    finally:
        for table in tables:
            del table.__deepcopy__

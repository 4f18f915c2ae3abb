"""Checks of a whole request before moto gets it: sizes, numbers and keys that DynamoDB refuses and moto accepts.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html; the error texts are AWS's where
public recordings have them.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from moto.dynamodb.exceptions import MockValidationException, ResourceNotFoundException
from moto.dynamodb.limits import HASH_KEY_MAX_LENGTH, RANGE_KEY_MAX_LENGTH
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table

from contactsync.sandbox.dynamodb.dynamodb_expressions import check_expressions
from contactsync.sandbox.dynamodb.item_sizes import LARGEST_ITEM, item_size

LARGEST_REQUEST: Final = 16 * 1024 * 1024  # bytes
LARGEST_TRANSACTION: Final = 4 * 1024 * 1024  # bytes
MOST_IN_TRANSACTION: Final = 100  # items
_MOST_WRITES, _MOST_GETS = 25, 100  # items of one batch
_TOO_LARGE = "Item size has exceeded the maximum allowed size"
_TRANSACTION_TOO_LARGE = "The aggregate size of the items in the transaction exceeds 4 MB"  # our words: not recorded
_DUPLICATES = "Provided list of item keys contains duplicates"
_SAME_ITEM = "Transaction request cannot include multiple operations on one item"
_NO_MATCH = "The provided key element does not match the schema"

Body = Mapping[str, Any]
Check = Callable[[DynamoDBBackend, Body], None]


def check_request(operation: str, backend: DynamoDBBackend, body: Body) -> None:
    """Raise the error that AWS answers; for an operation without a check, only expressions are checked."""
    check_expressions(body)
    check = _CHECKS.get(operation)
    if check is not None:
        check(backend, body)


def check_transaction_size(sizes: Iterable[int]) -> None:
    """Refuse a transaction whose items are too large together; `sizes` are in bytes."""
    if sum(sizes) > LARGEST_TRANSACTION:
        raise MockValidationException(_TRANSACTION_TOO_LARGE)


def _put(backend: DynamoDBBackend, body: Body) -> None:
    table = _table(backend, body["TableName"])
    if table is not None:
        _check_item(table, body["Item"])


def _one_key(backend: DynamoDBBackend, body: Body) -> None:
    table = _table(backend, body["TableName"])
    if table is not None:
        _check_key_values(table, body["Key"])


def _batch_write(backend: DynamoDBBackend, body: Body) -> None:
    requests: Mapping[str, list[Body]] = body["RequestItems"]
    _check_number(requests, lambda name: f"RequestItems.{name}.member", _MOST_WRITES, "BatchWriteItem")
    for name, writes in requests.items():
        table = _table(backend, name)
        if table is None:
            continue
        keys = []
        for write in writes:
            put = write.get("PutRequest")
            attributes = put["Item"] if put else write["DeleteRequest"]["Key"]
            keys.append(_checked_key(table, attributes, whole=not put))
            if put:
                _check_item(table, attributes)
        _refuse_twice(keys, _DUPLICATES)


def _batch_get(backend: DynamoDBBackend, body: Body) -> None:
    requests = {name: request["Keys"] for name, request in body["RequestItems"].items()}
    _check_number(requests, lambda name: f"RequestItems.{name}.member.Keys", _MOST_GETS, "BatchGetItem")
    for name, keys in requests.items():
        table = _table(backend, name)
        if table is not None:
            _refuse_twice([_checked_key(table, key, whole=True) for key in keys], _DUPLICATES)


def _transact_write(backend: DynamoDBBackend, body: Body) -> None:
    _check_transaction(backend, [next(iter(write.values())) for write in body["TransactItems"]])


def _transact_get(backend: DynamoDBBackend, body: Body) -> None:
    gets = [item["Get"] for item in body["TransactItems"]]
    _check_transaction(backend, gets)
    check_transaction_size(_stored_size(_table(backend, get["TableName"]), get["Key"]) for get in gets)


def _check_transaction(backend: DynamoDBBackend, operations: list[Body]) -> None:
    _check_length(len(operations), "TransactItems", MOST_IN_TRANSACTION)
    keys = []
    for operation in operations:
        table = _table(backend, operation["TableName"])
        if table is None:
            continue
        if "Item" in operation:
            _check_item(table, operation["Item"])
        attributes = operation.get("Item") or operation["Key"]
        _check_key_values(table, attributes)
        keys.append((table.name, *_key_of(table, attributes)))
    _refuse_twice(keys, _SAME_ITEM)


def _check_number(requests: Mapping[str, list[Any]], member: Callable[[str], str], most: int, operation: str) -> None:
    _check_length(len(requests), "RequestItems", most)
    for name, items in requests.items():
        _check_length(len(items), member(name), most)
    if sum(len(items) for items in requests.values()) > most:
        message = f"Too many items requested for the {operation} call"
        raise MockValidationException(message)


def _check_length(length: int, member: str, most: int) -> None:
    if not 1 <= length <= most:
        bound = "greater than or equal to 1" if length < 1 else f"less than or equal to {most}"
        message = f"1 validation error detected: Value at '{member}' failed to satisfy constraint: "
        raise MockValidationException(f"{message}Member must have length {bound}")


def _check_item(table: Table, item: Body) -> None:
    _check_key_values(table, item)
    if item_size(item) > LARGEST_ITEM:
        raise MockValidationException(_TOO_LARGE)


def _checked_key(table: Table, attributes: Body, *, whole: bool) -> tuple[str, ...]:
    """Return the key after a check of its attributes and types; with `whole`, other attributes are refused."""
    types = {attribute["AttributeName"]: attribute["AttributeType"] for attribute in table.attr}
    names = _key_names(table)
    missing = any(name not in attributes or types[name] not in attributes[name] for name in names)
    if missing or (whole and len(attributes) != len(names)):
        raise MockValidationException(_NO_MATCH)
    _check_key_values(table, attributes)
    return _key_of(table, attributes)


def _check_key_values(table: Table, attributes: Body) -> None:
    for name, limit, too_long in (
        (table.hash_key_attr, HASH_KEY_MAX_LENGTH, "Size of hashkey has exceeded the maximum size limit of"),
        (
            table.range_key_attr,
            RANGE_KEY_MAX_LENGTH,
            "Aggregated size of all range keys has exceeded the size limit of ",
        ),
    ):
        kind, value = next(iter(attributes[name].items())) if name and attributes.get(name) else ("", None)
        if kind not in {"S", "B"} or value is None:
            continue
        if len(value) == 0:
            article = "string" if kind == "S" else "binary"
            reason = f"The AttributeValue for a key attribute cannot contain an empty {article} value. Key: {name}"
            message = f"One or more parameter values are not valid. {reason}"
            raise MockValidationException(message)
        if DynamoType({kind: value}).size() > limit:
            message = f"One or more parameter values were invalid: {too_long}{limit} bytes"
            raise MockValidationException(message)


def _key_of(table: Table, attributes: Body) -> tuple[str, ...]:
    return tuple(repr(attributes.get(name)) for name in _key_names(table))


def _key_names(table: Table) -> tuple[str, ...]:
    """Return the names of the table's own key attributes; moto's `attribute_keys` has those of the indexes too."""
    return (table.hash_key_attr, table.range_key_attr) if table.range_key_attr else (table.hash_key_attr,)


def _refuse_twice(keys: list[Any], message: str) -> None:
    if len(set(keys)) < len(keys):
        raise MockValidationException(message)


def _stored_size(table: Table | None, key: Body) -> int:
    if table is None or any(name not in key for name in _key_names(table)):
        return 0  # moto refuses it
    sort = DynamoType(key[table.range_key_attr]) if table.range_key_attr else None
    item = table.get_item(DynamoType(key[table.hash_key_attr]), sort)
    return int(item.size()) if item else item_size(key)


def _table(backend: DynamoDBBackend, name: str) -> Table | None:
    try:
        return backend.get_table(name)
    except ResourceNotFoundException:
        return None  # moto answers that the table does not exist


_CHECKS: Mapping[str, Check] = {
    "PutItem": _put,
    "GetItem": _one_key,
    "UpdateItem": _one_key,
    "DeleteItem": _one_key,
    "BatchWriteItem": _batch_write,
    "BatchGetItem": _batch_get,
    "TransactWriteItems": _transact_write,
    "TransactGetItems": _transact_get,
}

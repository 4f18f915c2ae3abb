"""DynamoDB with AWS's limits: moto counts sizes roughly, and accepts much that AWS refuses."""

import copy
from collections.abc import Callable
from typing import Any

import moto.dynamodb.models.table
import moto.dynamodb.responses
from moto.dynamodb.comparisons import (
    FuncBetween,
    OpGreaterThan,
    OpGreaterThanOrEqual,
    OpLessThan,
    OpLessThanOrEqual,
)
from moto.dynamodb.exceptions import ItemSizeToUpdateTooLarge, MockValidationException
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType, Item, LimitedSizeDict
from moto.dynamodb.responses import DynamoHandler

from contactsync.sandbox.dynamodb import moto_transactions
from contactsync.sandbox.dynamodb.dynamodb_limits import LARGEST_REQUEST, MOST_IN_TRANSACTION, check_request
from contactsync.sandbox.dynamodb.item_sizes import LARGEST_ITEM, value_size
from contactsync.sandbox.handover import Attribute, Handover

_PAGE = 1024 * 1024  # bytes
_REQUEST_TOO_LARGE = 413

_original_call_action: Callable[[DynamoHandler], Any] = DynamoHandler.call_action
_original_batch_get: Callable[[DynamoHandler], Any] = DynamoHandler.batch_get_item
_original_update: Callable[..., Item] = DynamoDBBackend.update_item


_COMPARISONS: dict[type[Any], Callable[[Any, Item | None], bool]] = {
    kind: kind.expr for kind in (OpLessThan, OpLessThanOrEqual, OpGreaterThan, OpGreaterThanOrEqual, FuncBetween)
}
"""moto's comparisons by order; they fail on values of different types, such as a text and a number."""


class ValidationError(Exception):
    """The reason why an update cancels its transaction; moto uses the name of the class as the reason's code."""


def _false_between_types(plain: Callable[[Any, Item | None], bool]) -> Callable[[Any, Item | None], bool]:
    def compared(self: Any, item: Item | None) -> bool:  # noqa: ANN401 -- moto's own classes
        parts = (self.start, self.attr, self.end) if isinstance(self, FuncBetween) else (self.lhs, self.rhs)
        try:
            # Python can compare True with a number, DynamoDB cannot.
            return not any(isinstance(part.expr(item), bool) for part in parts) and plain(self, item)
        except TypeError:
            return False

    return compared


def _call_action(handler: DynamoHandler) -> Any:  # noqa: ANN401 - moto's triple
    if len(handler.raw_body) > LARGEST_REQUEST:
        return _REQUEST_TOO_LARGE, {}, ""  # AWS's recorded answer has no body
    try:
        check_request(handler._get_action(), handler.dynamodb_backend, getattr(handler, "params", {}))  # noqa: SLF001 - moto has no other way
    except MockValidationException as error:
        return error.code, dict(error.get_headers() or []), error.description
    return _original_call_action(handler)


def _batch_get_item(handler: DynamoHandler) -> Any:  # noqa: ANN401 - moto's result
    """Add the table's other request members to UnprocessedKeys, as AWS does, so that it can be sent again unchanged."""
    answer = _original_batch_get(handler)
    for name, rest in answer.result["UnprocessedKeys"].items():
        asked = handler.body["RequestItems"][name]
        rest.update({member: value for member, value in asked.items() if member != "Keys"})
    return answer


def _update_item(backend: DynamoDBBackend, table_name: str, key: dict[str, Any], *args: Any, **kwargs: Any) -> Item:  # noqa: ANN401 - moto's signature
    """Update an item completely or not at all, and refuse a result that is too large for DynamoDB."""
    touched = [
        (table, place, copy.deepcopy(moto_transactions.item_at(table, place)))
        for table, place in moto_transactions.touched(backend, [{"Update": {"TableName": table_name, "Key": key}}])
    ]
    try:
        item = _original_update(backend, table_name, key, *args, **kwargs)
        _check_size(item)
    except BaseException:  # raised again below: an update is done completely or not at all
        for table, place, before in touched:
            moto_transactions.restore(table, place, before)
        raise
    return item


def _check_size(item: Item) -> None:
    if item.size() > LARGEST_ITEM:
        refused = ItemSizeToUpdateTooLarge()
        raise ValidationError(refused.exception_msg) if moto_transactions.is_running() else refused


handover: Handover[None] = Handover(
    Attribute(DynamoType, "size", value_size),
    Attribute(LimitedSizeDict, "__setitem__", dict.__setitem__),  # the whole item is checked, not each attribute of it
    Attribute(DynamoHandler, "call_action", _call_action),
    Attribute(DynamoHandler, "batch_get_item", _batch_get_item),
    Attribute(DynamoHandler, "_contains_duplicates", lambda *_: False),  # checked earlier, for each table
    Attribute(DynamoDBBackend, "update_item", _update_item),
    Attribute(DynamoDBBackend, "transact_write_items", moto_transactions.transact_write_items),
    *(Attribute(kind, "expr", _false_between_types(plain)) for kind, plain in _COMPARISONS.items()),
    Attribute(moto.dynamodb.models.table, "RESULT_SIZE_LIMIT", _PAGE),
    Attribute(moto.dynamodb.responses, "TRANSACTION_MAX_ITEMS", MOST_IN_TRANSACTION),
)

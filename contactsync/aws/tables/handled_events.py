"""The items of the idempotency table that say which events a subscriber has handled, in powertools' layout."""

import json
from enum import StrEnum
from typing import Any

from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer
from aws_lambda_powertools.utilities.idempotency.persistence.datarecord import DataRecord

from contactsync.aws.dynamodb.attributes import Attributes, count, one_of, text
from contactsync.aws.dynamodb.items import WrongAttributeError, from_item, read_one


class HandledStatus(StrEnum):
    """How far a subscriber is with an event, in powertools' words."""

    UNDER_WAY = "INPROGRESS"
    HANDLED = "COMPLETED"
    EXPIRED = "EXPIRED"


class HandledEvents(DynamoDBPersistenceLayer):
    """Powertools' own layer, with an error for an unreadable item: it is not known if its event was handled."""

    def _item_to_data_record(self, item: dict[str, Any]) -> DataRecord:
        """Raise ItemUnreadableError, where powertools would fail or misread the item."""
        read_one(from_item(item), _check, self.table_name)
        return super()._item_to_data_record(item)


def _check(item: dict[str, Any]) -> None:
    stored = Attributes(item)
    stored.required("status", one_of(HandledStatus))
    stored.required("expiration", count)
    stored.optional("in_progress_expiration", count)
    stored.optional("data", _json)


def _json(value: object) -> None:
    try:
        json.loads(text(value))
    except (ValueError, RecursionError) as error:
        if isinstance(error, WrongAttributeError):
            raise
        problem = "is no JSON"
        raise WrongAttributeError(problem) from None

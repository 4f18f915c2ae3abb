"""Where moto hands over to us for OpsItems, which it lacks."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from moto.core.responses import ActionResult
from moto.ssm.responses import SimpleSystemManagerResponse

from contactsync.sandbox.connection import Connection
from contactsync.sandbox.ops_items.ops_items import OpsItems, Place
from contactsync.sandbox.requests.callers import Callers


@dataclass(frozen=True)
class OpsItemsApi:
    """What moto calls while a sandbox runs."""

    items: OpsItems
    callers: Callers


_connection: Connection[OpsItemsApi] = Connection()
_Operation = Callable[[OpsItems, Place, Mapping[str, Any]], dict[str, Any]]


def connect(api: OpsItemsApi) -> None:
    """Let moto call this sandbox."""
    _connection.open(api)
    operations: Mapping[str, _Operation] = {
        "create_ops_item": OpsItems.create,
        "get_ops_item": OpsItems.get,
        "update_ops_item": OpsItems.update,
        "describe_ops_items": OpsItems.describe,
    }
    for name, operation in operations.items():
        setattr(SimpleSystemManagerResponse, name, _method(operation))


def disconnect(api: OpsItemsApi) -> None:
    """Stop calling this sandbox; does nothing when another one has been connected since."""
    _connection.close(api)


def _method(operation: _Operation) -> Callable[[SimpleSystemManagerResponse], ActionResult]:
    def respond(self: SimpleSystemManagerResponse) -> ActionResult:
        api = _connection.current
        if api is None:
            raise NotImplementedError
        place = Place(self.current_account, self.region, api.callers.caller_of(self.get_access_key()).arn)
        return ActionResult(operation(api.items, place, json.loads(self.body or "{}")))

    return respond

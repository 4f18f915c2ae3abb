"""The operations on OpsItems, added to moto's Systems Manager."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from moto.core.responses import ActionResult
from moto.ssm.responses import SimpleSystemManagerResponse

from contactsync.sandbox.handover import Attribute, Handover
from contactsync.sandbox.ops_items.ops_items import OpsItems, Place
from contactsync.sandbox.requests.callers import Callers


@dataclass(frozen=True)
class OpsItemsApi:
    """The part of a running sandbox that moto calls for OpsItems."""

    items: OpsItems
    callers: Callers


_Operation = Callable[[OpsItems, Place, Mapping[str, Any]], dict[str, Any]]


def _method(operation: _Operation) -> Callable[[SimpleSystemManagerResponse], ActionResult]:
    def respond(self: SimpleSystemManagerResponse) -> ActionResult:
        api = handover.part
        if api is None:
            raise NotImplementedError
        place = Place(self.current_account, self.region, api.callers.caller_of(self.get_access_key()).arn)
        return ActionResult(operation(api.items, place, json.loads(self.body or "{}")))

    return respond


handover: Handover[OpsItemsApi] = Handover(
    Attribute(SimpleSystemManagerResponse, "create_ops_item", _method(OpsItems.create)),
    Attribute(SimpleSystemManagerResponse, "get_ops_item", _method(OpsItems.get)),
    Attribute(SimpleSystemManagerResponse, "update_ops_item", _method(OpsItems.update)),
    Attribute(SimpleSystemManagerResponse, "describe_ops_items", _method(OpsItems.describe)),
)

"""Systems Manager's OpsItems: created, changed and listed within the service's limits, with events on the bus.

API reference: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_CreateOpsItem.html; duplicates:
https://docs.aws.amazon.com/systems-manager/latest/userguide/OpsCenter-working-deduplication.html.
"""

import secrets
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from contactsync.sandbox.ops_items.ops_item_rules import (
    DEDUP,
    OpsItemError,
    check_filters,
    check_item,
    check_page,
    check_update,
    dedup_key,
    matches,
)

_KEPT = ("Title", "Description", "Source", "Priority", "Severity", "Category", "Notifications", "RelatedOpsItems")
_NOT_IN_SUMMARY = frozenset({"Description", "Notifications", "RelatedOpsItems", "Version", "OpsItemArn"})
_OPEN: Final = frozenset({"Open", "InProgress"})

Emit = Callable[[Mapping[str, Any]], object]


@dataclass(frozen=True)
class Place:
    """The account and region of the items, and the ARN of the caller."""

    account: str
    region: str
    caller: str


@dataclass
class _Stored:
    """An item, and the key by which its duplicates are recognized."""

    members: dict[str, Any]
    key: str | None = None
    data: dict[str, Any] = field(default_factory=dict)


class OpsItems:
    """The items of all accounts and regions."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._lock = threading.Lock()
        self._items: dict[tuple[str, str], dict[str, _Stored]] = {}

    def create(self, place: Place, request: Mapping[str, Any]) -> dict[str, str]:
        """Create an item, and return its id and ARN; refused while a duplicate of it is open."""
        check_item(request, required=True)
        key = dedup_key(request)
        item = _Stored(_new(place, request), key, dict(request.get("OperationalData") or {}))
        with self._lock:
            items = self._items.setdefault((place.account, place.region), {})
            self._refuse_duplicate(items, key)
            items[item.members["OpsItemId"]] = item
        self._tell("OpsItem Create", place, item.members)
        return {name: item.members[name] for name in ("OpsItemId", "OpsItemArn")}

    def get(self, place: Place, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return an item."""
        with self._lock:
            stored = self._find(place, request)
            return {"OpsItem": {**stored.members, "OperationalData": dict(stored.data)}}

    def update(self, place: Place, request: Mapping[str, Any]) -> dict[str, Any]:
        """Change the members that the request has."""
        check_item(request, required=False)
        check_update(request)
        with self._lock:
            stored = self._find(place, request)
            stored.members |= {name: request[name] for name in (*_KEPT, "Status") if name in request}
            stored.members |= {
                "Version": str(int(stored.members["Version"]) + 1),
                "LastModifiedBy": place.caller,
                "LastModifiedTime": datetime.now(UTC),
            }
            _change_data(stored, request)
            members = dict(stored.members)
        self._tell("OpsItem Update", place, members)
        return {}

    def describe(self, place: Place, request: Mapping[str, Any]) -> dict[str, Any]:
        """List a page of items, the newest first."""
        filters = request.get("OpsItemFilters") or []
        check_filters(filters)
        first, size = check_page(request)
        with self._lock:
            stored = list(self._items.get((place.account, place.region), {}).values())
        matching = [_summary(item) for item in reversed(stored) if matches(item.members, filters)]
        page = {"OpsItemSummaries": matching[first : first + size]}
        return page | ({"NextToken": str(first + size)} if first + size < len(matching) else {})

    def _find(self, place: Place, request: Mapping[str, Any]) -> _Stored:
        item_id = str(request.get("OpsItemId"))
        stored = self._items.get((place.account, place.region), {}).get(item_id)
        if stored is None:
            raise OpsItemError("OpsItemNotFoundException", f"OpsItem ID {item_id} was not found.")
        return stored

    def _refuse_duplicate(self, items: Mapping[str, _Stored], key: str | None) -> None:
        for item_id, stored in items.items():
            if key is not None and stored.key == key and stored.members["Status"] in _OPEN:
                raise OpsItemError("OpsItemAlreadyExistsException", "Similar OpsItem already exists", OpsItemId=item_id)

    def _tell(self, kind: str, place: Place, item: Mapping[str, Any]) -> None:
        """Put the service's event on the bus, in the shape of AWS's example."""
        now = datetime.now(UTC)
        self._emit(
            {
                "version": "0",
                "id": str(uuid.uuid4()),
                "detail-type": kind,
                "source": "aws.ssm",
                "account": place.account,
                "time": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "region": place.region,
                "resources": [item["OpsItemArn"]],
                "detail": _detail(item),
            }
        )


def _new(place: Place, request: Mapping[str, Any]) -> dict[str, Any]:
    item_id, now = f"oi-{secrets.token_hex(6)}", datetime.now(UTC)
    return {
        **{name: request[name] for name in _KEPT if name in request},
        "OpsItemId": item_id,
        "OpsItemArn": f"arn:aws:ssm:{place.region}:{place.account}:opsitem/{item_id}",
        "OpsItemType": request.get("OpsItemType") or "/aws/issue",
        "Status": "Open",
        "Version": "1",
        "CreatedBy": place.caller,
        "CreatedTime": now,
        "LastModifiedBy": place.caller,
        "LastModifiedTime": now,
    }


def _detail(item: Mapping[str, Any]) -> dict[str, Any]:
    changed = item["LastModifiedTime"] != item["CreatedTime"]
    modified = {"modified-by": item["LastModifiedBy"], "modified-time": _text(item["LastModifiedTime"])}
    return {
        "created-by": item["CreatedBy"],
        "created-time": _text(item["CreatedTime"]),
        "source": item["Source"],
        "status": item["Status"],
        "ops-item-id": item["OpsItemId"],
        "title": item["Title"],
        "ops-item-type": item["OpsItemType"],
        "description": item["Description"],
        **(modified if changed else {}),
    }


def _text(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


def _summary(stored: _Stored) -> dict[str, Any]:
    members = {name: value for name, value in stored.members.items() if name not in _NOT_IN_SUMMARY}
    return {**members, "OperationalData": dict(stored.data)}


def _change_data(stored: _Stored, request: Mapping[str, Any]) -> None:
    stored.data |= request.get("OperationalData") or {}
    for name in request.get("OperationalDataToDelete") or ():
        if name != DEDUP:
            stored.data.pop(name, None)

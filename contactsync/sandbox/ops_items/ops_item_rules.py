"""What Systems Manager accepts as an OpsItem, and how it filters and pages them.

Lengths and patterns are those of the service's model (botocore, ssm 2014-11-06).
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NoReturn

from moto.core.exceptions import ServiceException

DEDUP: Final = "/aws/dedup"
_LONGEST: Mapping[str, int] = {"Title": 1024, "Description": 2048, "Source": 128, "Severity": 64, "Category": 64}
_REQUIRED = ("Description", "Source", "Title")
_PRIORITIES = range(1, 6)
_STATUSES = frozenset({"Open", "InProgress", "Resolved"})
"""The statuses of an issue; AWS has others for change requests."""
_LONGEST_KEY, _MOST_DATA = 128, 20_480  # characters, bytes
_RESERVED = re.compile(r"/?(amazon|aws|amzn|ssm)", re.IGNORECASE)
_ALLOWED_KEYS = frozenset({DEDUP, "/aws/resources", "/aws/automations"})
_TEXT_KEYS = frozenset({"Status", "Source", "Title", "OpsItemId", "Severity", "Category", "CreatedBy", "OpsItemType"})
_TIME_KEYS = frozenset({"CreatedTime", "LastModifiedTime"})
_LARGEST_PAGE = 50


class OpsItemError(ServiceException):  # type: ignore[misc] # moto has no types for us
    """An error of the service, with the members that its model defines."""

    def __init__(self, code: str, message: str, **members: object) -> None:
        super().__init__(code, message)
        for name, value in members.items():
            setattr(self, name, value)


def check_item(request: Mapping[str, Any], *, required: bool) -> None:
    """Refuse members that are missing, too long or out of range; without `required`, members may be missing."""
    for name in _REQUIRED if required else ():
        if name not in request:
            _invalid(name, "Member must not be null")
    for name, longest in _LONGEST.items():
        _check_text(name, request.get(name, "-"), longest)
    priority = request.get("Priority", 1)
    if not isinstance(priority, int) or priority not in _PRIORITIES:
        _invalid("Priority", "Member must have value from 1 to 5")
    if "AccountId" in request:
        _invalid("AccountId", "the sandbox creates OpsItems in the caller's account only")
    _check_data(request.get("OperationalData") or {})


def check_update(request: Mapping[str, Any]) -> None:
    """Refuse a status that an issue cannot have, and a change of the deduplication string."""
    if request.get("Status", "Open") not in _STATUSES:
        _invalid("Status", f"Member must satisfy enum value set: {sorted(_STATUSES)} (of an issue)")
    touched = {*(request.get("OperationalData") or {}), *(request.get("OperationalDataToDelete") or ())}
    if DEDUP in touched:
        _refused("OperationalData", "The deduplication string of an OpsItem can't be changed.")


def dedup_key(request: Mapping[str, Any]) -> str | None:
    """Return the key of duplicates: the deduplication string, with the resources or the source; else None."""
    data = request.get("OperationalData") or {}
    text = _dedup_string((data.get(DEDUP) or {}).get("Value"))
    about = (data.get("/aws/resources") or {}).get("Value") or request.get("Source")
    return None if text is None else json.dumps([text, about])


def check_filters(filters: Sequence[Mapping[str, Any]]) -> None:
    """Refuse filters that the sandbox does not know; ignoring them would return too many items."""
    for item in filters:
        key, operator = item.get("Key"), item.get("Operator")
        allowed = ("Equal", "Contains") if key in _TEXT_KEYS else ("GreaterThan", "LessThan")
        if key not in _TEXT_KEYS | _TIME_KEYS | {"Priority"}:
            _invalid("OpsItemFilters", f"the sandbox does not filter by {key}")
        if operator not in (("Equal",) if key == "Priority" else allowed):
            _invalid("OpsItemFilters", f"{operator} is no operator for {key}")


def matches(item: Mapping[str, Any], filters: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether an item passes all filters; one matching value of each filter is enough."""
    return all(
        any(_TESTS[given["Operator"]](item.get(given["Key"], ""), str(value)) for value in given.get("Values") or ())
        for given in filters
    )


def check_page(request: Mapping[str, Any]) -> tuple[int, int]:
    """Return the index of a page's first item, and how many items the page may have."""
    size = request.get("MaxResults") or _LARGEST_PAGE
    if not 1 <= int(size) <= _LARGEST_PAGE:
        _invalid("MaxResults", f"Member must have value from 1 to {_LARGEST_PAGE}")
    token = str(request.get("NextToken") or "0")
    if not token.isdecimal():
        _invalid("NextToken", "The token is not one that was given out")
    return int(token), int(size)


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        _invalid("OpsItemFilters", f"{text!r} is not a time")
    return time if time.tzinfo else time.replace(tzinfo=UTC)


_TESTS: Mapping[str, Callable[[Any, str], bool]] = {
    "Equal": lambda actual, wanted: str(actual) == wanted,
    "Contains": lambda actual, wanted: wanted in str(actual),
    "GreaterThan": lambda actual, wanted: actual > _time(wanted),
    "LessThan": lambda actual, wanted: actual < _time(wanted),
}


def _check_text(name: str, value: object, longest: int) -> None:
    if not isinstance(value, str) or not value.strip():
        _invalid(name, "Member must satisfy regular expression pattern: ^(?!\\s*$).+")
    if len(value) > longest:
        _invalid(name, f"Member must have length less than or equal to {longest}")


def _check_data(data: Mapping[str, Mapping[str, str]]) -> None:
    for name, value in data.items():
        if not 1 <= len(name) <= _LONGEST_KEY:
            _invalid("OperationalData", f"Map keys must have length from 1 to {_LONGEST_KEY}")
        if _RESERVED.match(name) and name not in _ALLOWED_KEYS:
            _refused("OperationalData", f"Operational data keys can't begin with a reserved word: {name}")
        if value.get("Type") not in ("SearchableString", "String") and name != DEDUP:
            _invalid("OperationalData", "Type is SearchableString or String")
    if len(json.dumps(data).encode()) > _MOST_DATA:
        _refused("OperationalData", f"Operational data can have {_MOST_DATA} bytes.")
    if DEDUP in data and _dedup_string(data[DEDUP].get("Value")) is None:
        _refused("OperationalData", f'The value of {DEDUP} is {{"dedupString":"..."}} as JSON text.')


def _dedup_string(value: str | None) -> str | None:
    try:
        document = json.loads(value or "{}")
    except ValueError:
        return None
    text = document.get("dedupString") if isinstance(document, dict) else None
    return text if isinstance(text, str) else None


def _invalid(name: str, reason: str) -> NoReturn:
    member = name[:1].lower() + name[1:]
    message = f"1 validation error detected: Value at '{member}' failed to satisfy constraint: {reason}"
    raise OpsItemError("ValidationException", message)


def _refused(name: str, message: str) -> NoReturn:
    raise OpsItemError("OpsItemInvalidParameterException", message, ParameterNames=[name])

"""Dead letters in a form that may be shown: everything that could be a contact value is masked.

EventBridge's dead letters hold whole CloudTrail events. Their requestParameters hold the contact of a put. AWS is known
to redact it, but does not promise so.
"""

import json
import math
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from contactsync import errors
from contactsync.contacts import ContactType, field_names

MASK: Final = "***"

_CALL_PARTS: Final = frozenset({"requestparameters", "responseelements"})
_CONTACT_FIELDS: Final = frozenset(name.casefold() for kind in ContactType for name in field_names(kind))
_MARKS: Final = re.compile(r"[\W_]+")
"""Characters that other spellings have between the words of a name: `email_address`."""

_BEFORE_JSON: Final = "\ufeff \t\r\n"

_SAFE_FIELDS: Final = MappingProxyType(
    {
        "accountid": re.compile(r"[0-9]{12}", re.ASCII),
        "alternatecontacttype": re.compile("BILLING|OPERATIONS|SECURITY"),
        "contacttype": re.compile("PRIMARY|BILLING|OPERATIONS|SECURITY", re.IGNORECASE),
    }
)
"""The parameters of a call that are shown, if they have the expected form."""


def masked_text(text: str) -> Any:  # noqa: ANN401 -- any JSON value
    """Return the JSON object or list in a message, masked; of anything else only the length."""
    try:
        value = json.loads(text, parse_constant=str, parse_float=_number)
        if isinstance(value, (dict, list)):
            return masked(value)
    except (ValueError, RecursionError):
        pass
    return f"{MASK} ({len(text.encode(errors='replace'))} bytes that are no JSON object)"


def _string_in(text: str) -> str | None:
    """Return the text inside a JSON string that is JSON again; None for any other text."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, str) else None


def _number(text: str) -> float | str:
    """Return a number; one that a double cannot hold becomes text, because JSON could not write it."""
    value = float(text)
    return value if math.isfinite(value) else text


def masked(value: Any, *, inside_call: bool = False) -> Any:  # noqa: ANN401 -- any JSON value
    """Return a JSON value with everything masked that could be a contact value, also in JSON inside of text."""
    if isinstance(value, Mapping):
        return _masked_object(value, inside_call=inside_call)
    if isinstance(value, list):
        return [masked(part, inside_call=inside_call) for part in value]
    if inside_call and value is not None:
        return MASK
    if isinstance(value, str) and (inner := value.lstrip(_BEFORE_JSON)).startswith(("{", "[")):
        return masked_text(inner)
    if isinstance(value, str) and value.startswith('"') and (said := _string_in(value)) is not None:
        return masked(said)
    return value


def _masked_object(value: Mapping[str, Any], *, inside_call: bool) -> dict[str, Any]:
    result = {
        name: _masked_member(_MARKS.sub("", name.casefold()), part, inside_call=inside_call)
        for name, part in value.items()
    }
    if "errorMessage" in value and value.get("errorType") not in errors.__all__:
        result["errorMessage"] = MASK  # it is not our error, so its message may quote what the function was given
    return result


def _masked_member(name: str, value: Any, *, inside_call: bool) -> Any:  # noqa: ANN401 -- any JSON value
    if name in _CALL_PARTS:
        return masked(value, inside_call=True)
    if inside_call and name in _SAFE_FIELDS and isinstance(value, str) and _SAFE_FIELDS[name].fullmatch(value):
        return value
    if name in _CONTACT_FIELDS and value is not None:
        return MASK
    return masked(value, inside_call=inside_call)

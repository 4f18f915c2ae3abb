"""Resource policies of queues and functions: whether an AWS service may act, and on behalf of which source."""

import fnmatch
from collections.abc import Iterable, Mapping
from typing import Any


def allows(
    statements: Iterable[Mapping[str, Any]],
    *,
    service: str,
    action: str,
    source_arn: str,
    source_account: str,
    resource: str | None = None,
) -> bool:
    """Return whether the service may do the action for this source; a Deny wins, and an unknown condition is not met.

    With `resource`, statements about other resources do not count.
    """
    context = {"aws:sourcearn": source_arn, "aws:sourceaccount": source_account, "aws:securetransport": "true"}
    matching = [
        statement.get("Effect", "Allow")
        for statement in statements
        if _names(statement.get("Principal"), service)
        and any(fnmatch.fnmatchcase(action.lower(), wanted.lower()) for wanted in _listed(statement.get("Action")))
        and (resource is None or _is_about(statement, resource))
        and all(_holds(*condition, context=context) for condition in (statement.get("Condition") or {}).items())
    ]
    return "Allow" in matching and "Deny" not in matching


def _is_about(statement: Mapping[str, Any], resource: str) -> bool:
    named = _listed(statement.get("Resource"))
    return not named or any(fnmatch.fnmatchcase(resource, pattern) for pattern in named)


def _names(principal: object, service: str) -> bool:
    if isinstance(principal, Mapping):
        return service in _listed(principal.get("Service")) or "*" in _listed(principal.get("AWS"))
    return principal in ("*", service)


def _holds(comparison: str, wanted: Mapping[str, Any], *, context: Mapping[str, str]) -> bool:
    return all(_compares(comparison, _listed(values), context.get(key.lower())) for key, values in wanted.items())


def _compares(comparison: str, wanted: list[str], actual: str | None) -> bool:
    if actual is None:
        return False
    if comparison in ("ArnEquals", "ArnLike", "StringLike"):  # both Arn comparisons take wildcards
        return any(fnmatch.fnmatchcase(actual, pattern) for pattern in wanted)
    if comparison == "Bool":
        return actual in [value.lower() for value in wanted]
    return comparison == "StringEquals" and actual in wanted


def _listed(value: object) -> list[str]:
    if value is None:
        return []
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]

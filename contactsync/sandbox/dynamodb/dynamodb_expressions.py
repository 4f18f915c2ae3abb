"""Checks of a request's expressions: what DynamoDB refuses, and moto accepts or fails on."""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from moto.dynamodb.exceptions import MockValidationException

Body = Mapping[str, Any]

_EXPRESSIONS: Final = (
    "ConditionExpression",
    "UpdateExpression",
    "KeyConditionExpression",
    "FilterExpression",
    "ProjectionExpression",
)
_BETWEEN: Final = re.compile(r"\bBETWEEN\s+(:\w+)\s+AND\s+(:\w+)", re.IGNORECASE | re.ASCII)
_PLACEHOLDERS: Final = {
    "ExpressionAttributeNames": (re.compile(r"#\w+", re.ASCII), "name used in the document path", "name"),
    "ExpressionAttributeValues": (re.compile(r":\w+", re.ASCII), "value used in expression", "value"),
}


def check_expressions(body: Body) -> None:
    """Raise AWS's error for placeholders that are undefined or unused, wrong bounds of BETWEEN, and a Limit below 1."""
    for part in _parts(body):
        expressions = {name: part[name] for name in _EXPRESSIONS if part.get(name)}
        for member, (pattern, role, kind) in _PLACEHOLDERS.items():
            given = part.get(member)
            _check_defined(expressions, given or {}, pattern, f"An expression attribute {role}", kind)
            if given is not None:
                _check_used(expressions, given, pattern, member)
        _check_bounds(expressions, part.get("ExpressionAttributeValues") or {})
    if body.get("Limit", 1) < 1:
        limit = body["Limit"]
        _refuse(
            f"1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: "
            "Member must have value greater than or equal to 1"
        )


def _parts(body: Body) -> Iterator[Body]:
    """Yield the parts that have expressions: the request, each operation of a transaction, each table of a batch."""
    yield body
    for write in body.get("TransactItems", ()):
        yield from write.values()
    requests = body.get("RequestItems", {})
    yield from (request for request in requests.values() if isinstance(request, Mapping))


def _check_defined(
    expressions: Mapping[str, str], given: Body, pattern: re.Pattern[str], subject: str, kind: str
) -> None:
    for expression, text in expressions.items():
        for name in pattern.findall(text):
            if name not in given:
                _refuse(f"Invalid {expression}: {subject} is not defined; attribute {kind}: {name}")


def _check_used(expressions: Mapping[str, str], given: Body, pattern: re.Pattern[str], member: str) -> None:
    if not expressions:
        _refuse(f"{member} can only be specified when using expressions")
    used = {name for text in expressions.values() for name in pattern.findall(text)}
    if unused := sorted(given.keys() - used):
        _refuse(f"Value provided in {member} unused in expressions: keys: {{{', '.join(unused)}}}")


def _check_bounds(expressions: Mapping[str, str], values: Body) -> None:
    for expression, text in expressions.items():
        for names in _BETWEEN.findall(text):
            (kind, lower), (other, upper) = (next(iter(values[name].items())) for name in names)
            if kind != other:
                problem = "The BETWEEN operator requires same data type for lower and upper bounds"
            elif _order(kind, lower) > _order(kind, upper):
                problem = "The BETWEEN operator requires upper bound to be greater than or equal to lower bound"
            else:
                continue
            operands = (
                f"lower bound operand: AttributeValue: {{{kind}:{lower}}}, "
                f"upper bound operand: AttributeValue: {{{other}:{upper}}}"
            )
            _refuse(f"Invalid {expression}: {problem}; {operands}")


def _order(kind: str, value: str) -> Any:  # noqa: ANN401 -- whatever orders values of one type
    return Decimal(value) if kind == "N" else value.encode()


def _refuse(message: str) -> None:
    raise MockValidationException(message)

"""The size of items in bytes, exactly as DynamoDB counts it; moto's own count is an estimate.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html, and for numbers what was
measured at AWS (public conformance tests): digits before and after the point are counted separately, each rounded up.
"""

import base64
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from moto.dynamodb.models.dynamo_type import DynamoType

LARGEST_ITEM: Final = 400 * 1024  # bytes
_DOCUMENT_OVERHEAD, _ELEMENT_OVERHEAD = 3, 1  # bytes


def item_size(attributes: Mapping[str, Any]) -> int:
    """Return the bytes of an item or a key in a request: names and values."""
    return sum(len(name.encode()) + DynamoType(value).size() for name, value in attributes.items())


def value_size(value: DynamoType) -> int:
    """Return the bytes of one value; lists and maps have an overhead, sets have none."""
    content: Any = value.value
    if value.type == "N":
        return _number_size(str(content))
    if value.type in {"SS", "NS", "BS"}:
        return sum(value_size(DynamoType({value.type[0]: member})) for member in content)
    if value.type == "L":
        return _DOCUMENT_OVERHEAD + sum(_ELEMENT_OVERHEAD + value_size(DynamoType(item)) for item in content)
    if value.type == "M":
        return _DOCUMENT_OVERHEAD + sum(
            _ELEMENT_OVERHEAD + len(name.encode()) + value_size(DynamoType(item)) for name, item in content.items()
        )
    if value.type == "B":
        return len(content) if isinstance(content, bytes) else len(base64.b64decode(content))
    return 1 if value.type in {"BOOL", "NULL"} else len(str(content).encode())


def _number_size(text: str) -> int:
    sign, digits, exponent = Decimal(text).normalize().as_tuple()
    if not any(digits) or not isinstance(exponent, int):
        return 1
    before = max(0, len(digits) + exponent) if exponent < 0 else len(digits)
    # Zeros between the point and the first digit, and after the last one, are not significant.
    behind = len(digits) - before
    return 1 + (before + 1) // 2 + (behind + 1) // 2 + sign

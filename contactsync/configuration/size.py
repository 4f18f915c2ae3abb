"""The size of a stored configuration: a version is one item of DynamoDB, which has at most 400 KB."""

from typing import Any, Final

from contactsync.configuration.schema import Configuration
from contactsync.errors import ConfigurationTooLargeError

ITEM_BYTES: Final = 400 * 1024
"""Bytes of an item at most (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html)."""

BESIDE_BYTES: Final = 8 * 1024
"""Bytes beside the settings in the item: version, author, and a reason of up to 1,000 characters."""

_CONTAINER: Final = 3
"""Bytes of a list or map without its elements."""
_ELEMENT: Final = 1
"""Bytes of each element of a list or map."""
_NUMBER: Final = 21
"""Bytes of a number at most."""


def check_size(configuration: Configuration) -> None:
    """Raise ConfigurationTooLargeError for a configuration that DynamoDB would refuse without saying why."""
    size = _size(configuration.model_dump(mode="json")) + BESIDE_BYTES
    if size > ITEM_BYTES:
        raise ConfigurationTooLargeError(size=size, limit=ITEM_BYTES)


def _size(value: Any) -> int:  # noqa: ANN401 -- any JSON value
    """Return the bytes as DynamoDB counts them (CapacityUnitCalculations in its guide); numbers at their largest."""
    if isinstance(value, dict):
        parts = (len(name.encode(errors="replace")) + _size(part) + _ELEMENT for name, part in value.items())
        return _CONTAINER + sum(parts)
    if isinstance(value, list):
        return _CONTAINER + sum(_size(part) + _ELEMENT for part in value)
    if isinstance(value, str):
        return len(value.encode(errors="replace"))
    return 1 if value is None or isinstance(value, bool) else _NUMBER

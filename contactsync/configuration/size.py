"""The size of a stored configuration: a version is one item of DynamoDB, which takes 400 KB."""

from typing import Any, Final

from contactsync.configuration.schema import Configuration
from contactsync.errors import ConfigurationTooLargeError

ITEM_BYTES: Final = 400 * 1024
"""https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html"""

BESIDE_BYTES: Final = 8 * 1024
"""What stands in the item beside the settings: version, author, and a reason of up to 1,000 characters."""

_CONTAINER: Final = 3
_ELEMENT: Final = 1
_NUMBER: Final = 21


def check_size(configuration: Configuration) -> None:
    """Raise ConfigurationTooLargeError for what the table would refuse without a reason."""
    size = _size(configuration.model_dump(mode="json")) + BESIDE_BYTES
    if size > ITEM_BYTES:
        raise ConfigurationTooLargeError(size=size, limit=ITEM_BYTES)


def _size(value: Any) -> int:  # noqa: ANN401 -- any JSON value
    """Count as DynamoDB does (CapacityUnitCalculations in its guide); numbers at the most that they take."""
    if isinstance(value, dict):
        parts = (len(name.encode(errors="replace")) + _size(part) + _ELEMENT for name, part in value.items())
        return _CONTAINER + sum(parts)
    if isinstance(value, list):
        return _CONTAINER + sum(_size(part) + _ELEMENT for part in value)
    if isinstance(value, str):
        return len(value.encode(errors="replace"))
    return 1 if value is None or isinstance(value, bool) else _NUMBER

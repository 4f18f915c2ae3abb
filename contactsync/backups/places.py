"""What a configuration names in another region than its own: a restore elsewhere keeps it, and says so."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

_ARN: Final = re.compile(r"arn:[a-z-]+:[a-z0-9-]+:(?P<region>[a-z0-9-]+):", re.ASCII)


def places_in_other_regions(item: Mapping[str, Any], region: str, path: str = "") -> Iterator[str]:
    """Yield the keys whose values are ARNs of another region, as `notification_settings.fallback_sns_topic`."""
    for name, value in item.items():
        ((kind, content),) = value.items()
        here = f"{path}{name}"
        if kind == "M":
            yield from places_in_other_regions(content, region, f"{here}.")
        elif kind == "S" and (found := _ARN.match(content)) and found["region"] != region:
            yield here

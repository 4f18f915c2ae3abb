"""The parameters of a recorded call, in every form in which CloudTrail writes them.

Standard library only: the trigger Lambda imports this module. Names come in two casings and may be nested; values, and
the parameters as a whole, may be redacted or omitted
(https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

# `***`, `HIDDEN_DUE_TO_SECURITY_REASONS` and their kind. A word that none of them is, such as LEGAL, is a value.
_REDACTED: Final = re.compile(
    r"\W*|.*(?:hidden|redact|omitted|sensitive|masked|truncated).*", re.IGNORECASE | re.DOTALL
)
_NOT_ALPHANUMERIC: Final = re.compile(r"[^a-z0-9]")


def is_redacted(value: object) -> bool:
    """Tell whether CloudTrail left a value out, or put something in its place that says nothing of it."""
    return value is None or (isinstance(value, str) and _REDACTED.fullmatch(value) is not None)


def values_named(parameters: object, ending: str) -> Iterator[object]:
    """Yield each value, at any depth, whose name ends so; casing and punctuation of names do not count.

    It neither recurses nor raises, whatever the JSON.
    """
    waiting = [parameters]
    while waiting:
        found = waiting.pop()
        if isinstance(found, Mapping):
            for name, value in found.items():
                if isinstance(name, str) and _NOT_ALPHANUMERIC.sub("", name.casefold()).endswith(ending):
                    yield value
                waiting.append(value)
        elif isinstance(found, (list, tuple)):
            waiting.extend(found)

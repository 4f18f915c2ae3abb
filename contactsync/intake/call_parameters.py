"""The parameters of a recorded call, in every form in which CloudTrail writes them.

Standard library only: the trigger function imports this module. Names come in two casings and may be nested; values,
and the parameters as a whole, may be redacted or omitted
(https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

# `***`, `HIDDEN_DUE_TO_SECURITY_REASONS` and similar. Any other word, such as LEGAL, is a value.
_REDACTED: Final = re.compile(
    r"\W*|.*(?:hidden|redact|omitted|sensitive|masked|truncated).*", re.IGNORECASE | re.DOTALL
)
_NOT_ALPHANUMERIC: Final = re.compile(r"[^a-z0-9]")


def is_redacted(value: object) -> bool:
    """Return whether CloudTrail left a value out, or replaced it with something that does not say the value."""
    return value is None or (isinstance(value, str) and _REDACTED.fullmatch(value) is not None)


def values_named(parameters: object, ending: str) -> Iterator[object]:
    """Yield each value, at any depth, whose name has this ending; case and punctuation of names do not count.

    It does not recurse, and raises nothing, whatever the JSON is.
    """
    waiting = [parameters]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Mapping):
            for name, value in part.items():
                if isinstance(name, str) and _NOT_ALPHANUMERIC.sub("", name.casefold()).endswith(ending):
                    yield value
                waiting.append(value)
        elif isinstance(part, (list, tuple)):
            waiting.extend(part)

"""The patterns of policies: `*` is any text, `?` any one character, and ARNs are compared part by part."""

import re
from collections.abc import Callable
from functools import cache
from typing import Final

_ARN_PARTS: Final = 6
_WILDCARDS: Final = {"*": ".*", "?": "."}

Matcher = Callable[[str], bool]


@cache
def text_matcher(pattern: str, *, any_case: bool = False) -> Matcher:
    """Return what says whether a whole text matches."""
    flags = re.DOTALL | (re.IGNORECASE if any_case else 0)
    compiled = re.compile("".join(_WILDCARDS.get(char) or re.escape(char) for char in pattern), flags)
    return lambda text: compiled.fullmatch(text) is not None


@cache
def arn_matcher(pattern: str) -> Matcher:
    """Return what says whether an ARN matches: `*` stays within one of the first five parts, which end with a colon."""
    if pattern == "*":
        return lambda _: True
    *parts, resource = pattern.split(":", _ARN_PARTS - 1)
    within = {"*": "[^:]*", "?": "[^:]"}
    sources = ["".join(within.get(char) or re.escape(char) for char in part) for part in parts]
    last = "".join(_WILDCARDS.get(char) or re.escape(char) for char in resource)
    compiled = re.compile(":".join([*sources, last]), re.DOTALL)
    return lambda arn: compiled.fullmatch(arn) is not None


def is_arn_pattern(pattern: str) -> bool:
    """Return whether a statement may name this resource: `*`, or a pattern with all six parts of an ARN."""
    return pattern == "*" or (pattern.startswith("arn:") and pattern.count(":") >= _ARN_PARTS - 1)

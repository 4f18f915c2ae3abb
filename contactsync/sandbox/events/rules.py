"""EventBridge event patterns: checked when a rule is deployed, and matched as the service documents it.

moto's own matching is not used: it accepts any filter name, takes `true` for 1 and loses objects in arrays. The
semantics are those of the EventBridge user guide (comparison operators) and of the README of event-ruler, AWS's engine.
"""

import ipaddress
import json
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Path = tuple[str, ...]
Test = Callable[[object], bool]

_NUMERIC_LIMIT = 5_000_000_000
_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
}


class InvalidPatternError(ValueError):
    """A pattern that EventBridge would refuse, with the field that is wrong."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"event pattern is not valid at {'.'.join(path) or 'the top level'}: {reason}")


class EventPattern:
    """An event pattern; the constructor raises InvalidPatternError for what EventBridge does not allow."""

    def __init__(self, pattern: str | Mapping[str, Any]) -> None:
        loaded = _load(pattern) if isinstance(pattern, str) else pattern
        self._root = _Object(loaded, ())

    def matches(self, event: Mapping[str, Any]) -> bool:
        """Return whether the pattern selects the event (EventBridge's envelope with its detail)."""
        return self._root.matches(event, frozenset(_leaf_paths(event, ())))


class _Object:
    """The fields of one level, all of which must match, and the `$or` of that level."""

    def __init__(self, pattern: object, path: Path) -> None:
        if not isinstance(pattern, Mapping):
            raise InvalidPatternError(path, "an object is expected")
        if not pattern:
            raise InvalidPatternError(path, "an empty object is not allowed")
        self._alternatives: list[_Object] = []
        self._objects: dict[str, _Object] = {}
        self._leaves: dict[str, _Leaf] = {}
        for name, value in pattern.items():
            self._add(name, value, path)

    def _add(self, name: str, value: object, path: Path) -> None:
        if name == "$or" and _is_alternatives(value):
            self._alternatives = [_Object(alternative, path) for alternative in value]  # type: ignore[attr-defined] # checked just above
        elif isinstance(value, Mapping):
            self._objects[name] = _Object(value, (*path, name))
        elif isinstance(value, list):
            self._leaves[name] = _Leaf(value, (*path, name))
        else:
            raise InvalidPatternError((*path, name), "must be an object or an array")

    def matches(self, value: Mapping[str, Any], present: frozenset[Path]) -> bool:
        return (
            all(leaf.matches(value.get(name), present) for name, leaf in self._leaves.items())
            and all(_any_object(fields, value.get(name), present) for name, fields in self._objects.items())
            and (not self._alternatives or any(choice.matches(value, present) for choice in self._alternatives))
        )


class _Leaf:
    """The values and filters of one field, one of which must match."""

    def __init__(self, filters: list[Any], path: Path) -> None:
        if not filters:
            raise InvalidPatternError(path, "an empty array is not allowed")
        self._path = path
        self._tests: list[Test] = []
        self._absent_matches = False
        for wanted in filters:
            self._add(wanted)

    def _add(self, wanted: object) -> None:
        if isinstance(wanted, Mapping) and "exists" in wanted:
            if wanted not in ({"exists": True}, {"exists": False}) or not isinstance(wanted["exists"], bool):
                raise InvalidPatternError(self._path, "exists takes true or false and stands alone")
            if wanted["exists"]:
                self._tests.append(lambda _: True)
            else:
                self._absent_matches = True
        elif isinstance(wanted, Mapping):
            self._tests.append(_filter(wanted, self._path))
        elif isinstance(wanted, list):
            raise InvalidPatternError(self._path, "an array inside an array is not allowed")
        else:
            self._tests.append(_equals(wanted))

    def matches(self, value: object, present: frozenset[Path]) -> bool:
        if self._absent_matches and self._path not in present:
            return True
        return any(test(leaf) for leaf in _leaves(value) for test in self._tests) if self._path in present else False


def _any_object(fields: _Object, value: object, present: frozenset[Path]) -> bool:
    """Return whether one object of an array matches all fields; a missing or scalar parent is an empty object."""
    objects = [item for item in _flat(value) if isinstance(item, Mapping)] or [{}]
    return any(fields.matches(item, present) for item in objects)


def _flat(value: object) -> Iterator[object]:
    if isinstance(value, list):
        for item in value:
            yield from _flat(item)
    else:
        yield value


def _leaves(value: object) -> Iterator[object]:
    return (item for item in _flat(value) if not isinstance(item, Mapping))


def _leaf_paths(value: object, path: Path) -> Iterator[Path]:
    for item in _flat(value):
        if isinstance(item, Mapping):
            for name, field in item.items():
                yield from _leaf_paths(field, (*path, name))
        else:
            yield path


def _is_alternatives(value: object) -> bool:
    """Return whether the value of `$or` is a list of alternatives, and not that of a field with this name.

    README of event-ruler, section "$or".
    """
    minimum = 2
    return (
        isinstance(value, list)
        and len(value) >= minimum
        and all(isinstance(item, Mapping) and item and not set(item) & _RESERVED for item in value)
    )


def _equals(wanted: object) -> Test:
    """Compare as JSON text: 300, 300.0 and "300" differ, and so do 1 and true."""
    text = json.dumps(wanted)
    return lambda value: json.dumps(value) == text


def _filter(wanted: Mapping[str, Any], path: Path) -> Test:
    if len(wanted) != 1:
        raise InvalidPatternError(path, f"one filter per object is allowed, not {len(wanted)}")
    ((name, argument),) = wanted.items()
    if name not in _FILTERS:
        raise InvalidPatternError(path, f"unknown filter {name!r}; known are exists, {', '.join(sorted(_FILTERS))}")
    return _FILTERS[name](argument, path)


def _prefix(argument: object, path: Path) -> Test:
    return _affix("prefix", str.startswith, argument, path)


def _suffix(argument: object, path: Path) -> Test:
    return _affix("suffix", str.endswith, argument, path)


def _affix(name: str, matches: Callable[[str, str], bool], argument: object, path: Path) -> Test:
    if isinstance(argument, Mapping) and set(argument) == {"equals-ignore-case"}:
        folded = _text(name, argument["equals-ignore-case"], path).casefold()
        return lambda value: isinstance(value, str) and matches(value.casefold(), folded)
    text = _text(name, argument, path)
    return lambda value: isinstance(value, str) and matches(value, text)


def _equals_ignore_case(argument: object, path: Path) -> Test:
    folded = _text("equals-ignore-case", argument, path).casefold()
    return lambda value: isinstance(value, str) and value.casefold() == folded


def _wildcard(argument: object, path: Path) -> Test:
    text = _text("wildcard", argument, path)
    parts = re.findall(r"\\.?|\*+|[^\\*]+", text, re.DOTALL)
    if any(part.startswith("**") for part in parts):
        raise InvalidPatternError(path, "consecutive wildcard characters are not allowed")
    if any(part.startswith("\\") and part not in (r"\*", r"\\") for part in parts):
        raise InvalidPatternError(path, "a backslash may escape only * and a backslash")
    pattern = re.compile("".join(".*" if part == "*" else re.escape(_unescaped(part)) for part in parts), re.DOTALL)
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _unescaped(part: str) -> str:
    return part.removeprefix("\\")


def _cidr(argument: object, path: Path) -> Test:
    try:
        network = ipaddress.ip_network(_text("cidr", argument, path), strict=False)
    except ValueError as error:
        raise InvalidPatternError(path, f"cidr takes a network such as 10.0.0.0/24 ({error})") from error
    return lambda value: isinstance(value, str) and _is_in(value, network)


def _is_in(value: str, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    try:
        return ipaddress.ip_address(value) in network
    except ValueError:
        return False


def _numeric(argument: object, path: Path) -> Test:
    if not isinstance(argument, list) or not argument or len(argument) % 2:
        raise InvalidPatternError(path, "numeric takes pairs of an operator and a number")
    pairs = list(zip(argument[::2], argument[1::2], strict=True))
    if [sign for sign, _ in pairs] not in _NUMERIC_SHAPES:
        raise InvalidPatternError(path, 'numeric takes "=", one bound, or a lower bound and then an upper bound')
    if not all(_is_number(bound) and abs(bound) <= _NUMERIC_LIMIT for _, bound in pairs):
        raise InvalidPatternError(path, "numeric compares with numbers between -5e9 and 5e9")
    return lambda value: _is_number(value) and all(_COMPARISONS[sign](value, bound) for sign, bound in pairs)


def _anything_but(argument: object, path: Path) -> Test:
    if isinstance(argument, Mapping):
        refused = _refused_by_filter(argument, path)
        return lambda value: not any(test(value) for test in refused)
    values: Sequence[Any] = argument if isinstance(argument, list) else [argument]
    if not values or not (all(isinstance(value, str) for value in values) or all(map(_is_number, values))):
        raise InvalidPatternError(path, "anything-but takes strings or numbers, not both and nothing else")
    return lambda value: not any(_same(value, refused) for refused in values)


def _refused_by_filter(argument: Mapping[str, Any], path: Path) -> list[Test]:
    if len(argument) != 1 or not set(argument) <= {"prefix", "suffix", "equals-ignore-case", "wildcard"}:
        raise InvalidPatternError(path, "anything-but takes one of prefix, suffix, equals-ignore-case, wildcard")
    ((name, wanted),) = argument.items()
    if isinstance(wanted, list) and not wanted:
        raise InvalidPatternError(path, "an empty array is not allowed")
    return [_FILTERS[name](item, path) for item in (wanted if isinstance(wanted, list) else [wanted])]


def _same(value: object, refused: str | float) -> bool:
    if isinstance(refused, str):
        return value == refused
    return _is_number(value) and value == refused


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(name: str, argument: object, path: Path) -> str:
    if not isinstance(argument, str):
        raise InvalidPatternError(path, f"{name} takes a string")
    return argument


def _load(text: str) -> object:
    try:
        return json.loads(text)  # the last of duplicate names wins, as in EventBridge
    except ValueError as error:
        raise InvalidPatternError((), f"not JSON ({error})") from error


_NUMERIC_SHAPES = [["="], *[[sign] for sign in ("<", "<=", ">", ">=")]]
_NUMERIC_SHAPES += [[low, high] for low in (">", ">=") for high in ("<", "<=")]
_FILTERS: Mapping[str, Callable[[Any, Path], Test]] = {
    "anything-but": _anything_but,
    "cidr": _cidr,
    "equals-ignore-case": _equals_ignore_case,
    "numeric": _numeric,
    "prefix": _prefix,
    "suffix": _suffix,
    "wildcard": _wildcard,
}
_RESERVED = {"exists", *_FILTERS}

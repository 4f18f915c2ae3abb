"""Event patterns as EventBridge documents them: one row per documented behaviour."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contactsync.sandbox.events.rules import EventPattern, InvalidPatternError

OR = {"$or": [{"a": ["x"]}, {"b": [{"numeric": [">", 5]}], "c": ["y"]}]}
MATCHES: list[tuple[str, dict[str, Any], dict[str, Any], bool]] = [
    ("exact", {"a": ["x", "y"]}, {"a": "y"}, True),
    ("exact differs in case", {"a": ["x"]}, {"a": "X"}, False),
    ("other fields are ignored", {"a": ["x"]}, {"a": "x", "b": 1}, True),
    ("all fields must match", {"a": ["x"], "b": ["y"]}, {"a": "x"}, False),
    ("nested", {"a": {"b": {"c": [1]}}}, {"a": {"b": {"c": 1}}}, True),
    ("nested below a scalar", {"a": {"b": ["x"]}}, {"a": "x"}, False),
    ("number is not text", {"a": [1]}, {"a": "1"}, False),
    ("true is not one", {"a": [1]}, {"a": True}, False),
    ("one is not true", {"a": [True]}, {"a": 1}, False),
    ("300 is not 300.0", {"a": [300]}, {"a": 300.0}, False),
    ("null", {"a": [None]}, {"a": None}, True),
    ("null is not absent", {"a": [None]}, {}, False),
    ("null is not empty", {"a": [""]}, {"a": None}, False),
    ("empty text", {"a": [""]}, {"a": ""}, True),
    ("arrays intersect", {"a": ["x", "y"]}, {"a": ["z", "y"]}, True),
    ("arrays do not intersect", {"a": ["x"]}, {"a": ["y", "z"]}, False),
    ("empty array in the event", {"a": ["x"]}, {"a": []}, False),
    ("objects in an array", {"a": {"b": ["x"]}}, {"a": [{"b": "y"}, {"b": "x"}]}, True),
    ("fields of two objects", {"a": {"b": [1], "c": [2]}}, {"a": [{"b": 1, "c": 3}, {"b": 4, "c": 2}]}, False),
    ("one object of an array has both", {"a": {"b": [1], "c": [2]}}, {"a": [{"b": 1}, {"b": 1, "c": 2}]}, True),
    ("prefix", {"a": [{"prefix": "us-"}]}, {"a": "us-east-1"}, True),
    ("prefix of a number", {"a": [{"prefix": "1"}]}, {"a": 12}, False),
    ("prefix ignoring case", {"a": [{"prefix": {"equals-ignore-case": "EU"}}]}, {"a": "eu-west-1"}, True),
    ("suffix", {"a": [{"suffix": ".png"}]}, {"a": "x.png"}, True),
    ("suffix ignoring case", {"a": [{"suffix": {"equals-ignore-case": ".PNG"}}]}, {"a": "x.Png"}, True),
    ("suffix absent", {"a": [{"suffix": ".png"}]}, {}, False),
    ("equals ignoring case", {"a": [{"equals-ignore-case": "Alice"}]}, {"a": "aLICE"}, True),
    ("equals ignoring case, other text", {"a": [{"equals-ignore-case": "Alice"}]}, {"a": "alic"}, False),
    ("wildcard", {"a": [{"wildcard": "dir/*.png"}]}, {"a": "dir/a/b.png"}, True),
    ("wildcard matches nothing too", {"a": [{"wildcard": "dir*"}]}, {"a": "dir"}, True),
    ("wildcard is anchored", {"a": [{"wildcard": "b*"}]}, {"a": "ab"}, False),
    ("wildcard escaped", {"a": [{"wildcard": r"a\*b"}]}, {"a": "a*b"}, True),
    ("wildcard escaped is literal", {"a": [{"wildcard": r"a\*b"}]}, {"a": "axb"}, False),
    ("wildcard has no regex", {"a": [{"wildcard": "a.c"}]}, {"a": "abc"}, False),
    ("wildcard over lines", {"a": [{"wildcard": "a*c"}]}, {"a": "a\nc"}, True),
    ("anything but", {"a": [{"anything-but": "x"}]}, {"a": "y"}, True),
    ("anything but, the same", {"a": [{"anything-but": "x"}]}, {"a": "x"}, False),
    ("anything but, absent", {"a": [{"anything-but": "x"}]}, {}, False),
    ("anything but, null", {"a": [{"anything-but": "x"}]}, {"a": None}, True),
    ("anything but a list", {"a": [{"anything-but": ["x", "y"]}]}, {"a": "y"}, False),
    ("anything but numbers", {"a": [{"anything-but": [1, 2]}]}, {"a": 2}, False),
    ("anything but numbers, text", {"a": [{"anything-but": [1, 2]}]}, {"a": "2"}, True),
    ("anything but numbers, true", {"a": [{"anything-but": 1}]}, {"a": True}, True),
    ("anything but in an array", {"a": [{"anything-but": "x"}]}, {"a": ["x", "y"]}, True),
    ("anything but a prefix", {"a": [{"anything-but": {"prefix": "in"}}]}, {"a": "init"}, False),
    ("anything but prefixes", {"a": [{"anything-but": {"prefix": ["in", "st"]}}]}, {"a": "stop"}, False),
    ("anything but a suffix", {"a": [{"anything-but": {"suffix": ".png"}}]}, {"a": "x.jpg"}, True),
    ("anything but ignoring case", {"a": [{"anything-but": {"equals-ignore-case": ["X", "y"]}}]}, {"a": "Y"}, False),
    ("anything but a wildcard", {"a": [{"anything-but": {"wildcard": "*/lib/*"}}]}, {"a": "/usr/lib/x"}, False),
    ("numeric equal", {"a": [{"numeric": ["=", 3.018e2]}]}, {"a": 301.8}, True),
    ("numeric range", {"a": [{"numeric": [">", 0, "<=", 5]}]}, {"a": 5}, True),
    ("numeric range, its open end", {"a": [{"numeric": [">", 0, "<=", 5]}]}, {"a": 0}, False),
    ("numeric of text", {"a": [{"numeric": ["<", 10]}]}, {"a": "5"}, False),
    ("numeric of true", {"a": [{"numeric": ["<", 10]}]}, {"a": True}, False),
    ("numeric in an array", {"a": [{"numeric": ["<", 10]}]}, {"a": [99, 3]}, True),
    ("cidr", {"a": [{"cidr": "10.0.0.0/24"}]}, {"a": "10.0.0.33"}, True),
    ("cidr outside", {"a": [{"cidr": "10.0.0.0/24"}]}, {"a": "10.0.1.1"}, False),
    ("cidr of a service's name", {"a": [{"cidr": "10.0.0.0/24"}]}, {"a": "organizations.amazonaws.com"}, False),
    ("cidr v6", {"a": [{"cidr": "2001:db8::/32"}]}, {"a": "2001:db8::1"}, True),
    ("exists", {"a": {"b": [{"exists": True}]}}, {"a": {"b": 1}}, True),
    ("exists with null", {"a": [{"exists": True}]}, {"a": None}, True),
    ("exists, absent", {"a": {"b": [{"exists": True}]}}, {"a": {}}, False),
    ("exists of an object", {"a": [{"exists": True}]}, {"a": {"b": 1}}, False),
    ("absent", {"a": {"b": [{"exists": False}]}}, {"a": {"c": 1}}, True),
    ("absent, there", {"a": {"b": [{"exists": False}]}}, {"a": {"b": 1}}, False),
    ("absent, there as null", {"a": {"b": [{"exists": False}]}}, {"a": {"b": None}}, False),
    ("absent with its parent", {"a": {"b": [{"exists": False}]}}, {}, True),
    ("absent, parent null", {"a": {"b": [{"exists": False}]}}, {"a": None}, True),
    ("absent, but an object has the name", {"a": [{"exists": False}]}, {"a": {"b": 1}}, True),
    ("absent in one object of an array only", {"a": {"b": [{"exists": False}]}}, {"a": [{"b": 1}, {"c": 1}]}, False),
    ("absent or a value", {"a": ["x", {"exists": False}]}, {}, True),
    ("or, first", OR, {"a": "x"}, True),
    ("or, second", OR, {"b": 9, "c": "y"}, True),
    ("or, half of the second", OR, {"b": 9}, False),
    ("or and another field", OR | {"d": [1]}, {"a": "x"}, False),
    ("or inside an object", {"detail": OR}, {"detail": {"a": "x"}}, True),
    ("or as a field's name", {"$or": {"a": ["x"]}}, {"$or": {"a": "x"}}, True),
]

REFUSED: list[tuple[str, Any, str]] = [
    ("unknown filter", {"a": {"b": [{"begins-with": "x"}]}}, "a.b: unknown filter 'begins-with'"),
    ("two filters in one object", {"a": [{"prefix": "x", "suffix": "y"}]}, "one filter per object"),
    ("no filter", {"a": [{}]}, "one filter per object"),
    ("scalar", {"a": "x"}, "must be an object or an array"),
    ("empty array", {"a": []}, "an empty array is not allowed"),
    ("empty object", {"a": {}}, "an empty object is not allowed"),
    ("empty pattern", {}, "an empty object is not allowed"),
    ("array in array", {"a": [["x"]]}, "an array inside an array"),
    ("exists of text", {"a": [{"exists": "true"}]}, "exists takes true or false"),
    ("exists of a number", {"a": [{"exists": 1}]}, "exists takes true or false"),
    ("prefix of a number", {"a": [{"prefix": 1}]}, "prefix takes a string"),
    ("prefix of a list", {"a": [{"prefix": ["x"]}]}, "prefix takes a string"),
    ("wildcards in a row", {"a": [{"wildcard": "a**b"}]}, "consecutive wildcard"),
    ("wildcard, other escape", {"a": [{"wildcard": r"a\b"}]}, "may escape only"),
    ("wildcard, open escape", {"a": [{"wildcard": "a\\"}]}, "may escape only"),
    ("anything but both kinds", {"a": [{"anything-but": ["x", 1]}]}, "strings or numbers"),
    ("anything but null", {"a": [{"anything-but": None}]}, "strings or numbers"),
    ("anything but nothing", {"a": [{"anything-but": []}]}, "strings or numbers"),
    ("anything but exists", {"a": [{"anything-but": {"exists": True}}]}, "anything-but takes one of"),
    ("numeric, unknown sign", {"a": [{"numeric": ["!=", 1]}]}, 'numeric takes "="'),
    ("numeric, two lower bounds", {"a": [{"numeric": [">", 1, ">=", 2]}]}, 'numeric takes "="'),
    ("numeric, no number", {"a": [{"numeric": [">", "1"]}]}, "numeric compares"),
    ("numeric, too large", {"a": [{"numeric": [">", 6e9]}]}, "numeric compares"),
    ("numeric, half a pair", {"a": [{"numeric": [">"]}]}, "numeric takes pairs"),
    ("cidr, no network", {"a": [{"cidr": "somewhere"}]}, "cidr takes a network"),
    ("not an object", ["x"], "an object is expected"),
    ("not JSON", "{", "not JSON"),
]


@pytest.mark.parametrize("row", MATCHES, ids=[row[0] for row in MATCHES])
def test_matching(row: tuple[str, dict[str, Any], dict[str, Any], bool]) -> None:
    """A pattern selects an event exactly as documented, whether given as an object or as text."""
    _, pattern, event, expected = row
    assert EventPattern(pattern).matches(event) is expected
    assert EventPattern(json.dumps(pattern)).matches(event) is expected


@pytest.mark.parametrize(("pattern", "reason"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(pattern: Any, reason: str) -> None:
    """A pattern that EventBridge refuses is refused with the field and the reason."""
    with pytest.raises(InvalidPatternError, match="event pattern is not valid") as refused:
        EventPattern(pattern)
    assert reason in str(refused.value)


def test_last_duplicate_wins() -> None:
    """Of a name that stands twice in a pattern the last counts."""
    assert EventPattern('{"a": ["x"], "a": ["y"]}').matches({"a": "y"})
    assert not EventPattern('{"a": ["x"], "a": ["y"]}').matches({"a": "x"})


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from("abcd"), VALUES, max_size=4))
def test_any_event_is_decided(event: dict[str, Any]) -> None:
    """Whatever JSON an event is, every valid pattern decides on it and never raises."""
    for _, pattern, _, _ in MATCHES:
        assert EventPattern(pattern).matches(event) in (True, False)


@settings(max_examples=200, deadline=None)
@given(VALUES)
def test_any_pattern_is_decided(pattern: Any) -> None:
    """Whatever JSON a pattern is, it is taken or refused with our own error."""
    with contextlib.suppress(InvalidPatternError):
        assert EventPattern(json.dumps(pattern)).matches({}) in (True, False)

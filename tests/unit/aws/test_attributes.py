"""Attributes of stored items: what is read, what is refused, and in which words."""

from enum import StrEnum
from typing import Any

import pytest

from contactsync.aws.dynamodb.attributes import (
    Attributes,
    Reads,
    count,
    expiry,
    filled,
    flag,
    id_of_account,
    listed,
    mapped,
    mapped_by,
    moment,
    name,
    one_of,
    ordinal,
    part,
    text,
    texts,
)
from contactsync.aws.dynamodb.items import WrongAttributeError, from_item, read_one, readable
from contactsync.errors import ItemUnreadableError
from tests.support.fakes.surroundings import START


class Word(StrEnum):
    """Two words."""

    ONE = "one"
    TWO = "two"


def nested(stored: Attributes) -> int:
    """Read a map of one number."""
    return stored.required("number", count)


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        (text, "", ""),
        (filled, "x", "x"),
        (name, "x", "x"),
        (id_of_account, "000000000001", "000000000001"),
        (count, 0, 0),
        (ordinal, 1, 1),
        (expiry, 1_900_000_000, 1_900_000_000),
        (flag, False, False),
        (moment, "2026-01-14T09:00:00.000000Z", START),
        (one_of(Word), "two", Word.TWO),
        (texts, ["a"], ("a",)),
        (mapped(count), {"a": 1}, {"a": 1}),
        (mapped_by(Word, count), {"two": 2, "one": 1}, {Word.ONE: 1, Word.TWO: 2}),
        (listed(part(nested)), [{"number": 3}], (3,)),
    ],
)
def test_read(read: Reads[Any], value: object, expected: object) -> None:
    """What belongs there is read as it is."""
    found = Attributes({"a": value}).required("a", read)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("read", "value", "problem"),
    [
        (text, 7, "a is a number and no text"),
        (text, None, "a is NULL and no text"),
        (text, b"x", "a is bytes and no text"),
        (filled, "", "a is empty"),
        (name, "x" * 3000, "a has more than 2048 characters"),
        (id_of_account, "١٢٣٤٥٦٧٨٩٠١٢", "a is no account id"),
        (id_of_account, "00000000001", "a is no account id"),
        (count, "7", "a is a text and no whole number"),
        (count, True, "a is a truth value and no whole number"),
        (count, 1.5, "a is a fraction and no whole number"),
        (count, -1, "a is not from 0 to 9007199254740991"),
        (count, 10**100, "a is not from 0 to 9007199254740991"),
        (ordinal, 0, "a is 0"),
        (expiry, 5, "a is no time"),
        (expiry, 2**52, "a is no time"),
        (flag, "true", "a is a text and no truth value"),
        (flag, 1, "a is a number and no truth value"),
        (moment, "yesterday", "a is no time"),
        (moment, "0001-01-01T00:00:00.000000Z", "a is no time"),
        (moment, "9999-12-31T23:59:59.999999Z", "a is no time"),
        (moment, "2026-01-14T09:00:00.000000+02:00", "a is no time"),
        (moment, 1_900_000_000, "a is a number and no text"),
        (one_of(Word), "three", "a is unknown: 'three'"),
        (texts, "abc", "a is a text and no list"),
        (texts, {"a"}, "a is a set and no list"),
        (texts, ["a", None], "a.1 is NULL and no text"),
        (mapped(count), [], "a is a list and no map"),
        (mapped(mapped(count)), {"b": {"c": "1"}}, "a.b.c is a text and no whole number"),
        (mapped_by(Word, count), {"three": 3}, "a is unknown: 'three'"),
        (listed(part(nested)), [{"number": 1}, {}], "a.1.number is missing"),
    ],
)
def test_refused(read: Reads[Any], value: object, problem: str) -> None:
    """Anything else is refused with its path and its type, and nothing is converted."""
    with pytest.raises(WrongAttributeError) as caught:
        Attributes({"a": value}).required("a", read)
    assert str(caught.value) == problem


def test_optional() -> None:
    """An attribute that is not there has its default, and NULL is something else."""
    assert Attributes({}).optional("a", text) is None
    assert Attributes({}).optional("a", count, 3) == 3
    with pytest.raises(WrongAttributeError, match="NULL"):
        Attributes({"a": None}).optional("a", text)


def test_key() -> None:
    """An item under another item's key is refused."""
    stored = Attributes({"pk": "RECORD#1", "sk": "security"})
    stored.check_key({"pk": "RECORD#1", "sk": "security"})
    with pytest.raises(WrongAttributeError, match="those of another item"):
        stored.check_key({"pk": "RECORD#2", "sk": "security"})


def test_enormous_number() -> None:
    """A number of any size comes out of a table as it is, also in a set."""
    digits = "1" + "0" * 100
    assert from_item({"a": {"N": digits}, "b": {"NS": [digits]}}) == {"a": 10**100, "b": {10**100}}


def test_named_once(caplog: pytest.LogCaptureFixture) -> None:
    """One item that cannot be read is named by table and key, once, and the others are read."""
    items = [{"pk": "P", "sk": "one", "a": 1}, {"pk": "P", "sk": "two", "a": "x"}, {"pk": "P", "sk": "three", "a": 3}]
    assert list(readable(items, lambda item: Attributes(item).required("a", count), "a-table")) == [1, 3]
    (record,) = caplog.records
    assert "table a-table" in record.getMessage()
    assert "'P' 'two' (a is a text and no whole number)" in record.getMessage()


def test_own_mistake() -> None:
    """A mistake in a reader is no unreadable item."""
    with pytest.raises(KeyError):
        read_one({}, lambda item: item["a"], "a-table")
    with pytest.raises(ItemUnreadableError):
        read_one({}, lambda item: Attributes(item).required("a", text), "a-table")

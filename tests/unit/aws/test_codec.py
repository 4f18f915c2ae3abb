"""Dataclasses as maps: every field is stored and read, and what a class declares is held to."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import pytest

from contactsync.aws.dynamodb.attributes import Attributes, filled, ordinal
from contactsync.aws.dynamodb.codec import Codec
from contactsync.aws.dynamodb.items import WrongAttributeError, from_item, to_item
from contactsync.aws.operations.desired_contacts_table import DESIRED
from contactsync.aws.operations.operation_items import OPERATION, OUTCOME
from contactsync.aws.operations.records_table import RECORD
from contactsync.aws.tables.audit_table import ENTRY
from contactsync.aws.tables.breaker_table import CALL_COUNTS, STATE
from contactsync.aws.tables.failures_table import FAILURE
from contactsync.aws.tables.notice_store import DELIVERY, REQUEST
from tests.support.fakes.surroundings import START


class Word(StrEnum):
    """Two words."""

    ONE = "one"
    TWO = "two"


@dataclass(frozen=True)
class Part:
    """A part of another."""

    number: int
    owner: str = ""


@dataclass(frozen=True)
class Whole:
    """A field of every type that a codec knows."""

    text: str
    number: int
    word: Word
    maybe: str | None
    time: datetime = START
    flag: bool = False
    texts: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    part: Part | None = None
    by_name: dict[str, int] = field(default_factory=dict)
    by_word: dict[Word, Part] = field(default_factory=dict)


CODEC: Final = Codec(Whole)
LEAST: Final = Whole("a", 1, Word.ONE, None)
MOST: Final = Whole(
    "a",
    1,
    Word.TWO,
    "b",
    flag=True,
    texts=("c", "d"),
    parts=(Part(2, "e"), Part(3)),
    part=Part(4),
    by_name={"f": 5},
    by_word={Word.ONE: Part(6), Word.TWO: Part(7)},
)
REQUIRED: Final = {"text": "a", "number": 1, "word": "one"}


def stored(codec: Codec[Any], value: Any) -> dict[str, Any]:
    """Return what an item has of a value, as it comes back from a table."""
    return from_item(to_item(codec.to_map(value)))


@pytest.mark.parametrize("value", [LEAST, MOST])
def test_there_and_back(value: Whole) -> None:
    """A value comes back as it was, whatever its fields hold."""
    assert CODEC.from_map(stored(CODEC, value)) == value


def test_older_item() -> None:
    """What has a default, or may be None, may be missing."""
    assert CODEC.from_map(REQUIRED) == LEAST


@pytest.mark.parametrize("name", REQUIRED)
def test_missing(name: str) -> None:
    """What has neither has to be there."""
    with pytest.raises(WrongAttributeError, match=f"^{name} is missing$"):
        CODEC.from_map({key: value for key, value in REQUIRED.items() if key != name})


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("text", 7, "text is a number and no text"),
        ("number", "7", "number is a text and no whole number"),
        ("number", -1, "number is not from 0 to 9007199254740991"),
        ("word", "three", "word is unknown: 'three'"),
        ("maybe", None, "maybe is NULL and no text"),
        ("time", "yesterday", "time is no time"),
        ("flag", 1, "flag is a number and no truth value"),
        ("texts", "c", "texts is a text and no list"),
        ("texts", ["c", 1], "texts.1 is a number and no text"),
        ("parts", [{"number": 1}, {}], "parts.1.number is missing"),
        ("part", [], "part is a list and no map"),
        ("by_name", {"f": "5"}, "by_name.f is a text and no whole number"),
        ("by_word", {"three": {"number": 1}}, "by_word is unknown: 'three'"),
        ("by_word", {"one": {"number": True}}, "by_word.one.number is a truth value and no whole number"),
    ],
)
def test_refused(name: str, value: object, problem: str) -> None:
    """Anything else is refused with its path, and nothing is converted."""
    with pytest.raises(WrongAttributeError) as caught:
        CODEC.from_map({**REQUIRED, name: value})
    assert str(caught.value) == problem


def test_names() -> None:
    """A field is stored under its attribute's name, by which a problem names it."""
    codec = Codec(Part, names={"number": "index_number"})
    assert codec.to_map(Part(1)) == {"index_number": 1, "owner": ""}
    with pytest.raises(WrongAttributeError, match="index_number is missing"):
        codec.from_map({"number": 1})


def test_reads() -> None:
    """A codec may be stricter than the type."""
    codec = Codec(Part, reads={"number": ordinal, "owner": filled})
    with pytest.raises(WrongAttributeError, match="number is 0"):
        codec.from_map({"number": 0})
    with pytest.raises(WrongAttributeError, match="owner is empty"):
        codec.from_map({"number": 1, "owner": ""})


def test_required() -> None:
    """A field with a default may have to be there all the same."""
    with pytest.raises(WrongAttributeError, match="owner is missing"):
        Codec(Part, required=["owner"]).from_map({"number": 1})


def test_sparse() -> None:
    """A field may be left out where it has its default, which it is read as."""
    codec = Codec(Whole, sparse=["texts", "by_name", "flag"])
    assert not {"texts", "by_name", "flag"} & stored(codec, LEAST).keys()
    assert {"texts", "by_name", "flag"} < stored(codec, MOST).keys()
    assert codec.from_map(stored(codec, LEAST)) == LEAST


def test_apart() -> None:
    """A field that is no attribute is given by whoever reads."""
    codec = Codec(Part, apart=["owner"])
    assert codec.to_map(Part(1, "g")) == {"number": 1}
    assert codec.read(Attributes({"number": 1}), owner="g") == Part(1, "g")


def test_parts() -> None:
    """The codec of a class within counts wherever that class is."""
    codec = Codec(Whole, parts=[Codec(Part, sparse=["owner"], reads={"number": ordinal})])
    assert codec.to_map(MOST)["parts"] == [{"number": 2, "owner": "e"}, {"number": 3, "owner": None}]
    with pytest.raises(WrongAttributeError, match=r"by_word\.one\.number is 0"):
        codec.from_map({**REQUIRED, "by_word": {"one": {"number": 0}}})


def test_own_dictionaries() -> None:
    """Two values that are read have no dictionary in common."""
    one, other = CODEC.from_map(REQUIRED), CODEC.from_map(REQUIRED)
    assert one.by_name is not other.by_name


@dataclass(frozen=True)
class Unknown:
    """A field that nothing reads."""

    numbers: frozenset[int]


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        (lambda: Codec(Unknown), r"Unknown\.numbers: nothing reads a frozenset"),
        (lambda: Codec(Part, names={"nmuber": "n"}), "Part has no field nmuber"),
        (lambda: Codec(Part, required=["nmuber"]), "Part has no field nmuber"),
        (lambda: Codec(Part, names={"number": "owner"}), "Two fields of Part have one attribute"),
    ],
)
def test_mistakes(made: Any, problem: str) -> None:
    """A codec that cannot do its work fails when its module is imported, not when an item is read."""
    with pytest.raises(TypeError, match=problem):
        made()


DERIVED: Final = {
    OPERATION: {"pk", "sk", "operations", "expires_at", "token"},
    OUTCOME: {"pk", "sk", "sync_id", "retry_count", "try_started", "expires_at"},
    RECORD: {"pk", "sk", "token"},
    STATE: {"pk", "sk", "transitions", "token"},
    DESIRED: {"contact", "deletion", "token"},
    ENTRY: {"pk", "sk", "correlation", "day", "expires_at"},
    FAILURE: {"id", "expiration"},
    REQUEST: {"pk", "sk", "code", "expires_at"},
}


@pytest.mark.parametrize("codec", DERIVED, ids=lambda codec: codec.value_class.__name__)
def test_derived_attributes(codec: Codec[Any]) -> None:
    """No field has the name of what an item has beside its value, which would take its place."""
    assert not DERIVED[codec] & codec.attributes
    assert not any(name.startswith(DELIVERY) for name in codec.attributes)


PAGE: Final = (Path(__file__).parents[3] / "docs" / "data.md").read_text()
PLACES: Final = {
    OPERATION: "| sync operation |",
    OUTCOME: "| account outcome |",
    RECORD: "| account record |",
    STATE: "| breaker |",
    CALL_COUNTS: "| breaker's counters |",
    REQUEST: "| notice |",
    DESIRED: "## Desired contacts table\n\n",
    ENTRY: "## Audit table\n\n",
    FAILURE: "## Idempotency table\n\n",
}


@pytest.mark.parametrize("codec", PLACES, ids=lambda codec: codec.value_class.__name__)
def test_data_page(codec: Codec[Any]) -> None:
    """The page about data names every attribute of a record."""
    _, found, rest = PAGE.partition(PLACES[codec])
    assert found
    described = rest.partition("\n" if found.startswith("|") else "\n\n")[0]
    assert {name for name in codec.attributes if f"`{name}`" not in described} == set()

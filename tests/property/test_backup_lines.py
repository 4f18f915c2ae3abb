"""The lines of a backup: any item that DynamoDB can hold comes back as it was."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from contactsync.backups.backup import Backup
from contactsync.backups.files import saved_items
from contactsync.backups.kinds import Table
from contactsync.backups.lines import from_line, to_line
from contactsync.backups.manifest import Identity, ManifestUnreadableError, from_text, to_text
from tests.support.fakes.backups import FakePlace, FakeTables
from tests.support.fakes.surroundings import FakeClock

texts = st.text(max_size=20)
digits = st.from_regex(r"-?[1-9][0-9]{0,37}(E-?[1-9][0-9]?)?|0|-?0\.[0-9]{0,37}[1-9]", fullmatch=True)
blobs = st.binary(max_size=20)
scalars: st.SearchStrategy[dict[str, Any]] = st.one_of(
    texts.map(lambda value: {"S": value}),
    digits.map(lambda value: {"N": value}),
    blobs.map(lambda value: {"B": value}),
    st.booleans().map(lambda value: {"BOOL": value}),
    st.just({"NULL": True}),
    st.lists(texts, min_size=1, unique=True).map(lambda values: {"SS": values}),
    st.lists(digits, min_size=1, unique=True).map(lambda values: {"NS": values}),
    st.lists(blobs, min_size=1, unique=True).map(lambda values: {"BS": values}),
)
values = st.recursive(
    scalars,
    lambda part: (
        st.lists(part, max_size=4).map(lambda found: {"L": found})
        | st.dictionaries(texts, part, max_size=4).map(lambda found: {"M": found})
    ),
    max_leaves=12,
)
items = st.dictionaries(texts, values, max_size=6)


@given(items)
def test_round_trip(item: dict[str, Any]) -> None:
    """A line holds an item without any loss, and no line end but its own."""
    line = to_line(item)
    assert from_line(line) == item
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")


@given(
    st.binary()
    | st.recursive(st.none() | texts | st.integers(), lambda part: st.lists(part) | st.dictionaries(texts, part)).map(
        lambda value: json.dumps({"Item": value}).encode()
    )
)
def test_garbage(line: bytes) -> None:
    """Whatever a line holds, it is an item or refused with one kind of error, and read again it is the same."""
    try:
        item = from_line(line)
    except ValueError:
        return
    assert from_line(to_line(item)) == item


@given(st.lists(items, max_size=20), st.integers(1, 300))
def test_files(found: list[dict[str, Any]], full: int) -> None:
    """However items are divided into files, the backup has all of them in their order."""
    tables, place = FakeTables(), FakePlace()
    for number, item in enumerate(found):
        tables.add(Table.AUDIT, {**item, "pk": {"S": "a"}, "sk": {"S": str(number)}})
    of = Identity(environment="test", region="eu-west-1", management_account="111122223333")
    manifest = Backup(tables, of, "0.1.0", FakeClock(), full).into(place, with_contacts=True)
    saved = [one.item for one in saved_items(place, manifest, Table.AUDIT)]
    assert saved == list(tables.stored[Table.AUDIT].values())
    assert from_text(place.files["manifest.json"]) == manifest


@given(st.binary() | texts.map(str.encode))
def test_no_manifest(text: bytes) -> None:
    """No other text is read as a manifest."""
    try:
        found = from_text(text)
    except ManifestUnreadableError:
        return
    assert from_text(to_text(found)) == found

"""Tables that fit: no id is ever folded or cut, columns go in a stated order, and cards come where no table fits."""

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from contactsync.views.tables import Columns, card, fit, listing

ID = "5620d62a-42bb-52db-93da-fb056c3723f8"
COLUMNS = Columns(("id", "state", "counts", "note"), drop=("counts", "state"), prose=("note",))
ROWS = [
    {"id": ID, "state": "failed", "counts": "failed 1, success 22", "note": "AWS denied it in one account of them all"},
    {"id": ID.upper(), "state": "completed", "counts": "success 23", "note": ""},
]


def shown(width: int | None, columns: Columns = COLUMNS, rows: list[dict[str, str]] = ROWS) -> str:
    """Return what a console of this width shows."""
    target = io.StringIO()
    console = Console(file=target, width=width or 500, highlight=False, markup=False, emoji=False)
    for part in listing(columns, rows, width):
        console.print(part, crop=False)
    return target.getvalue()


@pytest.mark.parametrize("width", [None, *range(20, 140)])
def test_ids_stay_whole(width: int | None) -> None:
    """Whatever the width, ids are whole, and no line is longer than it unless an id alone is."""
    text = shown(width)
    assert text.count(ID) == text.count(ID.upper()) == 1
    assert all(cell_len(line.rstrip()) <= max(width or 500, len(ID)) for line in text.splitlines())


def test_order() -> None:
    """Columns are left out in their order, the others are folded between words, and what is left out is named."""
    everything = fit(COLUMNS, ROWS, None)
    assert everything is not None
    assert (tuple(everything.widths), everything.left_out) == (COLUMNS.names, ())
    assert everything.width == 36 + 9 + 20 + 40 + 6
    found = {width: fit(COLUMNS, ROWS, width) for width in (111, 95, 94, 73, 72, 62, 61)}
    left = {width: one and one.left_out for width, one in found.items()}
    assert left == {
        111: (),
        95: (),
        94: ("counts",),
        73: ("counts",),
        72: ("state", "counts"),
        62: ("state", "counts"),
        61: None,
    }
    assert "Left out, because the window is narrow: state, counts." in shown(72)
    assert "Left out" not in shown(111)


def test_silent_columns_first() -> None:
    """A column that says nothing in any row goes before the others, and nobody misses it."""
    columns = Columns(("id", "retries", "dry", "code"), drop=("code", "retries", "dry"))
    rows = [{"id": ID, "retries": "0", "dry": "false", "code": "Throttling"}]
    found = fit(columns, rows, 48)
    assert found is not None
    assert (tuple(found.widths), found.left_out) == (("id", "code"), ())
    assert "retries" in shown(80, columns, rows)


def test_card() -> None:
    """A card has a line per value, folded between words; a word too long for its place has a line of its own."""
    facts = {"id": ID, "empty": "", "note": "one two three four five"}
    assert card(facts, 30).plain.splitlines() == ["id", ID, "note   one two three four five"]
    assert card(facts, 20).plain.splitlines() == ["id", ID, "note   one two three", "       four five"]
    assert card(facts, None).plain.splitlines() == [f"id     {ID}", "note   one two three four five"]
    assert card({}, 80).plain == ""


@pytest.mark.parametrize("width", [30, 60, 90, 200])
def test_wide_characters(width: int) -> None:
    """Characters that take two cells are counted as two."""
    rows = [{"id": "1", "state": "山" * 12, "counts": "山田", "note": "山 " * 30}]
    assert all(cell_len(line.rstrip()) <= width for line in shown(width, rows=rows).splitlines()[:3])


def test_headings() -> None:
    """A heading is folded where its cells are narrower."""
    lines = shown(80, Columns(("contact_type", "id")), [{"contact_type": "billing", "id": "1"}]).splitlines()
    assert [line.split() for line in lines[:2]] == [["contact"], ["type", "id"]]

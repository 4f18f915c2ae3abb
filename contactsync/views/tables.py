"""Tables that fit: columns are left out before an id is broken, and cards are shown where no table fits."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rich import box
from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

GAP: Final = 2
"""Blank cells between two columns."""

PROSE_LEAST: Final = 24
"""Cells that a column of sentences has at least; its words are never broken."""

SAYS_NOTHING: Final = frozenset({"", "0", "false"})

Row = Mapping[str, str]
"""The text of each cell by its column; a missing one is empty."""


@dataclass(frozen=True)
class Columns:
    """The columns of a listing, and what happens to them where there is no room."""

    names: tuple[str, ...]
    drop: tuple[str, ...] = ()
    """Columns that may be left out, the first one first; the others are always in a table."""
    prose: tuple[str, ...] = ()
    """Columns whose text may be broken between words."""


@dataclass(frozen=True)
class Fit:
    """The columns for which there is room."""

    widths: Mapping[str, int]
    """The columns in order, each with its width in cells."""
    left_out: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Width of a line of the table in cells."""
        return sum(self.widths.values()) + GAP * (len(self.widths) - 1)


def fit(columns: Columns, rows: Sequence[Row], width: int | None) -> Fit | None:
    """Return what fits into a width in cells, or None when the columns that are never left out do not fit.

    Without a width everything fits, and headings are one line. Of the columns that may be left out, those that are
    empty, 0 or false in every row go first; they are not in `left_out`.
    """
    natural = {name: _natural(name, rows) for name in columns.names}
    if width is None:
        return Fit({name: max(room, cell_len(heading(name))) for name, room in natural.items()})
    silent = [name for name in columns.drop if all(row.get(name, "") in SAYS_NOTHING for row in rows)]
    names = list(columns.names)
    left_out: list[str] = []
    for gone in (None, *silent, *(name for name in columns.drop if name not in silent)):
        if gone is not None:
            names.remove(gone)
            left_out.extend([] if gone in silent else [gone])
        widths = _shared(names, natural, columns.prose, rows, width - GAP * (len(names) - 1))
        if widths:
            return Fit(widths, tuple(name for name in columns.names if name in left_out))
    return None


def listing(
    columns: Columns, rows: Sequence[Row], width: int | None, styles: Sequence[str] = ()
) -> Iterator[RenderableType]:
    """Yield the rows for a terminal: a table and the names that it leaves out, or a card per row.

    `styles` has a style per row, or is empty.
    """
    shown = fit(columns, rows, width)
    chosen = styles or [""] * len(rows)
    if shown is None:
        for row, style in zip(rows, chosen, strict=True):
            yield Group(card({heading(name): row.get(name, "") for name in columns.names}, width, style))
        return
    yield _table(shown, rows, chosen)
    if shown.left_out:
        yield Text(f"Left out, because the window is narrow: {', '.join(map(heading, shown.left_out))}.", style="dim")


def card(facts: Mapping[str, str], width: int | None, style: str = "") -> Text:
    """Return names and values as lines, without empty ones; words longer than the width are not broken."""
    label = max(map(cell_len, facts), default=0) + GAP
    room = max(width - label, 1) if width else None
    lines = [line for name, value in facts.items() for line in _card_lines(name, value, label, room)]
    return Text("\n".join([*lines, ""]), style=style, no_wrap=True, overflow="ignore")


def heading(name: str) -> str:
    """Return a column's name for people."""
    return name.replace("_", " ")


def _natural(name: str, rows: Sequence[Row]) -> int:
    """Return the width at which no cell has to be broken; a heading may be."""
    cells = (cell_len(line) for row in rows for line in row.get(name, "").split("\n"))
    return max([*map(cell_len, heading(name).split()), *cells])


def _shared(
    names: Sequence[str], natural: Mapping[str, int], prose: Sequence[str], rows: Sequence[Row], room: int
) -> dict[str, int]:
    """Return the width of each column in cells, or nothing when there is not room for all."""
    widths = {name: natural[name] for name in names}
    texts = [name for name in names if name in prose]
    for name in texts:
        widths[name] = min(natural[name], max(PROSE_LEAST, _longest_word(name, rows)))
    spare = room - sum(widths.values())
    if spare < 0:
        return {}
    for name in texts:
        more = min(spare, natural[name] - widths[name])
        widths[name] += more
        spare -= more
    return widths


def _longest_word(name: str, rows: Sequence[Row]) -> int:
    return max((cell_len(word) for row in rows for word in row.get(name, "").split()), default=0)


def _table(shown: Fit, rows: Sequence[Row], styles: Sequence[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, GAP - 1, 0, 0))
    for name, width in shown.widths.items():
        head = "\n".join(textwrap.wrap(heading(name), width, break_long_words=False)) or ""
        table.add_column(Text(head), width=width, overflow="fold")
    for row, style in zip(rows, styles, strict=True):
        table.add_row(*(Text(row.get(name, "")) for name in shown.widths), style=style)
    return table


def _card_lines(name: str, value: str, label: int, room: int | None) -> Iterator[str]:
    if not value:
        return
    parts = [part for line in value.split("\n") for part in (_folded(line, room) if room else [line])]
    if room and len(parts[0]) > room:
        # A value that is too long for the place beside its name gets its own line, so that it can be copied.
        yield name
        first = ""
    else:
        first, *parts = parts
        yield f"{name:<{label}}{first}".rstrip()
    yield from (part if room and len(part) > room else f"{'':<{label}}{part}".rstrip() for part in parts)


def _folded(line: str, room: int) -> list[str]:
    return textwrap.wrap(line, room, break_long_words=False, break_on_hyphens=False) or [""]

"""How every listing is written: as a table for people, or as JSON or CSV for programs."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, Final

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from contactsync.sync.rows import as_text, csv_lines, json_text

FILE_WIDTH: Final = 240
"""Columns of a table that does not go to a terminal."""

ROWS_PER_TABLE: Final = 500
"""A long listing becomes several tables, so that it is shown while it is read."""

NOTHING_FOUND: Final = "Nothing was found."
"""What every listing without a row says, beside the standard output."""

Row = Mapping[str, Any]


class Output(StrEnum):
    """The forms of a listing."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


OutputOption = Annotated[Output, typer.Option("--output", "-o", help="How the result is written.")]
LimitOption = Annotated[int, typer.Option(min=1, help="The newest so many.")]


def show_rows(columns: Sequence[str], rows: Iterable[Row], output: Output) -> None:
    """Write rows one by one; JSON has all that a row holds, the other forms the columns."""
    if output is Output.JSON:
        write_text(json_array(rows))
    elif output is Output.CSV:
        write_text(csv_lines(columns, rows))
    else:
        _show_tables(columns, rows)


def show_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write one table; cells are shown as they stand, whatever markup or control characters they hold."""
    table = Table(box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(as_text(value))) for value in row))
    console = Console()
    if not console.is_terminal:
        console.width = FILE_WIDTH
    console.print(table)


def write_text(parts: Iterable[str]) -> None:
    """Write text to the standard output as UTF-8, with the line ends that it has, and without gathering it."""
    stream = typer.get_binary_stream("stdout")
    for part in parts:
        stream.write(part.encode(errors="backslashreplace"))  # JSON can say halves of surrogate pairs, UTF-8 cannot
    stream.flush()


def json_array(rows: Iterable[Row]) -> Iterator[str]:
    """Yield a JSON array with a line per row."""
    yield "["
    separator = "\n"
    for row in rows:
        yield f"{separator}{json_text(row)}"
        separator = ",\n"
    yield "\n]\n"


def flat(data: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield what is in nested data under dotted names; what is empty stays out."""
    for name, value in data.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        elif value not in (None, (), []):
            yield f"{prefix}{name}", value


def _show_tables(columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Show all rows; those that came before an error or Ctrl-C too, since a row may tell what was done."""
    waiting: list[Row] = []
    found = False
    try:
        for row in rows:
            found = True
            waiting.append(row)
            if len(waiting) == ROWS_PER_TABLE:
                shown, waiting = waiting, []
                _show_table_of(columns, shown)
    finally:
        if waiting:
            _show_table_of(columns, waiting)
    if not found:
        typer.echo(NOTHING_FOUND, err=True)


def _show_table_of(columns: Sequence[str], rows: Iterable[Row]) -> None:
    show_table(columns, ([row.get(column) for column in columns] for row in rows))


def printable(text: str) -> str:
    """Replace control characters, which could change what a terminal shows."""
    return "".join(character if character.isprintable() or character == "\n" else "\ufffd" for character in text)

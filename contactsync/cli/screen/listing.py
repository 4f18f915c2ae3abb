"""How every listing is written: as a table that fits the window for people, or as JSON or CSV for programs."""

import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, TextIO

import typer
from rich.console import Console, Group, RenderableType

from contactsync.doc_links import linked
from contactsync.plain_text import printable
from contactsync.views.rows import as_text, csv_lines, json_text
from contactsync.views.tables import Columns, card, fit, listing

ROWS_PER_TABLE: Final = 500
"""Rows of one table; a longer listing has several tables, so that the first rows are shown early."""

NOTHING_FOUND: Final = "Nothing was found."
"""What a listing without rows prints on stderr."""

LEAST_WIDTH: Final = 20
"""Columns of the narrowest terminal."""

FRACTION: Final = re.compile(r"(?<![\w#:-])(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.\d+(?=Z|[+-]\d\d:\d\d)", re.ASCII)
"""Fractions of a second in times; those in ids do not match."""

PRINCIPAL: Final = re.compile(r"\barn:[a-z-]+:(?:iam|sts)::[0-9]{12}:", re.ASCII)
PRINCIPALS: Final = frozenset({"initiating_user", "changed_by"})
"""Columns that name people; tables show `user/wanda` of their ARNs."""

QUOTED: Final = re.compile(r"`[^`]*`")
KEPT_BLANK: Final = "\ue000"

COPIED: Final = ("contactsync ", "aws ", "http://", "https://")
"""How lines begin that people copy; they are not folded."""

Row = Mapping[str, Any]


class Output(StrEnum):
    """The forms of a listing."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


OutputOption = Annotated[Output, typer.Option("--output", "-o", help="The format of the output.")]
LimitOption = Annotated[int, typer.Option(min=1, help="Show at most this many, newest first.")]


class PlainConsole(Console):
    """A console that raises an error when its reader has gone; the command has one exit code for that."""

    def on_broken_pipe(self) -> None:
        """Raise BrokenPipeError."""
        raise BrokenPipeError


def show_rows(
    columns: Columns | Sequence[str],
    rows: Iterable[Row],
    output: Output,
    *,
    alarming: Callable[[Row], bool] = lambda _: False,
) -> None:
    """Write rows one by one; JSON has everything in a row, the other forms have the columns.

    Rows that are `alarming` are red on a terminal.
    """
    chosen = columns if isinstance(columns, Columns) else Columns(tuple(columns))
    if output is Output.JSON:
        write_text(json_array(rows))
    elif output is Output.CSV:
        write_text(csv_lines(chosen.names, rows))
    else:
        _show_tables(chosen, rows, alarming)


def show_facts(facts: Iterable[tuple[str, Any]]) -> None:
    """Write names with their values, one below the other."""
    show(Group(card({name: linked(cell(name, value, whole=True)) for name, value in facts}, window())))


def show(part: RenderableType, width: int | None = None) -> None:
    """Write a part of a page: on a terminal in the terminal's width, else in the width that the whole part needs."""
    console = PlainConsole(highlight=False, markup=False, emoji=False)
    narrow = window()
    console.width = narrow or width or console.width
    if narrow:
        console.print(part, crop=False)
        return
    with console.capture() as captured:
        console.print(part, crop=False, soft_wrap=True)
    # Spaces at the end of a long line would become extra lines when a pipe ends in a terminal.
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def window(stream: TextIO | None = None) -> int | None:
    """Return how many columns the terminal has; None when the output is no terminal, so that nothing is folded.

    The output is `stream`, by default the standard output. A pipe is not a terminal, also when variables make rich
    write colours into it.
    """
    return max(Console().width, LEAST_WIDTH) if (stream or sys.stdout).isatty() else None


def say(text: str, *, err: bool = False) -> None:
    """Write sentences for people, folded between words on a terminal, and without control characters."""
    typer.echo(folded(linked(printable(text)), window(sys.stderr if err else sys.stdout)), err=err)


def cell(column: str, value: Any, *, whole: bool = False) -> str:  # noqa: ANN401 -- whatever a row holds
    """Return a value for people: times in seconds, principals by their names unless `whole`, no control characters."""
    text = as_text(value.replace(microsecond=0) if isinstance(value, datetime) else value)
    if column in PRINCIPALS and not whole:
        text = PRINCIPAL.sub("", text)
    return printable(FRACTION.sub(r"\1", text))


def folded(text: str, width: int | None) -> str:
    """Fold lines that are too long for a terminal between their words; commands and addresses stay whole."""
    return "\n".join(part for line in text.split("\n") for part in _parts(line, width))


def _parts(line: str, width: int | None) -> list[str]:
    indented = len(line) - len(line.lstrip())
    if width is None or len(line) <= width or line.lstrip().startswith(COPIED):
        return [line]
    # A command in backquotes is copied as a whole, too.
    kept = QUOTED.sub(lambda match: match[0].replace(" ", KEPT_BLANK), line)
    parts = textwrap.wrap(kept, width, subsequent_indent=" " * indented, break_long_words=False, break_on_hyphens=False)
    return [part.replace(KEPT_BLANK, " ") for part in parts]


def write_text(parts: Iterable[str]) -> None:
    """Write text to the standard output part by part, as UTF-8 and with unchanged line ends."""
    stream = typer.get_binary_stream("stdout")
    for part in parts:
        stream.write(part.encode(errors="backslashreplace"))  # JSON can hold halves of surrogate pairs, UTF-8 cannot
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
    """Yield the values of nested data under dotted names, without empty values."""
    for name, value in data.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        elif value not in (None, (), []):
            yield f"{prefix}{name}", value


def _show_tables(columns: Columns, rows: Iterable[Row], alarming: Callable[[Row], bool]) -> None:
    """Show all rows, also those before an error or Ctrl-C, because they can show what was done."""
    waiting: list[Row] = []
    is_shown = False
    try:
        for row in rows:
            is_shown = True
            waiting.append(row)
            if len(waiting) == ROWS_PER_TABLE:
                shown, waiting = waiting, []
                _show_table(columns, shown, alarming)
    finally:
        if waiting:
            _show_table(columns, waiting, alarming)
    if not is_shown:
        typer.echo(NOTHING_FOUND, err=True)


def _show_table(columns: Columns, rows: Sequence[Row], alarming: Callable[[Row], bool]) -> None:
    texts = [{name: cell(name, row.get(name)) for name in columns.names} for row in rows]
    styles = ["red" if alarming(row) else "" for row in rows]
    width = window()
    whole = None if width else fit(columns, texts, None)
    for part in listing(columns, texts, width, styles):
        show(part, whole.width if whole else None)

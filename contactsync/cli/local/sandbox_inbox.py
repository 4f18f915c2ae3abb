"""How the sandbox's inbox is written: a table, whole texts, or JSON."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any

import typer

from contactsync.cli.screen.listing import Output, show_rows, write_text
from contactsync.plain_text import printable
from contactsync.views.rows import csv_lines
from contactsync.views.tables import Columns

_COLUMNS = Columns(("time", "channel", "recipient", "subject"), prose=("recipient", "subject"))

Message = Mapping[str, Any]


def show_inbox(answer: Mapping[str, Any], output: Output, *, full: bool, in_lines: bool, goes_on: bool = False) -> None:
    """Write the answer of the control API; with `in_lines`, for output that goes on, JSON has one object per line.

    `goes_on` is for every such answer but the first, so that CSV has one header.
    """
    if output is Output.JSON and in_lines:
        for message in answer["messages"]:
            typer.echo(json.dumps(message))
    elif output is Output.JSON:
        typer.echo(json.dumps(answer, indent=2))
    elif full and output is Output.TABLE and (answer["messages"] or answer["dropped"]):
        _show_texts(answer)
    elif output is Output.CSV:
        lines = csv_lines(_COLUMNS.names, _rows(answer))
        write_text(islice(lines, 1 if goes_on else 0, None))
    elif answer["messages"] or not in_lines:
        show_rows(_COLUMNS, _rows(answer), output)


def _rows(answer: Mapping[str, Any]) -> Iterator[Message]:
    return ({**message, "time": _clock(message)} for message in answer["messages"])


def _show_texts(answer: Mapping[str, Any]) -> None:
    for message in answer["messages"]:
        head = "  ".join([_clock(message), *(str(value) for value in _rest(message) if value)])
        typer.echo(f"{printable(head)}\n\n{printable(message['text'])}\n\n{'-' * 72}")
    for drop in answer["dropped"]:
        typer.echo(printable(f"Not shown to {drop['recipient']}: {_counted(drop['count'])}. {drop['reason']}"))


def _counted(number: int) -> str:
    return "1 message" if number == 1 else f"{number} messages"


def _rest(message: Message) -> list[Any]:
    return [message[column] for column in _COLUMNS.names[1:]]


def _clock(message: Message) -> str:
    return datetime.fromisoformat(message["time"]).astimezone().strftime("%Y-%m-%d %H:%M:%S")

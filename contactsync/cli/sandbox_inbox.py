"""How the sandbox's inbox is written: a table, whole texts, or JSON."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import typer

from contactsync.cli.listing import Output, show_rows
from contactsync.plain_text import printable
from contactsync.sync.tables import Columns

_COLUMNS = Columns(("time", "channel", "recipient", "subject"), prose=("recipient", "subject"))

Message = Mapping[str, Any]


def show_inbox(answer: Mapping[str, Any], output: Output, *, full: bool, in_lines: bool) -> None:
    """Write what the control API answered; `in_lines` is for output that goes on, with one JSON object per line."""
    if output is Output.JSON and in_lines:
        for message in answer["messages"]:
            typer.echo(json.dumps(message))
    elif output is Output.JSON:
        typer.echo(json.dumps(answer, indent=2))
    elif full and output is Output.TABLE and (answer["messages"] or answer["dropped"]):
        _show_texts(answer)
    elif answer["messages"] or not in_lines:
        show_rows(_COLUMNS, ({**message, "time": _clock(message)} for message in answer["messages"]), output)


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

"""How the sandbox's inbox is written: a table, whole texts, or JSON."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import typer

from contactsync.cli.listing import NOTHING_FOUND, printable, show_table

_COLUMNS = ("time", "channel", "recipient", "subject")

Message = Mapping[str, Any]


def show_inbox(answer: Mapping[str, Any], *, full: bool, as_json: bool, in_lines: bool) -> None:
    """Write what the control API answered; `in_lines` is for output that goes on, with one JSON object per line."""
    if as_json and in_lines:
        for message in answer["messages"]:
            typer.echo(json.dumps(message))
    elif as_json:
        typer.echo(json.dumps(answer, indent=2))
    elif not answer["messages"] and not (full and answer["dropped"]):
        if not in_lines:
            typer.echo(NOTHING_FOUND, err=True)
    elif full:
        _show_texts(answer)
    else:
        show_table(_COLUMNS, [[_clock(message), *_rest(message)] for message in answer["messages"]])


def _show_texts(answer: Mapping[str, Any]) -> None:
    for message in answer["messages"]:
        head = "  ".join([_clock(message), *(str(value) for value in _rest(message) if value)])
        typer.echo(f"{printable(head)}\n\n{printable(message['text'])}\n\n{'-' * 72}")
    for drop in answer["dropped"]:
        typer.echo(printable(f"not delivered to {drop['recipient']}, {drop['count']} times: {drop['reason']}"))


def _rest(message: Message) -> list[Any]:
    return [message[column] for column in _COLUMNS[1:]]


def _clock(message: Message) -> str:
    return datetime.fromisoformat(message["time"]).astimezone().strftime("%Y-%m-%d %H:%M:%S")

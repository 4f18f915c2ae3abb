"""Every command of ours that an error, a remedy or a page names can be typed as it stands there."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from contactsync.cli.app import app

ROOT = Path(__file__).parents[2]
SOURCES = [
    *(ROOT / "contactsync" / "errors").glob("*.py"),
    *(ROOT / "contactsync" / "notices").glob("*.py"),
    *(ROOT / "contactsync" / "cli").glob("*.py"),
    *(path for path in (ROOT / "docs").glob("*.md") if path.name != "commands.md"),
    ROOT / "README.md",
    *(ROOT / "tests" / "data" / "notices").glob("*.txt"),
    *(ROOT / "tests" / "data" / "notices").glob("*.chat.json"),
]


def named(text: str) -> Iterator[str]:
    """Yield the commands in a text: in backquotes or quotes, or alone on a line."""
    joined = re.sub(r'"\n\s*f?"', "", text)  # string literals over several lines
    ticked = r"`(contactsync [a-z][^`\n]*)`"
    quoted = r'"(contactsync [a-z][^"\n]*)"'
    for found in [*re.findall(ticked, joined), *re.findall(quoted, re.sub(ticked, "", joined))]:
        yield re.sub(r"\{[^}]*\}", "X", found)
    yield from re.findall(r"^(?: {2,}|\$ )(contactsync [a-z][^`\n]*)$", joined, flags=re.MULTILINE)


def commands() -> list[tuple[str, str]]:
    """List where a command is named, and the command."""
    found = {(path.name, text.strip()) for path in SOURCES for text in named(path.read_text(encoding="utf-8"))}
    return sorted(found)


def check(line: str) -> None:
    """Parse a command as the shell and our command line do, without running it."""
    arguments = shlex.split(line.split("&&", maxsplit=1)[0].split(">", maxsplit=1)[0], comments=True)[1:]
    command: Any = typer.main.get_command(app)
    context = command.context_class(command, info_name="contactsync")
    if "--help" in arguments:
        arguments.remove("--help")
    while hasattr(command, "get_command") and arguments:
        name = arguments.pop(0)
        found = command.get_command(context, name)
        assert found is not None, f"there is no command {name}"
        command, context = found, found.context_class(found, parent=context, info_name=name)
    if hasattr(command, "get_command"):
        return  # a group by its name
    given, rest, _ = command.make_parser(context).parse_args(list(arguments))
    assert rest == [], f"{rest} is too much"
    if line.startswith(("contactsync dead-letters redrive", "contactsync dead-letters discard")):
        assert bool(given.get("message_ids")) != bool(given.get("everything")), "name messages, or --all of them"


def test_found() -> None:
    """The search finds commands in errors, remedies and pages."""
    places = {place for place, _ in commands()}
    assert {"bus.py", "remedies.py", "operations.md", "events.md", "halted.txt"} <= places


@pytest.mark.parametrize(("place", "line"), commands())
def test_named(place: str, line: str) -> None:
    """A command that is named somewhere exists, with these options."""
    check(line.replace("...", ""))
    assert place

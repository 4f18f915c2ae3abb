"""Every command of ours that an error, a remedy or a page names can be typed as it stands there."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer import BadParameter

from contactsync.cli.app import app

UsageError: Any = BadParameter.__mro__[1]
"""What typer's own copy of click raises for an option that there is not."""

ROOT = Path(__file__).parents[3]
SOURCES = [
    *(ROOT / "contactsync").rglob("*.py"),
    *(ROOT / "dags").glob("*.py"),
    *(ROOT / "infra").glob("*.yaml"),
    *(path for path in (ROOT / "docs").rglob("*.md") if path.name != "commands.md"),
    *ROOT.glob("*.md"),
    *(ROOT / "tests" / "data" / "notices").glob("*.txt"),
    *(ROOT / "tests" / "data" / "notices").glob("*.chat.json"),
]


GROUPS = "config|operations|accounts|notices|dead-letters|events|sandbox|export|audit|report"
"""What commands of ours begin with where `contactsync` is left out."""


NAMED_ALONE = frozenset({"--account", "--subscriber", "--at", "--since"})
"""Options that a page names together with their command, and without a value."""

COMMAND_ONLY = ("contactsync", "GROUP", "COMMAND")
"""What only names a command has no more words."""


def named(text: str) -> Iterator[str]:
    """Yield the commands in a text: in backquotes or quotes, or alone on a line, also behind the line to source."""
    joined = re.sub(r'"\n\s*f?"', "", text)  # string literals over several lines
    joined = re.sub(r"`[^`]*`", lambda found: re.sub(r"\s*\n\s*", " ", found[0]), joined)
    ticked = r"`(contactsync [a-z][^`\n]*)`"
    for found in re.findall(rf"`((?:{GROUPS}) [a-z-][^`\n]*)`", joined):
        yield f"contactsync {re.sub(r'{[^}]*}', 'X', found)}"
    quoted = r'"(contactsync [a-z][^"\n]*)"'
    for found in [*re.findall(ticked, joined), *re.findall(quoted, re.sub(ticked, "", joined))]:
        yield re.sub(r"\{[^}]*\}", "X", found)
    alone = r"^(?: {2,}|\$ )(?:\S.* && |\.venv/bin/)?(contactsync [a-z][^`\n]*)$"
    for found in re.findall(alone, joined, flags=re.MULTILINE):
        line = found.partition("\\n")[0]
        yield line if line.count('"') % 2 == 0 else line.rpartition('"')[0]  # the end of a string literal


def each(line: str) -> Iterator[str]:
    """Yield the commands of a list such as `contactsync config show | put FILE`; what a pipe leads to is none."""
    first, *others = line.split(" | ")
    yield first
    words = first.split()
    for other in others:
        if len(words) == 3 and other.split()[0] not in {"jq", "head", "sed", "contactsync"}:
            yield f"{words[0]} {words[1]} {other.split()[0]}"


def commands() -> list[tuple[str, str]]:
    """List where a command is named, and the command."""
    found = {
        (path.name, one.strip())
        for path in SOURCES
        for text in named(path.read_text(encoding="utf-8"))
        for one in each(text)
    }
    return sorted(found)


def check(line: str) -> None:
    """Parse a command as the shell and our command line do, without running it."""
    arguments = shlex.split(line.split("&&", maxsplit=1)[0].split(">", maxsplit=1)[0], comments=True)[1:]
    command: Any = typer.main.get_command(app)
    context = command.context_class(command, info_name="contactsync")
    if arguments[-1].startswith("--"):
        arguments += ["X"] * (arguments[-1] in NAMED_ALONE)
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
    for param in command.get_params(context):
        check_value(given.get(param.name), param)
    if len(line.split()) > len(COMMAND_ONLY) and line.startswith(
        ("contactsync dead-letters redrive", "contactsync dead-letters discard")
    ):
        assert bool(given.get("message_ids")) != bool(given.get("everything")), "name messages, or --all of them"


def check_value(given: Any, param: Any) -> None:
    """Compare values with those that there are, where all are known; a word in capitals stands for one."""
    choices = [str(getattr(choice, "value", choice)) for choice in getattr(param.type, "choices", ())]
    for value in given if isinstance(given, list | tuple) else [given]:
        if choices and isinstance(value, str) and not value.isupper():
            assert value in choices, f"{value} is none of {choices}"


def test_found() -> None:
    """The search finds commands in errors, remedies and pages."""
    places = {place for place, _ in commands()}
    assert {"bus.py", "remedies.py", "operations.md", "events.md", "halted.txt", "CHANGELOG.md", "README.md"} <= places
    assert {"contactsync sandbox status", "contactsync config rollback"} <= {line for _, line in commands()}


@pytest.mark.parametrize(
    "line",
    [
        "contactsync config putt FILE",
        "contactsync operations list --state failed",
        "contactsync operations list --status wrong",
        "contactsync notices preview halted -o xml",
        "contactsync report one two",
        "contactsync dead-letters redrive notices",
    ],
)
def test_wrong(line: str) -> None:
    """The test below would find a command, an option or a value that there is not."""
    with pytest.raises((AssertionError, UsageError)):
        check(line)


@pytest.mark.parametrize(("place", "line"), commands())
def test_named(place: str, line: str) -> None:
    """A command that is named somewhere exists, with these options."""
    check(line.replace("...", ""))
    assert place

"""Listings on a terminal and in a pipe: widths, colours, times and names for people, everything for programs."""

import os
import pty
import re
import select
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from contactsync.cli.screen.listing import cell, folded

ROOT = Path(__file__).parents[3]
RUN_ID = "manual__2026-11-21T10:00:00.123456+00:00"
PROGRAM = textwrap.dedent(f"""
    from datetime import UTC, datetime
    from contactsync.cli.screen.listing import Output, show_facts, show_rows
    from contactsync.cli.operations import OPERATION_COLUMNS, _failed
    row = {{
        "timestamp": datetime(2026, 11, 28, 18, 4, 5, 678901, UTC), "status": "failed", "contact_types": ["security"],
        "initiating_user": "arn:aws:iam::111122223333:user/wanda", "counts": {{"failed": 1, "success": 22}},
        "dry_run": False, "sync_id": "d779dbc1-1b1a-54a5-9f41-0e3efac4d6a0", "dag_run_id": "{RUN_ID}",
    }}
    show_rows(OPERATION_COLUMNS, [row], Output.TABLE, alarming=_failed)
    show_facts([("who", row["initiating_user"]), ("run", row["dag_run_id"])])
""")


def environment(**variables: str) -> dict[str, str]:
    """Return an environment with these variables for the terminal, and no others."""
    return {"PATH": os.environ["PATH"], "TERM": "xterm-256color", "LANG": "C.UTF-8", **variables}


def on_a_terminal(columns: int, *, program: str = PROGRAM, **variables: str) -> str:
    """Return what the program writes to a terminal of this width."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment(COLUMNS=str(columns), **variables),
    )
    os.close(theirs)
    written = b""
    while select.select([ours], [], [], 60)[0]:
        try:
            part = os.read(ours, 65_536)
        except OSError:  # what Linux says when the other side is closed
            break
        if not part:
            break
        written += part
    os.close(ours)
    assert process.wait(60) == 0, written
    return written.decode().replace("\r\n", "\n")


def in_a_pipe(**variables: str) -> str:
    """Return what the program writes into a pipe."""
    command = [sys.executable, "-c", PROGRAM]
    return subprocess.run(
        command, cwd=ROOT, env=environment(**variables), check=True, capture_output=True, text=True, timeout=60
    ).stdout


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
def test_terminal(columns: int) -> None:
    """The id that the next command needs is whole; columns are left out, and said to be."""
    text = on_a_terminal(columns, NO_COLOR="1")
    assert "d779dbc1-1b1a-54a5-9f41-0e3efac4d6a0" in text
    assert max(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in text.splitlines()) <= columns
    assert ("Left out, because the window is narrow: " in text) == (columns in {80, 120})
    assert "2026-11-28T18:04:05Z" in text
    assert "678901" not in text
    assert RUN_ID in text


def test_colours() -> None:
    """Failed rows are red on a terminal, unless somebody wants no colours."""
    red = "\x1b[31m"
    assert red in on_a_terminal(200)
    assert red not in on_a_terminal(200, NO_COLOR="1")


@pytest.mark.parametrize(
    "variables",
    [{}, {"COLUMNS": "40"}, {"FORCE_COLOR": "1", "COLUMNS": "40"}, {"TERM": "dumb"}, {"TTY_COMPATIBLE": "1"}],
)
def test_pipe(variables: dict[str, str]) -> None:
    """What goes into a pipe is whole, whatever variables say about a terminal."""
    text = in_a_pipe(**variables)
    row = next(line for line in text.splitlines() if "user/wanda" in line)
    for part in ("2026-11-28T18:04:05Z", "failed 1, success 22", "d779dbc1-1b1a-54a5-9f41-0e3efac4d6a0", RUN_ID):
        assert part in row
    assert "Left out" not in text
    lines = re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()
    if "\x1b" not in text:
        assert [line for line in lines if line != line.rstrip()] == []
    heading = "timestamp status contact types initiating user counts dry run sync id dag run id"
    assert " ".join(lines[0].split()) == heading


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("at", "sent 2026-11-28T18:04:05.678901Z", "sent 2026-11-28T18:04:05Z"),
        ("at", "2026-11-28T18:04:05.678901+01:00", "2026-11-28T18:04:05+01:00"),
        ("dag_run_id", RUN_ID, RUN_ID),
        ("dag_run_id", "DAG#2026-11-28T18:04:05.678901Z", "DAG#2026-11-28T18:04:05.678901Z"),
        ("initiating_user", "arn:aws:iam::111122223333:user/wanda", "user/wanda"),
        ("initiating_user", "arn:aws-cn:sts::111122223333:assumed-role/Admin/wanda", "assumed-role/Admin/wanda"),
        ("initiating_user", "airflow:admin", "airflow:admin"),
        ("changed_by", "arn:aws-us-gov:iam::111122223333:root (wanda)", "root (wanda)"),
        ("data", "arn:aws:iam::111122223333:user/wanda", "arn:aws:iam::111122223333:user/wanda"),
        ("name", "a\x1b[31mb\u202ec", "a\ufffd[31mb\ufffdc"),
    ],
)
def test_cells(column: str, value: object, expected: str) -> None:
    """Times have no fractions and principals no account, but ids are never changed."""
    assert cell(column, value) == expected


def test_folded() -> None:
    """Text is folded between words; commands and addresses are left whole, to be copied."""
    command = "`contactsync operations show d779dbc1-1b1a-54a5-9f41-0e3efac4d6a0`"
    text = (
        f"  a line of some words\n- See: {command} now\n  contactsync report with much behind it\nhttp://127.0.0.1/long"
    )
    assert folded(text, 20).split("\n") == [
        "  a line of some",
        "  words",
        "- See:",
        command,
        "now",
        "  contactsync report with much behind it",
        "http://127.0.0.1/long",
    ]
    assert folded(text, None) == text


LONG = "There is no account 123456789012 in it, " * 3 + "so look at `contactsync accounts history 123456789012` again."


@pytest.mark.parametrize("columns", [40, 80])
def test_sentences_on_a_terminal(columns: int) -> None:
    """An error's lines end between words, and a command in it can be copied whole."""
    program = f"from contactsync.cli.screen.listing import say; say({LONG!r}); say({LONG!r}, err=True)"
    text = on_a_terminal(columns, program=program)
    lines = text.splitlines()
    assert " ".join(text.split()) == f"{LONG} {LONG}"
    assert "`contactsync accounts history 123456789012`" in text
    assert [line for line in lines if len(line) > columns and "`" not in line] == []


def test_errors_on_a_terminal() -> None:
    """The sentence that ends a command is folded between words too."""
    program = f"""
from contactsync.cli import app
app._failed({LONG!r})
"""
    text = on_a_terminal(80, program=program)
    assert " ".join(text.split()) == f"contactsync: {LONG}"
    assert max(len(line) for line in text.splitlines()) <= 80

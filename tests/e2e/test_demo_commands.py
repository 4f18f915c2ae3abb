"""`make run` in a window of 80 columns: its lines fit, and every command that it names works in a new shell."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import typer.main

from contactsync.cli.app import app
from contactsync.sandbox.contacts.defaults import member_account_id

COLUMNS = 80
COMMAND = str(Path(sys.executable).parent / "contactsync")
DENIED = member_account_id(2)
SCENARIO = f"""
organization: {{accounts: 4}}
faults: [{{operation: PutAlternateContact, account: "{DENIED}", error: AccessDeniedException}}]
"""
COMMANDS: frozenset[str] = frozenset(getattr(typer.main.get_command(app), "commands", {}))
COPIED = re.compile(r"(?:^\s*|`)(contactsync [a-z][^`\n]*?)(?:`|$)", re.MULTILINE)


class Window:
    """A terminal of 80 columns with a program in it."""

    def __init__(self, place: Path, *arguments: str) -> None:
        """Start the command there."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
        environment = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
        self.process = subprocess.Popen(
            [COMMAND, *arguments],
            cwd=place,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**environment, "TERM": "xterm-256color"},
            start_new_session=True,
        )
        os.close(theirs)
        self._ours = ours
        self._written = b""

    @property
    def text(self) -> str:
        """What was written, as it stands there at the end: without colours, and lines as they were last."""
        plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self._written.decode(errors="replace")).replace("\r\n", "\n")
        return "\n".join(line.rpartition("\r")[2] for line in plain.split("\n"))

    def wait_for(self, text: str, seconds: float) -> None:
        """Read until a text was written."""
        deadline = time.monotonic() + seconds
        while text not in self.text:
            assert time.monotonic() < deadline, self.text
            assert self.process.poll() is None, self.text
            self._read()

    def end(self) -> int:
        """Press Ctrl-C, and return the exit code."""
        self.process.send_signal(signal.SIGINT)
        while self.process.poll() is None:
            self._read()
        return self.process.returncode

    def close(self) -> None:
        """End the program, whatever it does."""
        self.process.kill()
        self.process.wait()
        os.close(self._ours)

    def _read(self) -> None:
        if select.select([self._ours], [], [], 0.5)[0]:
            try:
                self._written += os.read(self._ours, 65_536)
            except OSError:  # what Linux says when the other side is closed
                time.sleep(0.1)


@contextmanager
def window(place: Path, *arguments: str) -> Iterator[Window]:
    """Have a command in a window."""
    opened = Window(place, *arguments)
    try:
        yield opened
    finally:
        opened.close()


def typed(place: Path, line: str) -> "subprocess.CompletedProcess[str]":
    """Type a line in a new shell, which has nothing of ours."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(place), "LANG": "C.UTF-8", "AWS_PROFILE": "production"}
    command = ["/bin/bash", "-c", line]
    return subprocess.run(command, cwd=place, env=environment, check=False, capture_output=True, text=True, timeout=120)


@pytest.mark.long
def test_every_command(tmp_path: Path) -> None:
    """The lines fit; in a new shell the first one makes the report appear, and all others end well too."""
    (tmp_path / "scenario.yaml").write_text(SCENARIO)
    with window(tmp_path, "demo", "--scenario", "scenario.yaml") as demo:
        demo.wait_for("Press Ctrl-C", 280)
        demo.wait_for("In another terminal:  . .run/env && contactsync report\n", 10)
        begin = ". .run/env"
        found = [line for line in dict.fromkeys(COPIED.findall(demo.text)) if line.split()[1] in COMMANDS]
        # What is copied stays whole: an address, or a command of AWS with all its options.
        wide = [line.strip(" `") for line in demo.text.split("\n") if len(line) > COLUMNS]
        assert [line for line in wide if not line.startswith(("http://", "aws "))] == []
        assert {"operations", "export"} <= {line.split()[1] for line in found}
        for command in ["contactsync report", "contactsync sandbox status", *found]:
            answer = typed(tmp_path, f"{begin} && {command}")
            assert (answer.returncode, "Traceback" in answer.stderr) == (0, False), f"{command}: {answer.stderr}"
        assert DENIED in typed(tmp_path, f"{begin} && contactsync report").stdout.splitlines()[-1]
        assert demo.end() == 1  # because an account failed
    assert not (tmp_path / ".run" / "env").exists()

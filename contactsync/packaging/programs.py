"""The programs that building needs, git and pip: how they are started, and the words in which they fail."""

import errno
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from contactsync.errors import ToolMissingError

NO_ROOM = os.strerror(errno.ENOSPC)
"""How every program says that the disk is full."""


def run(arguments: Sequence[str], tool: str, environment: Mapping[str, str]) -> "subprocess.CompletedProcess[bytes]":
    """Run a program with this environment and return what it printed; raise ToolMissingError when it is not there."""
    try:
        return subprocess.run(  # noqa: S603 -- the arguments are ours, and no shell reads them
            arguments, check=False, capture_output=True, stdin=subprocess.DEVNULL, env=dict(environment)
        )
    except FileNotFoundError:
        raise ToolMissingError(
            tool=tool, problem="is not on this machine's PATH", remedy_sentence="Install it, then repeat the command."
        ) from None


def last_words(output: bytes, starting: Sequence[str] = ()) -> str:
    """Return the last line that a program printed; of lines that start with one of these words, the last one."""
    lines = [line.strip() for line in output.decode(errors="replace").splitlines() if line.strip()]
    chosen = [line for line in lines if line.startswith(tuple(starting))] or lines or ["no message"]
    return chosen[-1]


def in_folder(folder: Path) -> dict[str, str]:
    """Return this process's environment, in which a program puts its temporary files into a folder."""
    return {**os.environ, "TMPDIR": str(folder), "LC_ALL": "C.UTF-8"}

"""pip, as this interpreter has it, with the index and the cache that it is configured for."""

import errno
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from contactsync.errors import ToolMissingError
from contactsync.packaging.programs import NO_ROOM, in_folder, run

if TYPE_CHECKING:
    import subprocess

QUIETLY: Final = ("--disable-pip-version-check", "--no-input", "--no-color", "--quiet")


def run_pip(command: str, arguments: Sequence[str], scratch: Path) -> "subprocess.CompletedProcess[bytes]":
    """Run a command of pip, with temporary files in a folder; its exit code is the caller's to judge.

    Raises ToolMissingError when there is no pip, and OSError when the disk is full.
    """
    answer = run([sys.executable, "-m", "pip", command, *QUIETLY, *arguments], "pip", in_folder(scratch))
    if b"No module named pip" in answer.stderr:
        raise ToolMissingError(
            tool="pip",
            problem="this Python environment does not have",
            remedy_sentence=f"Run `{sys.executable} -m ensurepip`, then repeat the command.",
        )
    if answer.returncode and NO_ROOM.encode() in answer.stderr:
        raise OSError(errno.ENOSPC, NO_ROOM)
    return answer

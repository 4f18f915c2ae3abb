"""What the command line writes to: encodings that lack a character, sizes that are none, pipes that are closed."""

import errno
import io
import os
import sys
from pathlib import Path
from typing import Final

_SIZES: Final = ("COLUMNS", "LINES", "TERMINAL_WIDTH")


def prepare() -> None:
    """Replace characters that the output's encoding lacks, and forget sizes of a terminal that are no numbers.

    An input that the shell has closed is an empty one. Arguments are UTF-8, also where the locale's encoding cannot
    read them.
    """
    sys.argv[:] = [os.fsencode(argument).decode(errors="replace") for argument in sys.argv]
    sys.stdin = sys.stdin or Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115 -- as the next
    sys.stdout = sys.stdout or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 -- until the process ends; the shell has closed ours
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    for name in _SIZES:
        if not (os.environ.get(name, "1").isdecimal() and int(os.environ.get(name, "1"))):
            del os.environ[name]


def is_closed_pipe(error: BaseException | None) -> bool:
    """Tell whether an error, or what it was raised for, is a pipe that nobody reads."""
    return isinstance(error, OSError) and error.errno == errno.EPIPE


def flush() -> None:
    """Write what is left, so that a failure is seen while it can be said; raise OSError."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        if not stream.closed:
            stream.flush()


def give_up_output() -> None:
    """Let what is still buffered go nowhere: Python would try again at its end, and complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in filter(None, (sys.__stdout__,)):
        try:
            os.dup2(nowhere, stream.fileno())
        except (OSError, ValueError):
            continue
    os.close(nowhere)

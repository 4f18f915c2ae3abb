"""Problems of the output: characters that its encoding lacks, invalid sizes of terminals, closed pipes."""

import errno
import io
import os
import sys
from pathlib import Path
from typing import Final

_SIZES: Final = ("COLUMNS", "LINES", "TERMINAL_WIDTH")


def prepare() -> None:
    """Prepare the streams, the sizes of the terminal and the arguments.

    Characters that the output's encoding lacks are replaced, and sizes that are not numbers are ignored. A standard
    input or output that the shell has closed becomes an empty one. Arguments are UTF-8, also when the locale's encoding
    cannot read them.
    """
    sys.argv[:] = [os.fsencode(argument).decode(errors="replace") for argument in sys.argv]
    sys.stdin = sys.stdin or Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115 -- open until the process ends
    sys.stdout = sys.stdout or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 -- open until the process ends
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    for name in _SIZES:
        if not (os.environ.get(name, "1").isdecimal() and int(os.environ.get(name, "1"))):
            del os.environ[name]


def is_closed_pipe(error: BaseException | None) -> bool:
    """Return whether an error says that nobody reads the pipe."""
    return isinstance(error, OSError) and error.errno == errno.EPIPE


def flush() -> None:
    """Write buffered output now, so that a failure can still be reported; raise OSError."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        if not stream.closed:
            stream.flush()


def give_up_output() -> None:
    """Drop buffered output; else Python would try to write it when it ends, and print an error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in filter(None, (sys.__stdout__,)):
        try:
            os.dup2(nowhere, stream.fileno())
        except (OSError, ValueError):
            continue
    os.close(nowhere)

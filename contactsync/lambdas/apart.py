"""Work in a process of its own: if the work ends that process, nothing else is lost."""

import contextlib
import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from typing import Any, Final, NoReturn

from contactsync.errors import ProcessEndedError

LOOK: Final = 0.05
"""Seconds between two looks whether the process lives: a process that it started may hold the pipe open."""

CHUNK: Final = 65_536
"""Bytes that are read from the pipe at a time."""


def run_apart(work: Callable[[], Any], seconds: float) -> Any:  # noqa: ANN401 -- any JSON value
    """Run `work` in a fork of this process and return its result, which must be JSON.

    Raises ProcessEndedError when the process ends without a result, or has none after so many seconds; then it is
    killed. Open connections would be shared with it: close them before.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _work(work, writing)
    os.close(writing)
    answer, status = bytearray(), None
    try:
        status = _wait(child, reading, answer, time.monotonic() + seconds)
    finally:
        os.close(reading)
        if status is None:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    if status is None:
        raise ProcessEndedError(how=f"no answer within {seconds:.1f} s")
    try:
        return json.loads(answer)
    except ValueError:
        raise ProcessEndedError(how=_described(status)) from None


def _work(work: Callable[[], Any], writing: int) -> NoReturn:
    """Do the work and end the process, whatever happens: nothing of the caller's code may run twice."""
    status = 1
    try:
        answer = json.dumps(work()).encode()
        with os.fdopen(writing, "wb") as out:
            out.write(answer)
        status = 0
    except SystemExit as asked:
        status = asked.code if isinstance(asked.code, int) else int(asked.code is not None)
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status & 0xFF)


def _wait(child: int, reading: int, answer: bytearray, end: float) -> int | None:
    """Collect what the process writes until it ends, and return its status; None when it still runs at `end`."""
    while (left := end - time.monotonic()) > 0:
        is_open = _gather(reading, answer, min(left, LOOK))
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            while is_open and _gather(reading, answer, 0):
                pass
            return os.waitstatus_to_exitcode(status)
        if not is_open:
            time.sleep(min(left, LOOK))
    return None


def _gather(reading: int, answer: bytearray, seconds: float) -> bool:
    """Read what comes within `seconds`; False when nothing came, or when the pipe is closed."""
    ready, _, _ = select.select([reading], [], [], seconds)
    if not ready:
        return seconds > 0
    chunk = os.read(reading, CHUNK)
    answer += chunk
    return bool(chunk)


def _described(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    with contextlib.suppress(ValueError):
        return f"signal {signal.Signals(-status).name}"
    return f"signal {-status}"

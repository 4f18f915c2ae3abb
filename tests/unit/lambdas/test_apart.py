"""Work in a process of its own: its result comes back, and its end takes nobody along."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from contactsync.errors import ProcessEndedError
from contactsync.lambdas.apart import run_apart

LONG = 60.0


def test_result() -> None:
    """What the work returns comes back, also when it is larger than a pipe holds."""
    assert run_apart(lambda: {"failed": False, "text": "\u20ac" * 300_000}, LONG)["text"] == "\u20ac" * 300_000


def test_own_process() -> None:
    """The work has a process of its own, and nothing that it changes is changed here."""
    changed: list[int] = []

    def work() -> int:
        changed.append(1)
        return os.getpid()

    assert run_apart(work, LONG) != os.getpid()
    assert changed == []


def kill() -> None:
    """End this process as a lack of memory does."""
    os.kill(os.getpid(), signal.SIGKILL)


def fail() -> None:
    """Raise what nobody expects here."""
    raise LookupError("wanda.quillfeather@quagga.example")


@pytest.mark.parametrize(
    ("work", "how"),
    [
        (lambda: os._exit(3), "exit status 3"),
        (lambda: os._exit(0), "exit status 0"),
        (lambda: sys.exit(4), "exit status 4"),
        (lambda: sys.exit("no"), "exit status 1"),
        (sys.exit, "exit status 0"),
        (kill, "signal SIGKILL"),
        (lambda: os.kill(os.getpid(), signal.SIGTERM), "signal SIGTERM"),
        (fail, "exit status 1"),
    ],
)
def test_ended(work: Callable[[], Any], how: str) -> None:
    """Whichever way the process ends without a result, that is one error which says how."""
    with pytest.raises(ProcessEndedError, match=how):
        run_apart(work, LONG)


def test_hangs() -> None:
    """A process that does not end in its time is killed and gone."""
    with pytest.raises(ProcessEndedError, match=r"no answer within 0\.3 s"):
        run_apart(lambda: time.sleep(600), 0.3)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_left_behind() -> None:
    """A process that it started and left behind holds nobody up."""

    def work() -> int:
        left = subprocess.Popen(["sleep", "30"], close_fds=False)  # noqa: S607 -- any program
        return left.pid

    began = run_apart(work, LONG)
    os.kill(began, signal.SIGKILL)

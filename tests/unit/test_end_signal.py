"""Ctrl-C ends a wait whenever it comes."""

import subprocess
import sys

# A signal after the n-th line of Python that the wait carries out, for each n, and one before it.
PROGRAM = """
import signal, sys
from contactsync.cli.end_signal import end_signal

def interrupted_after(wanted):
    lines = 0
    def trace(frame, event, arg):
        nonlocal lines
        if event == "line":
            lines += 1
            if lines == wanted:
                signal.raise_signal(signal.SIGINT)
        return trace
    return trace

before = signal.getsignal(signal.SIGINT)
for wanted in range(40):
    with end_signal() as wait:
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGTERM))
        sys.settrace(interrupted_after(wanted))
        try:
            assert wait() in (signal.SIGINT, signal.SIGTERM)
        finally:
            sys.settrace(None)
    assert signal.getsignal(signal.SIGINT) is before
with end_signal() as wait:
    signal.raise_signal(signal.SIGTERM)
    assert wait() == signal.SIGTERM
print("ended")
"""


def test_signal_in_the_middle_of_the_wait() -> None:
    """No moment is wrong, also not between two steps of the wait itself."""
    answer = subprocess.run([sys.executable, "-c", PROGRAM], check=False, capture_output=True, text=True, timeout=60)
    assert (answer.stdout, answer.returncode) == ("ended\n", 0), answer.stderr

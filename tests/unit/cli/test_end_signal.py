"""Ctrl-C ends a wait whenever it comes."""

import subprocess
import sys

# A signal after the n-th line of Python that the wait carries out, for each n, and one before it.
PROGRAM = """
import signal, sys
from contactsync.cli.local.end_signal import end_signal

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


# The system may hand a signal to any thread, and that wakes no system call of the main thread.
ELSEWHERE = """
import os, signal, threading, time
from contactsync.cli.local.end_signal import end_signal

def interrupt():
    time.sleep(0.3)
    os.kill(os.getpid(), signal.SIGINT)

with end_signal() as wait:
    threading.Thread(target=interrupt).start()
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    assert wait() == signal.SIGINT
print("ended")
"""


def test_signal_that_another_thread_receives() -> None:
    """A signal that interrupts no system call of the main thread ends its wait all the same."""
    answer = subprocess.run([sys.executable, "-c", ELSEWHERE], check=False, capture_output=True, text=True, timeout=60)
    assert (answer.stdout, answer.returncode) == ("ended\n", 0), answer.stderr


# A signal after the n-th line that is carried out on the way into the wait, for each n.
ENTERED = """
import itertools, signal, sys
from contactsync.cli.local.end_signal import end_signal

signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGTERM))
sent = False

def interrupted_after(wanted):
    lines = 0
    def trace(frame, event, arg):
        global sent
        nonlocal lines
        if event == "line":
            lines += 1
            if lines == wanted:
                sent = True
                signal.raise_signal(signal.SIGINT)
        return trace
    return trace

ways = set()
for wanted in itertools.count(1):
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sent = False
    try:
        sys.settrace(interrupted_after(wanted))
        with end_signal() as wait:
            sys.settrace(None)
            if not sent:
                break
            signal.setitimer(signal.ITIMER_REAL, 0.5)
            ways.add(signal.Signals(wait()).name)
    except KeyboardInterrupt:
        sys.settrace(None)
        ways.add("raised")
    signal.setitimer(signal.ITIMER_REAL, 0)
print(*sorted(ways))
"""


def test_signal_on_the_way_into_the_wait() -> None:
    """One that comes while the handlers are put in place is raised as before, or ends the wait; none is lost."""
    answer = subprocess.run([sys.executable, "-c", ENTERED], check=False, capture_output=True, text=True, timeout=60)
    assert (answer.stdout, answer.returncode) == ("SIGINT raised\n", 0), answer.stderr

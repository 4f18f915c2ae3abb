"""Waiting for Ctrl-C or SIGTERM."""

import contextlib
import signal
import socket
from collections.abc import Callable, Iterator

_ENDINGS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def end_signal() -> Iterator[Callable[[], int]]:
    """Yield a function that waits for Ctrl-C or SIGTERM and returns its number; signals before the wait count too.

    Only in the main thread. The function reads the bytes that Python itself writes when a signal arrives
    (`signal.set_wakeup_fd`). A wait for a lock, a queue or an event can miss a signal for ever: nothing ends the wait
    when the signal arrives between Python's last look for signals and the system call, or when the system gives it to
    another thread.
    """
    reader, writer = socket.socketpair()
    with reader, writer:
        writer.setblocking(False)  # noqa: FBT003 - the function takes it by position only

        def wait() -> int:
            while (number := reader.recv(1)[0]) not in _ENDINGS:
                pass
            return number

        # The descriptor is set first and removed last: with only the handler, a signal would be lost.
        woken_before = signal.set_wakeup_fd(writer.fileno())
        before = {number: signal.getsignal(number) for number in _ENDINGS}
        try:
            for number in _ENDINGS:
                signal.signal(number, lambda *_: None)
            yield wait
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(woken_before)

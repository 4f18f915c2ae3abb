"""Waiting for Ctrl-C or SIGTERM."""

import contextlib
import signal
import socket
from collections.abc import Callable, Iterator

_ENDINGS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def end_signal() -> Iterator[Callable[[], int]]:
    """Give what waits for Ctrl-C or SIGTERM and returns its number; a signal that comes before the wait counts too.

    Only in the main thread. The wait reads the bytes that Python itself writes when a signal arrives
    (`signal.set_wakeup_fd`). A wait for a lock, a queue or an event can miss its signal for ever: one that arrives
    after Python last looked for signals and before the system call begins wakes nobody, and neither does one that the
    system hands to another thread.
    """
    reader, writer = socket.socketpair()
    with reader, writer:
        writer.setblocking(False)  # noqa: FBT003 - the function takes it by position only

        def wait() -> int:
            while (number := reader.recv(1)[0]) not in _ENDINGS:
                pass
            return number

        # The descriptor comes first and goes last: a handler alone would swallow a signal.
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

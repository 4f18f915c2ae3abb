"""Waiting for Ctrl-C or SIGTERM."""

import contextlib
import queue
import signal
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def end_signal() -> Iterator[Callable[[], int]]:
    """Give what waits for Ctrl-C or SIGTERM and returns its number; a signal that comes before the wait counts too.

    Only in the main thread. A handler runs between two steps of the main thread, also while that holds the lock of a
    `threading.Event`, and would then wait for that lock for ever. A `SimpleQueue` may be filled in the middle of `get`.
    """
    arrived: queue.SimpleQueue[int] = queue.SimpleQueue()
    before = {number: signal.signal(number, lambda n, _: arrived.put(n)) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield arrived.get
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

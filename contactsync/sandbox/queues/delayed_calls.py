"""Calls that a few threads make later, such as deliveries and retries."""

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

logger = logging.getLogger(__name__)


class DelayedCalls:
    """A queue of calls, ordered by the time when they are due; calls that have not begun at the stop are dropped."""

    def __init__(self, *, workers: int = 8, name: str = "sandbox-events") -> None:
        self._name = name
        self._workers = workers
        self._changed = threading.Condition()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._running = 0
        self._stopped = True
        self._thread: threading.Thread | None = None
        self._pool: ThreadPoolExecutor | None = None

    def start(self) -> None:
        """Start the threads."""
        self._stopped = False
        self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix=self._name)
        self._thread = threading.Thread(target=self._dispatch, name=f"{self._name}-clock", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Drop the calls that have not begun, and begin no more."""
        with self._changed:
            self._stopped = True
            self._due.clear()
            self._changed.notify_all()

    def join(self) -> None:
        """Wait for the running calls; before that, call `close` and end the processes that they wait for."""
        if self._thread:
            self._thread.join()
        if self._pool:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Make the call after this many seconds; ignored before `start` and after `close`."""
        with self._changed:
            if not self._stopped:
                heapq.heappush(self._due, (time.monotonic() + seconds, next(self._order), call))
                self._changed.notify_all()

    def wait_until_idle(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds until no call is running or planned, and return whether that is so."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._due and not self._running, timeout)

    def _dispatch(self) -> None:
        with self._changed:
            while not self._stopped:
                if not self._due:
                    self._changed.wait()
                elif (wait := self._due[0][0] - time.monotonic()) > 0:
                    self._changed.wait(wait)
                else:
                    self._running += 1
                    self._submit(heapq.heappop(self._due)[2])

    def _submit(self, call: Callable[[], None]) -> None:
        if self._pool is not None:
            self._pool.submit(self._run, call)

    def _run(self, call: Callable[[], None]) -> None:
        try:
            if not self._stopped:
                call()
        except Exception:  # the edge of a pool thread: the pool would drop the error silently
            if not self._stopped:
                logger.exception("A delayed call of the sandbox failed")
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

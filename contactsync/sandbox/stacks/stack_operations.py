"""Operations of CloudFormation in threads: scripted durations and failures, cancelling, and the end of the sandbox."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from contactsync.sandbox.scenario.stack_settings import ResourceAction, StackSettings

logger = logging.getLogger(__name__)


class CancelledError(Exception):
    """The operation was cancelled by a later call."""


class StoppedError(Exception):
    """The sandbox ends."""


@dataclass(frozen=True)
class Scripted:
    """What is scripted for one action on one resource."""

    seconds: float = 0.0
    error: str | None = None


class Scripts:
    """The scripts for resources, which can be changed while the sandbox runs."""

    def __init__(self, settings: StackSettings | None = None) -> None:
        """Start with the scripts of a scenario."""
        self._lock = threading.Lock()
        self._settings = settings or StackSettings()
        self._struck: dict[int, int] = {}

    @property
    def settings(self) -> StackSettings:
        """The scripts and the page size in force."""
        return self._settings

    @settings.setter
    def settings(self, settings: StackSettings) -> None:
        with self._lock:
            self._settings = settings
            self._struck = {}

    def take(self, stack: str, logical_id: str, type_name: str, action: ResourceAction) -> Scripted:
        """Return what is scripted for an action, and count its failure; of several scripts the longest time counts."""
        seconds, error = 0.0, None
        with self._lock:
            for index, script in enumerate(self._settings.resources):
                if not script.selects(stack, logical_id, type_name, action):
                    continue
                seconds = max(seconds, script.seconds)
                struck = self._struck.get(index, 0)
                if error is None and script.error and (script.count is None or struck < script.count):
                    error = script.error
                    self._struck[index] = struck + 1
        return Scripted(seconds, error)


class Operation:
    """One operation on a stack, in a thread of its own."""

    def __init__(
        self,
        work: Callable[["Operation"], None],
        after: "Operation | None" = None,
        *,
        defect: Callable[[Exception], None],
    ) -> None:
        """Prepare the work; it begins when the operation `after`, if there is one, has ended.

        `defect` is called when the work raises what it should not.
        """
        self.ended: Callable[[], None] = lambda: None
        """Called at the end."""
        self._work = work
        self._defect = defect
        self._after = after
        self._shown = threading.Event()
        self._woken = threading.Event()
        self._finished = threading.Event()
        self._is_cancelled = self._is_stopped = False
        self._thread = threading.Thread(target=self._run, name="cloudformation", daemon=True)

    def start(self) -> None:
        """Begin, and return when the work has ended or takes time, so that an unscripted operation ends at once."""
        self._thread.start()
        self._shown.wait()

    def pause(self, seconds: float, *, can_be_cancelled: bool = True) -> None:
        """Let time pass in the operation; raises CancelledError or StoppedError when it may not go on.

        What cannot be cancelled, such as a deletion, goes on at once instead, and waits no more.
        """
        if seconds > 0 and not self._woken.is_set():
            self._shown.set()
            self._woken.wait(seconds)
        if self._is_stopped:
            raise StoppedError
        if self._is_cancelled:
            self._is_cancelled = False
            if can_be_cancelled:
                self._woken.clear()
                raise CancelledError

    def cancel(self) -> None:
        """End the current wait, and let the operation end as cancelled."""
        self._is_cancelled = True
        self._woken.set()

    def stop(self) -> None:
        """End the operation without any further change, and wait for its thread."""
        self._is_stopped = True
        self._woken.set()
        if self._after is not None:
            self._after.stop()
        if self._thread.is_alive():
            self._thread.join()

    def join(self) -> None:
        """Wait until the operation has ended, also when it has not been started yet."""
        self._finished.wait()

    def _run(self) -> None:
        try:
            if self._after is not None:
                self._after.join()
            if not self._is_stopped:
                self._work(self)
        except StoppedError:
            pass
        except Exception as error:  # the edge of the thread: a defect of the sandbox must be seen
            logger.exception("An operation of the sandbox's CloudFormation failed")
            self._defect(error)
        finally:
            self.ended()
            self._finished.set()
            self._shown.set()

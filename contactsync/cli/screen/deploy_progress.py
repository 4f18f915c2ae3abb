"""The progress of a deployment: a live table on a terminal, else a line for each event and one a minute."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from contactsync.clock import Clock
from contactsync.plain_text import printable

if TYPE_CHECKING:
    from contactsync.deployment.live import StackEvent

MINUTE: Final = 60.0
SAYS_NOTHING: Final = frozenset({"", "User Initiated"})
SHOWN: Final = 12
"""Resources of the live table: it must fit into a small window."""


class LineProgress:
    """Lines for a log."""

    def __init__(self, console: Console, clock: Clock) -> None:
        self._console = console
        self._clock = clock
        self._spoken = clock.monotonic()
        self._last: dict[tuple[str, str], str] = {}

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show progress until the end; lines need nothing for it."""
        yield

    def say(self, sentence: str) -> None:
        """Write a sentence."""
        self._write(sentence)

    def begin(self, stack: str, doing: str) -> None:
        """Write what begins."""
        self._write(f"{stack} {doing}")

    def event(self, event: "StackEvent") -> None:
        """Write an event, unless it says of a resource what the one before has said, or nothing about a stack."""
        key = event.stack, event.logical_id
        known, self._last[key] = self._last.get(key), event.status
        if known == event.status or (event.is_of_stack and event.reason in SAYS_NOTHING):
            return
        reason = f": {event.reason}" if event.reason else ""
        self._write(f"{event.stack} {event.logical_id} {event.status}{reason}")

    def tick(self, stack: str, state: str) -> None:
        """Write a state if nothing was written for a minute."""
        if self._clock.monotonic() - self._spoken >= MINUTE:
            self._write(f"{stack}: {state}")

    def end(self, stack: str, state: str) -> None:
        """Write how it ended."""
        self._write(f"{stack} {state}")

    def _write(self, text: str) -> None:
        self._spoken = self._clock.monotonic()
        self._console.print(printable(f"{self._clock.now():%H:%M:%S}  {text}"))


class LiveProgress(LineProgress):
    """A table of the stack that is worked on; what failed, and what is done, stays above it."""

    def __init__(self, console: Console, clock: Clock) -> None:
        super().__init__(console, clock)
        self._stack, self._state = "", ""
        self._resources: dict[str, tuple[str, str, float]] = {}

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the table until the end."""
        with Live(console=self._console, transient=True, refresh_per_second=2, get_renderable=self._table):
            yield

    def begin(self, stack: str, doing: str) -> None:
        """Begin a table."""
        self._stack, self._state = stack, doing
        self._resources.clear()

    def event(self, event: "StackEvent") -> None:
        """Show a resource's newest state; what failed is written above."""
        if event.is_failure:
            super().event(event)
        if not event.is_of_stack:
            self._resources.pop(event.logical_id, None)
            self._resources[event.logical_id] = event.resource_type, event.status, self._clock.monotonic()

    def tick(self, stack: str, state: str) -> None:
        """Show the state of the stack."""
        self._stack, self._state = stack, state

    def end(self, stack: str, state: str) -> None:
        """Write how the stack ended, and take the table away."""
        super().end(stack, state)
        self._stack = ""
        self._resources.clear()

    def _table(self) -> Table | Text:
        if not self._stack:
            return Text("")
        table = Table("resource", "type", "state", "since", box=None, title=f"{self._stack}: {self._state}")
        now = self._clock.monotonic()
        for name, (kind, state, since) in list(self._resources.items())[-SHOWN:]:
            style = "red" if state.endswith("_FAILED") else ""
            table.add_row(printable(name), kind, state, f"{now - since:.0f} s", style=style)
        return table


Progress = LineProgress | LiveProgress


def progress_on(console: Console, clock: Clock) -> Progress:
    """Return a table for a terminal, else lines."""
    return LiveProgress(console, clock) if console.is_terminal else LineProgress(console, clock)

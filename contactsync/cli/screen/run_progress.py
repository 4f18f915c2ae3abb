"""The progress of a run: a bar on a terminal, else a line now and then."""

import time
from collections.abc import Callable
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from contactsync.runs.runs import ENDED_TASK, NO_STATE, RunProgress

BAR_WIDTH: Final = 16
RARELY: Final = 5
"""Without a terminal, so many looks at most are between two lines; a look that shows nothing new prints none."""

SHORT: Final = {"running": "running", "up_for_retry": "retrying", "up_for_reschedule": "waiting", "failed": "failed"}
"""States whose numbers are shown beside the bar; more would not fit into 80 columns."""


def follow(
    console: Console, look: Callable[[], RunProgress], *, poll: float, seconds: float | None = None
) -> RunProgress:
    """Show a run every `poll` seconds until it ends, or for so many seconds; return what was seen last."""
    columns = (
        TextColumn("  {task.description}"),
        BarColumn(BAR_WIDTH),
        MofNCompleteColumn(),
        TextColumn("{task.fields[counts]}"),
        TimeElapsedColumn(),
    )
    deadline = None if seconds is None else time.monotonic() + seconds
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("accounts", total=None, counts="")
        looks, printed = 0, ""
        while True:
            run, looks = look(), looks + 1
            progress.update(bar, total=run.accounts.total() or None, completed=run.ended_accounts, counts=_short(run))
            line = "" if console.is_terminal else _line(run)
            if line and line != printed and (run.has_ended or looks % RARELY == 1):
                console.print(f"  {line}")
                printed = line
            if run.has_ended or (deadline is not None and time.monotonic() > deadline):
                return run
            time.sleep(poll)


def _short(run: RunProgress) -> str:
    if not run.accounts:
        return ", ".join(_active(run))
    return ", ".join(f"{run.accounts[state]} {name}" for state, name in SHORT.items() if run.accounts[state])


def _line(run: RunProgress) -> str:
    parts = _active(run)
    if run.accounts:
        counts = ", ".join(f"{number} {state}" for state, number in sorted(run.accounts.items()) if state != NO_STATE)
        ended = f"accounts {run.ended_accounts}/{run.accounts.total()}"
        parts.insert(0, f"{ended}: {counts}" if counts else ended)
    return "; ".join(parts)


def _active(run: RunProgress) -> list[str]:
    """Return the other tasks that have begun and not ended, such as an approval that waits for a person."""
    return [f"{task} {state}" for task, state in run.tasks.items() if state not in {*ENDED_TASK, NO_STATE}]

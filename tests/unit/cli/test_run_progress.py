"""The progress of a run on a terminal and in a pipe."""

import io
import re
from collections import Counter
from collections.abc import Callable

from rich.console import Console

from contactsync.cli.screen.run_progress import RARELY, follow
from contactsync.runs.runs import RunProgress

BEFORE = RunProgress("r", "running", Counter(), {"plan": "running", "report": "none"})
MIDDLE = RunProgress(
    "r", "running", Counter(success=2, up_for_reschedule=3, failed=1, none=4), {"plan": "success", "report": "none"}
)
ASKED = RunProgress("r", "running", Counter(none=10), {"plan": "success", "approve_deletions": "awaiting_input"})
END = RunProgress("r", "success", Counter(success=10), {"plan": "success", "report": "success"})


def looking(*seen: RunProgress) -> Callable[[], RunProgress]:
    """Return a look that sees these, one after the other."""
    left = iter(seen)
    return lambda: next(left)


def followed(*seen: RunProgress, terminal: bool = False) -> tuple[RunProgress, str]:
    """Follow a run without waiting; return what was seen last, and what was printed."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=80, highlight=False)
    return follow(console, looking(*seen), poll=0), re.sub("\x1b\\[[0-9;?]*[a-zA-Z]", "", file.getvalue())


def test_in_a_pipe() -> None:
    """A line now and then says what is new: the accounts, and the other tasks that are under way."""
    looks = [one for one in (BEFORE, MIDDLE, MIDDLE, ASKED) for _ in range(RARELY)]
    last, text = followed(*looks, END)
    assert last is END
    assert text.splitlines() == [
        "  plan running",
        "  accounts 3/10: 1 failed, 2 success, 3 up_for_reschedule",
        "  accounts 0/10; approve_deletions awaiting_input",
        "  accounts 10/10: 10 success",
    ]


def test_on_a_terminal() -> None:
    """A bar shows how many have ended, with short words for the others."""
    _, text = followed(MIDDLE, END, terminal=True)
    assert "10/10" in text
    _, text = followed(RunProgress("r", "failed", MIDDLE.accounts), terminal=True)
    assert "3/10 3 waiting, 1 failed" in text


def test_ends_in_time() -> None:
    """A run that does not end is left after so many seconds."""
    console = Console(file=io.StringIO())
    assert follow(console, lambda: MIDDLE, poll=0, seconds=0) is MIDDLE

"""How a run is cleared in Airflow so that it ends green: said in the same words by every error, notice and page.

A task that is cleared alone runs alone: tasks after it stay `upstream_failed` or keep their old end, and the run stays
red. A test refuses every other advice.
"""

from typing import Final

CLEAR_RUN: Final = "clear the run with only failed tasks selected"
"""What fits whatever failed: failed tasks and those that waited for them run again."""

DOWNSTREAM: Final = "with Downstream selected"


def clear_task(task: str, of: str = "") -> str:
    """Return how a task is cleared together with what comes after it, such as `plan`, of this run."""
    return f"clear the task `{task}`{of and f' {of}'} {DOWNSTREAM}"

"""How to clear a run in Airflow so that it can end green, in the same words for every error, notice and page.

If a task is cleared alone, only that task runs: tasks after it stay `upstream_failed` or keep their old end, and the
run stays red. A test refuses any other advice.
"""

from typing import Final

CLEAR_RUN: Final = "clear the run with only failed tasks selected"
"""Works whatever failed: failed tasks and those that waited for them run again."""

DOWNSTREAM: Final = "with Downstream selected"


ACCOUNT_TASK: Final = "sync_account"


def clear_task(task: str, of: str = "") -> str:
    """Return how to clear a task together with the tasks after it, such as `plan`, of this run."""
    return f"clear the task `{task}`{of and f' {of}'} {DOWNSTREAM}"

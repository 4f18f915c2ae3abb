"""What the regular pass over operations and runs finds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from contactsync.errors.refusals import said
from contactsync.errors.remedies import Remedy, RemedyStep
from contactsync.errors.root import ContactSyncError


@dataclass(eq=False)
class HousekeepingError(ContactSyncError):
    """Raised when operations could not be closed, with the problem of each; the next pass tries them again."""

    problems: Sequence[str]
    again = "Fix the cause; then contact_housekeeping closes the operations."
    remedy = Remedy(
        "Operations whose run is gone could not be closed; contact_housekeeping tries again every five minutes.",
        (
            RemedyStep(
                "The sentence above names the problem of each operation: fix it; the next run closes the operation."
            ),
        ),
    )

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return f"{len(self.problems)} sync operations could not be closed: {said(self.problems)}"


@dataclass(eq=False)
class RunsUnplannedError(ContactSyncError):
    """Runs have been queued or running for a long time without a plan."""

    dag_id: str
    number: int
    """Number of runs, at least 1."""
    since: datetime
    remedy = Remedy(
        "Changes wait: the task plan of their runs has not finished.",
        (
            RemedyStep("In Airflow see whether the DAG contact_sync is paused, and what its first runs wait for."),
            RemedyStep("See in the environment's metrics whether workers are free."),
        ),
    )

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"{self.number} runs of the DAG {self.dag_id} are queued or running, and their task plan has not "
            f"finished; there have been such runs since {self.since:%Y-%m-%d %H:%M} UTC. Check in Airflow whether the "
            "DAG is paused, whether workers are free, and what the task plan does."
        )

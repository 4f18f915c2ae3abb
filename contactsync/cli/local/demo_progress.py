"""The progress of the demo's run, from Airflow's REST API."""

import time
from typing import Final

from rich.console import Console

from contactsync.cli.local.local_system import DAG_ID, LocalSystem
from contactsync.cli.screen.run_progress import follow
from contactsync.runs.runs import RunProgress

START_LIMIT: Final = 60.0
"""Seconds until a change must have started a run."""

RUN_LIMIT: Final = 3600.0
"""Seconds until the run must have ended."""
POLL: Final = 1.0
"""Seconds between two requests."""


def follow_run(console: Console, system: LocalSystem) -> tuple[str | None, bool]:
    """Show the newest run until it ends; return its id, and whether it succeeded."""
    run_id = _wait_for_run(system)
    if run_id is None:
        console.print(
            f"No DAG run appeared within {START_LIMIT:.0f} s; `contactsync sandbox events` shows where the event "
            "stopped."
        )
        return None, False
    console.print("· CloudTrail event -> EventBridge rule -> Lambda -> MWAA")
    console.print(f"· DAG run {run_id}")
    state = _follow(console, system, run_id)
    console.print(f"· The run ended: {state}")
    return run_id, state == "success"


def _wait_for_run(system: LocalSystem) -> str | None:
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline:
        runs = system.airflow.api.runs(DAG_ID)
        if runs:
            return str(runs[-1]["dag_run_id"])
        system.airflow.check()
        time.sleep(POLL / 4)
    return None


def _follow(console: Console, system: LocalSystem, run_id: str) -> str:
    api = system.airflow.api

    def look() -> RunProgress:
        system.airflow.check()
        run = api.run(DAG_ID, run_id) or {}
        # Not Runs.progress: its requests, short enough for MWAA, write to Airflow's audit log, for which SQLite waits.
        return RunProgress.of(run_id, str(run.get("state")), api.task_instances(DAG_ID, run_id))

    run = follow(console, look, poll=POLL, seconds=RUN_LIMIT)
    return run.state if run.has_ended else "not finished in time"

"""The progress of the demo's run, from Airflow's REST API."""

import time
from collections import Counter
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from contactsync.cli.local.local_system import DAG_ID, LocalSystem

START_LIMIT: Final = 60.0
"""Seconds until a change must have started a run."""

RUN_LIMIT: Final = 3600.0
"""Seconds until the run must have ended."""
POLL: Final = 1.0
"""Seconds between two requests."""
BAR_WIDTH: Final = 16

SHORT: Final = {"running": "running", "up_for_retry": "retrying", "up_for_reschedule": "waiting", "failed": "failed"}
"""States whose numbers are shown beside the bar; more would not fit into 80 columns."""

ENDED: Final = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})


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
    columns = (
        TextColumn("  {task.description}"),
        BarColumn(BAR_WIDTH),
        MofNCompleteColumn(),
        TextColumn("{task.fields[counts]}"),
        TimeElapsedColumn(),
    )
    deadline = time.monotonic() + RUN_LIMIT
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("accounts", total=None, counts="")
        while time.monotonic() < deadline:
            run = system.airflow.api.run(DAG_ID, run_id) or {}
            instances = system.airflow.api.task_instances(DAG_ID, run_id, task_id="sync_account")
            states = Counter(str(item["state"]) for item in instances if item["map_index"] >= 0)
            done = sum(number for state, number in states.items() if state in ENDED)
            short = ", ".join(f"{states[state]} {name}" for state, name in SHORT.items() if states[state])
            progress.update(bar, total=states.total() or None, completed=done, counts=short)
            if not console.is_terminal and states:
                counts = ", ".join(f"{number} {state}" for state, number in sorted(states.items()) if state != "None")
                console.print(f"  accounts {done}/{states.total()}: {counts}")
            if run.get("state") in {"success", "failed"}:
                return str(run["state"])
            system.airflow.check()
            time.sleep(POLL if console.is_terminal else POLL * 5)
    return "not finished in time"

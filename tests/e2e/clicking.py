"""Synchronize 60 accounts while a person writes notes on the run: `python -m tests.e2e.clicking`.

A process of its own, because a process runs one sandbox, and the other end-to-end tests have theirs.
"""

import json
import tempfile
from pathlib import Path

from contactsync.cli.local.local_system import DAG_ID, local_system
from contactsync.local_airflow.airflow_api import FINISHED
from contactsync.sandbox.scenario.scenario import Scenario

ACCOUNTS = 60


def click(home: Path) -> dict[str, object]:
    """Start a run, change its note as long as it goes on, and return how it ended and which notes were kept.

    Each call raises where Airflow does not answer it within half a minute.
    """
    scenario = Scenario.model_validate({"organization": {"accounts": ACCOUNTS}, "quotas": {"enabled": False}})
    with local_system(home, scenario, tell=lambda _: None) as system:
        api = system.airflow.api
        run_id = str(api.trigger(DAG_ID, {"contact_types": ["security"]})["dag_run_id"])
        path, clicks, run, wrong = f"/dags/{DAG_ID}/dagRuns/{run_id}", 0, None, 0
        while run is None or run["state"] not in FINISHED:
            clicks += 1
            api.call("PATCH", path, {"note": f"note {clicks}"})
            run = api.run(DAG_ID, run_id)
            wrong += run is None or run["note"] != f"note {clicks}"
        states = [task["state"] for task in api.task_instances(DAG_ID, run_id, task_id="sync_account")]
    return {
        "state": run["state"],
        "clicks": clicks,
        "wrong": wrong,
        "accounts": len(states),
        "states": sorted(set(states)),
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        print(json.dumps(click(Path(place))))  # noqa: T201 -- its output

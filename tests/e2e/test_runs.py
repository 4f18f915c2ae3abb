"""`contactsync sync`, `watch` and `retry` with a real Airflow, through the sandbox's InvokeRestApi."""

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from contactsync.runs.runs import Runs

if TYPE_CHECKING:
    from tests.e2e.conftest import World

LONG = "a-run-with-a-long-id-that-somebody-typed_in-2026-11-21T10:00:00+00:00"


def contactsync(world: "World", *arguments: str, direct: bool = False) -> subprocess.CompletedProcess[str]:
    """Run a command as the shell of an operator does: through InvokeRestApi, or signed in at Airflow itself."""
    program = [sys.executable, "-c", "from contactsync.cli.app import main; main()", *arguments]
    environment = {**os.environ, **(world.system.shell_environment if direct else world.system.environment)}
    return subprocess.run(program, env=environment, capture_output=True, text=True, timeout=240, check=False)


def test_from_start_to_retry(faults: "World") -> None:
    """A run for one account fails while AWS refuses the account, and a retry makes it green."""
    world, one = faults, faults.targets[0]
    fault = {"operation": "GetAlternateContact", "account": one, "error": "ValidationException"}
    world.control("POST", "faults", fault)
    failed = contactsync(world, "sync", "--contact-type", "security", "--account", one, "--wait")
    world.control("DELETE", "faults")
    run_id = failed.stdout.strip()
    assert failed.returncode == 1, failed.stderr
    assert f"The run ended: failed. See every account with: contactsync report {run_id}" in failed.stderr
    assert set(world.outcomes(run_id)) == {one}
    watched = contactsync(world, "watch")
    assert (watched.returncode, f"Run {run_id}\n" in watched.stderr) == (1, True), watched.stderr
    again = contactsync(world, "retry", run_id, "--wait")
    assert again.returncode == 0, again.stderr
    assert "1 report, 1 sync_account" in again.stderr
    assert world.outcomes(run_id)[one].status == "success"


def test_long_id(world: "World") -> None:
    """A run is found by an id that is too long for a path of InvokeRestApi."""
    world.api.trigger("contact_sync", {"contact_types": ["security"], "dry_run": True}, run_id=LONG)
    assert world.finish(LONG) == "success"
    watched = contactsync(world, "watch", LONG)
    assert watched.returncode == 0, watched.stderr
    assert "The run ended: success." in watched.stderr


def test_counts(world: "World") -> None:
    """Both ways to count the accounts of a run say the same."""
    run_id, _ = world.trigger(contact_types=["security"], dry_run=True)
    runs = Runs(world.system.services.airflow)
    assert runs.progress(run_id).accounts == runs._account_counts(run_id)
    assert runs.progress(run_id).accounts["success"] == len(world.targets)


def test_at_the_address(world: "World") -> None:
    """Beside the demo, commands sign in at its Airflow as the person who started it, without MWAA."""
    started = contactsync(world, "sync", "--contact-type", "security", "--dry-run", "--wait", direct=True)
    assert started.returncode == 0, started.stderr
    run_id = started.stdout.strip()
    assert world.api.call("GET", f"/dags/contact_sync/dagRuns/{run_id}")["triggering_user_name"] == "admin"
    watched = contactsync(world, "watch", run_id, direct=True)
    assert watched.returncode == 0, watched.stderr
    nothing = contactsync(world, "retry", run_id, direct=True)
    assert "has failed, so nothing is run again" in nothing.stderr


def test_doctor(world: "World") -> None:
    """Beside the demo nothing is missing."""
    answer = contactsync(world, "doctor", direct=True)
    assert answer.returncode == 0, answer.stdout
    assert f"✓ airflow: {world.system.airflow.base_url} answers; the DAG contact_sync is active." in answer.stdout

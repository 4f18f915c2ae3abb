"""Measure how a run over all alternate contacts of an organization is paced: `python -m tests.e2e.pacing --help`.

A process of its own, because a process runs one sandbox, and the other end-to-end tests have theirs.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from contactsync.cli.local.local_system import DAG_ID, LocalSystem, local_system
from contactsync.configuration.schema import Configuration
from contactsync.operations.operation import sync_id_of
from contactsync.sandbox.scenario.scenario import Scenario

ROOT = Path(__file__).resolve().parents[2]
TYPES = ("billing", "operations", "security")


def pace(accounts: int, *options: str) -> dict[str, Any]:
    """Run an organization of its own in another process, and return what AWS saw."""
    command = [sys.executable, "-m", "tests.e2e.pacing", "--accounts", str(accounts), *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(f"{accounts} accounts {' '.join(options)}: {found}")  # noqa: T201 -- figures for docs/performance.md
    return found


@dataclass(frozen=True)
class Pace:
    """What AWS saw of one run, and how it ended."""

    state: str
    seconds: float
    reads: int
    writes: int
    throttled: int
    """How many calls AWS refused, however often each was made."""
    details: dict[str, int]
    retries: int


def measure(home: Path, *, accounts: int, preset: str, limiter: bool) -> Pace:
    """Bring three contacts to every account of a new organization, with AWS's quotas in force, and return the pace."""
    scenario = Scenario.model_validate({"organization": {"accounts": accounts}, "quotas": {"preset": preset}})
    rates = {"enabled": limiter, "preset": preset}
    configuration = Configuration.model_validate({"contact_types": TYPES, "rates": rates})
    with local_system(home, scenario, configuration=configuration, tell=lambda _: None) as system:
        run_id = str(system.airflow.api.trigger(DAG_ID, {"contact_types": list(TYPES)})["dag_run_id"])
        state = str(system.airflow.api.wait_for_run(DAG_ID, run_id, seconds=900)["state"])
        return _pace(system, run_id, state)


def _pace(system: LocalSystem, run_id: str, state: str) -> Pace:
    operations, sync_id = system.services.operations, sync_id_of(run_id)
    operation, outcomes = operations.get(sync_id), list(operations.outcomes(sync_id))
    if operation is None or operation.finished is None:
        raise AssertionError(run_id)
    calls = system.sandbox.call_log.query(service="account")
    answered = Counter(call.operation for call in calls if call.error_code is None)
    return Pace(
        state=state,
        seconds=(operation.finished - operation.planned).total_seconds(),
        reads=answered["GetAlternateContact"],
        writes=answered["PutAlternateContact"],
        throttled=sum(call.error_code == "TooManyRequestsException" for call in calls),
        details=dict(Counter(str(outcome.detail) for outcome in outcomes)),
        retries=sum(outcome.retry_count for outcome in outcomes),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the pace as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=300)
    parser.add_argument("--preset", choices=["commercial", "china"], default="commercial")
    parser.add_argument("--no-limiter", action="store_true")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as home:
        pace = measure(Path(home), accounts=given.accounts, preset=given.preset, limiter=not given.no_limiter)
    print(json.dumps(asdict(pace)))  # noqa: T201 -- its output


if __name__ == "__main__":
    main()

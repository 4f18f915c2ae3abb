"""A person may use Airflow while a big run goes on."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.long
@pytest.mark.timeout(650)
def test_notes_during_a_run() -> None:
    """Every change of a run's note is answered and kept while 60 accounts are synchronized, and the run ends well."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.e2e.clicking"], cwd=ROOT, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    print(found)  # noqa: T201 -- figures
    assert (found["state"], found["states"], found["wrong"]) == ("success", ["success"], 0)
    assert found["accounts"] >= 58, "nearly all of them may be touched"
    assert found["clicks"] > 1

"""Pacing against AWS's own quotas: the call log is the judge."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def pace(accounts: int, *options: str) -> dict[str, Any]:
    """Run an organization of its own in another process, and return what AWS saw."""
    command = [sys.executable, "-m", "tests.e2e.pacing", "--accounts", str(accounts), *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(f"{accounts} accounts {' '.join(options)}: {found}")  # noqa: T201 -- figures for docs/performance.md
    return found


@pytest.mark.long
@pytest.mark.timeout(950)
def test_three_hundred_accounts() -> None:
    """300 accounts with three contacts each are written without a single throttled call.

    How fast is a figure, not a bound: this machine may be slower than AWS's quotas.
    """
    found = pace(300)
    assert found["state"] == "success"
    assert found["throttled"] == 0
    written = found["details"]["updated"]
    assert written == found["writes"]
    assert written >= 3 * 290


@pytest.mark.long
@pytest.mark.timeout(950)
def test_rates_of_china() -> None:
    """With the rates of China on both sides no call is throttled either."""
    found = pace(40, "--preset", "china")
    assert found["state"] == "success"
    assert found["throttled"] == 0


@pytest.mark.long
@pytest.mark.timeout(950)
def test_without_the_limiter() -> None:
    """Without the limiter AWS refuses many calls; with it, and the same rates, it refused none."""
    found = pace(20, "--preset", "china", "--no-limiter")
    assert found["throttled"] > 60

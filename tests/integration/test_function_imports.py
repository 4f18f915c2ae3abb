"""What the Lambda functions load: each its own part of the product, and nothing of the rest."""

import os
import subprocess
import sys

import pytest

ENGINE = {"account_management", "configuration", "intake", "notices", "operations", "pacing", "scope", "sync", "views"}
"""The rooms of contact synchronization and of notices."""


def loaded(module: str) -> set[str]:
    """Return the rooms that a function loads, in a process of its own."""
    program = (
        f"import sys, {module}; print(*{{name.split('.')[1] for name in sys.modules if name[:12] == 'contactsync.'}})"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "AWS_REGION": "us-east-1"},
        timeout=120,
    )
    return set(answer.stdout.split())


@pytest.mark.parametrize(
    ("module", "rooms"),
    [
        ("audit", set()),
        ("publisher", set()),
        ("trigger", {"intake"}),
        ("notices", {"account_management", "configuration", "notices", "operations", "pacing", "scope", "views"}),
    ],
)
def test_rooms(module: str, rooms: set[str]) -> None:
    """A function loads of the engine only what it uses: the one of the audit trail loads nothing of it."""
    found = loaded(f"contactsync.lambdas.{module}")
    assert "lambdas" in found
    assert found & ENGINE <= rooms


def test_trigger_is_small() -> None:
    """The trigger function loads no adapter and no composition: it answers within milliseconds of its start."""
    assert not loaded("contactsync.lambdas.trigger") & {"aws", "services", "bus"}

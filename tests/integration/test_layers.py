"""The layers of the package, as import-linter holds them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def lint(place: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the package in a directory."""
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        check=False,
        capture_output=True,
        text=True,
        cwd=place,
        timeout=120,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Copy the package and its contracts."""
    shutil.copytree(ROOT / "contactsync", tmp_path / "contactsync", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_contracts_hold() -> None:
    """Imports point one way."""
    answer = lint(ROOT)
    assert answer.returncode == 0, answer.stdout
    assert "0 broken" in answer.stdout


def test_unlisted_package(copy: Path) -> None:
    """A new subpackage that no layer lists fails the check."""
    (copy / "contactsync" / "reconcile").mkdir()
    (copy / "contactsync" / "reconcile" / "__init__.py").write_text('"""New."""\n')
    answer = lint(copy)
    assert answer.returncode != 0
    assert "reconcile" in answer.stdout


@pytest.mark.parametrize("room", ["sync", "bus", "notices", "aws", "cli", "sandbox", "errors", "services"])
def test_unlisted_module(copy: Path, room: str) -> None:
    """In a room that has rooms of its own, a new module that no layer lists fails the check."""
    (copy / "contactsync" / room / "added.py").write_text('"""New."""\n')
    answer = lint(copy)
    assert answer.returncode != 0
    assert f"contactsync.{room}.added" in answer.stdout


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("pacing.guarded_calls", "pacing.rates"),
        ("operations.operation", "operations.outcome_counts"),
        ("bus.dead_letters.letters", "bus.dead_letters.redrives"),
        ("bus.dead_letters", "bus.ports"),
    ],
)
def test_circle(copy: Path, first: str, second: str) -> None:
    """Two modules or rooms that import each other, though for types alone, fail the check."""
    for module, other in ((first, second), (second, first)):
        path = copy / "contactsync" / module.replace(".", "/")
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        line = f"from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import contactsync.{other}\n"
        path.write_text(f"{path.read_text()}\n{line}")
    answer = lint(copy)
    assert answer.returncode != 0
    assert "No cycles are allowed" in answer.stdout


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("sync/plan.py", "import boto3"),
        ("intake/change.py", "import pydantic"),
        ("intake/contact_change.py", "import pydantic"),
        ("sandbox/scenario/scenario.py", "import contactsync.errors"),
        ("aws/organization.py", "import contactsync.services"),
        ("aws/organization.py", "import airflow"),
        ("local_airflow/sessions.py", "import contactsync.settings"),
        ("pacing/rates.py", "import contactsync.contacts"),
        ("scope/rules.py", "import contactsync.account_management"),
        ("configuration/changes.py", "import contactsync.sync.ports"),
        ("services/adapters.py", "import contactsync.sandbox"),
        ("cli/audit.py", "import contactsync.aws.topic"),
        ("lambdas/audit.py", "import contactsync.aws.tables.audit_table"),
        ("orchestration/runs.py", "import contactsync.aws.sdk.clients"),
    ],
)
def test_wrong_import(copy: Path, module: str, line: str) -> None:
    """An import against the layers fails the check."""
    path = copy / "contactsync" / module
    path.write_text(path.read_text() + f"\n{line}\n")
    answer = lint(copy)
    assert answer.returncode != 0
    assert "Broken contracts" in answer.stdout

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


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("sync/plan.py", "import boto3"),
        ("sync/change.py", "import pydantic"),
        ("sandbox/scenario.py", "import contactsync.errors"),
        ("aws/organization.py", "import contactsync.services"),
        ("aws/organization.py", "import airflow"),
        ("services.py", "import contactsync.sandbox"),
    ],
)
def test_wrong_import(copy: Path, module: str, line: str) -> None:
    """An import against the layers fails the check."""
    path = copy / "contactsync" / module
    path.write_text(path.read_text() + f"\n{line}\n")
    answer = lint(copy)
    assert answer.returncode != 0
    assert "1 broken" in answer.stdout or "2 broken" in answer.stdout

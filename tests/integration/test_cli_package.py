"""`contactsync package` as a process: what keeps it from building is one sentence, and nothing is left behind."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.conftest import Command, misused
from tests.integration.test_cli_shells import MAIN
from tests.support.clones import ROOT, clone_of_sources, commit_all

UNREACHABLE = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": ""}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the package alone, as an installed wheel has it."""
    folder = tmp_path_factory.mktemp("installed")
    shutil.copytree(ROOT / "contactsync", folder / "contactsync", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture(scope="module")
def clone(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clone that has the package, and nothing else that packages need."""
    folder = tmp_path_factory.mktemp("clone") / "clone"
    shutil.copytree(installed, folder)
    (folder / "pyproject.toml").touch()
    (folder / ".gitignore").write_text("__pycache__\nbuild\n")
    commit_all(folder)
    return folder


def stopped(folder: Path, *arguments: str, **environment: str) -> str:
    """Run the command of a folder, in which it must fail, and return the sentence."""
    answer = subprocess.run(
        [sys.executable, "-c", MAIN, "package", *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment},
        timeout=120,
    )
    *said, sentence = answer.stderr.splitlines()
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert all(line.endswith(" ...") for line in said)
    assert sentence.startswith("contactsync: ")
    assert not list(folder.glob("build/*"))
    return sentence


def test_installed_wheel(installed: Path) -> None:
    """Where there are no sources, the sentence says where to build."""
    sentence = stopped(installed)
    assert "installed from a wheel" in sentence
    assert "Clone the repository" in sentence


def test_not_empty(clone: Path) -> None:
    """Nothing is written over."""
    assert "contactsync exists and is not an empty folder" in stopped(clone, "--output", "contactsync")


def test_changed(clone: Path) -> None:
    """A changed clone is refused, and the sentence names a changed file and the way around."""
    (clone / "new.py").touch()
    try:
        sentence = stopped(clone)
    finally:
        (clone / "new.py").unlink()
    assert "(new.py)" in sentence
    assert "--allow-dirty" in sentence


def test_usage(contactsync: Command) -> None:
    """An unknown format, or a folder without its option, is wrong usage."""
    misused(contactsync("package", "--format", "xml"), "xml")
    misused(contactsync("package", "build/packages"), "build/packages")


@pytest.mark.long
def test_no_network(tmp_path: Path) -> None:
    """Without an index and without kept wheels, the sentence says so, and no half a folder is left."""
    sentence = stopped(clone_of_sources(tmp_path / "clone"), **UNREACHABLE)
    assert "requirements/lambda-subscribers.txt could not be downloaded: the package index does not answer" in sentence

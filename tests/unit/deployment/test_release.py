"""Packages that are whole, and packages that are not."""

import json
from pathlib import Path

import pytest

from contactsync.deployment.release import MANIFEST, read_release
from contactsync.errors import PackagesUnusableError
from tests.support.releases import describe, packages


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return whole packages."""
    return packages(tmp_path / "packages")


def refused(folder: Path) -> str:
    """Return why packages cannot be deployed."""
    with pytest.raises(PackagesUnusableError) as error:
        read_release(folder)
    return str(error.value)


def test_whole(folder: Path) -> None:
    """Packages that are as their manifest says can be read, with their DAG files."""
    release = read_release(folder)
    assert (release.version, set(release.dags())) == ("0.1.0", {"contact_sync.py", "contact_housekeeping.py"})
    assert release.content("plugins.zip") == b"plugins"


def test_other_bytes(folder: Path) -> None:
    """A file that was changed is named."""
    (folder / "plugins.zip").write_text("changed")
    assert "plugins.zip is not the file that manifest.json describes" in refused(folder)


def test_missing_file(folder: Path) -> None:
    """A file that is gone is named."""
    (folder / "dags.zip").unlink()
    assert "dags.zip cannot be read" in refused(folder)


def test_not_listed(folder: Path) -> None:
    """Packages without one of the files that a deployment needs are refused, and so is a foreign template."""
    (folder / "lambda-trigger.zip").unlink()
    describe(folder)
    assert "does not list lambda-trigger.zip" in refused(folder)
    packages(folder)
    (folder / "infra" / "mine.yaml").touch()
    assert refused(folder).count("does not list") == 1


def test_no_packages(tmp_path: Path) -> None:
    """A folder that has no manifest is refused with the way to build packages."""
    assert "manifest.json cannot be read" in refused(tmp_path)
    assert "contactsync package" in refused(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "[" * 100_000,
        '{"files": 1}',
        '{"files": [1]}',
        '{"files": [{"name": "../x", "sha256": "0"}]}',
        '{"files": [{"name": "/etc/passwd", "sha256": "0"}]}',
        '{"files": [{"name": 1, "sha256": "0"}]}',
    ],
)
def test_manifests(folder: Path, text: str) -> None:
    """Whatever is in the manifest, the answer is a sentence."""
    (folder / MANIFEST).write_text(text)
    assert "manifest.json" in refused(folder)


def test_no_version(folder: Path) -> None:
    """A manifest without a version is refused."""
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**manifest, "version": None}))
    assert "no version" in refused(folder)


def test_functions_for_another_machine(folder: Path) -> None:
    """Functions that were built for the sandbox of this machine are refused: Lambda could not load them."""
    describe(folder, functions_for="linux-x86_64-3.11")
    assert "its functions are built for linux-x86_64-3.11" in refused(folder)


def test_no_zip(folder: Path) -> None:
    """DAG files that are no zip file are refused."""
    (folder / "dags.zip").write_text("no zip")
    describe(folder)
    with pytest.raises(PackagesUnusableError, match=r"dags\.zip is not a zip file"):
        read_release(folder).dags()

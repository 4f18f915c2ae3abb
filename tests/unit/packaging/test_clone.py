"""The clone that packages are built from."""

from pathlib import Path

import pytest

from contactsync.errors import CloneMissingError, SourcesInconsistentError, ToolFailedError, ToolMissingError
from contactsync.packaging.clone import Clone
from tests.support.clones import git, small_clone

FILES = {"a.txt": "one\n", "folder/é b.txt": "two\n", ".gitignore": "ignored\n"}


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """Return a clone of three files."""
    return Clone.at(small_clone(tmp_path / "clone", FILES))


def test_clean(clone: Clone) -> None:
    """A clone without changes has the same files in its commit and in its folder; ignored ones count nowhere."""
    (clone.root / "ignored").write_text("x")
    assert clone.changes() == ()
    assert clone.committed() == clone.as_it_is()
    assert set(clone.committed()) == {*FILES, "pyproject.toml"}
    assert clone.commit == git(clone.root, "rev-parse", "HEAD").strip()


def test_changed(clone: Clone) -> None:
    """Changed, removed, renamed and new files are named, and only the folder has them."""
    (clone.root / "a.txt").write_text("other\n")
    (clone.root / "new file").write_text("x")
    (clone.root / "pyproject.toml").unlink()
    git(clone.root, "mv", "folder/é b.txt", "moved.txt")
    assert clone.changes() == ("a.txt", "moved.txt", "new file", "pyproject.toml")
    assert clone.committed()["a.txt"] == b"one\n"
    assert set(clone.as_it_is()) == {"a.txt", "new file", "moved.txt", ".gitignore"}


def test_missing_file(clone: Clone) -> None:
    """A file that packages need and the clone lacks is named."""
    with pytest.raises(SourcesInconsistentError, match=r"no-such-file is missing"):
        _ = clone.committed()["no-such-file"]


def test_line_ends(clone: Clone) -> None:
    """Files are taken with the line ends of the commit, whatever git writes on this machine."""
    git(clone.root, "config", "core.autocrlf", "true")
    assert clone.committed()["a.txt"] == b"one\n"


def test_in_a_hook(clone: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables that git sets for its hooks do not lead to another clone."""
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert Clone.at(clone.root).changes() == ()


def test_no_clone(clone: Clone, tmp_path: Path) -> None:
    """A folder without sources, without git, or inside a clone is none; the sentence says what to do."""
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "pyproject.toml").touch()
    (clone.root / "folder" / "pyproject.toml").touch()
    for place in (tmp_path, tmp_path / "plain", clone.root / "folder"):
        with pytest.raises(CloneMissingError, match="make setup"):
            Clone.at(place)


def test_no_commit(tmp_path: Path) -> None:
    """A clone without a commit is refused in git's words."""
    (tmp_path / "pyproject.toml").touch()
    git(tmp_path, "init", "--quiet")
    with pytest.raises(ToolFailedError, match="git failed while reading the clone"):
        _ = Clone.at(tmp_path).commit


def test_no_git(clone: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without git the sentence says to install it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissingError, match="Install it"):
        Clone.at(clone.root)

"""All packages in one folder, or nothing."""

import errno
import os
from pathlib import Path

import pytest

from contactsync.errors import CloneChangedError, PackagesPresentError, PackagesUnwrittenError
from contactsync.packaging.clone import Clone
from contactsync.packaging.packages import Build
from tests.support.clones import small_clone


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """Return a clone of no use, for builds that end before they read much of it."""
    return Clone.at(small_clone(tmp_path / "clone", {"requirements/dev.txt": ""}))


def unheard(text: str) -> None:
    """Take what a build says."""
    del text


def full(text: str) -> None:
    """Fail as a disk without room does, as soon as a build says that it writes something."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), text)


def test_not_empty(clone: Clone, tmp_path: Path) -> None:
    """A folder that has something in it is refused and stays as it is, and so is a file in its place."""
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").write_text("mine")
    for place in (tmp_path / "there", tmp_path / "there" / "file"):
        with pytest.raises(PackagesPresentError, match="--output"):
            Build(clone, unheard).into(place)
    assert (tmp_path / "there" / "file").read_text() == "mine"


def test_changed(clone: Clone, tmp_path: Path) -> None:
    """Changes that are not committed are named, and nothing is made."""
    (clone.root / "new").touch()
    with pytest.raises(CloneChangedError, match=r"\(new\).*--allow-dirty"):
        Build(clone, unheard).into(tmp_path / "packages")
    assert not (tmp_path / "packages").exists()


def test_full_disk(clone: Clone, tmp_path: Path) -> None:
    """When the disk is full, nothing is left behind, and the sentence names the folder."""
    with pytest.raises(PackagesUnwrittenError, match="packages: No space left on device"):
        Build(clone, full).into(tmp_path / "packages")
    assert [path.name for path in tmp_path.iterdir()] == ["clone"]


def test_no_folder(clone: Clone, tmp_path: Path) -> None:
    """A place where no folder can be made is named with the system's reason."""
    (tmp_path / "file").touch()
    with pytest.raises(PackagesUnwrittenError, match="file/packages"):
        Build(clone, unheard).into(tmp_path / "file" / "packages")

"""Zip files whose bytes follow from their content."""

import os
import zipfile
from pathlib import Path

from contactsync.packaging.reproducible_zip import read_zip, write_zip

ENTRIES = {"b/é.py": b"two", "a.py": b"one", "b/empty": b""}


def test_order_and_umask_change_nothing(tmp_path: Path) -> None:
    """The order of entries, the umask and the path of the file leave no trace in the bytes."""
    write_zip(tmp_path / "one.zip", ENTRIES)
    before = os.umask(0o077)
    try:
        (tmp_path / "folder").mkdir()
        write_zip(tmp_path / "folder" / "two.zip", dict(reversed(ENTRIES.items())))
    finally:
        os.umask(before)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "folder" / "two.zip").read_bytes()


def test_entries(tmp_path: Path) -> None:
    """Entries are sorted, everybody may read them, and their time is the first one that a zip can have."""
    write_zip(tmp_path / "one.zip", ENTRIES)
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        entries = archive.infolist()
    assert [entry.filename for entry in entries] == sorted(ENTRIES)
    assert {(entry.date_time, entry.external_attr >> 16, entry.create_system) for entry in entries} == {
        ((1980, 1, 1, 0, 0, 0), 0o100644, 3)
    }
    assert {entry.compress_type for entry in entries} == {zipfile.ZIP_STORED}


def test_compressed(tmp_path: Path) -> None:
    """A zip that is compressed holds the same, in fewer bytes."""
    entries = {"a": b"x" * 10_000}
    write_zip(tmp_path / "one.zip", entries, compressed=True)
    assert read_zip(tmp_path / "one.zip") == entries
    assert (tmp_path / "one.zip").stat().st_size < 1_000


def test_folders_are_no_files(tmp_path: Path) -> None:
    """A folder that another tool wrote as an entry is not read."""
    with zipfile.ZipFile(tmp_path / "one.zip", "w") as archive:
        archive.mkdir("folder")
        archive.writestr("folder/file", b"x")
    assert read_zip(tmp_path / "one.zip") == {"folder/file": b"x"}

"""Zip files whose bytes follow from what is in them: not from times, modes, umasks or the order of a file system."""

import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

TIME: Final = (1980, 1, 1, 0, 0, 0)
"""The first time that a zip file can have."""

UNIX: Final = 3
MODE: Final = (stat.S_IFREG | 0o644) << 16
LEVEL: Final = 9


def write_zip(path: Path, entries: Mapping[str, bytes], *, compressed: bool = False) -> None:
    """Write a zip file.

    Compressed bytes differ between versions of zlib, so what must never differ is not compressed.
    """
    with zipfile.ZipFile(path, "w") as archive:
        for name in sorted(entries):
            entry = zipfile.ZipInfo(name, TIME)
            entry.create_system, entry.external_attr = UNIX, MODE
            entry.compress_type = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
            archive.writestr(entry, entries[name], compresslevel=LEVEL)


def read_zip(path: Path) -> dict[str, bytes]:
    """Return the files in a zip file by their names, without its folders."""
    with zipfile.ZipFile(path) as archive:
        return {entry.filename: archive.read(entry) for entry in archive.infolist() if not entry.is_dir()}

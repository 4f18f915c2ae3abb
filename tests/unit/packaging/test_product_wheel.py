"""The wheel, written again with a RECORD of its own."""

import csv
from pathlib import Path

import pytest

from contactsync.errors import SourcesInconsistentError, ToolMissingError
from contactsync.packaging.product_wheel import LOCK, build_wheel, with_record

RECORD = "contactsync-0.1.0.dist-info/RECORD"


def test_record() -> None:
    """RECORD lists every file by name with its hash and size, and itself without."""
    entries = with_record({"contactsync/b,c.py": b"", RECORD: b"old", "contactsync/a.py": b"x"})
    rows = list(csv.reader(entries[RECORD].decode().splitlines()))
    assert rows == [
        ["contactsync/a.py", "sha256=LXEWQrcmsEQBYnyp-6wy9chTD7GQPMTbAiWHF5IaSIE", "1"],
        ["contactsync/b,c.py", "sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU", "0"],
        [RECORD, "", ""],
    ]


def test_no_lock(tmp_path: Path) -> None:
    """A lock file without setuptools is named."""
    with pytest.raises(SourcesInconsistentError, match=r"requirements/dev\.txt does not name setuptools"):
        build_wheel({LOCK: b"\xff"}, tmp_path, tmp_path)


def test_other_setuptools(tmp_path: Path) -> None:
    """Another version of setuptools than the locked one may write other metadata, so it is refused."""
    with pytest.raises(ToolMissingError, match=r"needs setuptools 1\.2, which .* has as .*make setup"):
        build_wheel({LOCK: b"setuptools==1.2 \\\n"}, tmp_path, tmp_path)

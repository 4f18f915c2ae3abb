"""The files of a backup: compressed lines, a limited number of bytes in each, so that memory stays constant."""

import gzip
import io
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from contactsync.backups.kinds import Item, Kind, Table, key_of, kind_of
from contactsync.backups.lines import LONGEST, from_line, to_line
from contactsync.backups.manifest import BackupFile, Manifest, sha256_of
from contactsync.backups.ports import BackupSource, BackupTarget
from contactsync.errors import BackupSpoiledError

FULL: Final = 16 * 1024 * 1024
"""Bytes of lines, before they are compressed, after which the next file begins."""


@dataclass
class TableWriter:
    """Writes the items of one table into numbered files."""

    target: BackupTarget
    table: Table
    backup_id: str
    full: int = FULL
    counts: Counter[Kind] = field(default_factory=Counter)
    files: list[BackupFile] = field(default_factory=list)
    _lines: int = 0
    _size: int = 0
    _buffer: io.BytesIO = field(default_factory=io.BytesIO)
    _zipped: gzip.GzipFile | None = None

    def add(self, item: Item) -> None:
        """Add an item; a full file is written at once."""
        self._zipped = self._zipped or gzip.GzipFile(fileobj=self._buffer, mode="wb", mtime=0)
        line = to_line(item)
        self._zipped.write(line)
        self.counts[kind_of(self.table, item)] += 1
        self._lines += 1
        self._size += len(line)
        if self._size >= self.full:
            self.close()

    def close(self) -> None:
        """Write what is left."""
        if self._zipped is None:
            return
        self._zipped.close()
        content = self._buffer.getvalue()
        # The backup's id keeps two backups to one place apart, also when both are under way.
        name = f"{self.table}-{len(self.files) + 1:04}-{self.backup_id[:8]}.jsonl.gz"
        self.target.write(name, content)
        self.files.append(
            BackupFile(name=name, table=self.table, items=self._lines, size=len(content), sha256=sha256_of(content))
        )
        self._zipped, self._buffer, self._lines, self._size = None, io.BytesIO(), 0, 0


@dataclass(frozen=True)
class SavedItem:
    """An item of a backup."""

    kind: Kind
    item: Item
    size: int
    """Bytes of its line."""


def saved_items(source: BackupSource, manifest: Manifest, table: Table) -> Iterator[SavedItem]:
    """Yield the items of a table; each file is compared with its checksum before its first item is yielded.

    Raises BackupSpoiledError when a file is missing, or is not what was written.
    """
    for file in manifest.files_of(table):
        number = 0
        for saved in _items_of(source, file):
            number += 1
            yield saved
        if number != file.items:
            raise BackupSpoiledError(
                path=source.name, file=file.name, problem=f"holds {number} items instead of {file.items}"
            )


def _items_of(source: BackupSource, file: BackupFile) -> Iterator[SavedItem]:
    content = _content(source, file)
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as lines:
            while line := lines.readline(LONGEST):
                item = from_line(line)
                key_of(file.table, item)
                yield SavedItem(kind_of(file.table, item), item, len(line))
    except (ValueError, EOFError, OSError, zlib.error):
        raise BackupSpoiledError(
            path=source.name, file=file.name, problem="holds something else than items of that table"
        ) from None


def _content(source: BackupSource, file: BackupFile) -> bytes:
    try:
        content = source.read(file.name)
    except FileNotFoundError:
        raise BackupSpoiledError(path=source.name, file=file.name, problem="is missing") from None
    if len(content) != file.size:
        problem = f"has {len(content)} bytes instead of {file.size}"
        raise BackupSpoiledError(path=source.name, file=file.name, problem=problem)
    if sha256_of(content) != file.sha256:
        raise BackupSpoiledError(path=source.name, file=file.name, problem="does not have its checksum")
    return content

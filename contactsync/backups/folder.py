"""A backup in a folder of this machine, for the user's own eyes only."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from contactsync.backups.manifest import NAME
from contactsync.errors import BackupPresentError, BackupUnreadError, BackupUnwrittenError

OWNER_ONLY: Final = 0o600
OWNER_ONLY_FOLDER: Final = 0o700
MOUNTED: Final = "it is the root of a file system; name a folder in it"


class FolderTarget:
    """Writes into a folder beside the wanted one, which gets its name when the backup is complete."""

    def __init__(self, name: str) -> None:
        """Take the path as the user named it."""
        self.name = name
        self._target = Path(name).resolve()  # so that a symbolic link is kept
        self._partial = self._target.with_name(f"{self._target.name}.{secrets.token_hex(4)}.partial")

    @property
    def unfinished(self) -> str | None:
        """The folder that is named as partial, as soon as it is there."""
        return str(self._partial) if self._partial.exists() else None

    def begin(self) -> None:
        """Refuse a folder that is not empty."""
        with self._writing():
            if self._target.exists() and not (self._target.is_dir() and not any(self._target.iterdir())):
                raise BackupPresentError(path=self.name)
            if self._target.is_mount():  # it could not be replaced in the end
                raise BackupUnwrittenError(path=self.name, reason=MOUNTED)

    def write(self, name: str, content: bytes) -> None:
        """Write a file, which others cannot read, and wait until it is on the disk."""
        with self._writing():
            self._target.parent.mkdir(parents=True, exist_ok=True)
            self._partial.mkdir(mode=OWNER_ONLY_FOLDER, exist_ok=True)
            descriptor = os.open(self._partial / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(descriptor)

    def finish(self, manifest: bytes) -> None:
        """Write the manifest, and give the folder its name."""
        self.write(NAME, manifest)
        with self._writing():
            self._partial.rename(self._target)  # which replaces an empty folder

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise BackupUnwrittenError(path=self.name, reason=error.strerror or type(error).__name__) from None


class FolderSource:
    """Reads a backup from a folder."""

    def __init__(self, name: str) -> None:
        """Take the path as the user named it."""
        self.name = name

    def read(self, name: str) -> bytes:
        """Return a file's content; raise FileNotFoundError when there is none."""
        try:
            return (Path(self.name) / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            raise FileNotFoundError from None
        except OSError as error:
            raise BackupUnreadError(path=self.name, reason=error.strerror or type(error).__name__) from None

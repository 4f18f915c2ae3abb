"""Releases that were deployed, as they are kept in the bucket for code, so that one of them can be deployed again."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from contactsync.deployment.ports import Bucket
from contactsync.deployment.release import MANIFEST, Release, is_inside, read_release
from contactsync.errors import PackagesUnusableError

FOLDER: Final = "releases/"
FILES: Final = "releases/files/"
NAME: Final = "release.json"


@dataclass(frozen=True)
class Record:
    """One deployment of a release."""

    release_id: str
    """The time and the version, so that ids are in the order of time."""
    version: str
    commit: str
    digest: str
    """Of the manifest."""
    by: str
    """The ARN of whoever deployed it."""
    given: Mapping[str, str]
    """Values of parameters that people have given."""
    email: str
    account: str
    data_format: int
    """The form of the data that the release writes."""
    files: Mapping[str, str]
    """The SHA-256 digests of the packages' files, under which they are kept."""
    is_complete: bool
    """Whether the deployment came to its end."""


class Records:
    """The releases of one deployment."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def all(self) -> list[Record]:
        """Return all records, the newest first; one that cannot be read is left out."""
        return list(self._newest_first())

    def newest(self) -> Record | None:
        """Return the newest release that was deployed to the end."""
        return next((one for one in self._newest_first() if one.is_complete), None)

    def keep(self, record: Record, release: Release) -> None:
        """Store a record, and of the release's files those that are not there yet."""
        there = {one.key for one in self._bucket.listed(FILES)}
        content = {FILES + sha256: name for name, sha256 in record.files.items()}
        for key, name in sorted(content.items()):
            if key not in there:
                self._bucket.put(key, release.manifest if name == MANIFEST else release.content(name))
        document = json.dumps(asdict(record), indent=2).encode()
        self._bucket.put(f"{FOLDER}{record.release_id}/{NAME}", document)

    def fetch(self, record: Record, folder: Path) -> Release:
        """Write the packages of a release into a folder; raise PackagesUnusableError when they are not whole."""
        for name, sha256 in record.files.items():
            content = self._bucket.read(FILES + sha256)
            if content is None or not is_inside(name):
                raise PackagesUnusableError(f"release {record.release_id}", f"{name} is no longer in the bucket")
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        return read_release(folder)

    def _newest_first(self) -> Iterator[Record]:
        """Yield the records one by one; they are read only when they are asked for."""
        keys = [one.key for one in self._bucket.listed(FOLDER) if one.key.endswith(f"/{NAME}")]
        return (record for key in sorted(keys, reverse=True) if (record := self._read(key)))

    def _read(self, key: str) -> Record | None:
        try:
            content: Any = json.loads(self._bucket.read(key) or b"")
            return Record(**content)
        except (ValueError, TypeError):
            return None


def files_of(release: Release) -> Iterator[tuple[str, str]]:
    """Yield the release's files with their digests, the manifest too."""
    yield from release.files.items()
    yield MANIFEST, release.digest

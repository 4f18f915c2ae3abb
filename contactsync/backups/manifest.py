"""The manifest of a backup: what was saved of which deployment, with counts and checksums."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError

from contactsync.backups.kinds import Table

NAME: Final = "manifest.json"
FORMAT: Final = 1
"""The version of the format; it changes when an older contactsync would misread a backup."""

DIGEST: Final = "sha256"
"""The manifest's own checksum: the SHA-256 of everything else in it, as compact JSON with sorted names."""


class ManifestUnreadableError(ValueError):
    """The text is not a manifest; `format` is the format that it names, if that is the problem."""

    def __init__(self, problem: str, found: int | None = None) -> None:
        super().__init__(problem)
        self.format = found


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class BackupFile(_Part):
    """One file of a backup: some items of one table."""

    name: Annotated[str, Field(pattern=r"^[a-z-]{1,40}-[0-9]{4,8}-[0-9a-f]{8}\.jsonl\.gz$", max_length=100)]
    table: Annotated[Table, Field(strict=False)]
    items: NonNegativeInt
    size: NonNegativeInt
    """Bytes of the file, which is compressed."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", max_length=64)]


Counts = dict[str, NonNegativeInt]
"""Numbers of items by kind; a later version may know other kinds."""


class Identity(_Part):
    """Which deployment a backup is of."""

    environment: str
    region: str
    management_account: str
    fingerprint_secret: str | None = None
    """The secret that has the fingerprint key; the key itself is never in a backup."""


class Manifest(_Part):
    """Everything that is known of a complete backup."""

    format: int = FORMAT
    contactsync: str
    """The version that made it."""
    id: str
    of: Identity
    started: Annotated[datetime, Field(strict=False)]
    finished: Annotated[datetime, Field(strict=False)]
    counts: dict[Annotated[Table, Field(strict=False)], Counts]
    """The items of each table that was saved, by kind."""
    left_out: Counts
    """Items that are true for minutes only, and are in no backup."""
    files: tuple[BackupFile, ...]

    @property
    def with_contacts(self) -> bool:
        """Whether it holds the desired contacts."""
        return Table.DESIRED_CONTACTS in self.counts

    @property
    def items(self) -> int:
        """Number of items in it."""
        return sum(number for kinds in self.counts.values() for number in kinds.values())

    def files_of(self, table: Table) -> tuple[BackupFile, ...]:
        """Return the files with a table's items."""
        return tuple(file for file in self.files if file.table is table)


def to_text(manifest: Manifest) -> bytes:
    """Return the manifest as JSON, with its own checksum."""
    data = manifest.model_dump(mode="json")
    return json.dumps({**data, DIGEST: _digest(data)}, indent=2).encode() + b"\n"


def from_text(text: bytes) -> Manifest:
    """Read what `to_text` wrote; raise ManifestUnreadableError for everything else."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise ManifestUnreadableError("it is not a JSON object")
    found = data.get("format")
    if isinstance(found, int) and found != FORMAT:
        raise ManifestUnreadableError("its format is another one", found)
    if data.pop(DIGEST, None) != _digest(data):
        raise ManifestUnreadableError("it does not have its own checksum")
    try:
        return Manifest.model_validate(data | {"files": tuple(data.get("files", ()))})
    except (TypeError, ValidationError):
        raise ManifestUnreadableError("its parts have other forms") from None


def sha256_of(content: bytes) -> str:
    """Return a checksum as manifests have it."""
    return hashlib.sha256(content).hexdigest()


def _digest(data: Mapping[str, Any]) -> str:
    return sha256_of(json.dumps(data, sort_keys=True, separators=(",", ":")).encode())

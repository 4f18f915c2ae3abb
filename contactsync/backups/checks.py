"""Reading a backup before anything is written: all of it must be there, and as it was written."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from contactsync.backups.files import SavedItem, saved_items
from contactsync.backups.generations import Generations, whole
from contactsync.backups.kinds import Item, Kind, Table
from contactsync.backups.manifest import FORMAT, NAME, Identity, Manifest, ManifestUnreadableError, from_text
from contactsync.backups.ports import BackupSource, Watch
from contactsync.contacts import ContactType
from contactsync.errors import BackupForeignError, BackupFormatError, BackupMissingError, BackupSpoiledError

EXPIRY: Final = "expires_at"
COUNTERS: Final = frozenset(f"GENERATION#{contact_type}" for contact_type in ContactType)


@dataclass
class Checked:
    """A backup that is complete and unchanged, with what a restore has to know before it begins."""

    source: BackupSource
    manifest: Manifest
    generations: Generations = field(default_factory=Generations)
    counters: list[Item] = field(default_factory=list)
    """The items of the generation counters."""
    counts: Counter[tuple[Table, Kind]] = field(default_factory=Counter)
    expired: Counter[tuple[Table, Kind]] = field(default_factory=Counter)
    """The items that DynamoDB may remove at any time."""
    versions: dict[str, int] = field(default_factory=dict)
    """The newest version of each configuration."""

    def add(self, table: Table, saved: SavedItem, now: datetime) -> None:
        """Take an item."""
        self.counts[table, saved.kind] += 1
        self.generations.see(saved.kind, saved.item)
        if is_counter(saved):
            self.counters.append(saved.item)
        if (expiry := whole(saved.item.get(EXPIRY))) and expiry <= now.timestamp():
            self.expired[table, saved.kind] += 1
        if table is Table.CONFIGURATION:
            note_version(self.versions, saved.item)


def checked(source: BackupSource, *, now: datetime, watch: Watch) -> Checked:
    """Read all files of a backup, and compare them with its manifest.

    Raises BackupMissingError, BackupFormatError, and BackupSpoiledError for the first thing that is wrong.
    """
    found = Checked(source, manifest_of(source))
    for table in Table:
        for saved in watch(f"{table}: checked", saved_items(source, found.manifest, table)):
            found.add(table, saved, now)
        number = sum(file.items for file in found.manifest.files_of(table))
        expected = sum(found.manifest.counts.get(table, {}).values())
        if number != expected:
            problem = f"lists files with {number} items of the {table} table, and counts {expected}"
            raise BackupSpoiledError(path=source.name, file=NAME, problem=problem)
    return found


def manifest_of(source: BackupSource) -> Manifest:
    """Read a backup's manifest."""
    try:
        return from_text(source.read(NAME))
    except FileNotFoundError:
        raise BackupMissingError(path=source.name) from None
    except ManifestUnreadableError as error:
        if error.format is not None:
            raise BackupFormatError(path=source.name, found=error.format, known=FORMAT) from None
        raise BackupSpoiledError(path=source.name, file=NAME, problem=f"cannot be read: {error}") from None


def check_identity(manifest: Manifest, here: Identity, *, environment: str | None, path: str) -> None:
    """Refuse a backup of another organization, or of another environment than is meant; the region may differ."""
    for what, actual, expected in (
        ("management account", manifest.of.management_account, here.management_account),
        ("environment", manifest.of.environment, environment or here.environment),
    ):
        if actual != expected:
            raise BackupForeignError(path=path, what=what, actual=actual, expected=expected)


def is_counter(saved: SavedItem) -> bool:
    """Return whether an item is the generation counter of a contact type."""
    return saved.kind is Kind.GENERATION and saved.item["pk"]["S"] in COUNTERS


def note_version(versions: dict[str, int], item: Item) -> None:
    """Take the number of a configuration's version if it is the newest so far."""
    name, number = item["config_key"]["S"], whole(item["version"]) or 0
    versions[name] = max(number, versions.get(name, 0))

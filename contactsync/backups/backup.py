"""The step that saves the tables; it changes nothing in them."""

import secrets
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from contactsync.backups.files import FULL, TableWriter
from contactsync.backups.kinds import PASSING, Item, Kind, Table, kind_of
from contactsync.backups.manifest import BackupFile, Identity, Manifest, to_text
from contactsync.backups.ports import BackupTarget, StoredTables, Watch, unwatched
from contactsync.clock import Clock
from contactsync.errors import BackupStoppedError, ContactSyncError, Reader


@dataclass(frozen=True)
class Backup:
    """Saves the tables of a deployment while it runs.

    Each page is read consistently, but all pages together are no snapshot (docs/backups.md says what can differ).
    """

    tables: StoredTables
    of: Identity
    version: str
    """The version of contactsync."""
    clock: Clock
    full: int = FULL

    def into(self, target: BackupTarget, *, with_contacts: bool, watch: Watch = unwatched) -> Manifest:
        """Write a backup; its manifest comes last, so that one that was not finished is seen.

        Raises BackupStoppedError with the cause when something fails after the first file was begun.
        """
        target.begin()
        try:
            manifest = self._saved(target, with_contacts=with_contacts, watch=watch)
            target.finish(to_text(manifest))
        except ContactSyncError as error:
            if target.unfinished is None:
                raise
            raise BackupStoppedError(error.sentence_for(Reader.COMMAND), target.unfinished) from error
        return manifest

    def _saved(self, target: BackupTarget, *, with_contacts: bool, watch: Watch) -> Manifest:
        started, backup_id = self.clock.now(), secrets.token_hex(16)
        saved = _Saved(target, backup_id, self.full)
        for table in Table:
            if table is not Table.DESIRED_CONTACTS or with_contacts:
                saved.add(table, watch(f"{table}: read", self.tables.items(table)))
        return Manifest(
            contactsync=self.version,
            id=backup_id,
            of=self.of,
            started=started,
            finished=self.clock.now(),
            counts=saved.counts,
            left_out={str(kind): number for kind, number in saved.left_out.items()},
            files=tuple(saved.files),
        )


@dataclass
class _Saved:
    """What has been written so far."""

    target: BackupTarget
    backup_id: str
    full: int
    counts: dict[Table, dict[str, int]] = field(default_factory=dict)
    left_out: Counter[Kind] = field(default_factory=Counter)
    files: list[BackupFile] = field(default_factory=list)

    def add(self, table: Table, items: Iterator[Item]) -> None:
        writer = TableWriter(self.target, table, self.backup_id, self.full)
        for item in items:
            kind = kind_of(table, item)
            if kind in PASSING:
                self.left_out[kind] += 1
            else:
                writer.add(item)
        writer.close()
        self.counts[table] = {str(kind): number for kind, number in writer.counts.items()}
        self.files += writer.files

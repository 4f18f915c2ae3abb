"""The step that puts a backup back into the tables: it only adds, so it can be repeated after a break at any point."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from contactsync.backups.checks import Checked, check_identity, checked, is_counter, note_version
from contactsync.backups.choices import Side, Wanted
from contactsync.backups.files import SavedItem, saved_items
from contactsync.backups.generations import NAMES, Generations, whole
from contactsync.backups.kinds import KEYS, PASSING, TAKEN_AWAY, Item, Kind, Table, key_of, kind_of
from contactsync.backups.manifest import Identity, Manifest
from contactsync.backups.places import places_in_other_regions
from contactsync.backups.ports import BackupSource, Put, Rule, StoredTables, Watch, unwatched
from contactsync.clock import Clock
from contactsync.errors import (
    ContactSyncError,
    Reader,
    RestoreIncompleteError,
    RestoreStoppedError,
    TableFilledError,
    VersionsDifferError,
)

BEGUN: Final[Item] = MappingProxyType({"pk": {"S": "RESTORE"}, "sk": {"S": "RESTORE"}})
"""The key of the sign that a restore has begun: the item is removed when the restore is complete."""

RULES: Final = MappingProxyType({Kind.RECORD: Rule.NEWER_RECORD, Kind.DESIRED_CONTACT: Rule.NEWER_DESIRED})
"""Kinds of which a newer item takes the place of an older one; of all others, what is in the table stays."""

COUNTED: Final[Mapping[Table, tuple[str, ...]]] = MappingProxyType(
    {
        **{table: tuple(names) for table, names in KEYS.items()},
        Table.STATE: NAMES,
        Table.DESIRED_CONTACTS: ("contact_type", "generation"),
    }
)
"""The attributes that are read at the end: no contact values."""


@dataclass(frozen=True)
class RestoredKind:
    """What became of the items of one kind."""

    table: Table
    kind: Kind
    saved: int
    """In the backup."""
    put: int
    """Put by this restore; the others were in the table."""
    found: int
    """In the table now."""


@dataclass(frozen=True)
class Restored:
    """A complete restore."""

    manifest: Manifest
    kinds: tuple[RestoredKind, ...]
    versions: Mapping[str, tuple[int, int]]
    """For each configuration of the backup the version in force now, and the backup's newest."""
    other_regions: tuple[str, ...]
    """Settings in force that name something in another region."""


@dataclass(frozen=True)
class Restore:
    """Puts a backup into the tables of a deployment, which may be in another region than the one that was saved."""

    tables: StoredTables
    names: Mapping[Table, str]
    """The tables' own names."""
    here: Identity
    clock: Clock

    def check(self, source: BackupSource, wanted: Wanted, *, watch: Watch = unwatched) -> Checked:
        """Read the whole backup, and refuse one that is spoiled or of another deployment; write nothing."""
        backup = checked(source, now=self.clock.now(), watch=watch)
        check_identity(backup.manifest, self.here, environment=wanted.environment, path=source.name)
        return backup

    def run(self, backup: Checked, wanted: Wanted, *, watch: Watch = unwatched) -> Restored:
        """Restore a checked backup.

        Raises TableFilledError and VersionsDifferError before anything is written, then RestoreStoppedError with the
        cause of a break.
        """
        running = _Run(self, backup, wanted, watch)
        running.check_tables()
        running.check_versions()
        try:
            return running.restored()
        except (RestoreIncompleteError, TableFilledError):
            raise
        except ContactSyncError as error:
            raise RestoreStoppedError(sentence=error.sentence_for(Reader.COMMAND)) from error


@dataclass
class _Run:
    """One restore."""

    restore: Restore
    backup: Checked
    wanted: Wanted
    watch: Watch
    put: Counter[tuple[Table, Kind]] = field(default_factory=Counter)
    found: Counter[tuple[Table, Kind]] = field(default_factory=Counter)
    versions: dict[str, int] = field(default_factory=dict)

    @property
    def chosen(self) -> list[Table]:
        """The tables that are restored."""
        left = Table.CONFIGURATION if self.wanted.configuration is Side.TABLE else None
        return [table for table in Table if table in self.backup.manifest.counts and table is not left]

    def check_tables(self) -> None:
        """Refuse tables that are not empty, unless that is meant, or this backup's restore has begun already."""
        if self.wanted.into_existing:
            return
        other = self._begun()
        if other == self.backup.manifest.id:
            return
        for table in self.chosen:
            if other or self._is_filled(table):
                raise TableFilledError(table=self.restore.names[table], other=other)

    def _is_filled(self, table: Table) -> bool:
        items = self.tables.items(table, tuple(KEYS[table]))
        return any(kind_of(table, item) not in PASSING for item in items)

    def check_versions(self) -> None:
        """Refuse versions of the configuration that are others in the table, unless it is said which ones count."""
        if self.wanted.configuration:
            return
        for saved in saved_items(self.backup.source, self.backup.manifest, Table.CONFIGURATION):
            key = key_of(Table.CONFIGURATION, saved.item)
            stored = self.tables.get(Table.CONFIGURATION, key)
            if stored is not None and dict(stored) != dict(saved.item):
                raise VersionsDifferError(
                    table=self.restore.names[Table.CONFIGURATION],
                    config_key=key["config_key"]["S"],
                    version=whole(key["version"]) or 0,
                )

    def restored(self) -> Restored:
        """Put everything, and look at what is there afterwards."""
        self._begin()
        self._raise_counters(self.backup.generations)
        for table in self.chosen:
            for put, is_put in self.watch(f"{table}: restored", self.tables.put(table, self._puts(table))):
                self.put[table, kind_of(table, put.item)] += is_put
        self._look_again()
        result = self._result()
        self.tables.remove(Table.STATE, BEGUN)
        return result

    def _begin(self) -> None:
        """Store the sign, then the counters: a task that sees a record of the backup finds a counter that is as new."""
        since = self.restore.clock.now().isoformat()
        sign = {**BEGUN, "backup": {"S": self.backup.manifest.id}, "since": {"S": since}}
        rule = Rule.ALWAYS if self.wanted.into_existing else Rule.NEVER
        ((_, is_put),) = self.tables.put(Table.STATE, [Put(sign, 0, rule)])
        other = "" if is_put else self._begun()
        if other not in ("", self.backup.manifest.id):  # two at the same time
            raise TableFilledError(table=self.restore.names[Table.STATE], other=other)
        for put, is_put in self.tables.put(Table.STATE, (Put(item, 0) for item in self.backup.counters)):
            self.put[Table.STATE, kind_of(Table.STATE, put.item)] += is_put

    def _begun(self) -> str:
        """Return the id of the backup whose restore has begun, if there is one."""
        begun = self.tables.get(Table.STATE, BEGUN) or {}
        return str(begun.get("backup", {}).get("S", ""))

    def _puts(self, table: Table) -> Iterator[Put]:
        for saved in saved_items(self.backup.source, self.backup.manifest, table):
            if not is_counter(saved):
                yield Put(saved.item, saved.size, self._rule(saved))

    def _rule(self, saved: SavedItem) -> Rule:
        if saved.kind is Kind.VERSION and self.wanted.configuration is Side.BACKUP:
            return Rule.ALWAYS
        return RULES.get(saved.kind, Rule.NEVER)

    def _look_again(self) -> None:
        """Count what is in the tables, and raise the counters to what their items know, too."""
        known = self.backup.generations
        for table in Table:
            for item in self.watch(f"{table}: counted", self.tables.items(table, COUNTED[table])):
                kind = kind_of(table, item)
                self.found[table, kind] += 1
                known.see(kind, item)
                if table is Table.CONFIGURATION:
                    note_version(self.versions, item)
        self._raise_counters(known)
        self._check_counters(known)
        self._check_counts()

    def _raise_counters(self, known: Generations) -> None:
        for key, name, number in known.counters():
            self.tables.raise_to(key, name, number)

    def _check_counters(self, known: Generations) -> None:
        for key, name, number in known.counters():
            found = whole((self.tables.get(Table.STATE, key) or {}).get(name)) or 0
            if found < number:
                what = f"the counter {key['pk']['S']} ({name})"
                raise RestoreIncompleteError(self.restore.names[Table.STATE], what, found, number)

    def _check_counts(self) -> None:
        for (table, kind), saved in self.backup.counts.items():
            least = saved - self.backup.expired[table, kind]
            if table in self.chosen and kind not in TAKEN_AWAY and self.found[table, kind] < least:
                what = f"the number of items of the kind {kind!s}"
                raise RestoreIncompleteError(self.restore.names[table], what, self.found[table, kind], least)

    def _result(self) -> Restored:
        kinds = sorted(self.backup.counts, key=lambda one: (list(Table).index(one[0]), list(Kind).index(one[1])))
        return Restored(
            self.backup.manifest,
            tuple(
                RestoredKind(*one, saved=self.backup.counts[one], put=self.put[one], found=self.found[one])
                for one in kinds
            ),
            {name: (self.versions.get(name, 0), newest) for name, newest in self.backup.versions.items()},
            tuple(self._other_regions()),
        )

    def _other_regions(self) -> Iterator[str]:
        for name, version in self.versions.items():
            key = {"config_key": {"S": name}, "version": {"N": str(version)}}
            item = self.tables.get(Table.CONFIGURATION, key) or {}
            yield from places_in_other_regions(item, self.restore.here.region)

    @property
    def tables(self) -> StoredTables:
        """The tables."""
        return self.restore.tables

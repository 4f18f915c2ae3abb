"""Backups: every item is saved as it is, with counts and checksums, and an unfinished one is seen."""

import json
import tracemalloc
from collections.abc import Collection, Iterator

import pytest

from contactsync.backups.backup import Backup
from contactsync.backups.files import saved_items
from contactsync.backups.kinds import Item, Kind, Table
from contactsync.backups.manifest import NAME, from_text, sha256_of
from contactsync.errors import BackupMissingError, BackupPresentError, BackupStoppedError, ServiceUnreachableError
from tests.support.fakes.backups import FakePlace, FakeTables
from tests.support.fakes.surroundings import FakeClock
from tests.support.saved_items import everything, outcome
from tests.unit.backups.conftest import Deployments, identity


def test_every_item(deployments: Deployments) -> None:
    """Items of every kind, also of one that is not known, are in the backup as they are; passing ones are counted."""
    manifest = deployments.save()
    saved = [(table, one.item) for table in Table for one in saved_items(deployments.place, manifest, table)]
    assert saved == list(everything())
    assert manifest.counts[Table.STATE] == {
        "operation": 1,
        "outcome": 30,
        "record": 1,
        "generation": 2,
        "notice": 1,
        "outbox": 1,
        "set aside": 1,
        "other": 1,
    }
    assert manifest.left_out == {"limiter": 1, "breaker": 1, "look-up": 1, "housekeeping": 1}
    assert manifest.items == len(saved)


def test_manifest(deployments: Deployments) -> None:
    """The manifest has a checksum for each file, comes last, and is read as it was written."""
    manifest = deployments.save()
    assert len(manifest.files_of(Table.STATE)) > 1
    assert list(deployments.place.files)[-1] == NAME
    for file in manifest.files:
        assert sha256_of(deployments.place.files[file.name]) == file.sha256
    assert from_text(deployments.place.files[NAME]) == manifest


def test_without_contacts(deployments: Deployments) -> None:
    """Without the desired contacts their table is not read, and nothing of them is in any file."""
    manifest = deployments.save(with_contacts=False)
    assert not manifest.with_contacts
    assert Table.DESIRED_CONTACTS not in manifest.counts
    assert "Wanda" not in repr([one for t in Table for one in saved_items(deployments.place, manifest, t)])


def test_nothing_is_written_over(deployments: Deployments) -> None:
    """A complete backup stays."""
    deployments.save()
    before = dict(deployments.place.files)
    with pytest.raises(BackupPresentError):
        deployments.save()
    assert deployments.place.files == before


def test_broken_anywhere(deployments: Deployments) -> None:
    """Wherever a backup breaks, it has no manifest, restore refuses it, and the sentence names what is left."""
    deployments.save()
    writes, reads = deployments.place.breaks.calls, deployments.old.breaks.calls
    for number in range(1, writes + 1):
        deployments.place = FakePlace()
        deployments.place.breaks.at = number
        with pytest.raises((BackupStoppedError, ServiceUnreachableError)) as stopped:
            deployments.save()
        assert ("a place.partial" in str(stopped.value)) is (number > 1)
        with pytest.raises(BackupMissingError):
            deployments.restore()
    for number in range(1, reads + 1):
        deployments.place, deployments.old.breaks.calls = FakePlace(), 0
        deployments.old.breaks.at = number
        with pytest.raises((BackupStoppedError, ServiceUnreachableError)):
            deployments.save()
        assert NAME not in deployments.place.files
    deployments.old.breaks.at = None
    deployments.save()
    assert NAME in deployments.place.files


class ManyOutcomes(FakeTables):
    """A state table whose items are made while they are read."""

    def items(self, table: Table, names: Collection[str] | None = None) -> Iterator[Item]:
        """Yield ten thousand outcomes."""
        del names
        if table is Table.STATE:
            yield from (outcome(number, note={"S": str(number) * 50}) for number in range(10_000))


class Counting(FakePlace):
    """Keeps the sizes of files only."""

    size = 0

    def write(self, name: str, content: bytes) -> None:
        """Count."""
        del name
        self.size += len(content)


def test_memory() -> None:
    """Ten thousand outcomes are written without holding them."""
    place = Counting()
    step = Backup(ManyOutcomes(), identity(), "0.1.0", FakeClock(), full=50_000)
    step.into(Counting(), with_contacts=False)  # so that nothing is loaded while it counts
    tracemalloc.start()
    try:
        manifest = step.into(place, with_contacts=False)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert manifest.counts[Table.STATE] == {"outcome": 10_000}
    assert place.size > 100_000
    assert peak < 1_000_000


def test_format_of_aws(deployments: Deployments) -> None:
    """A line has the form of DynamoDB's own exports."""
    from gzip import decompress

    manifest = deployments.save()
    (file,) = manifest.files_of(Table.DESIRED_CONTACTS)
    line = json.loads(decompress(deployments.place.files[file.name]))
    assert line["Item"]["generation"] == {"N": "3"}


def test_kind() -> None:
    """A known partition with another sort key is not that kind."""
    from contactsync.backups.kinds import kind_of

    assert kind_of(Table.STATE, {"pk": {"S": "OPERATION#1"}, "sk": {"S": "LATER"}}) is Kind.OTHER
    assert kind_of(Table.STATE, {"pk": {"S": ""}, "sk": {"S": ""}}) is Kind.OTHER

"""A deployment in memory whose tables are saved, and an empty one into which they are restored."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from contactsync.backups.backup import Backup
from contactsync.backups.choices import Wanted
from contactsync.backups.kinds import Table
from contactsync.backups.manifest import Identity, Manifest
from contactsync.backups.restore import Restore, Restored
from tests.support.fakes.backups import FakePlace, FakeTables
from tests.support.fakes.surroundings import FakeClock
from tests.support.saved_items import everything, passing

NAMES = {table: f"contactsync-test-{table}" for table in Table}


def identity(**parts: Any) -> Identity:
    """Return what tells a deployment from another one."""
    known = {"environment": "test", "region": "eu-west-1", "management_account": "111122223333"}
    return Identity.model_validate({**known, **parts})


@dataclass
class Deployments:
    """Two deployments, and a place for a backup."""

    old: FakeTables = field(default_factory=FakeTables)
    new: FakeTables = field(default_factory=FakeTables)
    place: FakePlace = field(default_factory=FakePlace)
    clock: FakeClock = field(default_factory=FakeClock)
    of: Identity = field(default_factory=identity)
    here: Identity = field(default_factory=lambda: identity(region="eu-central-1"))

    def save(self, *, with_contacts: bool = True, full: int = 300) -> Manifest:
        """Save the old deployment, in many small files."""
        step = Backup(self.old, self.of, "0.1.0", self.clock, full)
        return step.into(self.place, with_contacts=with_contacts)

    def restore(self, **wanted: Any) -> Restored:
        """Restore into the new deployment."""
        step, choices = Restore(self.new, NAMES, self.here, self.clock), Wanted(**wanted)
        return step.run(step.check(self.place, choices), choices)


@pytest.fixture
def deployments() -> Deployments:
    """Give a deployment with items of every kind, and an empty one."""
    made = Deployments()
    for table, item in everything():
        made.old.add(table, item)
    made.old.add(Table.STATE, *passing())
    return made

"""Restores: they add and never make anything older, and after a break at any point they give the same."""

import tracemalloc
from collections.abc import Collection, Iterable, Iterator
from typing import Any

import pytest

from contactsync.backups.choices import Side
from contactsync.backups.kinds import Item, Table
from contactsync.backups.ports import Put
from contactsync.errors import (
    BackupForeignError,
    RestoreIncompleteError,
    RestoreStoppedError,
    ServiceUnreachableError,
    TableFilledError,
    VersionsDifferError,
)
from tests.support.fakes.backups import FakePlace, FakeTables
from tests.support.saved_items import (
    counter,
    desired,
    mark,
    number,
    operation,
    outcome,
    passing,
    record,
    text,
    version,
)
from tests.unit.backups.conftest import Deployments, identity

COUNTER = counter(0)


def generation(tables: FakeTables, name: str = "generation") -> int:
    """Return the security contact's counter."""
    item = tables.get(Table.STATE, {"pk": COUNTER["pk"], "sk": COUNTER["sk"]})
    assert item is not None
    return int(item[name]["N"])


def without_passing(tables: FakeTables) -> dict[Table, dict[str, Item]]:
    """Return what a restore has to bring back."""
    gone = FakeTables()
    gone.add(Table.STATE, *passing())
    return {
        table: {key: item for key, item in items.items() if key not in gone.stored[table]}
        for table, items in tables.stored.items()
        if items
    }


def test_round_trip(deployments: Deployments) -> None:
    """In an empty deployment everything is as it was, and the counts say so."""
    deployments.save()
    restored = deployments.restore()
    assert without_passing(deployments.new) == without_passing(deployments.old)
    assert all(one.saved == one.put == one.found for one in restored.kinds)
    assert restored.versions == {"default": (2, 2)}


def test_without_contacts(deployments: Deployments) -> None:
    """A backup without contacts leaves the table of desired contacts alone."""
    deployments.save(with_contacts=False)
    deployments.new.add(Table.DESIRED_CONTACTS, desired(9))
    deployments.restore()
    assert list(deployments.new.stored[Table.DESIRED_CONTACTS].values()) == [desired(9)]
    assert generation(deployments.new) == 9


def test_passing_items_do_not_fill_a_table(deployments: Deployments) -> None:
    """Limiters, breakers and look-ups of the new deployment do not count as items, and stay."""
    deployments.save()
    deployments.new.add(Table.STATE, *passing())
    deployments.restore()
    assert deployments.new.stored == deployments.old.stored


@pytest.mark.parametrize(
    ("table", "item"),
    [
        (Table.STATE, outcome(5)),
        (Table.AUDIT, {"pk": text("a"), "sk": text("b")}),
        (Table.CONFIGURATION, version(9)),
        (Table.DESIRED_CONTACTS, desired(1)),
    ],
)
def test_filled_table(deployments: Deployments, table: Table, item: Item) -> None:
    """A table that is not empty is refused by its name, and nothing is written."""
    deployments.save()
    deployments.new.add(table, item)
    with pytest.raises(TableFilledError, match=f"contactsync-test-{table} is not empty"):
        deployments.restore()
    assert sum(map(len, deployments.new.stored.values())) == 1


def test_broken_anywhere(deployments: Deployments) -> None:
    """After a break at any call the same command goes on, and the result is the same as without one."""
    deployments.save()
    deployments.place.breaks.calls = 0
    deployments.restore()
    calls, reads, whole = deployments.new.breaks.calls, deployments.place.breaks.calls, deployments.new.stored
    assert calls > 60
    for number_of_call in range(1, calls + 1):
        deployments.new = FakeTables()
        deployments.new.breaks.at = number_of_call
        with pytest.raises((RestoreStoppedError, ServiceUnreachableError)):
            deployments.restore()
        deployments.restore()
        assert deployments.new.stored == whole
    for number_of_read in range(1, reads + 1):
        deployments.new, deployments.place.breaks.calls = FakeTables(), 0
        deployments.place.breaks.at = number_of_read
        with pytest.raises((RestoreStoppedError, ServiceUnreachableError)):
            deployments.restore()
        deployments.place.breaks.at = None
        deployments.restore()
        assert deployments.new.stored == whole


def test_broken_many_times(deployments: Deployments) -> None:
    """A restore that breaks again and again comes to its end, because it never loses what it has put."""
    deployments.save()
    deployments.restore()
    whole, deployments.new = deployments.new.stored, FakeTables()
    for more in range(1, 200, 7):
        deployments.new.breaks.calls, deployments.new.breaks.at = 0, more
        try:
            deployments.restore()
        except (RestoreStoppedError, ServiceUnreachableError):
            continue
        break
    assert deployments.new.stored == whole


def test_begun_by_another_backup(deployments: Deployments) -> None:
    """A restore that has begun with another backup is named; into existing tables both end."""
    deployments.save()
    first, deployments.new.breaks.at = deployments.place, 30
    with pytest.raises(RestoreStoppedError, match="The same command goes on"):
        deployments.restore()
    deployments.place = FakePlace()
    deployments.save()
    with pytest.raises(TableFilledError, match="has begun and was not finished"):
        deployments.restore()
    deployments.restore(into_existing=True)
    deployments.place = first
    deployments.restore(into_existing=True)
    assert without_passing(deployments.new) == without_passing(deployments.old)


class Overtaken(FakeTables):
    """Another restore begins at the last moment."""

    def put(self, table: Table, puts: Iterable[Put]) -> Iterator[tuple[Put, bool]]:
        """Let the other one be first."""
        self.add(Table.STATE, {"pk": text("RESTORE"), "sk": text("RESTORE"), "backup": text("another")})
        return super().put(table, puts)


def test_two_at_once(deployments: Deployments) -> None:
    """Of two restores that begin at the same time, the second one stops."""
    deployments.save()
    deployments.new = Overtaken()
    with pytest.raises(TableFilledError, match="A restore of the backup another has begun"):
        deployments.restore()
    assert len(deployments.new.stored[Table.STATE]) == 1


def test_newer_items_stay(deployments: Deployments) -> None:
    """Into existing tables nothing becomes older: records, desired contacts, counters, outcomes, versions."""
    deployments.save()
    newer = [
        (Table.STATE, record(generation=8, version=9)),
        (Table.STATE, counter(8, deletion=number(8))),
        (Table.STATE, outcome(1, generation=8)),
        (Table.DESIRED_CONTACTS, desired(8)),
        (Table.CONFIGURATION, version(3)),
    ]
    for table, item in newer:
        deployments.new.add(table, item)
    restored = deployments.restore(into_existing=True)
    for table, item in newer:
        assert item in deployments.new.stored[table].values()
    assert restored.versions == {"default": (3, 2)}


@pytest.mark.parametrize(
    ("stored", "is_replaced"),
    [
        (record(generation=2, version=1), True),
        (record(generation=3, version=3), True),
        (record(generation=3, version=4), False),
        (record(generation=2, version=9), False),
        (record(generation=4, version=1), False),
        (record(generation=2, version=1, mark=mark(2)), False),
        ({name: value for name, value in record(version=1).items() if name != "generation"}, True),
    ],
)
def test_records(deployments: Deployments, stored: Item, is_replaced: bool) -> None:  # noqa: FBT001 -- a column of the table
    """A record gives way to one with a greater version and no smaller generation, unless a write may be under way."""
    saved = record(generation=3, version=4, writer=text("op-1"))
    deployments.old.add(Table.STATE, saved)
    deployments.save()
    deployments.new.add(Table.STATE, stored)
    deployments.restore(into_existing=True)
    assert (saved in deployments.new.stored[Table.STATE].values()) is is_replaced
    assert (stored in deployments.new.stored[Table.STATE].values()) is not is_replaced


@pytest.mark.parametrize(
    "item",
    [
        record(generation=12),
        record(mark=mark(12)),
        outcome(1, generation=12),
        operation(generation=12),
        counter(2, deletion=number(12)),
    ],
)
@pytest.mark.parametrize("side", ["old", "new"])
def test_counter_is_never_behind(deployments: Deployments, item: Item, side: str) -> None:
    """The counter is at least what any item of the backup or of the tables knows."""
    tables: FakeTables = getattr(deployments, side)
    tables.add(Table.STATE, item)
    deployments.save()
    deployments.restore(into_existing=True)
    assert generation(deployments.new) == 12


def test_desired_contact_raises_the_counter(deployments: Deployments) -> None:
    """So it is with a desired contact, also with one that is in the table only."""
    deployments.old.add(Table.DESIRED_CONTACTS, desired(20))
    deployments.save()
    deployments.restore()
    assert generation(deployments.new) == 20


def test_counter_before_records(deployments: Deployments) -> None:
    """A restore that breaks has raised the counter before the first record is there."""
    deployments.save()
    deployments.new.breaks.at = 15
    with pytest.raises(RestoreStoppedError):
        deployments.restore()
    assert generation(deployments.new) == 3


@pytest.mark.parametrize(
    "value", [number("1E40"), number("2.5"), number("-3"), number("NaN"), text("9"), {"NULL": True}]
)
def test_impossible_generations(deployments: Deployments, value: Any) -> None:
    """A number that no counter can have, and what is no number, raises no counter."""
    deployments.old.add(Table.STATE, {**record(2), "generation": value})
    deployments.save()
    deployments.restore()
    assert generation(deployments.new) == 3


def test_version_differs(deployments: Deployments) -> None:
    """A version that is another one in the table stops the restore before it writes, until a side is named."""
    deployments.save()
    other = version(1, reason=text("the first version: the defaults"))
    deployments.new.add(Table.CONFIGURATION, other)
    with pytest.raises(VersionsDifferError, match="Version 1 of the configuration 'default'"):
        deployments.restore(into_existing=True)
    assert not deployments.new.stored[Table.STATE]
    restored = deployments.restore(into_existing=True, configuration=Side.TABLE)
    assert list(deployments.new.stored[Table.CONFIGURATION].values()) == [other]
    assert restored.versions == {"default": (1, 2)}
    restored = deployments.restore(into_existing=True, configuration=Side.BACKUP)
    assert deployments.new.stored[Table.CONFIGURATION] == deployments.old.stored[Table.CONFIGURATION]
    assert restored.versions == {"default": (2, 2)}


def test_places_in_other_regions(deployments: Deployments) -> None:
    """A topic of the old region in the configuration in force is named, and left as it is."""
    topic = text("arn:aws:sns:eu-west-1:111122223333:fallback")
    settings = {"M": {"fallback_sns_topic": topic, "owner": text("arn:aws:iam::111122223333:user/w")}}
    deployments.old.add(Table.CONFIGURATION, version(2, notification_settings=settings))
    deployments.save()
    assert deployments.restore().other_regions == ("notification_settings.fallback_sns_topic",)


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        ({"environment": "staging"}, "add --from-environment test"),
        ({"management_account": "999988887777"}, "cannot be restored here"),
    ],
)
def test_foreign(deployments: Deployments, other: dict[str, str], sentence: str) -> None:
    """A backup of another environment or organization is refused."""
    deployments.save()
    deployments.here = identity(**other)
    with pytest.raises(BackupForeignError, match=sentence):
        deployments.restore()
    assert not any(deployments.new.stored.values())


def test_other_environment_on_purpose(deployments: Deployments) -> None:
    """Another environment can be meant, and has to be the one that is named."""
    deployments.save()
    deployments.here = identity(environment="staging")
    with pytest.raises(BackupForeignError):
        deployments.restore(environment="prod")
    assert deployments.restore(environment="test").kinds


class Forgetful(FakeTables):
    """Says that it has put items, and loses some of them."""

    def put(self, table: Table, puts: Iterable[Put]) -> Iterator[tuple[Put, bool]]:
        """Lose every tenth item."""
        for place, done in enumerate(super().put(table, puts)):
            if place % 10 == 9:
                self.remove(table, done[0].item)
            yield done


def test_counts_are_verified(deployments: Deployments) -> None:
    """Items that are not there afterwards are an error with the numbers, and the restore stays unfinished."""
    deployments.save()
    deployments.new = Forgetful()
    with pytest.raises(RestoreIncompleteError, match=r"of the kind outcome is 2\d instead of at least 30"):
        deployments.restore()
    assert "RESTORE" in repr(deployments.new.stored[Table.STATE])


def test_expired_items_may_be_gone(deployments: Deployments) -> None:
    """DynamoDB may remove expired items at once; they are put back with their times all the same."""
    for place in range(30):
        deployments.old.add(Table.STATE, outcome(place, expires_at=number(1_600_000_000)))
    deployments.save()
    deployments.new = Forgetful()
    restored = deployments.restore()
    (outcomes,) = (one for one in restored.kinds if one.kind == "outcome")
    assert outcomes.found < outcomes.saved == outcomes.put == 30


class Endless(FakeTables):
    """Takes items and forgets them, as long as nobody looks."""

    def put(self, table: Table, puts: Iterable[Put]) -> Iterator[tuple[Put, bool]]:
        """Count."""
        self.taken = getattr(self, "taken", 0)
        for put in puts:
            self.taken += table is Table.STATE
            yield put, True

    def items(self, table: Table, names: Collection[str] | None = None) -> Iterator[Item]:
        """Yield as many as were put."""
        del names
        if table is Table.STATE:
            yield from (outcome(place) for place in range(getattr(self, "taken", 1) - 1))


def test_memory(deployments: Deployments) -> None:
    """Ten thousand outcomes are restored without holding them."""
    deployments.old = FakeTables()
    for place in range(10_000):
        deployments.old.add(Table.STATE, outcome(place))
    deployments.save(full=20_000)
    deployments.new = Endless()
    tracemalloc.start()
    try:
        restored = deployments.restore(into_existing=True)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert restored.kinds[0].put == 10_000
    assert peak < 1_000_000

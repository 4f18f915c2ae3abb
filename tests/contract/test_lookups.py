"""The port Lookups: the fake and the DynamoDB adapter behave alike."""

import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from contactsync.accounts import FoundPlaces
from contactsync.aws.dynamodb.items import from_item, to_item, to_text
from contactsync.scope.ports import Lookups
from tests.support.builders import account
from tests.support.fakes.state import FakeLookups
from tests.support.fakes.surroundings import START

if TYPE_CHECKING:
    from tests.contract.conftest import Adapters

ONE, TWO = account(1).account_id, account(2).account_id


@pytest.fixture(params=["fake", "sandbox"])
def port(request: pytest.FixtureRequest) -> Lookups:
    """Give the fake, then the adapter."""
    if request.param == "fake":
        return FakeLookups()
    adapters: Adapters = request.getfixturevalue("adapters")
    return adapters.services.lookups


def test_tags(port: Lookups) -> None:
    """What was kept since a time comes back, from all portions of this plan and of no other."""
    sync_id, other = str(uuid.uuid4()), str(uuid.uuid4())
    assert port.tags(sync_id, START) == {}
    port.keep_tags(sync_id, {ONE: {"contacts": "own", "empty": ""}}, START)
    port.keep_tags(sync_id, {TWO: {}}, START + timedelta(minutes=1))
    assert port.tags(sync_id, START) == {ONE: {"contacts": "own", "empty": ""}, TWO: {}}
    assert port.tags(sync_id, START + timedelta(seconds=1)) == {TWO: {}}
    assert port.tags(other, START) == {}
    assert port.tags(sync_id, START, START) == {ONE: {"contacts": "own", "empty": ""}}
    assert port.tags(sync_id, START, START + timedelta(minutes=1)) == port.tags(sync_id, START)


def test_units(port: Lookups) -> None:
    """Units that were found are known for their version, and a check of fewer than are asked for does not count."""
    version = uuid.uuid4().int % 10**9
    assert port.units_found(version, ["Workloads"]) is None
    port.store_units_found(version, ["Sandbox", "Workloads"], START)
    assert port.units_found(version, ["Workloads"]) == START
    assert port.units_found(version, ["Workloads", "Security"]) is None
    assert port.units_found(version + 1, ["Workloads"]) is None
    port.store_units_found(version, ["Security", "Workloads"], START + timedelta(minutes=1))
    assert port.units_found(version, ["Security"]) == START + timedelta(minutes=1)


@pytest.mark.parametrize("broken", [{}, {"tags": 7}, {"tags": {ONE: "own"}}, {"tags": None}])
def test_unreadable_tags(adapters: "Adapters", broken: dict[str, object]) -> None:
    """Kept tags that cannot be read are asked for again, and hide no others."""
    sync_id, lookups = str(uuid.uuid4()), adapters.services.lookups
    lookups.keep_tags(sync_id, {TWO: {"contacts": "own"}}, START)
    client, table = adapters.services._dynamodb, adapters.services.settings.state.table
    key = {"pk": f"LOOKUP#{sync_id}", "sk": f"TAGS#{to_text(START)}#{ONE}"}
    client.put_item(TableName=table, Item=to_item({**key, **broken}))
    assert lookups.tags(sync_id, START) == {TWO: {"contacts": "own"}}


@pytest.mark.parametrize(
    "broken", [{}, {"units": ["Old"], "found_at": "then"}, {"units": 7, "found_at": to_text(START)}]
)
def test_unreadable_units(adapters: "Adapters", broken: dict[str, object]) -> None:
    """Nor does a check of units that cannot be read count."""
    version, lookups = uuid.uuid4().int % 10**9, adapters.services.lookups
    client, table = adapters.services._dynamodb, adapters.services.settings.state.table
    client.put_item(TableName=table, Item=to_item({"pk": "LOOKUP#UNITS", "sk": f"{version:012}", **broken}))
    assert lookups.units_found(version, ["Old"]) is None


def found_places(**parts: Any) -> FoundPlaces:
    """Return what a walk found: one account in a unit, one in none of those that were looked for."""
    values: dict[str, Any] = {
        "found_at": START,
        "units": frozenset({"Workloads", "ou-fake-12345678", "Nobody's"}),
        "missing": frozenset({"Sandbux"}),
        "places": {ONE: frozenset({"Workloads", "ou-fake-12345678"}), TWO: frozenset()},
    }
    return FoundPlaces(**{**values, **parts})


def test_places(port: Lookups) -> None:
    """What a walk found comes back for each account, for its version only, and a later walk replaces it."""
    version = uuid.uuid4().int % 10**9
    assert port.places(version, ONE) is None
    found = found_places()
    port.store_places(version, found)
    for account_id in (ONE, TWO):
        read = port.places(version, account_id)
        assert read == replace(found, places={account_id: found.places[account_id]})
    empty = port.places(version, "111122223330")
    assert empty == replace(found, places={})
    assert port.places(version + 1, ONE) is None
    port.store_places(version, found_places(found_at=START + timedelta(minutes=1), places={}))
    assert port.places(version, ONE) == found_places(found_at=START + timedelta(minutes=1), places={})


def test_walk_is_held_by_one(port: Lookups) -> None:
    """One process holds the walk for a version and renews it; another takes it when its time is over."""
    version, minute = uuid.uuid4().int % 10**9, timedelta(minutes=1)
    assert port.hold_walk(version, "one", START, START + minute)
    assert not port.hold_walk(version, "two", START, START + minute)
    assert port.hold_walk(version + 1, "two", START, START + minute)
    assert port.hold_walk(version, "one", START + minute / 2, START + 1.5 * minute)
    assert not port.hold_walk(version, "two", START + minute, START + 2 * minute)
    assert port.hold_walk(version, "two", START + 1.5 * minute, START + 2.5 * minute)
    assert not port.hold_walk(version, "one", START + 2 * minute, START + 3 * minute)


def test_walk_held_by_a_wrong_clock(port: Lookups) -> None:
    """A time far ahead keeps nobody from walking; that of a clock which is a little ahead is heeded."""
    version, minute = uuid.uuid4().int % 10**9, timedelta(minutes=1)
    assert port.hold_walk(version, "one", START + minute / 2, START + 1.5 * minute)
    assert not port.hold_walk(version, "two", START, START + minute)
    assert port.hold_walk(version, "one", START + timedelta(days=9), START + timedelta(days=10))
    assert port.hold_walk(version, "two", START, START + minute)


def test_large_organizations(adapters: "Adapters") -> None:
    """What is kept of 50,000 accounts in many units stays far below the 400 KB that an item may have."""
    version, lookups = uuid.uuid4().int % 10**9, adapters.services.lookups
    names = [f"Workloads/Business unit {number}/Production" for number in range(500)]
    places = {f"{number:012}": frozenset(names[number % 500 :][:3]) for number in range(50_000)}
    lookups.store_places(version, found_places(units=frozenset(names), places=places))
    read = lookups.places(version, "000000012345")
    assert read is not None
    assert len(read.places) == 5_000
    assert read.places["000000012345"] == frozenset(names[345:348])
    client, table = adapters.services._dynamodb, adapters.services.settings.state.table
    key = to_item({"pk": f"LOOKUP#PLACES#{version:012}", "sk": "5"})
    item = from_item(client.get_item(TableName=table, Key=key)["Item"])
    assert len(json.dumps(item)) < 200_000
    assert datetime.fromtimestamp(item["expires_at"], UTC) == START + timedelta(days=1)


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"missing": "Sandbux"},
        {"missing": [7]},
        {"units": 7},
        {"found_at": "then"},
        {"places": None},
        {"places": [{"units": [9], "accounts": [ONE]}]},
        {"places": [{"units": [-1], "accounts": [ONE]}]},
        {"places": [{"units": ["0"], "accounts": [ONE]}]},
        {"places": [{"units": [[]], "accounts": [ONE]}]},
        {"places": [{"units": [0], "accounts": ONE}]},
        {"places": {ONE: [0]}},
    ],
)
def test_unreadable_places(adapters: "Adapters", broken: dict[str, Any]) -> None:
    """What was found and cannot be read is looked for again."""
    version, lookups = uuid.uuid4().int % 10**9, adapters.services.lookups
    client, table = adapters.services._dynamodb, adapters.services.settings.state.table
    key = {"pk": f"LOOKUP#PLACES#{version:012}", "sk": ONE[-1]}
    sound = {"found_at": START, "units": ["Old"], "missing": [], "places": [{"units": [0], "accounts": [ONE]}]}
    client.put_item(TableName=table, Item=to_item({**key, **sound}))
    assert lookups.places(version, ONE) is not None
    client.put_item(TableName=table, Item=to_item({**key, **sound, **broken} if broken else key))
    assert lookups.places(version, ONE) is None
    lookups.store_places(version, found_places())
    assert lookups.places(version, ONE) is not None


@pytest.mark.parametrize("broken", [{}, {"held_until": 7}, {"held_until": None, "walker": []}, {"held_until": "then"}])
def test_unreadable_lease(adapters: "Adapters", broken: dict[str, Any]) -> None:
    """What stands in a lease's place and is none keeps nobody from walking."""
    version, lookups = uuid.uuid4().int % 10**9, adapters.services.lookups
    client, table = adapters.services._dynamodb, adapters.services.settings.state.table
    client.put_item(TableName=table, Item=to_item({"pk": f"LOOKUP#PLACES#{version:012}", "sk": "WALK", **broken}))
    assert lookups.hold_walk(version, "one", START, START + timedelta(minutes=1))
    assert not lookups.hold_walk(version, "two", START, START + timedelta(minutes=1))


def test_types_keep_units_of_their_own(port: Lookups) -> None:
    """Contact types whose rules name different units do not displace each other's checks."""
    version = uuid.uuid4().int % 10**9
    port.store_units_found(version, ["Security"], START)
    port.store_units_found(version, ["Workloads"], START + timedelta(minutes=1))
    assert port.units_found(version, ["Security"]) == START
    assert port.units_found(version, ["Workloads"]) == START + timedelta(minutes=1)
    port.store_units_found(version, ["Security"], START + timedelta(minutes=2))
    assert port.units_found(version, ["Security"]) == START + timedelta(minutes=2)

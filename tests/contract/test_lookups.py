"""The port Lookups: the fake and the DynamoDB adapter behave alike."""

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from contactsync.aws.items import to_item, to_text
from contactsync.sync.ports import Lookups
from tests.builders import account
from tests.fake_state import FakeLookups
from tests.fakes import START

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

"""The port Lookups: the fake and the DynamoDB adapter behave alike."""

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

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

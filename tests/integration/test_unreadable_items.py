"""An item that this version cannot read stops nothing but what it is about: it is named, and the others go on."""

import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from contactsync.account_management.api_operations import ApiOperation
from contactsync.bus.events import NoticeRequested, Severity
from contactsync.cli.local.local_system import product_environment
from contactsync.configuration.schema import Configuration
from contactsync.contacts import ContactType
from contactsync.errors import ConfigurationConflictError, HousekeepingError, ItemUnreadableError
from contactsync.operations.account_record import AccountRecord
from contactsync.operations.desired import DesiredContact
from contactsync.operations.operation import AccountOutcome, OperationStatus
from contactsync.pacing.breaker import BreakerConfig, BreakerState, CallCounts, Phase
from contactsync.sandbox.scenario.scenario import Scenario
from contactsync.sandbox.server import Sandbox
from contactsync.services.services import Services
from tests.support.builders import account, contact_of, operation
from tests.support.fakes.surroundings import START

ROOT = Path(__file__).parents[2]
SECURITY = ContactType.SECURITY
PUT = ApiOperation.PUT_ALTERNATE_CONTACT
ONE, TWO = account(1).account_id, account(2).account_id
CODE = "InternalServerException"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Run a sandbox of one member."""
    with Sandbox(Scenario.model_validate({"organization": {"accounts": 1}}), templates=ROOT / "infra") as running:
        yield running


@pytest.fixture
def services(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Services:
    """Give the services of the deployment, with a configuration."""
    for name, value in product_environment(sandbox).items():
        monkeypatch.setenv(name, value)
    made = Services.from_environment()
    with suppress(ConfigurationConflictError):
        made.configurations.store(Configuration(), after_version=0, changed_by="a test")
    return made


def spoil(services: Services, pk: str, sk: str, name: str, value: dict[str, Any]) -> None:
    """Change an item of the state table as no version of contactsync would have written it."""
    services._dynamodb.update_item(
        TableName=services.settings.state.table,
        Key={"pk": {"S": pk}, "sk": {"S": sk}},
        UpdateExpression="SET #name = :value",
        ExpressionAttributeNames={"#name": name},
        ExpressionAttributeValues={":value": value},
    )


def two_operations(services: Services) -> tuple[str, str]:
    """Store two operations of a run each, and return their ids."""
    version = services.configurations.latest_version()
    ids = []
    for number in range(2):
        one = operation(SECURITY, run=str(uuid.uuid4()), config_version=version)
        services.operations.store_plan(one, [DesiredContact(SECURITY, number + 1, one.sync_id, contact_of(SECURITY))])
        services.operations.store_outcomes(one, [AccountOutcome(ONE, "a name", SECURITY)])
        ids.append(one.sync_id)
    return ids[0], ids[1]


BAD_PLANS = {
    "verdict": {
        "M": {"security": {"M": {"absent": {"BOOL": True}, "decision": {"M": {"verdict": {"S": "escalated"}}}}}}
    },
    "halt": {"M": {"security": {"M": {"absent": {"S": "escalated"}}}}},
    "no map": {"S": "security"},
    "nothing in it": {"M": {"security": {"M": {}}}},
}


@pytest.mark.parametrize("plans", BAD_PLANS.values(), ids=BAD_PLANS)
def test_housekeeping(services: Services, plans: dict[str, Any]) -> None:
    """The operation of a later version is named, the other one is closed, and overdue ones are still found."""
    bad, good = two_operations(services)
    spoil(services, f"OPERATION#{bad}", "OPERATION", "plans", plans)
    with pytest.raises(HousekeepingError, match=f"OPERATION#{bad}"):
        services.steps.housekeeper.close_abandoned(lambda _: None)
    closed = services.operations.get(good)
    assert closed
    assert closed.status is OperationStatus.FAILED
    assert services.steps.housekeeper.overdue(lambda _: None) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("phase", {"S": "ajar"}), ("version", {"S": "x"}), ("episode", {"M": {}}), ("transitions", {"N": "1"})],
)
def test_breaker(services: Services, name: str, value: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    """A breaker that cannot be read is named once, counts as closed, is replaced, and opens as ever."""
    breakers = services.breakers
    breakers.change(PUT, lambda state: state.tripped(START, CODE, 0))
    spoil(services, breakers._partition, PUT, name, value)
    assert breakers.transitions(START) == []
    caplog.clear()
    assert breakers.get(PUT).phase is Phase.CLOSED
    assert caplog.text.count(f"{breakers._partition}") == 1
    caplog.clear()
    assert breakers.get(PUT) == BreakerState(PUT, version=1)
    assert not caplog.records
    assert breakers.change(PUT, lambda state: state.tripped(START, CODE, 0)).phase is Phase.OPEN


def test_breaker_without_version(services: Services) -> None:
    """A breaker of its key alone is replaced too."""
    services._dynamodb.put_item(
        TableName=services.settings.state.table, Item={"pk": {"S": services.breakers._partition}, "sk": {"S": PUT}}
    )
    assert services.breakers.get(PUT) == services.breakers.get(PUT) == BreakerState(PUT, version=1)


def test_records(services: Services) -> None:
    """The account of a record that cannot be read fails with a sentence, and the other records are read."""
    for account_id in (ONE, TWO):
        services.records.replace(AccountRecord(account_id, SECURITY), generation=1)
    spoil(services, f"RECORD#{ONE}", SECURITY, "verified_at", {"S": "yesterday"})
    with pytest.raises(ItemUnreadableError, match=f"RECORD#{ONE}"):
        services.records.get(ONE, SECURITY)
    found = services.records.many([(ONE, SECURITY), (TWO, SECURITY)])
    assert [record.account_id for record in found] == [TWO]


def test_desired(services: Services) -> None:
    """A desired contact of another form is named without a value of it."""
    two_operations(services)
    services._dynamodb.update_item(
        TableName=services.settings.desired.table,
        Key={"contact_type": {"S": "security"}},
        UpdateExpression="SET contact = :value",
        ExpressionAttributeValues={":value": {"S": "wanda@example.com"}},
    )
    with pytest.raises(ItemUnreadableError, match="security") as caught:
        services.desired_contacts.latest(SECURITY)
    assert "wanda" not in str(caught.value)


def test_counter(services: Services) -> None:
    """A generation that is no number is one of our errors."""
    spoil(services, "GENERATION#security", "GENERATION", "generation", {"S": "many"})
    with pytest.raises(ItemUnreadableError, match="GENERATION#security"):
        services.operations.generation(SECURITY)


def test_unplanned(services: Services) -> None:
    """A time that cannot be read is stored again."""
    services.operations.unplanned_since(START)
    spoil(services, "HOUSEKEEPING", "UNPLANNED", "since", {"S": "yesterday"})
    assert services.operations.unplanned_since(START) == START
    assert isinstance(services.operations.unplanned_since(START), datetime)


def test_outcome(services: Services) -> None:
    """An outcome of a later version keeps its own account from being settled, with a sentence."""
    sync_id, _ = two_operations(services)
    spoil(services, f"OUTCOMES#{sync_id}#{ONE[-1]}", f"{ONE}#security", "detail", {"S": "escalated"})
    with pytest.raises(ItemUnreadableError, match=f"{ONE}#security"):
        services.operations.outcomes_of(sync_id, ONE)
    assert list(services.operations.outcomes(sync_id)) == []


def test_notice(services: Services) -> None:
    """A notice whose priority is none may have told nobody, and can be requested again; one that has some is not."""
    requests, sync_id = services.notice_store, str(uuid.uuid4())
    wanted = NoticeRequested(notice_id="n-1", scenario="halted", priority=Severity.HIGH)
    assert requests.store(sync_id, wanted, [])
    assert not requests.store(sync_id, wanted, [])
    for value in ({"L": []}, {"S": "catastrophic"}, {"NULL": True}):
        spoil(services, f"NOTICES#{sync_id}", "halted", "priority", value)
        assert requests.store(sync_id, wanted, [])


def test_counters(services: Services, caplog: pytest.LogCaptureFixture) -> None:
    """Counters that are no numbers begin again, so that the breaker opens in time, and are named."""
    breakers, bucket = services.breakers, BreakerConfig().bucket_at(START, 7)
    breakers.count(PUT, bucket, CallCounts(1, 1))
    spoil(services, f"{breakers._partition}#{PUT}", f"7#{bucket.number:015}", "failures", {"S": "many"})
    breakers.count(PUT, bucket, CallCounts(3, 0))
    assert breakers.call_counts(PUT, bucket) == [CallCounts(3, 0)]
    assert caplog.text.count(f"7#{bucket.number:015}") == 1


def test_desired_that_lost_its_contact(services: Services) -> None:
    """A desired contact without its contact is no deletion, unless it says so or is older than that."""
    two_operations(services)
    table = services.settings.desired.table
    key = {"contact_type": {"S": "security"}}
    services._dynamodb.update_item(TableName=table, Key=key, UpdateExpression="REMOVE contact")
    with pytest.raises(ItemUnreadableError, match="security"):
        services.desired_contacts.latest(SECURITY)
    services._dynamodb.update_item(TableName=table, Key=key, UpdateExpression="REMOVE deletion")
    older = services.desired_contacts.latest(SECURITY)
    assert older
    assert older.contact is None

"""The port Configurations: the fake and the DynamoDB adapter behave alike."""

import uuid
from typing import Any

import pytest

from contactsync.aws.tables.config_table import NOT_SETTINGS, DynamoDbConfigurations
from contactsync.configuration.schema import Configuration
from contactsync.errors import (
    ConfigurationConflictError,
    ConfigurationInvalidError,
    ConfigurationMissingError,
    ResourceMissingError,
    ServiceUnavailableError,
)
from contactsync.sandbox.requests.faults import FaultSettings
from tests.contract.conftest import Adapters
from tests.support.builders import configuration
from tests.support.fakes.surroundings import FakeConfigurations

FULL = configuration(
    contact_types=["security", "primary"],
    excluded_accounts=["200000000001"],
    retry_config={"max_attempts": 5, "base_delay": 0.5, "max_delay": 12.25},
    notification_settings={"failure_threshold": 3, "fallback_sns_topic": "arn:aws:sns:us-east-1:111122223333:t"},
    deletion={"policy": "propagate"},
)


def adapter(adapters: Adapters) -> DynamoDbConfigurations:
    """Return the adapter with a key that no other test has."""
    made = adapters.services.configurations
    return DynamoDbConfigurations(
        made._client, made._table, str(uuid.uuid4()), outbox_table=made._outbox_table, clock=made._clock
    )


def stored(port: Any, *versions: Configuration) -> Any:
    """Store versions through whichever way the implementation has."""
    for number, settings in enumerate(versions):
        if isinstance(port, FakeConfigurations):
            port.store(settings)
        else:
            port.store(settings, after_version=number, changed_by="tests")
    return port


@pytest.fixture(params=["fake", "sandbox"])
def port(request: pytest.FixtureRequest) -> Any:
    """Give the fake, then the adapter, with nothing stored."""
    if request.param == "fake":
        return FakeConfigurations(versions=[])
    return adapter(request.getfixturevalue("adapters"))


def test_nothing(port: Any) -> None:
    """Before anything is stored there is no version to be had."""
    with pytest.raises(ConfigurationMissingError):
        port.latest()
    with pytest.raises(ConfigurationMissingError):
        port.version(1)


def test_latest(port: Any) -> None:
    """The latest version is in force, also from the tenth on, and all values come back."""
    stored(port, *[Configuration()] * 10, FULL)
    assert (port.latest().version, port.latest().configuration) == (11, FULL)


def test_versions(port: Any) -> None:
    """Earlier versions stay as they were."""
    stored(port, FULL, Configuration())
    assert port.version(1).configuration == FULL
    assert port.version(2).configuration == Configuration()
    with pytest.raises(ConfigurationMissingError, match="3"):
        port.version(3)


def test_conflict(adapters: Adapters) -> None:
    """Of two who change the same version the second is refused, and the first's change stays."""
    port = stored(adapter(adapters), Configuration(), FULL)
    with pytest.raises(ConfigurationConflictError):
        port.store(Configuration(), after_version=1, changed_by="tests")
    assert port.latest().configuration == FULL


def test_invalid(adapters: Adapters) -> None:
    """A stored configuration that is invalid, say by somebody's hand, is refused with its version."""
    port = stored(adapter(adapters), Configuration())
    port._client.put_item(
        TableName=port._table,
        Item={"config_key": {"S": port.config_key}, "version": {"N": "2"}, "contact_types": {"L": []}},
    )
    with pytest.raises(ConfigurationInvalidError, match="version 2"):
        port.latest()
    assert port.latest_version() == 2
    assert port.version(1).configuration == Configuration()


def test_keys_are_apart(adapters: Adapters) -> None:
    """Two keys in one table are two configurations."""
    one, other = stored(adapter(adapters), FULL), adapter(adapters)
    assert one.latest().configuration == FULL
    with pytest.raises(ConfigurationMissingError):
        other.latest()


def test_history(adapters: Adapters) -> None:
    """The history has every version newest first, with when it was stored, by whom and why."""
    port = stored(adapter(adapters), Configuration())
    port.store(FULL, after_version=1, changed_by="arn:aws:iam::111122223333:user/wanda", reason="ticket 7")
    newest, first = port.history()
    assert (newest.number, newest.configuration, newest.changed_by, newest.reason) == (
        2,
        FULL,
        "arn:aws:iam::111122223333:user/wanda",
        "ticket 7",
    )
    assert (first.number, first.configuration, first.changed_by, first.reason) == (1, Configuration(), "tests", None)
    assert first.changed_at <= newest.changed_at
    assert list(port.history(limit=1)) == [newest] == [port.newest()] == [port.stored(2)]


def test_history_pages(adapters: Adapters, monkeypatch: pytest.MonkeyPatch) -> None:
    """The history goes on over pages, and reads no more of them than it needs."""
    port = stored(adapter(adapters), *[Configuration()] * 7)
    monkeypatch.setattr("contactsync.aws.dynamodb.items.LARGEST_PAGE", 2)
    calls = len(adapters.sandbox.call_log.query(operation="Query"))
    assert [version.number for version in port.history(limit=5)] == [7, 6, 5, 4, 3]
    assert len(adapters.sandbox.call_log.query(operation="Query")) == calls + 3


def test_older_release(adapters: Adapters) -> None:
    """A version that an older release stored, with fewer keys and no reason, loads with today's defaults."""
    port = adapter(adapters)
    item = {
        "config_key": {"S": port.config_key},
        "version": {"N": "1"},
        "contact_types": {"L": [{"S": "security"}]},
        "retry_config": {"M": {"max_attempts": {"N": "5"}}},
        "changed_at": {"S": "2026-01-14T08:40:12.000000Z"},
        "changed_by": {"S": "wanda"},
        "token": {"S": "00"},
    }
    port._client.put_item(TableName=port._table, Item=item)
    assert port.latest().configuration == configuration(contact_types=["security"], retry_config={"max_attempts": 5})
    (version,) = port.history()
    assert (version.changed_by, version.reason) == ("wanda", None)


def test_reserved_names() -> None:
    """No key of the configuration has the name of an attribute that stands beside it."""
    assert not NOT_SETTINGS & Configuration.model_fields.keys()


@pytest.mark.parametrize("name", sorted(NOT_SETTINGS))
def test_reserved_names_are_no_keys(name: str) -> None:
    """A configuration cannot smuggle in a value for such an attribute."""
    with pytest.raises(ConfigurationInvalidError, match=name):
        configuration(**{name: "x"})


def versions(port: DynamoDbConfigurations) -> list[int]:
    """Return the numbers of all versions in the table under the port's key."""
    answer = port._client.query(
        TableName=port._table,
        KeyConditionExpression="config_key = :key",
        ExpressionAttributeValues={":key": {"S": port.config_key}},
    )
    return [int(item["version"]["N"]) for item in answer["Items"]]


@pytest.mark.parametrize(("number", "after"), [(1, 77), (1, 2), (1, 0), (2, 1), (2, 0), (0, 1), (1, -1)])
def test_not_the_latest(adapters: Adapters, number: int, after: int) -> None:
    """A change of a version that is not the latest, or was never stored, is refused, and nothing is stored."""
    port = stored(adapter(adapters), *[FULL] * number)
    with pytest.raises(ConfigurationConflictError) as caught:
        port.store(Configuration(), after_version=after, changed_by="tests")
    assert caught.value.expected_version == after
    assert versions(port) == list(range(1, number + 1))


@pytest.mark.parametrize("after", [0, 1])
@pytest.mark.parametrize("error", ["InternalServerError", "ConnectionDropped"])
def test_answer_lost(adapters: Adapters, after: int, error: str) -> None:
    """A version whose answer was lost, and that the SDK stored again, is stored once and counts as a success."""
    port = stored(adapter(adapters), *[FULL] * after)
    faults, log = adapters.sandbox.conditions.faults, adapters.sandbox.call_log
    calls = len(log.query(operation="TransactWriteItems"))
    settings = FaultSettings(
        service="dynamodb", operation="TransactWriteItems", error=error, status=500, count=1, stage="after"
    )
    added = faults.add(settings)
    try:
        found = port.store(Configuration(), after_version=after, changed_by="tests")
    finally:
        faults.remove(added.id)
    assert len(log.query(operation="TransactWriteItems")) == calls + 2
    assert found.version == after + 1
    assert versions(port) == list(range(1, after + 2))
    assert port.latest() == found


def test_never_stored(adapters: Adapters) -> None:
    """A version that DynamoDB never stores is an error of its own, not a conflict."""
    port = stored(adapter(adapters), FULL)
    faults = adapters.sandbox.conditions.faults
    added = faults.add(FaultSettings(service="dynamodb", operation="TransactWriteItems", error="InternalServerError"))
    try:
        with pytest.raises(ServiceUnavailableError):
            port.store(Configuration(), after_version=1, changed_by="tests")
    finally:
        faults.remove(added.id)
    assert versions(port) == [1]


def test_no_table(adapters: Adapters) -> None:
    """A table that does not exist is a wrong setting, and not tried again."""
    made = adapters.services.configurations
    port = DynamoDbConfigurations(
        made._client, "no-such-table", "default", outbox_table="no-such-table", clock=made._clock
    )
    with pytest.raises(ResourceMissingError) as caught:
        port.latest()
    assert not caught.value.retryable
    with pytest.raises(ResourceMissingError):
        port.version(1)
    with pytest.raises(ResourceMissingError):
        port.store(FULL, after_version=0, changed_by="tests")

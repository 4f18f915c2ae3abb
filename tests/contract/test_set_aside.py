"""Events that are set aside, on the sandbox's tables and through the command: seen, redriven, discarded."""

import json
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest

from contactsync.bus.dead_letters.handling import LetterFacts, LetterOrder, LetterStep
from contactsync.bus.envelope import Announcement, announcement
from contactsync.bus.events import ConfigurationChanged
from contactsync.bus.ports import SetAside
from contactsync.cli.local.local_system import product_environment
from contactsync.errors import PublishFailedError
from contactsync.sandbox.requests.faults import FaultSettings
from contactsync.services.services import Services
from tests.contract.conftest import Adapters
from tests.support.fakes.surroundings import START

LATER = START + timedelta(days=1)


@pytest.fixture
def services(adapters: Adapters, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """Give the services, with nothing in the outbox or beside it before and after."""
    for name, value in product_environment(adapters.sandbox).items():
        monkeypatch.setenv(name, value)
    made = Services.from_environment()
    empty(made)
    yield made
    empty(made)


def empty(services: Services) -> None:
    """Empty the outbox and what is beside it."""
    services.outbox.remove([entry.announcement for entry in services.outbox.entries(LATER)])
    services.dead_letter_queues.delete_all(list(services.dead_letter_queues.take("outbox")))


def added(services: Services, key: str) -> Announcement:
    """Return an announcement that waits in the outbox."""
    data = ConfigurationChanged(config_key=key, version=1, changed_by="tests")
    made = announcement(data, about=key, subject=key, correlation_id=key, time=START)
    services.outbox.add(made)
    return made


def looked(services: Services) -> list[LetterFacts]:
    """Return the facts of what is set aside."""
    return list(services.dead_letters.look("outbox"))


@pytest.fixture
def key() -> str:
    """Give a name that no other test uses."""
    return str(uuid.uuid4())


def test_refused_for_good(adapters: Adapters, services: Services, key: str) -> None:
    """An event that SNS refuses for good leaves the outbox with its reason, and comes back into it when redriven."""
    poison, fine = added(services, key), added(services, f"fine-{key}")
    fault = adapters.sandbox.conditions.faults.add(
        FaultSettings(
            service="sns", operation="PublishBatch", stage="entry", containing=f'"{key}"', error="InvalidParameter"
        )
    )
    told: list[SetAside] = []
    with pytest.raises(PublishFailedError, match=f"1 events .*{poison.id}"):
        services.relay.send_left(told.extend)
    assert [entry.announcement for entry in services.outbox.entries(LATER)] == [poison]
    with pytest.raises(PublishFailedError):
        services.relay.send_left(told.extend)
    assert services.relay.send_left(told.extend) == 0
    assert services.relay.send_left(told.extend) == 0
    assert [one.event_id for one in told] == [poison.id]
    (facts,) = looked(services)
    assert (facts.event_id, facts.message_id, facts.correlation_id) == (poison.id, poison.id, key)
    assert (facts.event_type, facts.code, facts.redriven) == (poison.data.event_type, "InvalidParameter", 0)
    assert services.dead_letter_queues.counts("outbox").waiting == 1
    adapters.sandbox.conditions.faults.remove(fault.id)
    order = LetterOrder("outbox", [poison.id], by="airflow:admin", reason="corrected")
    assert [step for step, _ in services.dead_letters.redrive(order, rate=5)] == [LetterStep.REDRIVEN]
    assert looked(services) == []
    (entry,) = services.outbox.entries(LATER)
    assert (entry.announcement, entry.refusals) == (poison, 0)
    assert services.relay.send_left(told.extend) == 1
    assert fine.id != poison.id


def test_refused_again(services: Services, key: str) -> None:
    """An event that is set aside once more is known to have been redriven."""
    made = added(services, key)
    for times in (0, 1):
        (entry,) = services.outbox.entries(LATER)
        services.outbox.set_aside(SetAside(entry.key, "InvalidParameter", "why", made.id, made.data.event_type))
        (facts,) = looked(services)
        assert facts.redriven == times
        list(services.dead_letters.redrive(LetterOrder("outbox", None, by="airflow:admin"), rate=5))


def test_refusals_counted(services: Services, key: str) -> None:
    """Refusals are counted with the entry; one that is gone makes no item."""
    added(services, key)
    (entry,) = services.outbox.entries(LATER)
    for _ in range(2):
        services.outbox.refused(entry.key)
    (again,) = services.outbox.entries(LATER)
    assert again.refusals == 2
    services.outbox.remove([entry.announcement])
    services.outbox.refused(entry.key)
    services.outbox.set_aside(SetAside(entry.key, "c", "r", None, None))
    assert list(services.outbox.entries(LATER)) == []
    assert looked(services) == []


def strange(services: Services, **parts: Any) -> dict[str, str]:
    """Put an item that is no event into the outbox, and return its key."""
    item = {"pk": "outbox#1", "sk": f"2025-01-01T00:00:00.000000Z#{uuid.uuid4()}"}
    boto3.resource("dynamodb").Table(services.settings.state.table).put_item(Item={**item, **parts})
    return item


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"announcement": 3, "refusals": "many"},
        {"announcement": "no JSON"},
        {"announcement": '{"id": "x", "type": "contactsync.account.failed.v9"}', "code": 7},
    ],
)
def test_unreadable(services: Services, key: str, parts: dict[str, Any]) -> None:
    """What this version cannot read is set aside as it stands, holds nobody up, and can be discarded."""
    item = strange(services, **parts)
    added(services, key)
    for _ in range(2):
        with pytest.raises(PublishFailedError):
            services.relay.send_left()
    assert services.relay.send_left() == 0
    (facts,) = looked(services)
    assert facts.message_id == item["sk"].partition("#")[2]
    assert facts.code in {"EventInvalid", "EventTypeUnknown"}
    assert services.dead_letters.show("outbox", facts.message_id)["message_id"] == facts.message_id
    order = LetterOrder("outbox", [facts.message_id], by="airflow:admin", reason="not ours")
    assert [step for step, _ in services.dead_letters.discard(order)] == [LetterStep.DISCARDED]
    assert looked(services) == []
    assert list(services.outbox.entries(LATER)) == []


def test_strange_row(services: Services) -> None:
    """A row beside the outbox that somebody else wrote is listed and discarded, and not sent anywhere."""
    table = boto3.resource("dynamodb").Table(services.settings.state.table)
    table.put_item(Item={"pk": "outbox-aside", "sk": "whatever", "set_aside_at": "yesterday", "reason": 7})
    (facts,) = looked(services)
    assert (facts.message_id, facts.code, facts.event_id) == ("whatever", "Unknown", None)
    order = LetterOrder("outbox", None, by="airflow:admin", reason="not ours")
    assert [step for step, _ in services.dead_letters.redrive(order, rate=5)] == [LetterStep.UNREADABLE]
    assert [step for step, _ in services.dead_letters.discard(order)] == [LetterStep.DISCARDED]
    assert looked(services) == []


def test_row_of_the_trail(services: Services, key: str) -> None:
    """Who redrove or discarded an event of the outbox stands in the audit trail."""
    made = added(services, key)
    (entry,) = services.outbox.entries(LATER)
    services.outbox.set_aside(SetAside(entry.key, "InvalidParameter", "why", made.id, made.data.event_type))
    list(services.dead_letters.discard(LetterOrder("outbox", None, by="airflow:admin", reason="known")))
    (row,) = services.audit_trail.correlated(key)
    assert row.event_type == "contactsync.dead_letter.discarded"
    said = json.loads(row.data)
    assert (said["queue"], said["by"], said["reason"], said["event_id"]) == (
        "outbox",
        "airflow:admin",
        "known",
        made.id,
    )

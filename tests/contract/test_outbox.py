"""The outbox, and the transactions that fill it, on the sandbox's tables."""

import logging
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import boto3
import pytest

from contactsync.aws.tables.outbox_table import ASIDE
from contactsync.bus.envelope import Announcement, announcement
from contactsync.bus.events import ACCOUNTS_AT_MOST, ConfigurationChanged, NoticeRequested, Severity
from contactsync.bus.relay import TRIES_WHEN_ALL
from contactsync.configuration.schema import Configuration
from contactsync.contacts import ContactType
from contactsync.errors import ConfigurationConflictError, OvertakenError, PublishFailedError, ResourceMissingError
from contactsync.operations.announcements import account_failed, accounts_written, ended, started
from contactsync.operations.operation import (
    AccountOutcome,
    Attempt,
    OperationStatus,
    OutcomeDetail,
    OutcomeStatus,
    SyncOperation,
)
from contactsync.operations.writes import Write, unannounced
from contactsync.services.services import Services
from tests.contract.conftest import Adapters
from tests.support.builders import account, operation
from tests.support.fakes.surroundings import START

LATER = START + timedelta(days=1)
SECURITY = ContactType.SECURITY


@pytest.fixture
def services(adapters: Adapters) -> Iterator[Services]:
    """Give the adapters, with an empty outbox before and after."""
    drain(adapters.services)
    yield adapters.services
    drain(adapters.services)


def drain(services: Services) -> None:
    """Empty the outbox."""
    services.outbox.remove([entry.announcement for entry in services.outbox.entries(LATER + timedelta(days=3650))])


def kept(services: Services) -> list[Announcement]:
    """Return what the outbox holds."""
    return [entry.announcement for entry in services.outbox.entries(LATER)]


def stored(services: Services, run: str, **parts: object) -> SyncOperation:
    """Return an operation that is stored."""
    found = operation(SECURITY, run=run, **parts)
    services.operations.store_plan(found, [])
    return found


def failure(number: int) -> AccountOutcome:
    """Return the outcome of an account that failed."""
    return AccountOutcome(
        account(number).account_id,
        "x",
        SECURITY,
        status=OutcomeStatus.FAILED,
        detail=OutcomeDetail.UNAVAILABLE,
        timestamp=START,
    )


def test_with_the_change(services: Services) -> None:
    """An operation's change and its announcement are there together, and the announcement reads as it was."""
    found = stored(services, "outbox-1")
    services.operations.update(replace(found, status=OperationStatus.IN_PROGRESS), [started(found)])
    assert kept(services) == [started(found)]
    services.outbox.remove([started(found)])
    services.outbox.remove([started(found)])
    assert kept(services) == []


def test_not_without_the_change(services: Services) -> None:
    """When the change's condition fails, nothing is announced."""
    found = stored(services, "outbox-2")
    newer = replace(found, planned=found.planned + timedelta(seconds=1))
    services.operations.store_plan(newer, [])
    with pytest.raises(OvertakenError):
        services.operations.update(replace(found, status=OperationStatus.COMPLETED), [ended(found)])
    assert kept(services) == []


def test_closed_once(services: Services) -> None:
    """Two housekeepers announce an operation's end once."""
    found = stored(services, "outbox-3")
    end = replace(found, status=OperationStatus.FAILED, finished=START, note="Closed.")
    assert services.operations.store_end(end, [ended(end)])
    assert not services.operations.store_end(end, [ended(end)])
    assert kept(services) == [ended(end)]


@pytest.mark.parametrize("count", [1, 50, 51, 120])
def test_failures(services: Services, count: int) -> None:
    """Failures are marked and announced together, however many there are."""
    found = stored(services, f"outbox-failures-{count}")
    failures = [failure(number) for number in range(1, count + 1)]
    services.operations.store_outcomes(found, failures)
    pairs = [(one, made) for one in failures if (made := account_failed(found, one))]
    assert list(services.operations.announce_failures(found, pairs)) == [made for _, made in pairs]
    assert sorted(one.id for one in kept(services)) == sorted(made.id for _, made in pairs)
    marks = {outcome.key: outcome.announced for outcome in services.operations.outcomes(found.sync_id)}
    assert marks == {one.key: made.id for one, made in pairs}


def test_failures_settled_meanwhile(services: Services) -> None:
    """What a task has settled again is left out, and the rest of its group is announced."""
    found = stored(services, "outbox-meanwhile")
    failures = [failure(number) for number in (1, 2, 3)]
    services.operations.store_outcomes(found, failures)
    services.operations.store_outcomes(found, [replace(failures[1], timestamp=START + timedelta(seconds=9))])
    pairs = [(one, made) for one in failures if (made := account_failed(found, one))]
    announced = list(services.operations.announce_failures(found, pairs))
    assert announced == [pairs[0][1], pairs[2][1]]
    assert sorted(one.id for one in kept(services)) == sorted(one.id for one in announced)


def written(number: int) -> AccountOutcome:
    """Return the outcome of an account that was written."""
    attempt = Attempt(1, START, START, OutcomeStatus.SUCCESS, OutcomeDetail.UPDATED, written_fields=("Name",))
    outcome = AccountOutcome(account(number).account_id, "x", SECURITY, generation=1)
    return outcome.settled(attempt, changed_fields=("Name",))


def next_writes(operation: SyncOperation, outcomes: list[AccountOutcome]) -> tuple[Write, list[AccountOutcome]]:
    """Return the write that outcomes have in common, and the outcomes marked as announced."""
    found = [one for outcome in outcomes if (one := unannounced(operation, outcome))]
    return found[0].write, [one.marked for one in found]


@pytest.mark.parametrize("count", [1, ACCOUNTS_AT_MOST])
def test_writes(services: Services, count: int) -> None:
    """Outcomes are marked together with the one event that tells of them, and read back so."""
    found = stored(services, f"outbox-writes-{count}")
    outcomes = [written(number) for number in range(1, count + 1)]
    services.operations.store_outcomes(found, outcomes)
    write, outcomes = next_writes(found, outcomes)
    made = services.operations.announce_writes(found, outcomes, lambda some: accounts_written(found, write, some))
    assert made == accounts_written(found, write, outcomes)
    assert kept(services) == [made]
    marked = list(services.operations.outcomes(found.sync_id))
    assert {outcome.written_announced for outcome in marked} == {START}
    assert all(unannounced(found, outcome) is None for outcome in marked)


def test_writes_settled_meanwhile(services: Services) -> None:
    """The event is made of what nobody has settled again; when that is nothing, there is none."""
    found = stored(services, "outbox-writes-meanwhile")
    outcomes = [written(number) for number in (1, 2, 3)]
    services.operations.store_outcomes(found, outcomes)
    services.operations.store_outcomes(found, [replace(outcomes[1], timestamp=START + timedelta(seconds=9))])
    write, outcomes = next_writes(found, outcomes)

    def made_of(some: list[AccountOutcome]) -> Announcement:
        return accounts_written(found, write, some)

    made = services.operations.announce_writes(found, outcomes, made_of)
    assert made == made_of([outcomes[0], outcomes[2]])
    assert kept(services) == [made]
    assert services.operations.announce_writes(found, outcomes[1:2], made_of) is None
    assert kept(services) == [made]


def test_configuration(services: Services) -> None:
    """A configuration's version and its announcement are stored together, or not at all."""
    data = ConfigurationChanged(config_key="default", version=1, changed_by="tests")
    made = announcement(data, about="1", subject="default", correlation_id="c", time=START)
    services.configurations.store(Configuration(), after_version=0, changed_by="tests", announced=[made])
    assert kept(services) == [made]
    drain(services)
    with pytest.raises(ConfigurationConflictError):
        services.configurations.store(Configuration(), after_version=0, changed_by="tests", announced=[made])
    assert kept(services) == []


def request_of(scenario: str) -> NoticeRequested:
    """Return the request for a notice."""
    return NoticeRequested(notice_id=f"n-{scenario}", scenario=scenario, priority=Severity.HIGH, code="Down")


def test_notice_once(services: Services) -> None:
    """A notice is requested and announced once for each scenario and operation."""
    made = [
        announcement(request_of(name), about=name, subject="s", correlation_id="c", time=START)
        for name in ("halted", "overdue")
    ]
    store = services.notice_store.store
    assert store("sync-1", request_of("halted"), made[:1])
    assert not store("sync-1", request_of("halted"), made[:1])
    assert store("sync-1", request_of("overdue"), made[1:])
    assert sorted(services.notice_store.requested("sync-1")) == ["halted", "overdue"]
    assert services.notice_store.requested("sync-2") == []
    assert sorted(one.id for one in kept(services)) == sorted(one.id for one in made)


def test_silence_gives_way(services: Services) -> None:
    """A notice that nobody was to be told is stored without an event, and gives way to one that people are to have."""
    silent = request_of("halted").model_copy(update={"priority": Severity.INFO})
    assert services.notice_store.store("sync-silent", silent, [])
    assert services.notice_store.store("sync-silent", silent, [])
    assert services.notice_store.store("sync-silent", request_of("halted"), [])
    assert not services.notice_store.store("sync-silent", silent, [])
    (row,) = services.notice_store.deliveries("sync-silent")
    assert row["priority"] == request_of("halted").priority


def test_deliveries(services: Services) -> None:
    """How each channel ended is kept with the notice, the latest result of each."""
    services.notice_store.store("sync-3", request_of("halted"), [])
    services.notice_store.store_delivery("sync-3", "halted", "EMAIL", {"status": "failed", "code": "Throttled"})
    services.notice_store.store_delivery("sync-3", "halted", "EMAIL", {"status": "sent"})
    (item,) = services.notice_store.of_operation("sync-3")
    assert item["delivery_EMAIL"] == {"status": "sent"}
    assert item["notice_id"] == "n-halted"


def test_delivery_of_the_unstored(services: Services) -> None:
    """The delivery of a notice that could not be stored is listed, counts as told, and expires as notices do."""
    services.notice_store.store_delivery("sync-4", "system_errors", "EMAIL", {"status": "sent"})
    (row,) = services.notice_store.deliveries("sync-4")
    assert (row["scenario"], row["channel"], row["status"], row["notice_id"]) == (
        "system_errors",
        "EMAIL",
        "sent",
        None,
    )
    assert services.notice_store.requested("sync-4") == ["system_errors"]
    (item,) = services.notice_store.of_operation("sync-4")
    assert item["expires_at"] > services.clock.now().timestamp()


def test_before(services: Services) -> None:
    """Only what was announced before the moment is listed."""
    found = stored(services, "outbox-before")
    services.operations.update(found, [started(found)])
    assert list(services.outbox.entries(START)) == []
    assert [entry.announcement for entry in services.outbox.entries(START + timedelta(microseconds=1))] == [
        started(found)
    ]


@pytest.mark.parametrize(
    ("stored_as", "code", "text"),
    [
        (
            {"announcement": '{"id": "x", "type": "contactsync.account.failed.v9"}'},
            "EventTypeUnknown",
            "contactsync.account.failed.v9",
        ),
        ({}, "EventInvalid", "is missing"),
        ({"announcement": 3}, "EventInvalid", "no text"),
        ({"announcement": "no JSON"}, "EventInvalid", "not JSON"),
    ],
)
def test_unreadable(
    services: Services, caplog: pytest.LogCaptureFixture, stored_as: dict[str, Any], code: str, text: str
) -> None:
    """An entry that this version cannot read stays where it is, is logged and counted, and holds nobody up."""
    found = stored(services, "outbox-unreadable")
    services.operations.update(found, [started(found)])
    table = boto3.resource("dynamodb").Table(services.settings.state.table)
    key = {"pk": "outbox#0", "sk": "2025-01-01T00:00:00.000000Z#x"}
    table.put_item(Item={**key, **stored_as})
    unreadable: list[Any] = []
    try:
        with caplog.at_level(logging.ERROR):
            assert [entry.announcement for entry in services.outbox.entries(LATER, unreadable.append)] == [
                started(found)
            ]
        assert kept(services) == [started(found)]
        assert Counter(one.code for one in unreadable) == {code: 1}
        assert "outbox item outbox#0" in caplog.text
        assert "update contactsync, then housekeeping sends the item" in caplog.text
        assert text in caplog.text
        assert "dead-letters" not in caplog.text
        with pytest.raises(PublishFailedError, match=rf"1 events .*{code}"):
            services.relay.send_left()
        assert kept(services) == []
        assert "Item" in table.get_item(Key=key)
    finally:
        table.delete_item(Key=key)


@pytest.mark.parametrize("sk", ["2099-01-01T00:00:00.000000Z#x", "x", "~"])
def test_wrong_time(services: Services, sk: str) -> None:
    """An entry whose key is a time far ahead, or none, is found like any other that cannot be read, and set aside."""
    table = boto3.resource("dynamodb").Table(services.settings.state.table)
    table.put_item(Item={"pk": "outbox#1", "sk": sk, "announcement": "no JSON"})
    try:
        for _ in range(TRIES_WHEN_ALL):
            with suppress(PublishFailedError):
                services.relay.send_left()
        assert "Item" not in table.get_item(Key={"pk": "outbox#1", "sk": sk})
        assert "Item" in table.get_item(Key={"pk": ASIDE, "sk": sk})
    finally:
        table.delete_item(Key={"pk": "outbox#1", "sk": sk})
        table.delete_item(Key={"pk": ASIDE, "sk": sk})


def test_far_ahead(services: Services) -> None:
    """An announcement that a wrong clock has dated far ahead is published, and does not wait for its time."""
    ahead = replace(stored(services, "outbox-ahead"), planned=services.clock.now() + timedelta(days=3650))
    services.outbox.add(started(ahead))
    assert services.relay.send_left() == 1


def test_published(services: Services) -> None:
    """What is left in the outbox is published to the real topic, and gone."""
    found = stored(services, "outbox-published")
    services.operations.update(found, [started(found)])
    assert services.relay.send_left() == 1
    assert kept(services) == []


def test_topic_missing(adapters: Adapters) -> None:
    """A topic that does not exist is an error of the call, which the relay logs and survives."""
    topic = adapters.services.settings.bus.topic
    services = Services.from_environment(os.environ | {"CONTACTSYNC_EVENTS_TOPIC_ARN": f"{topic}-gone"})
    found = stored(services, "outbox-gone")
    services.operations.update(found, [started(found)])
    services.relay.send([started(found)])
    assert kept(services) == [started(found)]
    with pytest.raises(ResourceMissingError):
        services.publisher.topic.send([services.publisher.message(started(found))])
    drain(services)

"""A row that this version cannot read is named once, and hides none of the others: audit, export, notices, letters."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contactsync.bus.audit import AuditEntry, entry_of
from contactsync.bus.events import AccountFailed
from contactsync.contacts import ContactType
from contactsync.operations.desired import DesiredContact
from contactsync.operations.operation import AccountOutcome, sync_id_of
from contactsync.sandbox.scenario.scenario import Scenario
from contactsync.sandbox.server import Sandbox
from contactsync.services.services import Services
from tests.integration.conftest import Command, refused
from tests.support.builders import account, contact_of, operation
from tests.support.events import event_of

ROOT = Path(__file__).parents[2]
SECURITY = ContactType.SECURITY


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Run a sandbox of one member; nothing is delivered to subscribers in these tests."""
    with Sandbox(Scenario.model_validate({"organization": {"accounts": 1}}), templates=ROOT / "infra") as running:
        yield running


def spoil(services: Services, table: str | None, row: dict[str, str], name: str, value: str) -> None:
    """Change a stored row as no version of contactsync would have written it."""
    services._dynamodb.update_item(
        TableName=str(table),
        Key={key: {"S": text} for key, text in row.items()},
        UpdateExpression="SET #name = :value",
        ExpressionAttributeNames={"#name": name},
        ExpressionAttributeValues={":value": {"S": value}},
    )


def put(services: Services, table: str | None, **item: Any) -> None:
    """Put an item of any form."""
    services._dynamodb.put_item(TableName=str(table), Item=item)


def stored(services: Services, key: str, number: int) -> AuditEntry:
    """Store an entry of the audit trail."""
    event = event_of(AccountFailed, event_id=f"{key}-{number}", correlation_id=key, sync_id=key)
    entry = entry_of(event)
    services.audit_trail.add(entry)
    return entry


BAD_ROWS = {
    "year": {"time": {"S": "999-01-14T09:00:00.000000Z"}},
    "no time": {"time": {"S": "yesterday"}},
    "number as time": {"time": {"N": "1e100"}},
    "severity": {"severity": {"S": "catastrophic"}},
    "entities": {"entities": {"N": "1"}},
    "nothing": {},
}


@pytest.mark.parametrize("bad", BAD_ROWS.values(), ids=BAD_ROWS)
def test_audit(
    services: Services, key: str, contactsync: Command, caplog: pytest.LogCaptureFixture, bad: dict[str, Any]
) -> None:
    """The trail is listed by what it is about, by cause and by day; the bad row is named by its key, each time once."""
    entries = [stored(services, key, number) for number in range(2)]
    whole = {
        "event_id": {"S": f"{key}-1x"},
        "event_type": {"S": "t"},
        "time": {"S": "2026-01-14T09:00:00.000000Z"},
        "severity": {"S": "low"},
        "source": {"S": "s"},
        "correlation_id": {"S": key},
        "entities": {"L": []},
        "data": {"S": "{}"},
    }
    row = {**whole, **bad} if bad else {}
    keys = {"pk": {"S": f"operation#{key}"}, "sk": {"S": f"2026-01-14T09:00:00.000000Z#{key}-1x"}}
    index = {"correlation": {"S": key}, "day": {"S": "2026-01-14"}}
    put(services, services.settings.audit.table, **row, **keys, **index)
    for question in (("--entity", f"operation#{key}"), ("--correlation-id", key), ("--day", "2026-01-14")):
        for form in ("json", "csv", "table"):
            caplog.clear()
            answer = contactsync("audit", *question, "-o", form)
            assert answer.code == 0, answer
            assert all(entry.event_id in answer.out or form != "json" for entry in entries)
            assert answer.out.count("contactsync.account.failed.v1") >= 2
            assert caplog.text.count(f"{key}-1x") == 1


@pytest.mark.parametrize("data", ["no JSON", '{"a": NaN}', '{"a": 1e999}', "[" * 5000, '{"a": "\\ud800"}'])
def test_audit_data(services: Services, key: str, contactsync: Command, data: str) -> None:
    """Data that is no JSON, or could not be written again, is shown as the text that it is."""
    entry = stored(services, key, 0)
    row = {"pk": f"operation#{key}", "sk": f"2026-01-14T09:00:00.000000Z#{entry.event_id}"}
    spoil(services, services.settings.audit.table, row, "data", data)
    for form in ("json", "csv", "table"):
        answer = contactsync("audit", "--entity", f"operation#{key}", "-o", form)
        assert (answer.code, entry.event_id in answer.out or form != "json") == (0, True)
    (found,) = json.loads(contactsync("audit", "--entity", f"operation#{key}", "-o", "json").out, parse_constant=int)
    assert found["data"] in (data, {"a": "\ud800"})


def test_sources(services: Services, key: str, contactsync: Command) -> None:
    """Whose events they are stands in the table and in CSV."""
    stored(services, key, 0)
    assert "/contactsync/test" in contactsync("audit", "--correlation-id", key).out
    text = contactsync("audit", "--correlation-id", key, "-o", "csv").out
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert row["source"] == "/contactsync/test"


def test_long_period(services: Services, contactsync: Command) -> None:
    """A period that begins before all events, or ends after them, is answered and not read for days on end."""
    del services
    assert contactsync("audit", "--since", "0001-01-01", "--until", "2000-01-02", "-o", "json").code == 0
    assert contactsync("audit", "--since", "2099-12-30", "--until", "9999-12-30", "-o", "json").code == 0


def operations(services: Services, key: str) -> list[str]:
    """Store two operations with two outcomes each, and return their runs."""
    runs = [f"{key}-{number}" for number in range(2)]
    for number, run in enumerate(runs):
        one = operation(SECURITY, run=run)
        desired = DesiredContact(SECURITY, number + 1, one.sync_id, contact_of(SECURITY))
        services.operations.store_plan(one, [desired])
        found = [AccountOutcome(account(place).account_id, "a name", SECURITY) for place in range(2)]
        services.operations.store_outcomes(one, found)
    return runs


def test_operations(services: Services, key: str, contactsync: Command, caplog: pytest.LogCaptureFixture) -> None:
    """One operation that cannot be read is named, and the others are listed and exported."""
    bad, good = operations(services, key)
    row = {"pk": f"OPERATION#{sync_id_of(bad)}", "sk": "OPERATION"}
    spoil(services, services.settings.state.table, row, "planned", "yesterday")
    for command in (("operations", "list", "-o", "json"), ("export",), ("export", "--format", "csv")):
        caplog.clear()
        answer = contactsync(*command)
        assert (answer.code, good in answer.out, bad in answer.out) == (0, True, False)
        assert caplog.text.count(sync_id_of(bad)) == 1
    for command in (("operations", "show", bad), ("export", bad)):
        refused(contactsync(*command), sync_id_of(bad))


def test_outcomes(services: Services, key: str, contactsync: Command, caplog: pytest.LogCaptureFixture) -> None:
    """One outcome that cannot be read is named, and the others are exported and shown."""
    run, _ = operations(services, key)
    bad, good = (account(number).account_id for number in range(2))
    row = {"pk": f"OUTCOMES#{sync_id_of(run)}#{bad[-1]}", "sk": f"{bad}#security"}
    spoil(services, services.settings.state.table, row, "outcome_status", "escalated")
    for command in (("export", run), ("export", run, "--format", "csv"), ("operations", "show", run, "-o", "json")):
        caplog.clear()
        answer = contactsync(*command)
        assert (answer.code, good in answer.out) == (0, True)
        assert f"{bad}#security" in caplog.text


def test_deliveries(services: Services, key: str, contactsync: Command) -> None:
    """One delivery of another form is shown as such, and the others as ever."""
    run, _ = operations(services, key)
    sync_id = sync_id_of(run)
    services.notice_store.store_delivery(sync_id, "halted", "EMAIL", {"status": "sent"})
    put(
        services,
        services.settings.state.table,
        pk={"S": f"NOTICES#{sync_id}"},
        sk={"S": "halte"},
        delivery_SMS={"N": "1"},
    )
    found = json.loads(contactsync("notices", "deliveries", run, "-o", "json").out)
    assert {(row["channel"], row["status"]) for row in found} == {("EMAIL", "sent"), ("SMS", "unreadable")}


LETTERS = [
    "",
    "no JSON",
    '{"id": 1, "time": NaN, "deep": ' + "[" * 200 + "]" * 200 + "}",
    '{"id": "\\ud800", "a": 1e999, "b": Infinity}',
    "[" * 50_000,
    '{"id": "a\\u0000b", "data": {"error": {"x": "\\udfff"}}}',
]


def test_letters(services: Services, key: str, contactsync: Command, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever a dead letter holds, and whatever was kept of its failure, all letters are listed, and each is shown."""
    url = services.settings.dead_letters.queues["notices"]
    sqs = services._clients.own("sqs")
    ids = [sqs.send_message(QueueUrl=url, MessageBody=body or key)["MessageId"] for body in LETTERS]
    put(
        services,
        services.settings.dead_letters.idempotency_table,
        id={"S": f"failure#notices#{ids[0]}"},
        code={"S": "x"},
    )
    for form in ("json", "csv", "table"):
        listed = contactsync("dead-letters", "list", "notices", "-o", form)
        assert listed.code == 0
        assert form == "table" or all(one in listed.out for one in ids)
        for one in ids:
            answer = contactsync("dead-letters", "show", "notices", one, "-o", form)
            assert (answer.code, answer.err) == (0, "")
    assert f"failure#notices#{ids[0]}" in caplog.text

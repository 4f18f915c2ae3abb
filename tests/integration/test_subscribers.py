"""The bus as the templates deploy it: topic, queue, the audit function in its own process, dead letters and back.

The waits of AWS are shrunk a hundredfold; every test waits for conditions.
"""

import json
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from contactsync.aws.metrics import BackgroundMetrics
from contactsync.bus.audit import AuditEntry, entry_of
from contactsync.bus.consume import QUARANTINE_CODE
from contactsync.bus.dead_letters.handling import LetterFacts, LetterOrder, LetterStep
from contactsync.bus.envelope import Announcement, announcement, parse_event
from contactsync.bus.events import AccountFailed, ConfigurationChanged
from contactsync.operations.operation import sync_id_of
from contactsync.sandbox.requests.faults import FaultSettings
from contactsync.sandbox.scenario.scenario import Scenario
from contactsync.sandbox.server import Sandbox
from contactsync.services.services import Services
from tests.integration.conftest import Command, misused, refused
from tests.support.events import data_of, event_of
from tests.support.fakes.surroundings import START
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Run a sandbox whose clocks of AWS go fast."""
    scenario = Scenario.model_validate({"organization": {"accounts": 1}, "events": {"time_scale": 0.005}})
    with Sandbox(scenario, templates=ROOT / "infra") as running:
        yield running


def change(key: str, number: int = 0, **changes: Any) -> Announcement:
    """Return an announcement."""
    data = data_of(ConfigurationChanged, config_key=key, **changes)
    return announcement(data, about=f"{key}#{number}", subject=key, correlation_id=key, time=START)


def audited(services: Services, key: str) -> list[AuditEntry]:
    """Return what the audit trail has of a correlation id."""
    return list(services.audit_trail.correlated(key))


def letters(services: Services, key: str) -> list[LetterFacts]:
    """Return the audit function's dead letters that belong to a test."""
    return [facts for facts in services.dead_letters.look("audit") if key in {facts.event_id, facts.correlation_id}]


def send(services: Services, body: str, **attributes: str) -> None:
    """Put a message into the audit function's queue, past the topic."""
    sqs = services._clients.own("sqs")
    typed = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
    dead = services.settings.dead_letters.queues["audit"]
    (url,) = sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"]
    sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=typed)


def logged(sandbox: Sandbox) -> str:
    """Return what the audit function wrote."""
    return "".join(call.log for call in sandbox.loop.functions.invocations("contactsync-local-audit"))


def test_audited(services: Services, sandbox: Sandbox, key: str) -> None:
    """What is published is in the audit trail, each event once though it came three times."""
    announced = [change(key, number) for number in range(4)]
    for _ in range(3):
        assert services.publisher.publish(announced).refused == {}
    until(lambda: len(audited(services, key)) == 4)
    until(sandbox.loop.queue_polling.is_idle)
    assert {entry.event_id for entry in audited(services, key)} == {one.id for one in announced}
    assert len(list(services.audit_trail.about(f"configuration#{key}"))) == 4
    log = logged(sandbox)
    assert f'"correlation_id":"{key}"' in log
    assert '"Environment":"local"' in log.replace(" ", "")
    assert '"EventsHandled"' in log


def test_filter_by_cause(services: Services, key: str) -> None:
    """A subscription may choose by what brought an event about, and by when it happened."""
    sns, sqs = services._clients.own("sns"), services._clients.own("sqs")
    url = sqs.create_queue(QueueName=key)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = services.settings.bus.topic
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps({"Statement": [statement]})})
    policy = {"correlation_id": [{"prefix": key}], "timestamp": [{"prefix": "2026-01-14T"}]}
    attributes = {"FilterPolicy": json.dumps(policy), "RawMessageDelivery": "true"}
    subscribed = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=attributes)
    try:
        assert services.publisher.publish([change(str(uuid.uuid4())), change(key)]).refused == {}
        received = until(lambda: sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"]).get("Messages"))
        names = {name: value["StringValue"] for name, value in received[0]["MessageAttributes"].items()}
        assert (names["correlation_id"], names["timestamp"]) == (key, "2026-01-14T09:00:00.000000Z")
        assert json.loads(received[0]["Body"])["correlationid"] == key
        assert "Messages" not in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1)
    finally:
        sns.unsubscribe(SubscriptionArn=subscribed["SubscriptionArn"])


def test_metrics_hold_nothing_up(services: Services, sandbox: Sandbox, key: str) -> None:
    """An event is taken while CloudWatch does not answer, and its metrics still wait then."""
    stuck = FaultSettings(service="cloudwatch", operation="PutMetricData", delay=900)
    fault = sandbox.conditions.faults.add(stuck)
    try:
        assert services.publisher.publish([change(key)]).refused == {}
        assert isinstance(services.publisher.metrics, BackgroundMetrics)
        until(lambda: fault.struck)
    finally:
        sandbox.conditions.faults.remove(fault.id)


def test_claim_check(services: Services, key: str) -> None:
    """An event too large for a message reaches the trail with its data."""
    large = change(key, changed_keys=["k" * 100] * 2800)
    assert services.publisher.publish([large]).taken == (large,)
    (entry,) = until(lambda: audited(services, key))
    assert len(json.loads(entry.data)["changed_keys"]) == 2800


def claim_key(services: Services, announced: Announcement) -> tuple[str, str]:
    """Return bucket and key of an event's data."""
    dataref = str(parse_event(services.publisher.message(announced).body).dataref)
    bucket, _, key = dataref.removeprefix("s3://").partition("/")
    return bucket, key


@pytest.mark.parametrize("change_object", ["replaced", "larger", "gone"])
def test_claim_changed(services: Services, sandbox: Sandbox, key: str, change_object: str) -> None:
    """Data that was changed after it was published is a dead letter at once, with the reason, and in no trail."""
    large = change(key, changed_keys=["k" * 100] * 2800)
    bucket, place = claim_key(services, large)
    s3 = services._clients.own("s3")
    published = s3.get_object(Bucket=bucket, Key=place)["Body"].read()
    message = services.publisher.message(large)
    if change_object == "gone":
        s3.delete_object(Bucket=bucket, Key=place)
    else:
        forged = published.replace(b"kkk", b"xxx", 1) + b" " * (change_object == "larger")
        s3.put_object(Bucket=bucket, Key=place, Body=forged)
    send(services, message.body, **message.attributes)
    (facts,) = until(lambda: letters(services, key))
    until(sandbox.loop.queue_polling.is_idle)
    assert facts.code == "ClaimRefused"
    assert "is not handled" in str(facts.reason)
    assert audited(services, key) == []
    # Put back as it was, and sent on, it is handled.
    s3.put_object(Bucket=bucket, Key=place, Body=published)
    order = LetterOrder("audit", [facts.message_id], by="airflow:admin")
    assert [step for step, _ in services.dead_letters.redrive(order, rate=5)] == [LetterStep.REDRIVEN]
    found = until(lambda: {entry.event_type for entry in audited(services, key)})
    until(lambda: large.data.event_type in {entry.event_type for entry in audited(services, key)})
    assert found


def test_foreign(services: Services, key: str) -> None:
    """What another environment publishes to this topic is a dead letter at once, and in no trail."""
    other = replace(services.publisher, environment="another")
    assert other.publish([change(key)]).refused == {}
    (facts,) = until(lambda: letters(services, key))
    assert facts.code == "EventForeign"
    assert "/contactsync/another" in str(facts.reason)
    assert audited(services, key) == []


def test_poison(services: Services, sandbox: Sandbox, key: str) -> None:
    """A poison message is a dead letter after three receives, with its reason; its batch mates are handled."""
    poison = json.dumps(
        {**json.loads(event_of(AccountFailed, event_id=key, correlation_id=key).as_json()), "time": "?"}
    )
    send(services, poison, type="contactsync.account.failed.v1")
    mates = [change(key, number) for number in range(3)]
    services.publisher.publish(mates)
    until(lambda: len(audited(services, key)) == 3)
    (facts,) = until(lambda: letters(services, key))
    assert (facts.code, facts.event_id) == ("EventInvalid", key)
    assert "time" in str(facts.reason)
    failure = services.dead_letters.failures.find("audit", facts.message_id)
    assert failure
    assert failure.receive_count == 3
    assert f'"message_id":"{facts.message_id}"' in logged(sandbox)
    body = services.dead_letters.show("audit", facts.message_id)["body"]
    assert body["data"]["account_id"] == event_of().model_dump()["data"]["account_id"]


def test_unknown_type(services: Services, sandbox: Sandbox, key: str) -> None:
    """An event of an unknown type is a dead letter at once, whole, with its attributes; redriven it comes back once."""
    document = json.loads(event_of(event_id=key, correlation_id=key).as_json())
    body = json.dumps({**document, "type": "contactsync.account.failed.v9", "data": {"of": "the future"}})
    send(services, body, type="contactsync.account.failed.v9")
    (facts,) = until(lambda: letters(services, key))
    assert facts.code == "EventTypeUnknown"
    shown = services.dead_letters.show("audit", facts.message_id)
    assert shown["attributes"]["type"] == "contactsync.account.failed.v9"
    assert shown["attributes"][QUARANTINE_CODE] == "EventTypeUnknown"
    assert shown["body"] == json.loads(body)
    assert services.dead_letters.failures.find("audit", facts.message_id) is None
    order = LetterOrder("audit", [facts.message_id], by="airflow:admin")
    assert [step for step, _ in services.dead_letters.redrive(order, rate=5)] == [LetterStep.REDRIVEN]
    (again,) = until(lambda: letters(services, key))
    until(sandbox.loop.queue_polling.is_idle)
    assert again.message_id != facts.message_id
    assert again.code == "EventTypeUnknown"
    assert (facts.redriven, again.redriven, again.last_redriven_by) == (0, 1, "airflow:admin")


def test_command(services: Services, sandbox: Sandbox, key: str, contactsync: Command) -> None:
    """A handled event that somebody redrives changes nothing; the trail says who did it, and why."""
    services.publisher.publish([change(key)])
    (handled,) = until(lambda: audited(services, key))
    until(sandbox.loop.queue_polling.is_idle)
    event = services.publisher.message(change(key))
    dead = services.settings.dead_letters.queues["audit"]
    services._clients.own("sqs").send_message(QueueUrl=dead, MessageBody=event.body)
    listed = json.loads(contactsync("dead-letters", "list", "audit", "-o", "json").out)
    (mine,) = [row for row in listed if row["correlation_id"] == key]
    redrive = ("dead-letters", "redrive", "audit", mine["message_id"], "--rate", "50", "--reason", "a drill")
    assert "planned" in contactsync(*redrive, "--dry-run").out
    assert "redriven" in contactsync(*redrive).out
    until(sandbox.loop.queue_polling.is_idle)
    rows = json.loads(contactsync("audit", "--correlation-id", key, "-o", "json").out)
    by_type = {row["event_type"]: row for row in rows}
    assert len(rows) == 2
    assert by_type["contactsync.configuration.changed.v1"]["event_id"] == handled.event_id
    done = by_type["contactsync.dead_letter.redriven"]["data"]
    assert (done["reason"], done["message_id"]) == ("a drill", mine["message_id"])
    assert "arn:aws:" in done["by"]
    assert letters(services, key) == []


def test_rate_command(services: Services, key: str, contactsync: Command) -> None:
    """A redrive of several messages ends with the rate that was reached beside the one that was asked for."""
    sqs, dead = services._clients.own("sqs"), services.settings.dead_letters.queues["audit"]
    sent = [
        sqs.send_message(QueueUrl=dead, MessageBody=services.publisher.message(change(key, number)).body)["MessageId"]
        for number in range(12)
    ]
    answer = contactsync("dead-letters", "redrive", "audit", *sent, "--rate", "1000", "--output", "json")
    assert (answer.code, len(json.loads(answer.out))) == (0, 12)
    assert "12 messages sent, " in answer.err
    assert "a second (--rate 1000)." in answer.err
    until(lambda: len([one for one in audited(services, key) if "redriven" not in one.event_type]) == 12)


def test_discard_command(services: Services, key: str, contactsync: Command) -> None:
    """A letter is discarded with a reason, and the trail keeps who did it."""
    url = services.settings.dead_letters.queues["rule"]
    sent = services._clients.own("sqs").send_message(QueueUrl=url, MessageBody=json.dumps({"detail": {"eventID": key}}))
    misused(contactsync("dead-letters", "discard", "rule", sent["MessageId"]), "--reason")
    misused(contactsync("dead-letters", "discard", "rule", "--reason", "r"), "--all")
    misused(contactsync("dead-letters", "discard", "rule", "x", "--all", "--reason", "r"), "--all")
    answer = contactsync("dead-letters", "discard", "rule", sent["MessageId"], "--reason", "a drill", "-o", "csv")
    assert (answer.code, key in answer.out) == (0, True)
    (entry,) = audited(services, key)
    assert entry.event_type == "contactsync.dead_letter.discarded"
    refused(contactsync("dead-letters", "show", "rule", sent["MessageId"]), sent["MessageId"])


def test_show_command(services: Services, key: str, contactsync: Command) -> None:
    """A letter is shown whole in every form, without contact values."""
    url = services.settings.dead_letters.queues["rule"]
    detail = {"eventID": key, "requestParameters": {"name": "Wanda Quillfeather", "alternateContactType": "SECURITY"}}
    body = json.dumps({"detail": detail})
    sent = services._clients.own("sqs").send_message(QueueUrl=url, MessageBody=body)["MessageId"]
    for form in ("table", "json", "csv"):
        answer = contactsync("dead-letters", "show", "rule", sent, "-o", form)
        assert (answer.code, answer.err) == (0, "")
        assert key in answer.out
        assert "SECURITY" in answer.out
        assert "Wanda" not in answer.out
    contactsync("dead-letters", "discard", "rule", sent, "--reason", "seen")


def test_unreadable_command(services: Services, contactsync: Command) -> None:
    """What holds no event is named, and the command fails."""
    url = services.settings.dead_letters.queues["trigger"]
    sent = services._clients.own("sqs").send_message(QueueUrl=url, MessageBody="poison")["MessageId"]
    answer = contactsync("dead-letters", "redrive", "trigger", sent)
    assert (answer.code, "unreadable" in answer.out) == (1, True)
    assert "discard" in answer.err
    contactsync("dead-letters", "discard", "trigger", sent, "--reason", "seen")


def test_no_source_command(services: Services, contactsync: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue that no redrive policy names ends the command with one sentence, and its message stays."""
    sqs = services._clients.own("sqs")
    url = sqs.create_queue(QueueName=str(uuid.uuid4()))["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody=event_of().as_json())
    monkeypatch.setenv("CONTACTSYNC_DEAD_LETTER_QUEUES", f"audit={url}")
    refused(contactsync("dead-letters", "redrive", "audit", "--all"), "redrive policy")
    assert len(json.loads(contactsync("dead-letters", "list", "audit", "-o", "json").out)) == 1


def test_unknown_queue(services: Services, contactsync: Command) -> None:
    """A queue that is not there is one sentence."""
    del services
    answer = contactsync("dead-letters", "redrive", "audits", "--all")
    assert (answer.code, answer.out) == (1, "")
    assert "audit, notices, rule, trigger" in answer.err


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ((), "--since"),
        (("--account", "123456789012", "--operation", "2"), "one thing"),
        (("--account", "123456789012", "--day", "2026-01-14"), "one question"),
        (("--day", "14.1.2026"), "2026-01-31"),
        (("--correlation-id", "c", "--since", "1d"), "--correlation-id"),
        (("--since", "2026-01-14", "--until", "2026-01-13"), "--until"),
    ],
)
def test_audit_misused(contactsync: Command, options: tuple[str, ...], text: str) -> None:
    """A question that cannot be answered is wrong usage."""
    misused(contactsync("audit", *options), text)


def test_audit_questions(services: Services, key: str, contactsync: Command) -> None:
    """The trail answers by operation, run, account, entity, day and period."""
    run, account = key, f"{uuid.UUID(key).int % 10**12:012}"
    event = event_of(event_id=key, correlation_id=key, sync_id=sync_id_of(run), account_id=account)
    services.audit_trail.add(entry_of(event))
    for options in (
        ("--operation", run),
        ("--operation", sync_id_of(run)),
        ("--account", account),
        ("--entity", f"account#{account}"),
        ("--day", "2026-01-14"),
        ("--since", "2026-01-14", "--until", "2026-01-14"),
        ("--account", account, "--since", "2026-01-14", "--limit", "1"),
    ):
        rows = json.loads(contactsync("audit", *options, "-o", "json").out)
        assert key in {row["event_id"] for row in rows}, options
    assert key in contactsync("audit", "--correlation-id", key).out
    nothing = contactsync("audit", "--account", account, "--until", "2026-01-13")
    assert (nothing.code, nothing.out) == (0, "")


def test_settings_missing(services: Services, monkeypatch: pytest.MonkeyPatch, contactsync: Command) -> None:
    """A command that lacks a setting names it."""
    del services
    for name, arguments in {
        "AUDIT_TABLE": ("audit", "--day", "2026-01-14"),
        "DEAD_LETTER_QUEUES": ("dead-letters", "list"),
        "IDEMPOTENCY_TABLE": ("dead-letters", "show", "audit", "m"),
    }.items():
        with monkeypatch.context() as patch:
            patch.delenv(f"CONTACTSYNC_{name}")
            refused(contactsync(*arguments), f"CONTACTSYNC_{name}")

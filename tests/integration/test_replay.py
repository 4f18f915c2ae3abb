"""`contactsync events replay` on the templates: events come again, and nobody who has handled them does so twice."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contactsync.bus.audit import entry_of
from contactsync.bus.envelope import Announcement, announcement
from contactsync.bus.events import ConfigurationChanged
from contactsync.cli.local.local_system import product_environment
from contactsync.sandbox.requests.faults import FaultSettings
from contactsync.sandbox.scenario.scenario import Scenario
from contactsync.sandbox.server import Sandbox
from contactsync.services.services import Services
from tests.integration.conftest import Command, misused, refused
from tests.support.events import data_of, event_of
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]
NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Run a sandbox whose clocks of AWS go fast."""
    scenario = Scenario.model_validate({"organization": {"accounts": 1}, "events": {"time_scale": 0.005}})
    with Sandbox(scenario, templates=ROOT / "infra") as running:
        yield running


def change(key: str, number: int) -> Announcement:
    """Return an announcement of an hour ago."""
    data = data_of(ConfigurationChanged, config_key=key)
    moment = NOW - timedelta(hours=1) + number * timedelta(seconds=1)
    return announcement(data, about=f"{key}#{number}", subject=key, correlation_id=key, time=moment)


def handled(sandbox: Sandbox) -> int:
    """Return how often the audit function has said that it has handled an event, now or before."""
    logs = (call.log for call in sandbox.loop.functions.invocations("contactsync-local-audit"))
    return sum(log.count("event handled, now or before") for log in logs)


PERIOD = ("--since", (NOW - timedelta(hours=2)).isoformat(), "--until", (NOW - timedelta(minutes=30)).isoformat())


@pytest.mark.parametrize("options", [(), ("--subscriber", "audit")])
def test_replay(services: Services, sandbox: Sandbox, key: str, contactsync: Command, options: tuple[str, ...]) -> None:
    """What is replayed arrives once more, is known by those who have handled it, and stands in the trail once."""
    services.publisher.publish([change(key, number) for number in range(12)])
    until(lambda: len(list(services.audit_trail.correlated(key))) == 12)
    until(sandbox.loop.queue_polling.is_idle)
    before = handled(sandbox)
    command = ("events", "replay", *PERIOD, "--reason", "a drill", "--rate", "100", *options, "-o", "json")
    planned = contactsync(*command, "--dry-run")
    assert {row["fate"] for row in json.loads(planned.out)} == {"planned"}
    answer = contactsync(*command)
    assert answer.code == 0
    (row,) = json.loads(answer.out)
    assert (row["event_type"], row["fate"]) == ("contactsync.configuration.changed.v1", "sent")
    assert row["events"] >= 12
    assert "(--rate 100)" in answer.err
    until(lambda: handled(sandbox) >= before + row["events"])
    until(sandbox.loop.queue_polling.is_idle)
    assert len(list(services.audit_trail.correlated(key))) == 12
    rows = list(services.audit_trail.about(f"replay#{options[-1] if options else 'all'}"))
    assert {entry.event_type for entry in rows} >= {"contactsync.replay.ordered", "contactsync.replay.ended"}
    assert list(services.dead_letters.look("audit")) == []


def test_refused(services: Services, contactsync: Command) -> None:
    """What would not be harmless is one sentence, and so is a subscriber that is not there."""
    del services
    refused(contactsync("events", "replay", "--since", "60d", "--reason", "r"), "35 days")
    refused(contactsync("events", "replay", "--since", "60d", "--older", "--reason", "r"), "second time")
    refused(contactsync("events", "replay", "--since", "1d", "--subscriber", "x", "--reason", "r"), "audit, notices")
    refused(contactsync("events", "replay", "--since", "1d", "--type", "x", "--reason", "r"), "no event type")


@pytest.fixture
def filtered(services: Services, sandbox: Sandbox) -> Iterator[str]:
    """Let the audit queue's subscription have a filter policy, beside others of the topic."""
    del services
    sns: Any = sandbox.session().client("sns", endpoint_url=sandbox.endpoint_url)
    topic = product_environment(sandbox)["CONTACTSYNC_EVENTS_TOPIC_ARN"]
    listed = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    (arn,) = [one["SubscriptionArn"] for one in listed if one["Endpoint"].endswith(":contactsync-local-audit")]
    policy = json.dumps({"type": [{"prefix": "contactsync.sync_operation."}]})
    sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName="FilterPolicy", AttributeValue=policy)
    yield policy
    sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName="FilterPolicy", AttributeValue="{}")


def test_filter_policy(filtered: str, sandbox: Sandbox, contactsync: Command) -> None:
    """What a subscriber takes by its own choice is shown and not applied; that it cannot be read stops nothing."""
    command = ("events", "replay", *PERIOD, "--subscriber", "audit", "--reason", "r", "--dry-run")
    answer = contactsync(*command)
    assert answer.code == 0
    assert f"The filter policy of audit is not applied: {filtered}." in answer.err
    assert "filter policy" not in contactsync(*[{"audit": "notices"}.get(word, word) for word in command]).err
    for operation in ("ListSubscriptionsByTopic", "GetSubscriptionAttributes"):
        settings = FaultSettings(service="sns", operation=operation, error="AuthorizationError", status=403)
        fault = sandbox.conditions.faults.add(settings)
        try:
            denied = contactsync(*command)
        finally:
            sandbox.conditions.faults.remove(fault.id)
        assert (denied.code, "could not be read" in denied.err) == (0, True)


def test_no_filter_policy(services: Services, contactsync: Command) -> None:
    """A subscriber that takes everything is worth no line."""
    del services
    command = ("events", "replay", *PERIOD, "--subscriber", "audit", "--reason", "r", "--dry-run")
    assert "filter policy" not in contactsync(*command).err


def test_misused(services: Services, contactsync: Command) -> None:
    """A period without an extent, and no reason, are wrong usage."""
    del services
    misused(contactsync("events", "replay", "--since", "1d", "--until", "2d", "--reason", "r"), "--until")
    misused(contactsync("events", "replay", "--since", "1d"), "--reason")
    misused(contactsync("events", "replay", "--reason", "r"), "--since")
    misused(contactsync("events", "replay", "--since", "1d", "--reason", " "), "--reason")


def test_nothing(services: Services, contactsync: Command) -> None:
    """A period without events says so."""
    del services
    answer = contactsync("events", "replay", "--since", "9d", "--until", "8d", "--reason", "r")
    assert (answer.code, answer.out) == (0, "")
    assert "no such event" in answer.err


def test_incomplete(services: Services, key: str, contactsync: Command) -> None:
    """An event whose data the trail does not hold is named, and the command fails."""
    moment = NOW - timedelta(days=3)
    large = event_of(
        ConfigurationChanged, event_id=key, time=moment, correlation_id=key, changed_keys=["k" * 100] * 3500
    )
    small = event_of(ConfigurationChanged, event_id=f"{key}-2", time=moment)
    for event in (large, small):
        services.audit_trail.add(replace(entry_of(event), source="/contactsync/local"))
    start, end = moment - timedelta(hours=1), moment + timedelta(hours=1)
    period = ("--since", start.isoformat(), "--until", end.isoformat())
    answer = contactsync("events", "replay", *period, "--reason", "r", "-o", "csv")
    assert answer.code == 1
    assert f"Not sent: {key}" in answer.err


def test_stopped(services: Services, sandbox: Sandbox, key: str, contactsync: Command) -> None:
    """When the bus goes out of reach the command says where to go on."""
    services.publisher.publish([change(key, number) for number in range(3)])
    until(lambda: len(list(services.audit_trail.correlated(key))) == 3)
    fault = sandbox.conditions.faults.add(FaultSettings(service="sns", error="InternalError"))
    try:
        answer = contactsync("events", "replay", *PERIOD, "--reason", "r")
    finally:
        sandbox.conditions.faults.remove(fault.id)
    assert answer.code == 1
    assert "cannot be reached" in answer.err
    assert f"Continue with --since {(NOW - timedelta(hours=2)).isoformat()}" in answer.err

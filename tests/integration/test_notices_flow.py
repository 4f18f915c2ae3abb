"""Notices on the sandbox: requested, carried by the bus, rendered by the function, and in people's inboxes."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from contactsync.bus.relay import Relay
from contactsync.cli.local.local_system import product_environment
from contactsync.configuration.schema import Configuration
from contactsync.notices.scenarios import Scenario
from contactsync.sandbox.scenario.scenario import Scenario as SandboxScenario
from contactsync.sandbox.server import Sandbox
from contactsync.services.services import Services
from tests.support.worlds.people import People, recorded, wait_for

ROOT = Path(__file__).parents[2]
MAIL, PHONE, CHAT = "operators@example.com", "+12065550100", "contactsync-local"


@pytest.fixture(scope="module")
def people() -> Iterator[People]:
    """Run a sandbox with the project's templates, and a configuration."""
    scenario = {"organization": {"accounts": 2}, "quotas": {"enabled": False}, "events": {"time_scale": 0.01}}
    with (
        Sandbox(SandboxScenario.model_validate(scenario), templates=ROOT / "infra") as sandbox,
        pytest.MonkeyPatch.context() as patch,
    ):
        environment = product_environment(sandbox)
        for name, value in environment.items():
            patch.setenv(name, value)
        services = Services.from_environment(environment)
        services.configurations.store(Configuration(), after_version=0, changed_by="tests")
        yield People(sandbox, services)


def test_mail(people: People) -> None:
    """A notice that was requested is in the operators' mail, with its subject, and its delivery is recorded."""
    assert people.notified(Scenario.OVERDUE, "run-mail")
    (mail,) = wait_for(lambda: people.inbox("run-mail"), "the mail")
    assert mail["recipient"] == "operators@example.com"
    assert mail["subject"].startswith("[MEDIUM] contactsync local: ")
    assert "correlation id run-mail" in mail["text"]
    (sync_id,) = {entry["pk"] for entry in recorded(people, "run-mail")}
    assert sync_id.startswith("NOTICES#")
    wait_for(lambda: recorded(people, "run-mail")[0].get("delivery_EMAIL"), "the record")
    assert recorded(people, "run-mail")[0]["delivery_EMAIL"]["status"] == "sent"


def test_once(people: People) -> None:
    """However often it is requested, and its event repeated, people get it once."""
    assert people.notified(Scenario.OVERDUE, "run-once")
    assert not people.notified(Scenario.OVERDUE, "run-once")
    wait_for(lambda: people.inbox("run-once"), "the mail")
    people.notified(Scenario.OVERDUE, "run-after")
    wait_for(lambda: people.inbox("run-after"), "the next mail")
    assert len(people.inbox("run-once")) == 1


def test_duplicated_event(people: People) -> None:
    """An event that the bus brings three times is delivered once."""
    made = people.services.steps.notice_requests
    sent: list[Any] = []

    class Thrice:
        """Publishes everything three times."""

        def send(self, announcements: Any) -> None:
            """Publish."""
            sent.extend(announcements)
            for _ in range(3):
                people.services.publisher.publish(announcements)

    type(made)(made.requests, made.operations, made.configurations, Thrice(), made.clock).request(
        Scenario.OVERDUE, "run-thrice"
    )
    wait_for(lambda: people.inbox("run-thrice"), "the mail")
    people.services.outbox.remove(sent)
    queue = people.sandbox.loop.queue_polling
    wait_for(queue.is_idle, "the end of all batches")
    assert len(people.inbox("run-thrice")) == 1


@pytest.mark.parametrize(
    ("channels", "scenario", "recipients"),
    [
        (["EMAIL", "SMS", "SLACK", "TEAMS"], Scenario.HALTED, [MAIL, PHONE, CHAT]),
        (["EMAIL", "SMS", "SLACK"], Scenario.OVERDUE, [MAIL, CHAT]),
        (["SMS"], Scenario.OVERDUE, [PHONE]),
    ],
)
def test_channels(people: People, channels: list[str], scenario: Scenario, recipients: list[str]) -> None:
    """Each severity reaches whom it should, and everybody once; a single channel has every severity."""
    before = len(people.control("GET", "inbox")["messages"])
    run = f"run-{'-'.join(channels)}"
    people.configure(user_notifications_config={"delivery_channels": channels})
    try:
        people.notified(scenario, run)
        wait_for(lambda: f"delivery_{channels[-1]}" in recorded(people, run)[0], "the deliveries")
    finally:
        people.configure()
    new = people.control("GET", "inbox")["messages"][before:]
    assert [message["recipient"] for message in new] == recipients


def test_topic_down(people: People) -> None:
    """A topic that takes nothing delays a notice: it waits in the outbox, and comes when housekeeping sends it."""
    people.notified(Scenario.OVERDUE, "run-before-the-trouble")
    wait_for(lambda: people.inbox("run-before-the-trouble"), "the mail")
    fault = {"service": "sns", "operation": "Publish", "error": "InternalError", "status": 500}
    people.control("POST", "faults", fault)
    try:
        people.notified(Scenario.OVERDUE, "run-down")
        again = wait_for(lambda: waiting(people, "run-down"), "the outbox")
    finally:
        people.control("DELETE", "faults")
    assert again[0].data.attempt == 2
    assert people.inbox("run-down") == []
    assert recorded(people, "run-down")[0]["delivery_EMAIL"]["status"] == "failed"
    people.services.relay.send(again)
    wait_for(lambda: people.inbox("run-down"), "the mail")
    wait_for(lambda: recorded(people, "run-down")[0]["delivery_EMAIL"]["status"] == "sent", "the record")
    assert waiting(people, "run-down") == []


def waiting(people: People, run: str) -> list[Any]:
    """Return what waits in the outbox about a run."""
    from datetime import timedelta

    later = people.services.clock.now() + timedelta(hours=1)
    return [e.announcement for e in people.services.outbox.entries(later) if e.announcement.correlation_id == run]


def test_bus_down(people: People) -> None:
    """A bus that takes nothing leaves the request in the outbox; the requester is not held up by that."""
    services = people.services
    # A process that meets this publishes nothing for a minute, so it is another one than the other tests'.
    one, other = (Relay(services.outbox, services.publisher, services.clock) for _ in range(2))
    people.control("POST", "faults", {"service": "sns", "operation": "PublishBatch", "error": "InternalError"})
    try:
        assert replace(services.steps.notice_requests, announcer=one).request(Scenario.OVERDUE, "run-bus-down")
    finally:
        people.control("DELETE", "faults")
    (left,) = waiting(people, "run-bus-down")
    other.send([left])
    wait_for(lambda: people.inbox("run-bus-down"), "the mail")


def test_audited(people: People) -> None:
    """The same event is in the audit trail, under its correlation id."""
    people.notified(Scenario.APPROVAL_WAITING, "run-audited")
    trail = people.services.audit_trail
    (entry,) = wait_for(lambda: list(trail.correlated("run-audited")), "the row")
    assert entry.event_type == "contactsync.notice.requested.v1"
    data = entry.data if isinstance(entry.data, dict) else json.loads(entry.data)
    assert data["scenario"] == "approval_waiting"

"""Delivery of notices: on the channels that are configured, by another way when one fails, and never lost."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from contactsync.bus.envelope import Announcement, Event
from contactsync.bus.events import NoticeRequested, Severity, SyncOperationStarted
from contactsync.contacts import ContactType
from contactsync.errors import (
    AccountsFailedError,
    AwsCallError,
    EventInvalidError,
    ServiceUnavailableError,
)
from contactsync.notices.delivery import Deliverer, Rendered
from contactsync.notices.notice import Notice
from contactsync.notices.scenarios import Scenario, notice_id_of
from contactsync.operations.operation import sync_id_of
from tests.support.builders import RUN, account
from tests.support.fakes.bus import FakeMetrics
from tests.support.fakes.surroundings import START, Fault
from tests.support.worlds.world import World

SYNC_ID = sync_id_of(RUN)
DOWN = ServiceUnavailableError("Publish", "InternalError")


@dataclass
class FakeNoticeTopic:
    """Takes messages, unless the test chose an error for the topic."""

    sent: list[tuple[str | None, Rendered]] = field(default_factory=list)
    errors: dict[str | None, AwsCallError] = field(default_factory=dict)
    """By topic; None is the usual one."""
    channel_errors: dict[str, AwsCallError] = field(default_factory=dict)

    def send(self, message: Rendered, topic_arn: str | None = None) -> None:
        """Take a message."""
        error = self.errors.get(topic_arn) or (
            self.channel_errors.get(message.attributes["channel"]) if topic_arn is None else None
        )
        if error:
            raise error
        self.sent.append((topic_arn, message))

    @property
    def channels(self) -> list[str]:
        """The channels of what the usual topic took."""
        return [message.attributes["channel"] for topic, message in self.sent if topic is None]


@dataclass
class FakeMirror:
    """Takes notices."""

    put_notices: list[tuple[Notice, str]] = field(default_factory=list)
    error: AwsCallError | None = None

    def put(self, notice: Notice, region: str) -> None:
        """Take one."""
        if self.error:
            raise self.error
        self.put_notices.append((notice, region))


@dataclass
class FakeExports:
    """Keeps lists."""

    lists: dict[str, list[str]] = field(default_factory=dict)
    error: AwsCallError | None = None

    def put_lines(self, name: str, lines: Iterable[str]) -> str:
        """Keep one."""
        if self.error:
            raise self.error
        self.lists[name] = list(lines)
        return f"s3://bucket/exports/{name}"


@dataclass
class FakeDeliveryLog:
    """Keeps the ends of channels."""

    ends: dict[str, str] = field(default_factory=dict)
    error: AwsCallError | None = None

    before: Callable[[], None] = lambda: None
    """What is called before an end is kept."""

    def store_delivery(self, sync_id: str, scenario: str, channel: str, result: Mapping[str, Any]) -> None:
        """Keep one."""
        self.before()
        assert (sync_id, scenario) == (SYNC_ID, Scenario.SYSTEM_ERRORS) or sync_id == "unknown"
        if self.error:
            raise self.error
        self.ends[channel] = result["status"]


@dataclass
class FakeOutbox:
    """Keeps announcements."""

    kept: list[Announcement] = field(default_factory=list)

    def add(self, announced: Announcement) -> None:
        """Keep one."""
        self.kept.append(announced)


@dataclass
class Post:
    """A deliverer with fakes on all sides, about an operation that has ended."""

    world: World
    topic: FakeNoticeTopic = field(default_factory=FakeNoticeTopic)
    mirror: FakeMirror = field(default_factory=FakeMirror)
    exports: FakeExports = field(default_factory=FakeExports)
    log: FakeDeliveryLog = field(default_factory=FakeDeliveryLog)
    outbox: FakeOutbox = field(default_factory=FakeOutbox)
    metrics: FakeMetrics = field(default_factory=FakeMetrics)

    @classmethod
    def of(cls, *channels: str, failing: int = 1, accounts: int = 3, **settings: Any) -> "Post":
        """Return one about an operation of which so many accounts failed."""
        user = {"delivery_channels": list(channels or ["EMAIL"]), "notification_hub_region": "eu-west-1"}
        world = World.of(
            accounts,
            contact_types=["security"],
            breaker={"enabled": False},
            notification_settings={"user_notifications_config": user, **settings},
        )
        ids = [account(number).account_id for number in range(1, accounts + 1)]
        error = ServiceUnavailableError("PutAlternateContact", "InternalServerException", ids[0])
        world.contacts.faults += [Fault(error, "write", one) for one in ids[:failing]]
        for one in world.plan():
            try:
                world.sync(one)
            except AccountsFailedError:
                continue
        world.reporter.report(RUN, dict.fromkeys(ids, "success"), has_plan=True)
        return cls(world)

    def deliver(self, event: Event | None = None) -> None:
        """Deliver an event."""
        Deliverer(
            operations=self.world.operations,
            configurations=self.world.configurations,
            topic=self.topic,
            mirror=self.mirror,
            exports=self.exports,
            deliveries=self.log,
            outbox=self.outbox,
            metrics=self.metrics,
            clock=self.world.clock,
            airflow_url="https://airflow.example.com",
        ).deliver(event or requested())


def requested(priority: Severity = Severity.HIGH, **parts: Any) -> Event:
    """Return the event of a request."""
    scenario = Scenario.SYSTEM_ERRORS
    values = {
        "notice_id": notice_id_of(scenario, SYNC_ID),
        "scenario": scenario,
        "priority": priority,
        "sync_id": SYNC_ID,
        "dag_run_id": RUN,
        "dag_id": "contact_sync",
    }
    return Event(
        specversion="1.0",
        id="e",
        source="/contactsync/prod",
        type=NoticeRequested.event_type,
        time=START,
        subject=SYNC_ID,
        correlationid="c",
        severity=priority,
        environment="prod",
        data=NoticeRequested(**{**values, **parts}),
    )


def test_mail() -> None:
    """A mail has subject, text and the attributes that subscriptions filter by; machines get JSON in its place."""
    post = Post.of()
    post.deliver()
    ((topic, message),) = post.topic.sent
    assert topic is None
    assert message.subject.startswith("[HIGH] contactsync prod: ")
    assert set(message.by_protocol) == {"email", "sms"}
    assert "https://airflow.example.com/dags/contact_sync/runs/" in message.by_protocol["email"]
    assert json.loads(message.body)["notice_id"] == notice_id_of(Scenario.SYSTEM_ERRORS, SYNC_ID)
    assert message.attributes["severity"] == "high"
    assert post.log.ends == {"EMAIL": "sent", "USER_NOTIFICATIONS": "sent"}
    assert post.metrics.total("NoticesDelivered") == 1


def test_channels() -> None:
    """Every configured channel gets its own form; a chat's message is for everybody who reads it."""
    post = Post.of("EMAIL", "SMS", "SLACK", "TEAMS")
    post.deliver()
    assert set(post.log.ends) == {"EMAIL", "SMS", "SLACK", "TEAMS", "USER_NOTIFICATIONS"}
    forms = {message.attributes["channel"]: message for _, message in post.topic.sent}
    assert {name: sorted(message.by_protocol) for name, message in forms.items()} == {
        "EMAIL": ["email", "sms"],
        "SMS": ["email", "sms"],
        "CHAT": [],
    }
    assert len(forms["SMS"].by_protocol["sms"]) <= 140
    assert json.loads(forms["CHAT"].body)["source"] == "custom"


def test_nobody() -> None:
    """A notice that nobody is to be told goes nowhere."""
    post = Post.of()
    post.deliver(requested(Severity.INFO))
    assert post.topic.sent == []
    assert post.log.ends == {}


def test_mirror_region() -> None:
    """The mirrored notice goes to the region of the hub."""
    post = Post.of()
    post.deliver()
    assert [region for _, region in post.mirror.put_notices] == ["eu-west-1"]


def test_full_list() -> None:
    """Of more failures than a text lists, the full list is stored and linked: every failed account is in it."""
    post = Post.of(failing=60, accounts=61)
    post.deliver()
    ((name, lines),) = post.exports.lists.items()
    assert name == f"{notice_id_of(Scenario.SYSTEM_ERRORS, SYNC_ID)}.csv"
    text = "".join(lines)
    assert all(account(number).account_id in text for number in range(1, 61))
    assert account(61).account_id not in text
    assert f"s3://bucket/exports/{name}" in post.topic.sent[0][1].by_protocol["email"]


def test_without_operation() -> None:
    """A run that came to no operation has a notice without numbers."""
    post = Post.of()
    post.deliver(requested(sync_id="unknown", code="ConfigurationInvalid", message="Version 3 is invalid."))
    assert "Version 3 is invalid." in post.topic.sent[0][1].by_protocol["email"]


def test_other_events() -> None:
    """Another event is refused: it came here by a wrong subscription."""
    data = SyncOperationStarted(
        sync_id="s",
        dag_run_id="r",
        contact_types=(ContactType.SECURITY,),
        source_account="111122223333",
        config_version=1,
        initiating_user="u",
        planned=START,
    )
    with pytest.raises(EventInvalidError):
        Post.of().deliver(requested().model_copy(update={"data": data}))


def test_unknown_scenario() -> None:
    """A scenario of a later version is refused, and becomes a dead letter."""
    with pytest.raises(EventInvalidError, match="scenario"):
        Post.of().deliver(requested(scenario="earthquake"))


def test_people_first() -> None:
    """A table that answers late holds up no channel: how each ended is recorded when all have been sent."""
    post = Post.of("EMAIL", "SLACK", fallback_sns_topic="arn:aws:sns:eu-west-1:111122223333:fallback")
    post.topic.channel_errors["CHAT"] = ServiceUnavailableError("Publish", "InternalError")
    sent: list[int] = []
    post.log.before = lambda: sent.append(len(post.topic.sent) + len(post.mirror.put_notices))
    post.deliver()
    assert set(sent) == {3}
    assert post.log.ends == {"EMAIL": "sent", "SLACK": "failed", "USER_NOTIFICATIONS": "sent", "FALLBACK": "sent"}

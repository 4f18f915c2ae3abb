"""AWS User Notifications: templates, event rules, channels, and the one event a second that gets through."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from moto.cloudformation.exceptions import ValidationError

from contactsync.sandbox.events.rules import EventPattern
from contactsync.sandbox.messages.chat import ChatChannels
from contactsync.sandbox.messages.inbox import Inbox
from contactsync.sandbox.messages.user_notifications import CENTER, AccountResources, EventRule, UserNotifications
from contactsync.sandbox.server import Sandbox
from contactsync.sandbox.stacks import notification_types
from contactsync.sandbox.stacks.templates import deploy
from contactsync.stacks.templates import TemplateError
from tests.sandbox.sandbox_clients import client, control, running

ACCOUNT, CONFIGURATION, CONTACT = "111122223333", "arn:configuration/high", "arn:emailcontact/one"
HIGH = {"detail": {"title": [{"prefix": "[HIGH]"}]}}


def event(title: str = "[HIGH] failed", **changes: Any) -> dict[str, Any]:
    """Make the event of an OpsItem."""
    made = {"source": "aws.ssm", "detail-type": "OpsItem Create", "account": ACCOUNT, "region": "us-east-1"}
    return made | {"detail": {"title": title}} | changes


class Clock:
    """A clock that stands still until it is moved."""

    now = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def account() -> tuple[UserNotifications, Inbox, Clock]:
    """Give an account a hub, a contact, and a configuration with a rule for titles that begin with [HIGH]."""
    inbox, clock = Inbox(), Clock()
    notifications = UserNotifications(inbox, clock)
    rule = EventRule(CONFIGURATION, "aws.ssm", "OpsItem Create", frozenset({"us-east-1"}), EventPattern(HIGH))

    def fill(resources: AccountResources) -> None:
        resources.hubs.add("us-east-1")
        resources.configurations.add(CONFIGURATION)
        resources.rules["arn:rule"] = rule
        resources.contacts[CONTACT] = "operators@example.com"
        resources.channels |= {(CONFIGURATION, CONTACT), (CONFIGURATION, "arn:chat-configuration/slack-channel/ops")}

    notifications.change(ACCOUNT, fill)
    return notifications, inbox, clock


def recipients(inbox: Inbox) -> list[str]:
    """List who received something."""
    return [message.recipient for message in inbox.messages()]


def test_notified() -> None:
    """An event that the rule selects reaches every channel of its configuration."""
    notifications, inbox, _ = account()
    notifications.on_event(event())
    assert recipients(inbox) == ["operators@example.com", "ops"]
    assert {(message.channel, message.subject, message.origin) for message in inbox.messages()} == {
        ("user-notifications", "[HIGH] failed", CONFIGURATION)
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"title": "[LOW] fine"},
        {"source": "aws.cloudwatch"},
        {"detail-type": "OpsItem Update"},
        {"region": "eu-west-1"},
        {"account": "444455556666"},
        {"detail": None},
    ],
)
def test_not_notified(changes: dict[str, Any]) -> None:
    """Another title, source, type, region or account is nothing to notify of."""
    notifications, inbox, _ = account()
    notifications.on_event(event(**changes))
    assert recipients(inbox) == []
    assert inbox.dropped() == []


def test_one_a_second() -> None:
    """Of a burst only the first event gets through, and the rest is counted; a second later the next one does."""
    notifications, inbox, clock = account()
    for _ in range(5):
        notifications.on_event(event())
    clock.now += 0.99
    notifications.on_event(event())
    assert len(recipients(inbox)) == 2
    assert [(drop["recipient"], drop["count"]) for drop in inbox.dropped()] == [
        ("operators@example.com", 5),
        ("ops", 5),
    ]
    clock.now += 0.02
    notifications.on_event(event())
    assert len(recipients(inbox)) == 4


def test_unselected_events_count() -> None:
    """An event of the rule's source and type uses up the second, whether or not the pattern selects it."""
    notifications, inbox, _ = account()
    notifications.on_event(event("[LOW] fine"))
    notifications.on_event(event())
    assert recipients(inbox) == []


def test_no_hub() -> None:
    """Without a notification hub everything is lost."""
    notifications, inbox, _ = account()
    notifications.change(ACCOUNT, lambda resources: resources.hubs.clear())
    notifications.on_event(event())
    assert recipients(inbox) == []
    assert "no notification hub" in inbox.dropped()[0]["reason"]


def test_no_channel() -> None:
    """Without a channel the console's Notification Center has it."""
    notifications, inbox, _ = account()
    notifications.change(ACCOUNT, lambda resources: resources.channels.clear())
    notifications.on_event(event())
    assert recipients(inbox) == [CENTER]


ARN = {"Fn::GetAtt": ["Configuration", "Arn"]}
RESOURCES: dict[str, Any] = {
    "Hub": {"Type": "AWS::Notifications::NotificationHub", "Properties": {"Region": "us-east-1"}},
    "Configuration": {
        "Type": "AWS::Notifications::NotificationConfiguration",
        "Properties": {"Name": "high", "Description": "d", "AggregationDuration": "NONE"},
    },
    "Rule": {
        "Type": "AWS::Notifications::EventRule",
        "Properties": {
            "NotificationConfigurationArn": ARN,
            "Source": "aws.ssm",
            "EventType": "OpsItem Create",
            "EventPattern": '{"detail":{"title":[{"prefix":"[HIGH]"}]}}',
            "Regions": ["us-east-1"],
        },
    },
    "Contact": {
        "Type": "AWS::NotificationsContacts::EmailContact",
        "Properties": {"Name": "operators", "EmailAddress": "operators@example.com"},
    },
    "Association": {
        "Type": "AWS::Notifications::ChannelAssociation",
        "Properties": {"Arn": {"Ref": "Contact"}, "NotificationConfigurationArn": {"Ref": "Configuration"}},
    },
}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Run a sandbox."""
    with running() as sandbox:
        yield sandbox


def deployed(sandbox: Sandbox, directory: Path, resources: dict[str, Any]) -> None:
    """Deploy resources as contactsync-notices."""
    (directory / "notices.yaml").write_text(yaml.safe_dump({"Resources": resources}))
    deploy(directory, session=sandbox.session(), endpoint_url=sandbox.endpoint_url, parameters={})


def test_from_ops_item_to_inbox(sandbox: Sandbox, tmp_path: Path) -> None:
    """With the templates deployed an OpsItem reaches its contact, until the stack is gone."""
    deployed(sandbox, tmp_path, RESOURCES)
    ssm = client(sandbox, "ssm")
    ssm.create_ops_item(Title="[HIGH] failed", Description="What happened.", Source="contact-sync")
    (message,) = control(sandbox, "GET", "/inbox?channel=user-notifications")["messages"]
    assert (message["recipient"], message["subject"]) == ("operators@example.com", "[HIGH] failed")
    assert "What happened." in message["text"]
    client(sandbox, "cloudformation").delete_stack(StackName="contactsync-notices")
    control(sandbox, "DELETE", "/inbox")
    ssm.create_ops_item(Title="[HIGH] again", Description="d", Source="contact-sync")
    assert control(sandbox, "GET", "/inbox") == {"messages": [], "dropped": []}


def test_refused_template(sandbox: Sandbox, tmp_path: Path) -> None:
    """A template with a rule for events that are no AWS service's is refused, and says where."""
    rule = {**RESOURCES["Rule"], "Properties": {**RESOURCES["Rule"]["Properties"], "Source": "contactsync"}}
    with pytest.raises(TemplateError, match=r"notices.yaml: .*Rule.*Source must match"):
        deployed(sandbox, tmp_path, RESOURCES | {"Rule": rule})


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("Rule", {"Source": "contactsync"}, "Source must match"),
        ("Rule", {"NotificationConfigurationArn": "arn:other"}, "there is no configuration arn:other"),
        ("Rule", {"EventType": "OpsItem_Create"}, "EventType must match"),
        ("Rule", {"Regions": []}, "Regions is required"),
        ("Rule", {"EventPattern": '{"detail":{"title":[{"wildcard":"*x*"}]}}'}, "wildcard"),
        ("Rule", {"EventPattern": '{"detail":{"title":[{"begins":"x"}]}}'}, "unknown filter 'begins'"),
        ("Rule", {"EventPattern": '{"detail":{"title":["' + "x" * 4096 + '"]}}'}, "4096"),
        ("Configuration", {"Name": "a b"}, "Name must match"),
        ("Configuration", {"AggregationDuration": "5MIN"}, "AggregationDuration must match"),
        ("Contact", {"EmailAddress": "nobody"}, "EmailAddress must match"),
        ("Association", {"Arn": "arn:aws:notifications-contacts::1:emailcontact/x"}, "the channel does not exist"),
        ("Hub", {"Region": ""}, "Region is required"),
    ],
)
def test_refused(name: str, changes: dict[str, Any], reason: str) -> None:
    """A property that AWS would not take is refused and named."""
    notifications, inbox, _ = account()
    given = {**RESOURCES[name]["Properties"], "NotificationConfigurationArn": CONFIGURATION, **changes}
    parts = notification_types.Notifications(notifications, ChatChannels(inbox))
    kind = next(kind for kind in notification_types.ADDED if kind.cloudformation_type() == RESOURCES[name]["Type"])
    with notification_types.handover.to(parts), pytest.raises(ValidationError) as caught:
        kind.apply(name, given, ACCOUNT, "us-east-1")
    assert reason in caught.value.message


def test_most_hubs() -> None:
    """An account has three hubs at most, and the same one again is not another."""
    notifications, inbox, _ = account()
    parts = notification_types.Notifications(notifications, ChatChannels(inbox))
    with notification_types.handover.to(parts):
        for region in ("us-east-1", "us-east-2", "eu-west-1"):
            notification_types.NotificationHub.apply("Hub", {"Region": region}, ACCOUNT, "us-east-1")
        with pytest.raises(ValidationError):
            notification_types.NotificationHub.apply("Hub", {"Region": "eu-north-1"}, ACCOUNT, "us-east-1")

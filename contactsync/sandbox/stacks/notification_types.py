"""The CloudFormation types of AWS User Notifications and of Amazon Q in chat applications, checked as AWS checks them.

Properties and limits are from the services' models and the CloudFormation registry.
"""

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from moto.cloudformation import parsing
from moto.cloudformation.exceptions import ValidationError

from contactsync.sandbox.events.rules import EventPattern, InvalidPatternError
from contactsync.sandbox.handover import Entry, Handover
from contactsync.sandbox.messages.chat import ChatChannels
from contactsync.sandbox.messages.user_notifications import AccountResources, EventRule, UserNotifications
from contactsync.sandbox.stacks.added_resource import AddedResource

_LONGEST_PATTERN = 4096  # characters
_MOST_HUBS = 3  # of one account
_TEXTS: Mapping[str, re.Pattern[str]] = {
    "Name": re.compile(r"[A-Za-z0-9_\-]{1,64}"),
    "Description": re.compile(r"[^\x00-\x1f]{0,256}"),
    "AggregationDuration": re.compile(r"LONG|SHORT|NONE"),
    "Source": re.compile(r"aws\.[a-z0-9\-]{1,32}"),
    "EventType": re.compile(r"[a-zA-Z0-9 \-\(\)]{1,128}"),
    "EmailAddress": re.compile(r"[^@\s]+@[^@\s]+"),
    "ConfigurationName": re.compile(r"[A-Za-z0-9\-_]{1,128}"),
}


@dataclass(frozen=True)
class Notifications:
    """The parts of a running sandbox that the types change."""

    user_notifications: UserNotifications
    channels: ChatChannels


class _Type(AddedResource):
    """A type whose physical id is an ARN, with its required properties."""

    TYPE: ClassVar[str]
    REQUIRED: ClassVar[tuple[str, ...]] = ()
    KIND: ClassVar[str] = ""

    @classmethod
    def cloudformation_type(cls) -> str:
        return cls.TYPE

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return attr == "Arn"

    def get_cfn_attribute(self, attribute_name: str) -> str:
        del attribute_name
        return self.physical_resource_id

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: AddedResource | None,
        new_resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
    ) -> AddedResource:
        if original_resource is not None:
            cls.remove(original_resource.physical_resource_id, account_id)
        return cls.create_from_cloudformation_json(new_resource_name, cloudformation_json, account_id, region_name)

    @classmethod
    def delete_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str
    ) -> None:
        del cloudformation_json, region_name
        cls.remove(resource_name, account_id)

    @classmethod
    def apply(cls, name: str, properties: Mapping[str, Any], account: str, region: str) -> str:
        del region
        for required in cls.REQUIRED:
            if not properties.get(required):
                raise ValidationError(message=f"{name} ({cls.TYPE}): {required} is required")
        for key, pattern in _TEXTS.items():
            if key in properties and not pattern.fullmatch(str(properties[key])):
                raise ValidationError(message=f"{name} ({cls.TYPE}): {key} must match {pattern.pattern}")
        return cls.put(name, properties, account)

    @classmethod
    def put(cls, name: str, properties: Mapping[str, Any], account: str) -> str:
        raise NotImplementedError

    @classmethod
    def remove(cls, arn: str, account: str) -> None:
        raise NotImplementedError


class NotificationHub(_Type):
    """AWS::Notifications::NotificationHub: a region that stores notifications; its physical id is the region."""

    TYPE = "AWS::Notifications::NotificationHub"
    REQUIRED = ("Region",)

    @classmethod
    def put(cls, name: str, properties: Mapping[str, Any], account: str) -> str:
        """Register the hub; an account can have three."""
        region = str(properties["Region"])

        def register(resources: AccountResources) -> None:
            if len(resources.hubs | {region}) > _MOST_HUBS:
                raise ValidationError(message=f"{name} ({cls.TYPE}): an account has at most {_MOST_HUBS} hubs")
            resources.hubs.add(region)

        _notifications().user_notifications.change(account, register)
        return region

    @classmethod
    def remove(cls, arn: str, account: str) -> None:
        """Deregister the hub."""
        _notifications().user_notifications.change(account, lambda resources: resources.hubs.discard(arn))


class NotificationConfiguration(_Type):
    """AWS::Notifications::NotificationConfiguration: has event rules and channels."""

    TYPE = "AWS::Notifications::NotificationConfiguration"
    REQUIRED = ("Name", "Description")

    @classmethod
    def put(cls, name: str, properties: Mapping[str, Any], account: str) -> str:
        """Add the configuration."""
        del name, properties
        arn = f"arn:aws:notifications::{account}:configuration/{_unique()}"
        _notifications().user_notifications.change(account, lambda resources: resources.configurations.add(arn))
        return arn

    @classmethod
    def remove(cls, arn: str, account: str) -> None:
        """Remove the configuration."""
        _notifications().user_notifications.change(account, lambda resources: resources.configurations.discard(arn))


class NotificationEventRule(_Type):
    """AWS::Notifications::EventRule: selects events of one AWS service and type for a configuration."""

    TYPE = "AWS::Notifications::EventRule"
    REQUIRED = ("NotificationConfigurationArn", "Source", "EventType", "Regions")

    @classmethod
    def put(cls, name: str, properties: Mapping[str, Any], account: str) -> str:
        """Add the rule."""
        configuration = str(properties["NotificationConfigurationArn"])
        rule = EventRule(
            configuration=configuration,
            source=str(properties["Source"]),
            event_type=str(properties["EventType"]),
            regions=frozenset(properties["Regions"]),
            pattern=_pattern(name, properties.get("EventPattern")),
        )
        arn = f"{configuration}/rule/{_unique()}"

        def add(resources: AccountResources) -> None:
            if configuration not in resources.configurations:
                raise ValidationError(message=f"{name} ({cls.TYPE}): there is no configuration {configuration}")
            resources.rules[arn] = rule

        _notifications().user_notifications.change(account, add)
        return arn

    @classmethod
    def remove(cls, arn: str, account: str) -> None:
        """Remove the rule."""
        _notifications().user_notifications.change(account, lambda resources: resources.rules.pop(arn, None))


class EmailContact(_Type):
    """AWS::NotificationsContacts::EmailContact: an address; it is active at once, in AWS its owner must activate it."""

    TYPE = "AWS::NotificationsContacts::EmailContact"
    REQUIRED = ("Name", "EmailAddress")

    @classmethod
    def put(cls, name: str, properties: Mapping[str, Any], account: str) -> str:
        """Add the contact."""
        del name
        arn = f"arn:aws:notifications-contacts::{account}:emailcontact/{_unique()}"
        address = str(properties["EmailAddress"])
        _notifications().user_notifications.change(account, lambda resources: resources.contacts.update({arn: address}))
        return arn

    @classmethod
    def remove(cls, arn: str, account: str) -> None:
        """Remove the contact."""
        _notifications().user_notifications.change(account, lambda resources: resources.contacts.pop(arn, None))


class ChannelAssociation(_Type):
    """AWS::Notifications::ChannelAssociation: connects a channel to a configuration; its physical id is both ARNs."""

    TYPE = "AWS::Notifications::ChannelAssociation"
    REQUIRED = ("Arn", "NotificationConfigurationArn")

    @classmethod
    def put(cls, name: str, properties: Mapping[str, Any], account: str) -> str:
        """Associate the channel, which must be an existing e-mail contact or chat channel."""
        channel, configuration = str(properties["Arn"]), str(properties["NotificationConfigurationArn"])
        chats = _notifications().channels.known()

        def associate(resources: AccountResources) -> None:
            known = {"channel": channel in resources.contacts or channel in chats}
            known["configuration"] = configuration in resources.configurations
            missing = [what for what, is_there in known.items() if not is_there]
            if missing:
                raise ValidationError(message=f"{name} ({cls.TYPE}): the {missing[0]} does not exist")
            resources.channels.add((configuration, channel))

        _notifications().user_notifications.change(account, associate)
        return f"{channel}|{configuration}"

    @classmethod
    def remove(cls, arn: str, account: str) -> None:
        """Disassociate the channel."""
        channel, _, configuration = arn.partition("|")
        _notifications().user_notifications.change(
            account, lambda resources: resources.channels.discard((configuration, channel))
        )


class _ChatChannel(_Type):
    """A chat channel that listens to topics and can be a channel of notification configurations."""

    @classmethod
    def put(cls, name: str, properties: Mapping[str, Any], account: str) -> str:
        del name
        arn = f"arn:aws:chatbot::{account}:chat-configuration/{cls.KIND}/{properties['ConfigurationName']}"
        _notifications().channels.put(arn, set(properties.get("SnsTopicArns") or ()))
        return arn

    @classmethod
    def remove(cls, arn: str, account: str) -> None:
        del account
        _notifications().channels.remove(arn)


class SlackChannel(_ChatChannel):
    """AWS::Chatbot::SlackChannelConfiguration."""

    TYPE = "AWS::Chatbot::SlackChannelConfiguration"
    REQUIRED = ("ConfigurationName", "IamRoleArn", "SlackChannelId", "SlackWorkspaceId")
    KIND = "slack-channel"


class TeamsChannel(_ChatChannel):
    """AWS::Chatbot::MicrosoftTeamsChannelConfiguration."""

    TYPE = "AWS::Chatbot::MicrosoftTeamsChannelConfiguration"
    REQUIRED = ("ConfigurationName", "IamRoleArn", "TeamId", "TeamsChannelId", "TeamsTenantId")
    KIND = "microsoft-teams-channel"


ADDED: list[type[AddedResource]] = [
    NotificationHub,
    NotificationConfiguration,
    NotificationEventRule,
    EmailContact,
    ChannelAssociation,
    SlackChannel,
    TeamsChannel,
]
handover: Handover[Notifications] = Handover(
    *(Entry(parsing.get_model_map, model.cloudformation_type(), model) for model in ADDED)
)


def _notifications() -> Notifications:
    current = handover.part
    if current is None:
        raise ValidationError(message="no sandbox runs that could have notifications")
    return current


def _pattern(name: str, given: object) -> EventPattern | None:
    """Check a pattern; User Notifications supports no wildcards."""
    if not given:
        return None
    text = given if isinstance(given, str) else json.dumps(given)
    if len(text) > _LONGEST_PATTERN or '"wildcard"' in text:
        raise ValidationError(
            message=f"{name}: EventPattern has a wildcard, or more than {_LONGEST_PATTERN} characters"
        )
    try:
        return EventPattern(text)
    except InvalidPatternError as error:
        raise ValidationError(message=f"{name}: {error}") from error


def _unique() -> str:
    return uuid.uuid4().hex[:27]

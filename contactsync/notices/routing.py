"""Where a notice goes: the configuration's channels, by the notice's severity."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from contactsync.bus.events import Severity
from contactsync.configuration.schema import DeliveryChannel, NotificationSettings
from contactsync.notices.notice import Notice


class Form(StrEnum):
    """How a notice is written."""

    TEXT = "text"
    JSON = "json"
    CHAT = "chat"
    SMS = "sms"


FORMS: Final[Mapping[DeliveryChannel, Form]] = MappingProxyType(
    {
        DeliveryChannel.EMAIL: Form.TEXT,
        DeliveryChannel.SMS: Form.SMS,
        DeliveryChannel.SLACK: Form.CHAT,
        DeliveryChannel.TEAMS: Form.CHAT,
    }
)
"""The form that each channel's receivers can read."""

CHAT: Final = "CHAT"
"""The attribute `channel` of chat messages: Amazon Q hands everything of a topic to all chats that listen to it."""


@dataclass(frozen=True)
class Delivery:
    """One message, and the channels that it is for; subscriptions to the topic filter by its attributes."""

    channels: tuple[DeliveryChannel, ...]
    form: Form
    attributes: Mapping[str, str]


def deliveries_of(notice: Notice, settings: NotificationSettings) -> list[Delivery]:
    """Return a delivery per form that the configured channels need; none for a notice that nobody is to be told.

    A text message wakes people, so SMS gets high severity only, unless it is the only channel.
    """
    if notice.severity is Severity.INFO:
        return []
    channels = list(_channels(notice.severity, settings))
    forms = dict.fromkeys(FORMS[channel] for channel in channels)
    return [_delivery(notice, form, tuple(one for one in channels if FORMS[one] is form)) for form in forms]


def fallback_of(notice: Notice) -> Delivery:
    """Return what goes to the fallback topic, whatever the channels are: the mail's text."""
    return _delivery(notice, Form.TEXT, (DeliveryChannel.EMAIL,))


def _channels(severity: Severity, settings: NotificationSettings) -> Iterator[DeliveryChannel]:
    configured = settings.user_notifications_config.delivery_channels
    quiet = severity is not Severity.HIGH and len(configured) > 1
    return (channel for channel in configured if not (quiet and channel is DeliveryChannel.SMS))


def _delivery(notice: Notice, form: Form, channels: tuple[DeliveryChannel, ...]) -> Delivery:
    attributes = {
        "severity": notice.severity.value,
        "scenario": notice.scenario.value,
        "channel": CHAT if form is Form.CHAT else channels[0].value,
        "environment": notice.environment or "-",
    }
    return Delivery(channels, form, MappingProxyType(attributes))

"""Where a notice is sent: the configured channels, by the notice's severity."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from contactsync.bus.events import Severity
from contactsync.configuration.schema import DeliveryChannel, NotificationSettings
from contactsync.notices.notice import Notice


class NoticeForm(StrEnum):
    """How a notice is written."""

    TEXT = "text"
    JSON = "json"
    CHAT = "chat"
    SMS = "sms"


FORMS: Final[Mapping[DeliveryChannel, NoticeForm]] = MappingProxyType(
    {
        DeliveryChannel.EMAIL: NoticeForm.TEXT,
        DeliveryChannel.SMS: NoticeForm.SMS,
        DeliveryChannel.SLACK: NoticeForm.CHAT,
        DeliveryChannel.TEAMS: NoticeForm.CHAT,
    }
)
"""The form that receivers of each channel can read."""

CHAT: Final = "CHAT"
"""The attribute `channel` of chat messages: Amazon Q sends all messages of a topic to all chats that listen to it."""


@dataclass(frozen=True)
class NoticeDelivery:
    """One message with its channels; subscriptions to the topic filter by its attributes."""

    channels: tuple[DeliveryChannel, ...]
    form: NoticeForm
    attributes: Mapping[str, str]


def deliveries_of(notice: Notice, notification_settings: NotificationSettings) -> list[NoticeDelivery]:
    """Return a delivery for each form that the configured channels need; none for severity info.

    An SMS wakes people, so that channel gets only high severity, unless it is the only channel.
    """
    if notice.severity is Severity.INFO:
        return []
    channels = list(_channels(notice.severity, notification_settings))
    forms = dict.fromkeys(FORMS[channel] for channel in channels)
    return [_delivery(notice, form, tuple(one for one in channels if FORMS[one] is form)) for form in forms]


def fallback_of(notice: Notice) -> NoticeDelivery:
    """Return what is sent to the fallback topic, whatever the channels are: the text of the mail."""
    return _delivery(notice, NoticeForm.TEXT, (DeliveryChannel.EMAIL,))


def _channels(severity: Severity, notification_settings: NotificationSettings) -> Iterator[DeliveryChannel]:
    configured = notification_settings.user_notifications_config.delivery_channels
    quiet = severity is not Severity.HIGH and len(configured) > 1
    return (channel for channel in configured if not (quiet and channel is DeliveryChannel.SMS))


def _delivery(notice: Notice, form: NoticeForm, channels: tuple[DeliveryChannel, ...]) -> NoticeDelivery:
    attributes = {
        "severity": notice.severity.value,
        "scenario": notice.scenario.value,
        "channel": CHAT if form is NoticeForm.CHAT else channels[0].value,
        "environment": notice.environment or "-",
    }
    return NoticeDelivery(channels, form, MappingProxyType(attributes))

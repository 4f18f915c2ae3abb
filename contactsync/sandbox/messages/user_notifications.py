"""AWS User Notifications: events of AWS services, selected by event rules and shown on a configuration's channels.

Only events of AWS services come in, at most one per second and account; more are lost. EventBridge passes on every
event of a rule's source and type, and the pattern is applied later, so events that do not match the pattern count too
(our inference).
Unlike AWS: aggregated notifications (SHORT, LONG) arrive at once, e-mail contacts are active at once, and the text is
the event's own, because AWS does not document its text for an OpsItem.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from contactsync.sandbox.events.rules import EventPattern
from contactsync.sandbox.messages.inbox import Channel, Inbox

SECONDS_BETWEEN_EVENTS: Final = 1.0
CENTER: Final = "Notification Center"
"""The recipient when a configuration has no channel: people who sign in to the console."""


@dataclass(frozen=True)
class EventRule:
    """A rule that selects events for a configuration."""

    configuration: str
    source: str
    event_type: str
    regions: frozenset[str]
    pattern: EventPattern | None

    def is_for(self, event: Mapping[str, Any]) -> bool:
        """Return whether EventBridge passes on such an event for this rule."""
        kind = (event.get("source"), event.get("detail-type"))
        return kind == (self.source, self.event_type) and event.get("region") in self.regions

    def selects(self, event: Mapping[str, Any]) -> bool:
        """Return whether such an event matches the pattern and becomes a notification."""
        return self.pattern is None or self.pattern.matches(event)


@dataclass
class AccountResources:
    """The resources of one account; they have no region, because User Notifications is a global service."""

    hubs: set[str] = field(default_factory=set)
    configurations: set[str] = field(default_factory=set)
    rules: dict[str, EventRule] = field(default_factory=dict)
    channels: set[tuple[str, str]] = field(default_factory=set)
    """Pairs of ARNs: a configuration and its channel."""
    contacts: dict[str, str] = field(default_factory=dict)
    """E-mail addresses by the ARN of the contact."""
    last_event: float | None = None
    """In seconds of the clock; None before the first event."""


class UserNotifications:
    """The notifications of all accounts; templates add resources, and the bus adds events."""

    def __init__(self, inbox: Inbox, clock: Callable[[], float] = time.monotonic) -> None:
        self._inbox = inbox
        self._clock = clock
        self._lock = threading.Lock()
        self._accounts: dict[str, AccountResources] = {}

    def change(self, account: str, change: Callable[[AccountResources], object]) -> None:
        """Change the resources of an account."""
        with self._lock:
            change(self._accounts.setdefault(account, AccountResources()))

    def on_event(self, event: Mapping[str, Any]) -> None:
        """Notify the channels of all configurations whose rules select the event."""
        with self._lock:
            resources = self._accounts.get(str(event.get("account")))
            rules = [rule for rule in resources.rules.values() if rule.is_for(event)] if resources else []
            if resources is None or not rules:
                return
            obstacle = self._obstacle(resources)
            recipients = [
                (rule, name) for rule in rules if rule.selects(event) for name in _recipients(resources, rule)
            ]
        for rule, recipient in recipients:
            self._notify(rule, recipient, event, obstacle)

    def _obstacle(self, resources: AccountResources) -> str | None:
        """Count the event, and return why it is lost; None when it is not."""
        now = self._clock()
        if not resources.hubs:
            return "the account has no notification hub"
        if resources.last_event is not None and now - resources.last_event < SECONDS_BETWEEN_EVENTS:
            return "more than one event a second (AWS/Notifications ServiceEventsThrottled)"
        resources.last_event = now
        return None

    def _notify(self, rule: EventRule, recipient: str, event: Mapping[str, Any], obstacle: str | None) -> None:
        if obstacle is not None:
            self._inbox.drop(recipient, f"User Notifications lost it: {obstacle}")
            return
        title = event["detail"].get("title") if isinstance(event.get("detail"), Mapping) else None
        self._inbox.put(
            Channel.USER_NOTIFICATIONS,
            recipient,
            text=json.dumps(event.get("detail"), indent=2, default=str),
            subject=str(title or event.get("detail-type")),
            origin=rule.configuration,
        )


def _recipients(resources: AccountResources, rule: EventRule) -> list[str]:
    channels = [channel for configuration, channel in resources.channels if configuration == rule.configuration]
    named = [resources.contacts.get(channel, channel.rpartition("/")[2]) for channel in channels]
    return sorted(named) or [CENTER]

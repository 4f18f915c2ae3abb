"""AWS User Notifications: events of AWS services that event rules select, on the configurations' channels.

Nothing can be sent through it; only events of AWS services come in, at most one a second for each account,
and what is beyond is lost. EventBridge hands it every event of a rule's source and type, and the pattern is applied
afterwards, so the events that it then lets fall have counted (an inference).
Other than in AWS: aggregated notifications (SHORT, LONG) arrive at once too, e-mail contacts count as activated, and
the words are the event's own; how AWS words an OpsItem is not documented.
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
"""Who sees a notification whose configuration has no channel: people who sign in to the console."""


@dataclass(frozen=True)
class EventRule:
    """Which events a configuration is about."""

    configuration: str
    source: str
    event_type: str
    regions: frozenset[str]
    pattern: EventPattern | None

    def is_for(self, event: Mapping[str, Any]) -> bool:
        """Tell whether the service hands over such an event for this rule."""
        kind = (event.get("source"), event.get("detail-type"))
        return kind == (self.source, self.event_type) and event.get("region") in self.regions

    def selects(self, event: Mapping[str, Any]) -> bool:
        """Tell whether such an event becomes a notification."""
        return self.pattern is None or self.pattern.matches(event)


@dataclass
class AccountResources:
    """Everything of one account; User Notifications is a global service."""

    hubs: set[str] = field(default_factory=set)
    configurations: set[str] = field(default_factory=set)
    rules: dict[str, EventRule] = field(default_factory=dict)
    channels: set[tuple[str, str]] = field(default_factory=set)
    """Configuration and channel."""
    contacts: dict[str, str] = field(default_factory=dict)
    """E-mail addresses."""
    last_event: float | None = None


class UserNotifications:
    """The notifications of all accounts; templates put resources in, the bus puts events in."""

    def __init__(self, inbox: Inbox, clock: Callable[[], float] = time.monotonic) -> None:
        """Take where notifications go."""
        self._inbox = inbox
        self._clock = clock
        self._lock = threading.Lock()
        self._accounts: dict[str, AccountResources] = {}

    def change(self, account: str, change: Callable[[AccountResources], object]) -> None:
        """Change the resources of an account."""
        with self._lock:
            change(self._accounts.setdefault(account, AccountResources()))

    def on_event(self, event: Mapping[str, Any]) -> None:
        """Notify the channels of the configurations that an event is for."""
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
        """Count the event, and say why it is lost."""
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

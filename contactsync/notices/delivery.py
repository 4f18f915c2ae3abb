"""The subscriber for notices: it renders what was requested, and delivers it on the configured channels."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from functools import partial
from types import MappingProxyType
from typing import Any, Final, Protocol

from contactsync.bus.envelope import Announcement, Event, announcement
from contactsync.bus.events import NoticeRequested
from contactsync.clock import Clock
from contactsync.configuration.ports import Configurations
from contactsync.configuration.schema import DeliveryChannel, NotificationSettings, UserNotificationsConfig
from contactsync.errors import AwsCallError, ConfigurationError, EventInvalidError, NoticeUndeliveredError
from contactsync.notices.failures import failures_csv
from contactsync.notices.forms.render_text import subject_of
from contactsync.notices.forms.rendering import rendered
from contactsync.notices.notice import Notice, NoticeOrigin, notice_of
from contactsync.notices.routing import NoticeDelivery, NoticeForm, deliveries_of, fallback_of
from contactsync.operations.operation import UNPLANNED, AccountOutcome, SyncOperation

log = logging.getLogger(__name__)

TRIES: Final = 288
"""How many times a notice is put into the outbox again if a channel does not accept it: every 5 minutes for a day."""

FALLBACK: Final = "FALLBACK"
"""The name under which the result of the fallback topic is stored."""

USER_NOTIFICATIONS: Final = "USER_NOTIFICATIONS"


PROTOCOLS: Final[Mapping[NoticeForm, str]] = MappingProxyType({NoticeForm.TEXT: "email", NoticeForm.SMS: "sms"})
"""SNS's names of the protocols with which people subscribe."""


class Outcomes(Protocol):
    """The stored operations that a notice is about."""

    def get(self, sync_id: str) -> SyncOperation | None:
        """Return an operation, read consistently."""

    def outcomes(self, sync_id: str) -> Iterator[AccountOutcome]:
        """Return every outcome of an operation page by page."""


@dataclass(frozen=True)
class Rendered:
    """A notice in the form in which a topic accepts it."""

    subject: str
    body: str
    """The message for all subscribers."""
    attributes: Mapping[str, str]
    by_protocol: Mapping[str, str] = field(default_factory=dict)
    """The message for subscribers with these protocols instead, by SNS's names of them."""


class NoticeTopic(Protocol):
    """The topic to which people and their systems subscribe."""

    def send(self, message: Rendered, topic_arn: str | None = None) -> None:
        """Send a message, to another topic if one is given; raise an AwsCallError when it was not accepted."""


class Mirror(Protocol):
    """The copy of notices in AWS User Notifications."""

    def put(self, notice: Notice, region: str) -> None:
        """Create the one item for an operation's end and severity; one that exists already is a success.

        Raises an AwsCallError.
        """


class Exports(Protocol):
    """The storage for full lists that are too long for a text."""

    def put_lines(self, name: str, lines: Iterable[str]) -> str:
        """Store the lines and return the place; raise an AwsCallError."""


class DeliveryLog(Protocol):
    """The results of each notice's channels."""

    def store_delivery(self, sync_id: str, scenario: str, channel: str, result: Mapping[str, Any]) -> None:
        """Store the latest result of one channel; raise an AwsCallError."""


class Outbox(Protocol):
    """The outbox, where a notice waits that a channel did not accept."""

    def add(self, announced: Announcement) -> None:
        """Keep an announcement for housekeeping to publish."""


class Metrics(Protocol):
    """Metrics for CloudWatch: counts."""

    def record(self, values: Mapping[str, float]) -> None:
        """Record values by metric name; nothing is raised."""


class ChannelEnd(StrEnum):
    """The result of sending to a channel."""

    SENT = "sent"
    FAILED = "failed"


_Ended = tuple[Sequence[str], Mapping[str, Any]]
"""The channels of one message, with the result for them."""


@dataclass(frozen=True)
class Deliverer:
    """The delivery of notices; the same notice may be sent twice, with the same id."""

    operations: Outcomes
    configurations: Configurations
    topic: NoticeTopic
    mirror: Mirror | None
    exports: Exports | None
    deliveries: DeliveryLog
    outbox: Outbox
    metrics: Metrics
    clock: Clock
    airflow_url: str | None = None
    docs_url: str | None = None

    def deliver(self, event: Event) -> None:
        """Deliver the notice of an event on every channel that is meant for its severity.

        If neither a channel nor the fallback topic accepts it, it goes into the outbox again, for that channel. Raises
        NoticeUndeliveredError when this has happened for a day, and EventInvalidError for another type of event.
        """
        request = event.data
        if not isinstance(request, NoticeRequested):
            raise EventInvalidError(event_id=event.id, problems=["type: only requests for notices are delivered"])
        operation = self._operation(request)
        notification_settings = self._settings(operation, request)
        notice = self._notice(event, request, operation)
        wanted = deliveries_of(notice, notification_settings)
        deliveries = [one for one in wanted if _is_wanted(one, request)]
        if wanted and not deliveries:
            log.warning(
                "Notice %s: these channels are no longer configured: %s", notice.notice_id, ", ".join(request.channels)
            )
        if not deliveries:
            return
        is_first = request.attempt == 1
        taken, failed, left = self._send_all(notice, deliveries, notification_settings, mirrored=is_first)
        self.metrics.record(
            {
                "NoticesDelivered": float(taken > 0),
                "NoticesNotDelivered": float(taken == 0 and not request.channels),
                "NoticeChannelsFailed": float(failed),
            }
        )
        if left:
            # If no channel took it, the retry goes to all channels that are configured then.
            self._come_again(event, request, left, only=taken > 0 or bool(request.channels))

    def _operation(self, request: NoticeRequested) -> SyncOperation | None:
        """Return the operation; None for a task's error when the state table itself cannot be read."""
        try:
            return self.operations.get(request.sync_id) if request.sync_id else None
        except AwsCallError as error:
            if not request.of_task:
                raise
            log.warning("Notice %s is delivered without its operation: %s", request.notice_id, error)
            return None

    def _settings(self, operation: SyncOperation | None, request: NoticeRequested) -> NotificationSettings:
        """Return the settings of the operation's version; without one, or for a repeated notice, those in force.

        If they cannot be read, return the defaults with every channel: the notice about a broken configuration must
        reach people.
        """
        planned = operation is not None and operation.config_version != UNPLANNED
        version = operation.config_version if operation and planned and request.attempt == 1 else None
        try:
            found = self.configurations.latest() if version is None else self.configurations.version(version)
        except (ConfigurationError, AwsCallError) as error:
            log.warning("The default notification settings are used, on every channel: %s", error)
            return NotificationSettings(
                user_notifications_config=UserNotificationsConfig(delivery_channels=tuple(DeliveryChannel))
            )
        return found.configuration.notification_settings

    def _notice(self, event: Event, request: NoticeRequested, operation: SyncOperation | None) -> Notice:
        origin = NoticeOrigin(
            event.environment, event.correlationid, event.time, self.airflow_url, docs_url=self.docs_url
        )
        notice = notice_of(request, origin, operation, self._outcomes(operation))
        if operation is None or not notice.failures_left_out:
            return notice
        place = self._export(notice, operation)
        return replace(notice, links=replace(notice.links, export=place))

    def _outcomes(self, operation: SyncOperation | None) -> Iterator[AccountOutcome]:
        return self.operations.outcomes(operation.sync_id) if operation else iter(())

    def _export(self, notice: Notice, operation: SyncOperation) -> str | None:
        if self.exports is None:
            return None
        try:
            return self.exports.put_lines(f"{notice.notice_id}.csv", failures_csv(self._outcomes(operation)))
        except AwsCallError as error:  # the notice also names the command that exports the outcomes
            log.warning("The full list of notice %s was not stored: %s", notice.notice_id, error)
            return None

    def _send_all(
        self,
        notice: Notice,
        deliveries: Sequence[NoticeDelivery],
        notification_settings: NotificationSettings,
        *,
        mirrored: bool,
    ) -> tuple[int, int, list[str]]:
        """Send to every channel; also to the fallback topic if a channel or a wanted copy to User Notifications fails.

        Return the number of messages accepted, the number of channels that failed, and the channels that failed while
        the fallback topic did not help. The results are stored at the end, so that people do not wait for a table.
        """
        ends: list[_Ended] = []
        try:
            sent = [self._attempt(notice, one.channels, partial(self._send, notice, one), ends) for one in deliveries]
            failed = [
                str(channel)
                for one, is_sent in zip(deliveries, sent, strict=True)
                if not is_sent
                for channel in one.channels
            ]
            fallback = notification_settings.fallback_sns_topic
            is_mirrored = self._mirror(notice, notification_settings, ends) if mirrored else True
            if not fallback or (is_mirrored and not failed):
                return sum(sent), len(failed), failed
            send = partial(self._send, notice, fallback_of(notice), fallback)
            made_up = self._attempt(notice, (FALLBACK,), send, ends)
            return sum(sent) + made_up, len(failed), [] if made_up else failed
        finally:
            self._record(notice, ends)

    def _send(self, notice: Notice, delivery: NoticeDelivery, topic_arn: str | None = None) -> None:
        message = Rendered(
            subject=subject_of(notice),
            attributes=delivery.attributes,
            **_bodies(notice, delivery.form),
        )
        self.topic.send(message, topic_arn)

    def _mirror(self, notice: Notice, notification_settings: NotificationSettings, ends: list[_Ended]) -> bool:
        """Copy the notice to User Notifications; False when that is wanted and failed."""
        if self.mirror is None:
            return True
        region = notification_settings.user_notifications_config.notification_hub_region
        return self._attempt(notice, (USER_NOTIFICATIONS,), partial(self.mirror.put, notice, region), ends)

    def _attempt(self, notice: Notice, channels: Sequence[str], send: Callable[[], None], ends: list[_Ended]) -> bool:
        """Send one message, add the result for its channels to `ends`, and return whether it was accepted."""
        try:
            send()
        except AwsCallError as error:
            log.error("Notice %s was not accepted by %s: %s", notice.notice_id, " and ".join(channels), error)  # noqa: TRY400 -- the sentence says all
            ends.append((channels, {"status": ChannelEnd.FAILED, "code": error.code, "at": self.clock.now()}))
            return False
        ends.append((channels, {"status": ChannelEnd.SENT, "at": self.clock.now()}))
        return True

    def _record(self, notice: Notice, ends: Sequence[_Ended]) -> None:
        try:
            for channels, result in ends:
                for channel in channels:
                    self.deliveries.store_delivery(notice.thread, notice.scenario, channel, result)
        except AwsCallError as error:  # people have the notice, which matters more
            log.warning("The delivery of notice %s was not recorded: %s", notice.notice_id, error)

    def _come_again(self, event: Event, request: NoticeRequested, channels: Sequence[str], *, only: bool) -> None:
        """Put the request into the outbox again, with `only` for the channels that did not accept the notice."""
        if request.attempt >= TRIES:
            raise NoticeUndeliveredError(
                notice_id=request.notice_id, scenario=request.scenario, channels=channels, tries=request.attempt
            )
        again = request.model_copy(update={"attempt": request.attempt + 1, "channels": tuple(channels) if only else ()})
        self.outbox.add(_announced_again(event, again, self.clock.now()))


def _is_wanted(delivery: NoticeDelivery, request: NoticeRequested) -> bool:
    """Return whether a delivery is for a channel that does not have the notice yet."""
    return not request.channels or any(channel in request.channels for channel in delivery.channels)


def _bodies(notice: Notice, form: NoticeForm) -> dict[str, Any]:
    """Return the messages for subscribers: a chat message for all, or text for people with JSON for systems."""
    if form is NoticeForm.CHAT:
        return {"body": rendered(notice, form)}
    texts = {protocol: rendered(notice, text) for text, protocol in PROTOCOLS.items()}
    return {"body": rendered(notice, NoticeForm.JSON), "by_protocol": texts}


def _announced_again(event: Event, request: NoticeRequested, now: datetime) -> Announcement:
    """Return a new announcement of a request: the same notice in another event, since this one counts as handled."""
    return announcement(
        request,
        about=f"{request.notice_id}#{request.attempt}",
        subject=event.subject,
        correlation_id=event.correlationid,
        time=now,
    )

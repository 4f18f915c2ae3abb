"""The subscriber for notices: renders what was requested, and delivers it on the channels that are configured."""

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
"""How often a notice that a channel does not take is put into the outbox again: for a day, every five minutes."""

FALLBACK: Final = "FALLBACK"
"""The name of the fallback topic among the channels that are recorded."""

USER_NOTIFICATIONS: Final = "USER_NOTIFICATIONS"


PROTOCOLS: Final[Mapping[NoticeForm, str]] = MappingProxyType({NoticeForm.TEXT: "email", NoticeForm.SMS: "sms"})
"""SNS's names of the subscriptions of people."""


class Outcomes(Protocol):
    """What is stored of operations, as far as a notice tells of it."""

    def get(self, sync_id: str) -> SyncOperation | None:
        """Return an operation, read consistently."""

    def outcomes(self, sync_id: str) -> Iterator[AccountOutcome]:
        """Return every outcome of an operation page by page."""


@dataclass(frozen=True)
class Rendered:
    """A notice as a topic takes it."""

    subject: str
    body: str
    """What all subscribers get."""
    attributes: Mapping[str, str]
    by_protocol: Mapping[str, str] = field(default_factory=dict)
    """What subscribers of these protocols get instead, by SNS's names."""


class NoticeTopic(Protocol):
    """A topic that people and their systems subscribe to."""

    def send(self, message: Rendered, topic_arn: str | None = None) -> None:
        """Send a message, to another topic when one is given; raise an AwsCallError when it was not taken."""


class Mirror(Protocol):
    """What carries a digest of notices into AWS User Notifications."""

    def put(self, notice: Notice, region: str) -> None:
        """Create the one item of an operation's end and severity; one that is there already is success.

        Raises an AwsCallError.
        """


class Exports(Protocol):
    """Where full lists are kept that a text has no room for."""

    def put_lines(self, name: str, lines: Iterable[str]) -> str:
        """Keep the lines and return where; raise an AwsCallError."""


class DeliveryLog(Protocol):
    """How the channels of each notice ended."""

    def record_delivery(self, sync_id: str, scenario: str, channel: str, result: Mapping[str, Any]) -> None:
        """Record the latest end of one channel; raise an AwsCallError."""


class Outbox(Protocol):
    """Where a notice waits that no channel took."""

    def add(self, announced: Announcement) -> None:
        """Keep an announcement for housekeeping to publish."""


class Metrics(Protocol):
    """Counts for CloudWatch."""

    def record(self, values: Mapping[str, float]) -> None:
        """Record values by metric name; nothing is raised."""


class ChannelEnd(StrEnum):
    """How a channel ended."""

    SENT = "sent"
    FAILED = "failed"


_Ended = tuple[Sequence[str], Mapping[str, Any]]
"""The channels of one message, and how it ended for them."""


@dataclass(frozen=True)
class Deliverer:
    """Delivers notices; holds the ports that this needs. The same notice may go out twice, with the same id."""

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
        """Deliver the notice of an event, on every channel that its severity is for.

        What a channel does not take, nor the fallback topic, goes back to the outbox and comes again for that channel;
        raises NoticeUndeliveredError when that has happened for a day, and EventInvalidError for another event.
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
            log.warning("Notice %s: %s are no channels any more", notice.notice_id, ", ".join(request.channels))
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
            # What nobody has at all comes again on every channel that is configured by then.
            self._come_again(event, request, left, only=taken > 0 or bool(request.channels))

    def _operation(self, request: NoticeRequested) -> SyncOperation | None:
        """Return the operation; a task's error is told without it when the state table is the trouble itself."""
        try:
            return self.operations.get(request.sync_id) if request.sync_id else None
        except AwsCallError as error:
            if not request.of_task:
                raise
            log.warning("Notice %s is delivered without its operation: %s", request.notice_id, error)
            return None

    def _settings(self, operation: SyncOperation | None, request: NoticeRequested) -> NotificationSettings:
        """Return the operation's settings, or those in force, which also count when the notice comes again.

        When they cannot be read, the defaults on every channel: the notice of a broken configuration must reach people.
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
        except AwsCallError as error:  # the command that exports the outcomes stands in the notice as well
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
        """Send to every channel, and to the fallback topic when one, or the mirror where it is wanted, fails.

        Return how many messages were taken, how many channels failed, and the channels that nothing made up for. How
        each ended is recorded at the end: people do not wait for a table.
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
        """Carry the notice to User Notifications; False when that is wanted and failed."""
        if self.mirror is None:
            return True
        region = notification_settings.user_notifications_config.notification_hub_region
        return self._attempt(notice, (USER_NOTIFICATIONS,), partial(self.mirror.put, notice, region), ends)

    def _attempt(self, notice: Notice, channels: Sequence[str], send: Callable[[], None], ends: list[_Ended]) -> bool:
        """Send one message, add how that ended for the channels it is for, and return whether it was taken."""
        try:
            send()
        except AwsCallError as error:
            log.error("Notice %s was not taken by %s: %s", notice.notice_id, " and ".join(channels), error)  # noqa: TRY400 -- the sentence says all
            ends.append((channels, {"status": ChannelEnd.FAILED, "code": error.code, "at": self.clock.now()}))
            return False
        ends.append((channels, {"status": ChannelEnd.SENT, "at": self.clock.now()}))
        return True

    def _record(self, notice: Notice, ends: Sequence[_Ended]) -> None:
        try:
            for channels, result in ends:
                for channel in channels:
                    self.deliveries.record_delivery(notice.thread, notice.scenario, channel, result)
        except AwsCallError as error:  # people have the notice, which matters more
            log.warning("The delivery of notice %s was not recorded: %s", notice.notice_id, error)

    def _come_again(self, event: Event, request: NoticeRequested, channels: Sequence[str], *, only: bool) -> None:
        """Put the request into the outbox again, `only` for those channels that did not take the notice, or for all."""
        if request.attempt >= TRIES:
            raise NoticeUndeliveredError(
                notice_id=request.notice_id, scenario=request.scenario, channels=channels, tries=request.attempt
            )
        again = request.model_copy(update={"attempt": request.attempt + 1, "channels": tuple(channels) if only else ()})
        self.outbox.add(_announced_again(event, again, self.clock.now()))


def _is_wanted(delivery: NoticeDelivery, request: NoticeRequested) -> bool:
    """Tell whether a delivery is for a channel that does not have the notice yet."""
    return not request.channels or any(channel in request.channels for channel in delivery.channels)


def _bodies(notice: Notice, form: NoticeForm) -> dict[str, Any]:
    """Return what subscribers get: all of them a chat's message; people a text, and systems JSON beside it."""
    if form is NoticeForm.CHAT:
        return {"body": rendered(notice, form)}
    texts = {protocol: rendered(notice, text) for text, protocol in PROTOCOLS.items()}
    return {"body": rendered(notice, NoticeForm.JSON), "by_protocol": texts}


def _announced_again(event: Event, request: NoticeRequested, now: datetime) -> Announcement:
    """Announce a request another time: the same notice in another event, since this one counts as handled."""
    return announcement(
        request,
        about=f"{request.notice_id}#{request.attempt}",
        subject=event.subject,
        correlation_id=event.correlationid,
        time=now,
    )

"""Requests for notices: stored once for each scenario and operation, and announced on the bus."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from contactsync.bus.envelope import Announcement, announcement
from contactsync.bus.events import NoticeRequested, Severity
from contactsync.clock import Clock
from contactsync.configuration.ports import Configurations
from contactsync.configuration.schema import NotificationSettings
from contactsync.errors import AwsCallError, ConfigurationError, ContactSyncError, OperationMissingError, bounded
from contactsync.notices.notice import SYNC_DAG
from contactsync.notices.scenarios import (
    DEFAULT_SEVERITIES,
    NO_END,
    Scenario,
    is_sent,
    notice_id_of,
    scenario_of_error,
    scenarios_of,
    severity_of,
)
from contactsync.operations.operation import UNPLANNED, OperationStatus, SyncOperation, sync_id_of
from contactsync.operations.outcome_counts import OutcomeCounts
from contactsync.operations.ports import Announcer, Operations

log = logging.getLogger(__name__)


class NoticeStore(Protocol):
    """The notices that were requested, one for each scenario and operation."""

    def store(self, sync_id: str, request: NoticeRequested, announced: Sequence[Announcement]) -> bool:
        """Store a request with its announcements in one transaction; False when one is stored already.

        A stored request of severity info, which is sent to nobody, is replaced.
        """

    def requested(self, sync_id: str) -> list[str]:
        """Return the scenarios that were requested about an operation, or about a run that never had one."""


class NoticeAnnouncer(Announcer, Protocol):
    """The publisher of what has just been stored, and of what could not be stored."""

    def send_unstored(self, announcements: Sequence[Announcement]) -> bool:
        """Publish now, without a second chance; return whether the bus accepted all. None of our errors is raised."""


@dataclass(frozen=True)
class NoticeRequests:
    """The requests for notices: each method decides what people should know, and requests it once."""

    requests: NoticeStore
    operations: Operations
    configurations: Configurations
    announcer: NoticeAnnouncer
    clock: Clock
    correlation_id: str | None = None
    """The id that connects notices of a run without an operation to their cause; the run's id when it is not known."""

    def correlated(self, correlation_id: str) -> "NoticeRequests":
        """Return the same for a run whose parameters name a correlation id, such as a follow-up run."""
        return replace(self, correlation_id=correlation_id)

    def operation_ended(
        self, dag_run_id: str, error: BaseException | None = None, *, failed: bool = False
    ) -> list[Scenario]:
        """Request the notices about an operation's stored end, and return those that were requested now.

        `failed` says that the report itself failed, with `error`. If the stored end has no failure, a notice about that
        is requested instead. A report without a plan requests nothing: the plan's own notice does.
        """
        operation = self.operations.get(sync_id_of(dag_run_id))
        if operation is None or isinstance(error, OperationMissingError):
            return []
        if failed and operation.status is not OperationStatus.FAILED:
            return list(filter(None, [self.task_failed(dag_run_id, error)]))
        wanted = self._worth_telling(operation)
        topic = _Topic.of(dag_run_id)
        return [scenario for scenario, severity in wanted if self._request(topic, scenario, severity, operation)]

    def announced_end(self, operation: SyncOperation) -> list[Announcement]:
        """Return the announcements of the notices about an end, to be stored in the same transaction.

        Returns none if the run has requested them itself. `operation_closed` stores the requests afterwards, as the
        same events.
        """
        topic = _Topic.of(operation.dag_run_id)
        if self._is_end_known(topic):
            return []
        wanted = self._worth_telling(operation)
        return [self._announced(topic, scenario, severity, operation)[1] for scenario, severity in wanted]

    def _worth_telling(self, operation: SyncOperation) -> list[tuple[Scenario, Severity]]:
        notification_settings = self._settings(operation) or NotificationSettings()
        outcome_counts = OutcomeCounts()
        for outcome in self.operations.outcomes(operation.sync_id):
            outcome_counts.add(outcome)
        outcome_counts.complete(operation)
        return [
            (scenario, _severity(scenario, notification_settings))
            for scenario in scenarios_of(operation, outcome_counts, notification_settings)
        ]

    def task_failed(
        self, dag_run_id: str, error: BaseException | None, *, dag_id: str | None = None
    ) -> Scenario | None:
        """Request the notice for a task's last error; None when it is sent to nobody, or was requested before."""
        scenario = scenario_of_error(error)
        sent = scenario and self.request(scenario, dag_run_id, error=error, dag_id=dag_id, of_task=True)
        return scenario if sent else None

    def parameters_refused(self, dag_run_id: str, error: BaseException | None, *, dag_id: str | None = None) -> None:
        """Store that a person's own parameters were refused; nobody else is notified: that person sees the run."""
        topic = _Topic.of(dag_run_id, dag_id)
        self._request(topic, Scenario.CONFIGURATION_ERRORS, Severity.INFO, None, error=error, of_task=True)

    def run_failed(self, dag_run_id: str, *, dag_id: str | None = None) -> list[Scenario]:
        """Request the notices of a failed run, unless its end was announced, or nobody is to be notified of it."""
        topic = _Topic.of(dag_run_id, dag_id)
        if self._is_end_known(topic):
            return []
        operation = self.operations.get(topic.sync_id)
        if operation and operation.status is OperationStatus.FAILED:
            return self.operation_ended(dag_run_id)
        sent = self.request(Scenario.SYSTEM_ERRORS, dag_run_id, dag_id=dag_id, of_task=True)
        return [Scenario.SYSTEM_ERRORS] if sent else []

    def operation_closed(self, dag_run_id: str) -> list[Scenario]:
        """Request the notices of an operation that housekeeping closed, unless its run has requested them."""
        return [] if self._is_end_known(_Topic.of(dag_run_id)) else self.operation_ended(dag_run_id)

    def request(
        self,
        scenario: Scenario,
        dag_run_id: str,
        *,
        error: BaseException | None = None,
        dag_id: str | None = None,
        about: str | None = None,
        of_task: bool = False,
        message: str | None = None,
    ) -> bool:
        """Request one notice about a run, or about something that concerns many runs and has one notice.

        False when nobody is to be notified, which is stored too, or when the same notice was requested before.
        """
        topic = _Topic.of(dag_run_id, dag_id, about)
        operation = self.operations.get(topic.sync_id)
        notification_settings = self._settings(operation)
        sent = notification_settings is None or is_sent(scenario, notification_settings)
        severity = _severity(scenario, notification_settings) if sent else Severity.INFO
        said: dict[str, Any] = {"error": error, "of_task": of_task, "message": message}
        return self._request(topic, scenario, severity, operation, **said) and sent

    def request_unstored(
        self,
        scenario: Scenario,
        dag_run_id: str,
        *,
        error: BaseException | None = None,
        dag_id: str | None = None,
        about: str | None = None,
    ) -> bool:
        """Publish a notice although the state table cannot be used; True when the bus accepted it.

        It has none of the operation's numbers. Requesting it again announces the same event.
        """
        notification_settings = self._settings(None)
        if notification_settings is not None and not is_sent(scenario, notification_settings):
            return False
        topic = _Topic.of(dag_run_id, dag_id, about)
        severity = _severity(scenario, notification_settings)
        data, announced = self._announced(topic, scenario, severity, None, error=error, of_task=True)
        log.warning("Notice %s is published without being stored", data.notice_id)
        return self.announcer.send_unstored([announced])

    def _is_end_known(self, topic: "_Topic") -> bool:
        return bool(set(self.requests.requested(topic.sync_id)) - NO_END)

    def _settings(self, operation: SyncOperation | None) -> NotificationSettings | None:
        """Return the settings of the operation's configuration, else those in force.

        None when the configuration is invalid or cannot be read: then the defaults count, with all channels.
        """
        try:
            planned = operation is not None and operation.config_version != UNPLANNED
            version = self.configurations.version(operation.config_version) if operation and planned else None
            return (version or self.configurations.latest()).configuration.notification_settings
        except (ConfigurationError, AwsCallError) as error:
            log.warning("The default notification settings are used: %s", error)
            return None

    def _request(
        self,
        topic: "_Topic",
        scenario: Scenario,
        severity: Severity,
        operation: SyncOperation | None,
        *,
        error: BaseException | None = None,
        of_task: bool = False,
        message: str | None = None,
    ) -> bool:
        said: dict[str, Any] = {"error": error, "of_task": of_task, "message": message}
        data, announced = self._announced(topic, scenario, severity, operation, **said)
        announcements = [] if severity is Severity.INFO else [announced]
        if not self.requests.store(topic.sync_id, data, announcements):
            return False
        log.info("Notice %s requested: %s, %s", data.notice_id, scenario, severity)
        self.announcer.send(announcements)
        return True

    def _announced(
        self,
        topic: "_Topic",
        scenario: Scenario,
        severity: Severity,
        operation: SyncOperation | None,
        *,
        error: BaseException | None = None,
        of_task: bool = False,
        message: str | None = None,
    ) -> tuple[NoticeRequested, Announcement]:
        data = NoticeRequested(
            notice_id=notice_id_of(scenario, topic.sync_id),
            scenario=scenario,
            priority=severity,
            dag_id=topic.dag_id,
            dag_run_id=topic.dag_run_id,
            sync_id=topic.sync_id,
            code=error.known_as if isinstance(error, ContactSyncError) else type(error).__name__ if error else None,
            message=bounded(str(error)) if isinstance(error, ContactSyncError) else message,
            of_task=of_task,
        )
        correlation = operation.correlation if operation else self.correlation_id or topic.dag_run_id
        # The outbox item's key has the time: use the operation's end, so that `announced_end` and the later request are
        # one item.
        ended = operation.finished if operation and not of_task else None
        return data, announcement(
            data,
            about=data.notice_id,
            subject=topic.sync_id,
            correlation_id=correlation,
            time=ended or self.clock.now(),
        )


@dataclass(frozen=True)
class _Topic:
    """The subject of a notice; runs of different DAGs may have the same id."""

    sync_id: str
    dag_run_id: str
    dag_id: str | None

    @classmethod
    def of(cls, dag_run_id: str, dag_id: str | None = None, about: str | None = None) -> "_Topic":
        name = about or (dag_run_id if dag_id in (None, SYNC_DAG) else f"{dag_id}#{dag_run_id}")
        return cls(sync_id_of(name), dag_run_id, dag_id)


def _severity(scenario: Scenario, notification_settings: NotificationSettings | None) -> Severity:
    if notification_settings is None:
        return DEFAULT_SEVERITIES[scenario]
    return severity_of(notification_settings.user_notifications_config.notification_rules, scenario)

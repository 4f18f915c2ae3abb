"""Requests for notices: recorded once for each scenario and operation, and announced on the bus."""

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
    is_told,
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
        """Store a request with its announcements in one transaction; False when there is one already.

        One that nobody was to be told, of severity info, gives way to any.
        """

    def requested(self, sync_id: str) -> list[str]:
        """Return the scenarios that were requested about an operation, or about a run that came to none."""


class NoticeAnnouncer(Announcer, Protocol):
    """Publishes what was stored a moment ago, and what could not be stored."""

    def send_unstored(self, announcements: Sequence[Announcement]) -> bool:
        """Publish now or never, and return whether the bus took all; raises nothing of ours."""


@dataclass(frozen=True)
class NoticeRequests:
    """Takes requests for notices; holds the ports that this needs."""

    requests: NoticeStore
    operations: Operations
    configurations: Configurations
    announcer: NoticeAnnouncer
    clock: Clock
    correlation_id: str | None = None
    """What ties notices of a run without an operation to what led to it; the run's id when it is not known."""

    def correlated(self, correlation_id: str) -> "NoticeRequests":
        """Return the same for a run whose parameters name a correlation id, as those of a follow-up do."""
        return replace(self, correlation_id=correlation_id)

    def operation_ended(
        self, dag_run_id: str, error: BaseException | None = None, *, failed: bool = False
    ) -> list[Scenario]:
        """Request what an operation's stored end is worth telling, and return what was requested now.

        `failed` says that the report itself did, and `error` with what. When the stored end knows of no failure, that
        is told instead; a report that had no plan to report on has nothing to tell, the plan's own notice does.
        """
        operation = self.operations.get(sync_id_of(dag_run_id))
        if operation is None or isinstance(error, OperationMissingError):
            return []
        if failed and operation.status is not OperationStatus.FAILED:
            return list(filter(None, [self.task_failed(dag_run_id, error)]))
        found = self._worth_telling(operation)
        topic = _Topic.of(dag_run_id)
        return [scenario for scenario, severity in found if self._request(topic, scenario, severity, operation)]

    def announced_end(self, operation: SyncOperation) -> list[Announcement]:
        """Return what announces the notices of an end that is about to be stored, to be stored with it.

        Nothing when the run has told its end. `operation_closed` records them afterwards, as the same events.
        """
        topic = _Topic.of(operation.dag_run_id)
        if self._is_end_known(topic):
            return []
        found = self._worth_telling(operation)
        return [self._announced(topic, scenario, severity, operation)[1] for scenario, severity in found]

    def _worth_telling(self, operation: SyncOperation) -> list[tuple[Scenario, Severity]]:
        notification_settings = self._settings(operation) or NotificationSettings()
        tally = OutcomeCounts()
        for outcome in self.operations.outcomes(operation.sync_id):
            tally.add(outcome)
        tally.complete(operation)
        return [
            (found, _severity(found, notification_settings))
            for found in scenarios_of(operation, tally, notification_settings)
        ]

    def task_failed(
        self, dag_run_id: str, error: BaseException | None, *, dag_id: str | None = None
    ) -> Scenario | None:
        """Request the notice that a task's last error gives; None when nobody is to be told, or it was requested."""
        scenario = scenario_of_error(error)
        told = scenario and self.request(scenario, dag_run_id, error=error, dag_id=dag_id, of_task=True)
        return scenario if told else None

    def parameters_refused(self, dag_run_id: str, error: BaseException | None, *, dag_id: str | None = None) -> None:
        """Record that a person's own parameters were refused; nobody is told but that person, who sees the run."""
        topic = _Topic.of(dag_run_id, dag_id)
        self._request(topic, Scenario.CONFIGURATION_ERRORS, Severity.INFO, None, error=error, of_task=True)

    def run_failed(self, dag_run_id: str, *, dag_id: str | None = None) -> list[Scenario]:
        """Request what is to be told of a failed run whose end nobody has told, or decided not to tell."""
        topic = _Topic.of(dag_run_id, dag_id)
        if self._is_end_known(topic):
            return []
        operation = self.operations.get(topic.sync_id)
        if operation and operation.status is OperationStatus.FAILED:
            return self.operation_ended(dag_run_id)
        told = self.request(Scenario.SYSTEM_ERRORS, dag_run_id, dag_id=dag_id, of_task=True)
        return [Scenario.SYSTEM_ERRORS] if told else []

    def operation_closed(self, dag_run_id: str) -> list[Scenario]:
        """Request what is to be told of an operation that housekeeping closed, unless its run has told it."""
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
        """Request one notice about a run, or about something of which there is one notice in many runs.

        False when nobody is to be told, which is stored too, or when the same notice was requested before.
        """
        topic = _Topic.of(dag_run_id, dag_id, about)
        operation = self.operations.get(topic.sync_id)
        notification_settings = self._settings(operation)
        told = notification_settings is None or is_told(scenario, notification_settings)
        severity = _severity(scenario, notification_settings) if told else Severity.INFO
        said: dict[str, Any] = {"error": error, "of_task": of_task, "message": message}
        return self._request(topic, scenario, severity, operation, **said) and told

    def request_unstored(
        self,
        scenario: Scenario,
        dag_run_id: str,
        *,
        error: BaseException | None = None,
        dag_id: str | None = None,
        about: str | None = None,
    ) -> bool:
        """Announce a notice although the state table is out of reach; True when the bus took it.

        It is told without the operation's numbers. Whoever requests it again announces the same event.
        """
        notification_settings = self._settings(None)
        if notification_settings is not None and not is_told(scenario, notification_settings):
            return False
        topic = _Topic.of(dag_run_id, dag_id, about)
        severity = _severity(scenario, notification_settings)
        data, announced = self._announced(topic, scenario, severity, None, error=error, of_task=True)
        log.warning("Notice %s is published without being stored", data.notice_id)
        return self.announcer.send_unstored([announced])

    def _is_end_known(self, topic: "_Topic") -> bool:
        return bool(set(self.requests.requested(topic.sync_id)) - NO_END)

    def _settings(self, operation: SyncOperation | None) -> NotificationSettings | None:
        """Return the operation's own settings, else those in force.

        None when the configuration cannot be read, or not be reached: then the defaults count, and all channels.
        """
        try:
            planned = operation is not None and operation.config_version != UNPLANNED
            version = self.configurations.version(operation.config_version) if operation and planned else None
            return (version or self.configurations.latest()).configuration.notification_settings
        except (ConfigurationError, AwsCallError) as error:
            log.warning("The default notification settings count: %s", error)
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
        # The end's own time, so that what `announced_end` announces and what is recorded afterwards is one outbox item.
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
    """What a notice is about; runs of different DAGs may have the same id."""

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

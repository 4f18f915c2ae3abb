"""Which notices there are, how urgent each one is, and which ones an operation or an error causes."""

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias

from contactsync.bus.events import Severity
from contactsync.configuration.schema import NoticeScenario, NotificationRules, NotificationSettings
from contactsync.errors import ContactSyncError
from contactsync.errors.remedies import Blame
from contactsync.operations.operation import OperationStatus, OutcomeDetail, SyncOperation, Verdict
from contactsync.operations.outcome_counts import OutcomeCounts

Scenario: TypeAlias = NoticeScenario
"""The configuration names the scenarios too, so they are defined in its room."""

NOTICE_ID_NAMESPACE: Final = uuid.UUID("b1f6a0de-52a7-5d0a-8d6f-0c2b9d7f4e63")

DEFAULT_SEVERITIES: Final[Mapping[Scenario, Severity]] = MappingProxyType(
    {
        Scenario.COMPLETE_FAILURE: Severity.HIGH,
        Scenario.PERMISSION_ERRORS: Severity.HIGH,
        Scenario.SYSTEM_ERRORS: Severity.HIGH,
        Scenario.PARTIAL_FAILURE: Severity.MEDIUM,
        Scenario.CONFIGURATION_ERRORS: Severity.MEDIUM,
        Scenario.SUCCESS_COMPLETION: Severity.LOW,
        Scenario.HALTED: Severity.HIGH,
        Scenario.APPROVAL_WAITING: Severity.MEDIUM,
        Scenario.OVERDUE: Severity.MEDIUM,
        Scenario.DELIVERY_TROUBLE: Severity.HIGH,
    }
)

NO_END: Final = frozenset({Scenario.APPROVAL_WAITING, Scenario.OVERDUE, Scenario.SUCCESS_COMPLETION})
"""Scenarios that can be requested before a run has failed."""

WHEN: Final[Mapping[Scenario, str]] = MappingProxyType(
    {
        Scenario.COMPLETE_FAILURE: "every account that the operation was to touch failed",
        Scenario.PERMISSION_ERRORS: "AWS denies the permission for some accounts, or for everything before the start",
        Scenario.SYSTEM_ERRORS: "AWS, a table or a process failed for some accounts, or before the start",
        Scenario.PARTIAL_FAILURE: "some accounts failed for reasons that are in none of the notices above",
        Scenario.CONFIGURATION_ERRORS: (
            "the configuration or settings allow no write, rules match no account, or a run claims a change"
        ),
        Scenario.SUCCESS_COMPLETION: "an operation completed; sent in any case when a deletion was not approved",
        Scenario.HALTED: "an operation stopped for one cause that concerns every account",
        Scenario.APPROVAL_WAITING: "the deletion of a contact waits for a person's approval",
        Scenario.OVERDUE: "an operation, or the plan of a run, has not finished in time",
        Scenario.DELIVERY_TROUBLE: "events or notices could not be delivered",
    }
)
"""When people are notified, in words for lists and documents."""

_DOCUMENT_000: Final = frozenset(
    {
        Scenario.COMPLETE_FAILURE,
        Scenario.PERMISSION_ERRORS,
        Scenario.SYSTEM_ERRORS,
        Scenario.PARTIAL_FAILURE,
        Scenario.CONFIGURATION_ERRORS,
        Scenario.SUCCESS_COMPLETION,
    }
)

SWITCHES: Final[Mapping[Scenario, str]] = MappingProxyType(
    {
        Scenario.COMPLETE_FAILURE: "notify_on_failure",
        Scenario.PERMISSION_ERRORS: "notify_on_failure",
        Scenario.SYSTEM_ERRORS: "notify_on_failure",
        Scenario.CONFIGURATION_ERRORS: "notify_on_failure",
        Scenario.HALTED: "notify_on_failure",
        Scenario.PARTIAL_FAILURE: "notify_on_partial_failure",
        Scenario.SUCCESS_COMPLETION: "notify_on_success",
    }
)
"""The key of notification_settings that switches a scenario on; a scenario without one is always on."""

SYSTEM_DETAILS: Final = frozenset(
    {
        OutcomeDetail.THROTTLED,
        OutcomeDetail.UNAVAILABLE,
        OutcomeDetail.ERROR,
        OutcomeDetail.NO_OUTCOME,
        OutcomeDetail.UNSETTLED,
    }
)
"""Failures of AWS, of our tables or of a process; not of one account's permission or of the contact."""

UNTOUCHED: Final = frozenset({OutcomeDetail.EXCLUDED, OutcomeDetail.NOT_ACTIVE, OutcomeDetail.NOT_APPROVED})
"""Details of outcomes that a rule or a decision kept from being tried."""

_REFUSALS: Final = frozenset({Verdict.REJECTED, Verdict.TIMED_OUT, Verdict.NOT_ASKED})

_OF_BLAME: Final[Mapping[Blame, Scenario | None]] = MappingProxyType(
    {
        Blame.PERMISSION: Scenario.PERMISSION_ERRORS,
        Blame.CONFIGURATION: Scenario.CONFIGURATION_ERRORS,
        Blame.SYSTEM: Scenario.SYSTEM_ERRORS,
        Blame.HALT: Scenario.HALTED,
        Blame.ELSEWHERE: None,
    }
)


def notice_id_of(scenario: Scenario, about: str) -> str:
    """Return the id of the one notice of a scenario about something, as a UUIDv5.

    For a run of contact_sync, `about` is sync_id_of(dag_run_id), even when no operation has been stored yet.
    """
    return str(uuid.uuid5(NOTICE_ID_NAMESPACE, f"{about}#{scenario}"))


def severity_of(rules: NotificationRules, scenario: Scenario) -> Severity:
    """Return the priority that the rules give a scenario.

    One of the first six scenarios that is in no list is INFO, which is sent to nobody; a later scenario has its
    default.
    """
    if scenario in rules.high_priority:
        return Severity.HIGH
    if scenario in rules.medium_priority:
        return Severity.MEDIUM
    if scenario in rules.low_priority:
        return Severity.LOW
    return Severity.INFO if scenario in _DOCUMENT_000 else DEFAULT_SEVERITIES[scenario]


def is_sent(scenario: Scenario, notification_settings: NotificationSettings) -> bool:
    """Return whether a scenario is sent: its switch is on, and the rules give it a priority."""
    switch = SWITCHES.get(scenario)
    rules = notification_settings.user_notifications_config.notification_rules
    return (switch is None or bool(getattr(notification_settings, switch))) and severity_of(
        rules, scenario
    ) is not Severity.INFO


def scenarios_of(
    operation: SyncOperation, outcome_counts: OutcomeCounts, notification_settings: NotificationSettings
) -> tuple[Scenario, ...]:
    """Return the most urgent notice for an operation that has ended; none before its end.

    One notice is enough (docs/notices.md): it has all numbers, causes and accounts.
    """
    failures = _Failures.of(outcome_counts)
    if operation.status is OperationStatus.FAILED:
        return _failure_scenarios(operation, failures, notification_settings)
    if operation.status is not OperationStatus.COMPLETED:
        return ()
    if failures.all and failures.complete and is_sent(Scenario.COMPLETE_FAILURE, notification_settings):
        return (Scenario.COMPLETE_FAILURE,)
    return (Scenario.SUCCESS_COMPLETION,) if _is_success_sent(operation, notification_settings) else ()


def scenario_of_error(error: BaseException | None) -> Scenario | None:
    """Return the scenario of a task's last error; None if the operation's own notices are about it.

    A task that ended without one of our errors, because it was killed or has a bug, is a system error.
    """
    return scenario_of_blame(error.blame if isinstance(error, ContactSyncError) else Blame.SYSTEM)


def scenario_of_blame(blame: Blame) -> Scenario | None:
    """Return the scenario of all errors with the same kind of cause."""
    return _OF_BLAME[blame]


def refusal_of(operation: SyncOperation) -> Verdict | None:
    """Return the decision that kept a deletion from being carried out although nothing failed; None without one.

    A withdrawn approval is none: the contact existed again, so nothing had to be deleted.
    """
    verdicts = (plan.decision.verdict for plan in operation.plans.values() if plan.decision)
    return next((verdict for verdict in verdicts if verdict in _REFUSALS), None)


def _is_success_sent(operation: SyncOperation, notification_settings: NotificationSettings) -> bool:
    """Return whether a completed operation has a notice: if people want it, or if a deletion was not approved."""
    rules = notification_settings.user_notifications_config.notification_rules
    if refusal_of(operation):
        return severity_of(rules, Scenario.SUCCESS_COMPLETION) is not Severity.INFO
    return is_sent(Scenario.SUCCESS_COMPLETION, notification_settings)


@dataclass(frozen=True)
class _Failures:
    """Number of outcomes that failed, by cause."""

    all: int
    """Outcomes that count as failed."""
    denied: int
    """Failed outcomes whose permission AWS denied."""
    system: int
    """Failed outcomes whose cause is a system."""
    touched: int
    """Outcomes that were tried."""

    @classmethod
    def of(cls, outcome_counts: OutcomeCounts) -> "_Failures":
        untouched = sum(outcome_counts.details[detail] for detail in UNTOUCHED)
        system = sum(outcome_counts.details[detail] for detail in SYSTEM_DETAILS)
        denied = outcome_counts.details[OutcomeDetail.PERMISSION_DENIED]
        return cls(outcome_counts.failures, denied, system, outcome_counts.counts.total() - untouched)

    @property
    def complete(self) -> bool:
        return self.all >= self.touched


def _failure_scenarios(
    operation: SyncOperation, failures: _Failures, notification_settings: NotificationSettings
) -> tuple[Scenario, ...]:
    whole = _whole(operation, failures)
    if whole and is_sent(whole, notification_settings):
        return (whole,)
    if operation.halt:
        return ()
    # Each notice would have all numbers, causes and accounts, so a second one says nothing new.
    rules = notification_settings.user_notifications_config.notification_rules
    urgency = list(Severity)
    return tuple(
        sorted(
            _by_cause(failures, notification_settings), key=lambda scenario: urgency.index(severity_of(rules, scenario))
        )[:1]
    )


def _whole(operation: SyncOperation, failures: _Failures) -> Scenario | None:
    """Return the one notice for an operation in which nothing succeeded."""
    if operation.halt:
        return Scenario.HALTED
    if failures.all == 0:  # the plan did not finish, and housekeeping closed the operation
        return Scenario.SYSTEM_ERRORS
    return Scenario.COMPLETE_FAILURE if failures.complete else None


def _by_cause(failures: _Failures, notification_settings: NotificationSettings) -> Iterator[Scenario]:
    """Yield the scenarios of the causes; failures whose scenario is switched off are a partial failure."""
    others = failures.all
    causes = ((Scenario.PERMISSION_ERRORS, failures.denied), (Scenario.SYSTEM_ERRORS, failures.system))
    for scenario, number in causes:
        if number and is_sent(scenario, notification_settings):
            others -= number
            yield scenario
    if others > 0 and not failures.complete and is_sent(Scenario.PARTIAL_FAILURE, notification_settings):
        yield Scenario.PARTIAL_FAILURE

"""Which notices an ended operation or an error gives, and how urgent they are."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from contactsync.bus.events import Severity
from contactsync.configuration.schema import NotificationRules, NotificationSettings
from contactsync.contacts import ContactType
from contactsync.errors import (
    AccessDeniedError,
    AccountsFailedError,
    CallerMismatchError,
    ConfigurationInvalidError,
    ConfigurationMissingError,
    CredentialsMissingError,
    HaltedError,
    OperationFailedError,
    OperationMissingError,
    RunRequestError,
    ServiceUnavailableError,
    SettingsError,
    StateConflictError,
    ThrottledError,
    TrustedAccessOffError,
    WaitingError,
)
from contactsync.notices.scenarios import (
    DEFAULT_SEVERITIES,
    SWITCHES,
    WHEN,
    Scenario,
    notice_id_of,
    scenario_of_error,
    scenarios_of,
    severity_of,
)
from contactsync.operations.operation import (
    AccountOutcome,
    Decision,
    Halt,
    OperationStatus,
    OutcomeDetail,
    OutcomeStatus,
    TypePlan,
    Verdict,
)
from contactsync.operations.outcome_counts import OutcomeCounts
from tests.support.builders import configuration, operation
from tests.support.fakes.surroundings import START
from tests.unit.configuration.test_config import problems

DOCS = Path(__file__).parents[3] / "docs"
RULES = "notification_settings.user_notifications_config.notification_rules"

COMPLETE, PARTIAL = Scenario.COMPLETE_FAILURE, Scenario.PARTIAL_FAILURE
PERMISSION, SYSTEM = Scenario.PERMISSION_ERRORS, Scenario.SYSTEM_ERRORS
SUCCESS, HALTED = Scenario.SUCCESS_COMPLETION, Scenario.HALTED

STATUSES = {
    "updated": OutcomeStatus.SUCCESS,
    "unchanged": OutcomeStatus.SUCCESS,
    "excluded": OutcomeStatus.SKIPPED,
    "not_active": OutcomeStatus.SKIPPED,
    "not_approved": OutcomeStatus.SKIPPED,
    "superseded": OutcomeStatus.SKIPPED,
    "dry_run": OutcomeStatus.SKIPPED,
    "would_update": OutcomeStatus.SKIPPED,
    "permission_denied": OutcomeStatus.SKIPPED,
}
"""The status that goes with a detail; every other detail is a failure's."""


def settings(rules: Mapping[str, Any] | None = None, **keys: Any) -> NotificationSettings:
    """Return notification settings with other rules or switches."""
    return configuration(
        notification_settings={**keys, "user_notifications_config": {"notification_rules": rules or {}}}
    ).notification_settings


def outcome_counts(**details: int) -> OutcomeCounts:
    """Count so many outcomes of each detail."""
    found = OutcomeCounts()
    for name, number in details.items():
        status = STATUSES.get(name, OutcomeStatus.FAILED)
        for index in range(number):
            found.add(AccountOutcome(f"{index}", "a name", ContactType.SECURITY, status, OutcomeDetail(name)))
    return found


def scenarios_with(
    given: NotificationSettings | None = None, *, halt: Halt | None = None, **details: int
) -> tuple[Scenario, ...]:
    """Return the notices of an operation with such outcomes, judged as the report does."""
    given, counted = given or settings(), outcome_counts(**details)
    failed = halt is not None or counted.failures >= given.failure_threshold
    status = OperationStatus.FAILED if failed else OperationStatus.COMPLETED
    return scenarios_of(operation(ContactType.SECURITY, status=status, halt=halt), counted, given)


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ({"updated": 3}, ()),
        ({}, ()),
        ({"unavailable": 3}, (COMPLETE,)),
        ({"permission_denied": 3}, (COMPLETE,)),
        ({"permission_denied": 2, "unavailable": 1}, (COMPLETE,)),
        ({"unavailable": 3, "excluded": 1, "not_active": 1, "not_approved": 1}, (COMPLETE,)),
        ({"unavailable": 3, "superseded": 1}, (SYSTEM,)),
        ({"unavailable": 3, "dry_run": 1}, (SYSTEM,)),
        ({"unavailable": 3, "unchanged": 1}, (SYSTEM,)),
        ({"invalid": 1, "updated": 2}, (PARTIAL,)),
        ({"halted": 1, "updated": 2}, (PARTIAL,)),
        ({"permission_denied": 1, "updated": 2}, (PERMISSION,)),
        ({"throttled": 1, "updated": 2}, (SYSTEM,)),
        ({"no_outcome": 1, "updated": 2}, (SYSTEM,)),
        ({"unsettled": 1, "updated": 2}, (SYSTEM,)),
        ({"error": 1, "updated": 2}, (SYSTEM,)),
        ({"permission_denied": 1, "error": 1, "updated": 2}, (PERMISSION,)),
        ({"permission_denied": 1, "error": 1, "invalid": 1, "updated": 2}, (PERMISSION,)),
        ({"unsettled": 1, "invalid": 1, "updated": 2}, (SYSTEM,)),
        ({"unavailable": 3, "would_update": 1}, (SYSTEM,)),
    ],
)
def test_outcomes(details: dict[str, int], expected: tuple[Scenario, ...]) -> None:
    """An operation that failed is told by one notice: of the whole, of the most urgent cause, or of what is left."""
    assert scenarios_with(**details) == expected


def test_halted() -> None:
    """A halt is one notice, whatever the outcomes are, and below the threshold too."""
    halt = Halt("TrustedAccessOff", "Switch it on.", START)
    assert scenarios_with(halt=halt, halted=3, permission_denied=2, updated=1) == (HALTED,)
    assert scenarios_with(settings(failure_threshold=100), halt=halt, halted=3) == (HALTED,)
    assert scenarios_with(settings(notify_on_failure=False), halt=halt, halted=3, updated=1) == ()


def test_complete_below_the_threshold() -> None:
    """When nothing at all went well people hear of it, however high the threshold is."""
    given = settings(failure_threshold=5)
    assert scenarios_with(given, unavailable=3) == (COMPLETE,)
    assert scenarios_with(given, unavailable=3, excluded=1) == (COMPLETE,)
    assert scenarios_with(given, unavailable=3, unchanged=1) == ()
    assert scenarios_with(settings(failure_threshold=5, notify_on_failure=False), unavailable=3) == ()
    assert scenarios_with(given, excluded=3) == ()


def test_threshold() -> None:
    """Fewer failures than the threshold are no failure; exactly as many are."""
    assert scenarios_with(settings(failure_threshold=4), unavailable=3, updated=1) == ()
    assert scenarios_with(settings(failure_threshold=4, notify_on_success=True), unavailable=3, updated=1) == (SUCCESS,)
    assert scenarios_with(settings(failure_threshold=3), unavailable=3, updated=1) == (SYSTEM,)


@pytest.mark.parametrize(
    ("switches", "details", "expected"),
    [
        ({"notify_on_success": True}, {"updated": 3}, (SUCCESS,)),
        ({"notify_on_success": True}, {"invalid": 1, "updated": 3}, (PARTIAL,)),
        ({"notify_on_failure": False}, {"invalid": 3}, ()),
        ({"notify_on_failure": False}, {"invalid": 1, "updated": 3}, (PARTIAL,)),
        ({"notify_on_failure": False}, {"permission_denied": 1, "updated": 3}, (PARTIAL,)),
        ({"notify_on_partial_failure": False}, {"invalid": 1, "updated": 3}, ()),
        ({"notify_on_partial_failure": False}, {"permission_denied": 1, "invalid": 1, "updated": 3}, (PERMISSION,)),
        ({"notify_on_failure": False, "notify_on_partial_failure": False}, {"error": 1, "updated": 3}, ()),
    ],
)
def test_switches(switches: dict[str, bool], details: dict[str, int], expected: tuple[Scenario, ...]) -> None:
    """Every switch works; what a switched-off cause would tell is part of the partial failure."""
    assert scenarios_with(settings(**switches), **details) == expected


def test_unlisted() -> None:
    """A scenario of the first six that no priority names is told to nobody; its failures are a partial failure's."""
    quiet = settings({"high_priority": ["complete_failure", "system_errors"]})
    assert scenarios_with(quiet, permission_denied=1, updated=1) == (PARTIAL,)
    nothing = settings({"high_priority": [], "medium_priority": [], "low_priority": []}, notify_on_success=True)
    assert scenarios_with(nothing, permission_denied=1, updated=1) == ()
    assert scenarios_with(nothing, updated=1) == ()
    causes_only = settings({"high_priority": ["permission_errors"]})
    assert scenarios_with(causes_only, permission_denied=3) == (PERMISSION,)
    assert scenarios_with(causes_only, unavailable=3) == ()


@pytest.mark.parametrize("status", [OperationStatus.PENDING, OperationStatus.IN_PROGRESS])
def test_no_end(status: OperationStatus) -> None:
    """An operation that has not ended gives nothing yet."""
    everything = settings(notify_on_success=True)
    assert scenarios_of(operation(status=status), outcome_counts(unavailable=3), everything) == ()


def test_failed_without_failures() -> None:
    """An operation that housekeeping closed because its plan did not finish is a system error."""
    assert scenarios_of(operation(status=OperationStatus.FAILED), outcome_counts(excluded=2), settings()) == (SYSTEM,)


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (Verdict.REJECTED, (SUCCESS,)),
        (Verdict.TIMED_OUT, (SUCCESS,)),
        (Verdict.NOT_ASKED, (SUCCESS,)),
        (Verdict.WITHDRAWN, ()),
        (Verdict.APPROVED, ()),
    ],
)
def test_deletion_not_approved(verdict: Verdict, expected: tuple[Scenario, ...]) -> None:
    """A deletion that was not approved ends green, and people are told although nobody asked for successes."""
    plan = TypePlan(1, absent=True, approved=False, needs_approval=True, decision=Decision(verdict, "", START))
    ended = operation(plans={ContactType.BILLING: plan}, status=OperationStatus.COMPLETED)
    assert scenarios_of(ended, outcome_counts(not_approved=3), settings()) == expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConfigurationMissingError("table", "default"), Scenario.CONFIGURATION_ERRORS),
        (ConfigurationInvalidError(["a: b"]), Scenario.CONFIGURATION_ERRORS),
        (SettingsError("CONTACTSYNC_X", "is not set"), Scenario.CONFIGURATION_ERRORS),
        (RunRequestError(["a"]), Scenario.CONFIGURATION_ERRORS),
        (CallerMismatchError("1", "2"), Scenario.CONFIGURATION_ERRORS),
        (TrustedAccessOffError(), PERMISSION),
        (AccessDeniedError("GetItem", "AccessDeniedException"), PERMISSION),
        (CredentialsMissingError("GetItem", "NoCredentials"), PERMISSION),
        (ServiceUnavailableError("GetItem", "InternalServerError"), SYSTEM),
        (ThrottledError("GetItem", "ThrottlingException"), SYSTEM),
        (StateConflictError("an item", 5), SYSTEM),
        (RuntimeError("a fault of ours"), SYSTEM),
        (None, SYSTEM),
        (HaltedError("TrustedAccessOff", "Switch it on."), HALTED),
        (OperationFailedError(1, 1, 2), None),
        (OperationMissingError("a run"), None),
        (AccountsFailedError("1", []), None),
        (WaitingError("Backlog", 5), None),
    ],
)
def test_errors(error: BaseException | None, expected: Scenario | None) -> None:
    """What ends a task is a notice of its own, unless the operation's notices tell of it."""
    assert scenario_of_error(error) is expected


def test_default_severities() -> None:
    """Without rules of its own a configuration has the default priorities, also for the added scenarios."""
    assert {scenario: severity_of(NotificationRules(), scenario) for scenario in Scenario} == dict(DEFAULT_SEVERITIES)


def test_rules_decide() -> None:
    """A list moves a scenario, added ones too; a list that is not given keeps what no given one names."""
    given = settings({"high_priority": ["partial_failure", "overdue"]}).user_notifications_config.notification_rules
    assert severity_of(given, PARTIAL) is Severity.HIGH
    assert severity_of(given, Scenario.OVERDUE) is Severity.HIGH
    assert severity_of(given, Scenario.HALTED) is Severity.HIGH
    assert severity_of(given, Scenario.CONFIGURATION_ERRORS) is Severity.MEDIUM
    assert severity_of(given, COMPLETE) is Severity.INFO


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (
            {"high_priority": ["overdue"], "low_priority": ["overdue"]},
            f"{RULES}: overdue is in high_priority and in low_priority; a scenario has one priority, name it once",
        ),
    ],
)
def test_two_priorities(rules: dict[str, list[str]], expected: str) -> None:
    """A scenario that is named twice is refused with both places."""
    data = {"notification_settings": {"user_notifications_config": {"notification_rules": rules}}}
    assert problems(data) == [expected]


def test_twice_in_a_list() -> None:
    """So is one that stands twice in the same list."""
    rules = {"medium_priority": ["halted", "halted"]}
    (problem,) = problems({"notification_settings": {"user_notifications_config": {"notification_rules": rules}}})
    assert "halted is in medium_priority and in medium_priority" in problem


def test_notice_ids() -> None:
    """A notice's id is the same for the same scenario of the same operation, and for nothing else."""
    ids = {notice_id_of(scenario, about) for scenario in Scenario for about in ("one", "another")}
    assert len(ids) == 2 * len(Scenario)
    assert notice_id_of(SUCCESS, "one") == "447729d5-8cd4-5712-982d-7d6b18510c9f"


def test_documented() -> None:
    """docs/notices.md has a row for every scenario, with its default severity, its switch and when it is told."""
    text = (DOCS / "notices.md").read_text()
    for scenario in Scenario:
        switch = SWITCHES.get(scenario)
        row = re.escape(
            f"| `{scenario}` | {DEFAULT_SEVERITIES[scenario]} | {f'`{switch}`' if switch else 'none'} | "
            f"{WHEN[scenario]} |"
        )
        assert re.search(row, text), row

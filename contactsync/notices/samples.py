"""Sample notices of every scenario, for `contactsync notices preview` and for the golden files of the tests.

They are made from sample operations and outcomes in the same way as real notices. All accounts and people are invented.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from contactsync.bus.events import NoticeRequested
from contactsync.contacts import ContactType
from contactsync.errors import ConfigurationInvalidError, PublishFailedError, TrustedAccessOffError
from contactsync.notices.notice import Notice, NoticeOrigin, notice_of
from contactsync.notices.scenarios import DEFAULT_SEVERITIES, Scenario, notice_id_of
from contactsync.operations.operation import (
    AccountOutcome,
    Attempt,
    Halt,
    OperationStatus,
    OutcomeDetail,
    OutcomeStatus,
    SyncOperation,
    TypePlan,
    sync_id_of,
)

RUN: Final = "0d1f6c5e-8a57-4f0e-9b3c-2f6f5e1a7c44"
START: Final = datetime(2026, 1, 9, 10, 0, tzinfo=UTC)
ORIGIN: Final = NoticeOrigin("example", RUN, START + timedelta(seconds=43), "https://airflow.example.com")
NAMES: Final = ("payments-production", "shipping-staging", "data-lake", "R&D sandbox", "log-archive")
ACCOUNTS: Final = 23

Failed = tuple[int, OutcomeDetail, str]
"""Number of accounts that failed, with their detail and code."""

DENIED: Final = (5, OutcomeDetail.PERMISSION_DENIED, "AccessDeniedException")
UNAVAILABLE: Final = (2, OutcomeDetail.UNAVAILABLE, "InternalServerException")
LOST: Final = (1, OutcomeDetail.NO_OUTCOME, "NoOutcome")
INVALID: Final = (3, OutcomeDetail.INVALID, "ValidationException")


def sample(scenario: Scenario) -> Notice:
    """Return a notice of a scenario with all parts that such notices usually have."""
    return _SAMPLES[scenario](scenario)


def _request(scenario: Scenario, **parts: Any) -> NoticeRequested:  # noqa: ANN401 -- fields of the event
    values = {
        "notice_id": notice_id_of(scenario, sync_id_of(RUN)),
        "scenario": scenario,
        "priority": DEFAULT_SEVERITIES[scenario],
        "dag_id": "contact_sync",
        "dag_run_id": RUN,
        "sync_id": sync_id_of(RUN),
    }
    return NoticeRequested.model_validate({**values, **parts})


def _of_outcomes(scenario: Scenario, *failed: Failed) -> Notice:
    status = OperationStatus.FAILED if failed else OperationStatus.COMPLETED
    return notice_of(_request(scenario), ORIGIN, _operation(status=status), _outcomes(*failed))


def _of_error(scenario: Scenario, error: Exception, **parts: Any) -> Notice:  # noqa: ANN401 -- fields of the event
    code = type(error).__name__.removesuffix("Error")
    return notice_of(_request(scenario, code=code, message=str(error), **parts), ORIGIN)


def _halted(scenario: Scenario) -> Notice:
    error = TrustedAccessOffError()
    halt = Halt(error.code, str(error), START + timedelta(seconds=12))
    operation = _operation(halt=halt, status=OperationStatus.FAILED)
    return notice_of(_request(scenario), ORIGIN, operation, _outcomes((15, OutcomeDetail.HALTED, error.code)))


def _waiting(scenario: Scenario) -> Notice:
    plan = TypePlan(generation=8, absent=True, approved=False, needs_approval=True)
    operation = _operation(plans={ContactType.BILLING: plan}, finished=None)
    outcomes = (replace(_pending(outcome), contact_type=ContactType.BILLING) for outcome in _outcomes())
    message = (
        "Answer by 2026-01-10 10:00 UTC: without an answer nothing is deleted. Accounts: audit (222222222222), "
        "billing-dev (333333333333) and 21 more. To undo a deletion, put the contact in the management account again."
    )
    return notice_of(_request(scenario, message=message), ORIGIN, operation, outcomes)


def _overdue(scenario: Scenario) -> Notice:
    outcomes = _outcomes()
    late = [_pending(outcome) if number < 4 else outcome for number, outcome in enumerate(outcomes)]  # noqa: PLR2004 -- some
    return notice_of(_request(scenario), ORIGIN, _operation(finished=None), late)


def _trouble(scenario: Scenario) -> Notice:
    error = PublishFailedError(failed=12, causes=["InternalErrorException"])
    return _of_error(scenario, error, dag_id="contact_housekeeping", dag_run_id="scheduled__2026-01-09T10:00:00+00:00")


_SAMPLES: Final[Mapping[Scenario, Callable[[Scenario], Notice]]] = MappingProxyType(
    {
        Scenario.COMPLETE_FAILURE: lambda scenario: _of_outcomes(
            scenario, (ACCOUNTS, OutcomeDetail.UNAVAILABLE, "InternalServerException")
        ),
        Scenario.PERMISSION_ERRORS: lambda scenario: _of_outcomes(scenario, DENIED),
        Scenario.SYSTEM_ERRORS: lambda scenario: _of_outcomes(scenario, UNAVAILABLE, LOST),
        Scenario.PARTIAL_FAILURE: lambda scenario: _of_outcomes(scenario, INVALID),
        Scenario.CONFIGURATION_ERRORS: lambda scenario: _of_error(
            scenario,
            ConfigurationInvalidError(problems=["retry_config.max_attempt: unknown key; did you mean max_attempts?"]),
        ),
        Scenario.SUCCESS_COMPLETION: _of_outcomes,
        Scenario.HALTED: _halted,
        Scenario.APPROVAL_WAITING: _waiting,
        Scenario.OVERDUE: _overdue,
        Scenario.DELIVERY_TROUBLE: _trouble,
    }
)


def _operation(**parts: Any) -> SyncOperation:  # noqa: ANN401 -- fields of the operation
    values: dict[str, Any] = {
        "sync_id": sync_id_of(RUN),
        "dag_run_id": RUN,
        "timestamp": START,
        "planned": START,
        "initiating_user": "arn:aws:iam::111122223333:user/wanda",
        "source_account": "111122223333",
        "plans": {ContactType.SECURITY: TypePlan(generation=7, absent=False, approved=True)},
        "config_version": 4,
        "status": OperationStatus.IN_PROGRESS,
        "event_id": RUN,
        "finished": START + timedelta(seconds=42),
    }
    return SyncOperation(**{**values, **parts})


def _outcomes(*failed: Failed) -> list[AccountOutcome]:
    """Return 23 outcomes that were tried, the first ones failed, and one excluded account."""
    ends = [(detail, code) for number, detail, code in failed for _ in range(number)]
    ends += [(OutcomeDetail.UPDATED, "")] * (ACCOUNTS - len(ends))
    return [_outcome(number, *end) for number, end in enumerate([*ends, (OutcomeDetail.EXCLUDED, "")])]


def _outcome(number: int, detail: OutcomeDetail, code: str) -> AccountOutcome:
    name = f"{NAMES[number % len(NAMES)]}-{number // len(NAMES) + 1}"
    tries = 4 if detail is OutcomeDetail.UNAVAILABLE else 1
    attempt = Attempt(tries, START, START + timedelta(seconds=30), _STATUSES[detail], detail, code or None)
    return AccountOutcome(f"{200000000001 + number}", name, ContactType.SECURITY).settled(attempt)


def _pending(outcome: AccountOutcome) -> AccountOutcome:
    if outcome.detail is OutcomeDetail.EXCLUDED:
        return outcome
    return replace(outcome, status=OutcomeStatus.PENDING, detail=None, attempts=(), timestamp=None)


_STATUSES: Final = MappingProxyType(
    {
        OutcomeDetail.UPDATED: OutcomeStatus.SUCCESS,
        OutcomeDetail.EXCLUDED: OutcomeStatus.SKIPPED,
        OutcomeDetail.PERMISSION_DENIED: OutcomeStatus.SKIPPED,
        OutcomeDetail.UNAVAILABLE: OutcomeStatus.FAILED,
        OutcomeDetail.NO_OUTCOME: OutcomeStatus.FAILED,
        OutcomeDetail.INVALID: OutcomeStatus.FAILED,
        OutcomeDetail.HALTED: OutcomeStatus.FAILED,
    }
)

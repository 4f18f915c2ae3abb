"""The sentences of a notice: its headline, and what happened."""

from collections.abc import Iterator
from datetime import UTC
from typing import Final

from contactsync.bus.events import NoticeRequested
from contactsync.errors import kind_of
from contactsync.notices.failures import NoticeFigures
from contactsync.notices.scenarios import SYSTEM_DETAILS, Scenario, refusal_of, scenario_of_blame
from contactsync.operations.operation import OperationStatus, OutcomeDetail, OutcomeStatus, SyncOperation
from contactsync.operations.remarks import remarks_of

_DETAILS: Final = {
    Scenario.PERMISSION_ERRORS: ({OutcomeDetail.PERMISSION_DENIED}, "AWS denies the permission for"),
    Scenario.SYSTEM_ERRORS: (SYSTEM_DETAILS, "System errors in"),
}

_OF_OUTCOMES: Final = frozenset(
    {
        Scenario.COMPLETE_FAILURE,
        Scenario.PARTIAL_FAILURE,
        Scenario.PERMISSION_ERRORS,
        Scenario.SYSTEM_ERRORS,
        Scenario.HALTED,
    }
)

_WITHOUT_NUMBERS: Final = {
    Scenario.COMPLETE_FAILURE: "All accounts failed",
    Scenario.PARTIAL_FAILURE: "Some accounts failed",
    Scenario.PERMISSION_ERRORS: "AWS denies the permission, the run stopped",
    Scenario.SYSTEM_ERRORS: "A system error stopped the run",
    Scenario.CONFIGURATION_ERRORS: "A configuration error stopped the run",
    Scenario.SUCCESS_COMPLETION: "The run completed",
    Scenario.HALTED: "The run was halted",
    Scenario.APPROVAL_WAITING: "A deletion waits for approval",
    Scenario.OVERDUE: "Runs do not finish in time",
    Scenario.DELIVERY_TROUBLE: "Events or notices could not be delivered",
}
"""Headlines for operations without outcomes, and for notices that are not about outcomes."""


def headline(
    scenario: Scenario, request: NoticeRequested, operation: SyncOperation | None, figures: NoticeFigures
) -> str:
    """Return the notice in one line: numbers first, then the contact types.

    The numbers are from the time of rendering: if tasks were cleared since, they may be better.
    """
    kind = kind_of(request.code)
    if kind and not kind.stops_run:
        return kind.headline
    code = f" ({request.code})" if request.code else ""
    # A task that failed before the accounts' tasks has no numbers: what is stored may be of an earlier try.
    if operation is None or (request.of_task and operation.halt is None):
        own = kind.headline if kind and scenario_of_blame(kind.blame) is scenario else ""
        return f"{own or _WITHOUT_NUMBERS[scenario]}{code}"
    dry = "Dry run: " if operation.dry_run else ""
    concerned = _asked(operation) if scenario is Scenario.APPROVAL_WAITING else operation.contact_types
    types = f": {', '.join(concerned)}" if concerned else ""
    numbers = _with_numbers(scenario, operation, figures) if figures.touched else _refusal(scenario, operation)
    if figures.missing and scenario in _OF_OUTCOMES | {Scenario.SUCCESS_COMPLETION}:
        numbers = ", ".join(filter(None, [numbers, _missing(figures.missing)]))
    return f"{dry}{numbers or _WITHOUT_NUMBERS[scenario] + code}{types}"


def what_happened(request: NoticeRequested, operation: SyncOperation | None, figures: NoticeFigures) -> list[str]:
    """Return what is known, as sentences without repetition; without a person's reason, which may hold anything."""
    return list(dict.fromkeys(filter(None, _sentences(request, operation, figures))))


def _refusal(scenario: Scenario, operation: SyncOperation) -> str | None:
    verdict = refusal_of(operation)
    refused = scenario is Scenario.SUCCESS_COMPLETION and verdict is not None
    return f"A deletion was not approved ({verdict}), no account was changed" if refused else None


def _asked(operation: SyncOperation) -> list[str]:
    """Return the contact types whose deletion waits for a person."""
    return [name for name, plan in operation.plans.items() if plan.needs_approval and plan.decision is None]


def _with_numbers(scenario: Scenario, operation: SyncOperation, figures: NoticeFigures) -> str | None:
    failed, touched = figures.accounts(), len(figures.touched)
    if scenario is Scenario.SUCCESS_COMPLETION:
        verdict = refusal_of(operation)
        refused = f", a deletion was not approved ({verdict})" if verdict else ""
        compared = figures.outcome_counts.comparison.sentence if operation.dry_run and not failed else ""
        return compared or f"Completed in {_share(touched - failed, touched)}{refused}"
    if scenario is Scenario.HALTED and operation.halt:
        return f"Halted ({operation.halt.code}), {_share(failed, touched)} failed"
    if scenario is Scenario.APPROVAL_WAITING:
        number = max((figures.pending[name] for name in _asked(operation)), default=0)
        return f"A deletion in up to {_counted(number)} waits for approval" if number else None
    if scenario is Scenario.OVERDUE:
        pending = figures.outcome_counts.counts[OutcomeStatus.PENDING]
        return (
            f"Not finished in time, {pending} of {figures.outcome_counts.counts.total()} account outcomes are pending"
        )
    if failed:
        return _of_failures(scenario, figures, failed, touched)
    is_fixed = operation.status is OperationStatus.COMPLETED and scenario in _OF_OUTCOMES and not figures.missing
    return f"Fixed meanwhile, no failure is left in {_counted(touched)}" if is_fixed else None


def _of_failures(scenario: Scenario, figures: NoticeFigures, failed: int, touched: int) -> str | None:
    details, words = _DETAILS.get(scenario, (None, ""))
    if details and (hit := figures.accounts(details)):
        others = f", {failed} failed in all" if failed > hit else ""
        return f"{words} {_share(hit, touched)}{others}"
    if scenario not in _OF_OUTCOMES:
        return None
    if figures.outcome_counts.failures < figures.tried:
        return f"{failed} of {_counted(touched)} failed{' in part' if failed == touched else ''}"
    return f"{_share(failed, touched).capitalize()} failed"


def _missing(number: int) -> str:
    return f"{number} account outcome{' is' if number == 1 else 's are'} missing"


def _share(part: int, whole: int) -> str:
    return f"all {whole} accounts" if part == whole > 1 else f"{part} of {_counted(whole)}"


def _counted(number: int) -> str:
    return f"{number} account{'' if number == 1 else 's'}"


def _sentences(
    request: NoticeRequested, operation: SyncOperation | None, figures: NoticeFigures
) -> Iterator[str | None]:
    if operation and not request.of_task:
        yield _course(operation)
    elif request.dag_run_id:
        yield f"Run {request.dag_run_id} of the DAG {request.dag_id or 'contact_sync'}."
    yield request.message
    if operation and request.of_task:
        yield f"Stored before that: {_course(operation)}"
    if operation:
        yield from remarks_of(operation, figures.outcome_counts)


def _course(operation: SyncOperation) -> str:
    began = f"Sync operation {operation.sync_id} was started by {operation.started_by}"
    at = f"{operation.timestamp.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    if operation.finished is None:
        return f"{began} at {at} and has not ended."
    seconds = (operation.finished - operation.timestamp).total_seconds()
    return f"{began} at {at} and ended as {operation.status} after {seconds:.0f} s."

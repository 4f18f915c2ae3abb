"""`contactsync operations` and `contactsync accounts`: what was done, when, by whom and to which account."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from contactsync.bus.events import Severity
from contactsync.cli.screen.commands import CommandGroup
from contactsync.cli.screen.listing import (
    LimitOption,
    Output,
    OutputOption,
    Row,
    flat,
    show_facts,
    show_rows,
    write_text,
)
from contactsync.cli.screen.periods import SinceOption, UntilOption
from contactsync.cli.screen.values import AccountArgument, NameArgument
from contactsync.operations.operation import AccountOutcome, OperationStatus, SyncOperation
from contactsync.settings.groups import Group
from contactsync.views.outcome_row import RESULT, as_named, choose
from contactsync.views.tables import Columns

if TYPE_CHECKING:
    from contactsync.operations.queries import Period
    from contactsync.services.services import Services

app = CommandGroup("List and show sync operations.")
accounts_app = CommandGroup("Show the state of all accounts, and the history of one.")

OPERATION_COLUMNS: Final = Columns(
    ("timestamp", "status", "contact_types", "initiating_user", "counts", "dry_run", "sync_id", "dag_run_id"),
    drop=("dry_run", "dag_run_id", "initiating_user", "contact_types", "counts"),
)
OUTCOME: Final = {
    **as_named("account_id", "account_name", "contact_type"),
    "status": "listed_as",
    **as_named("detail", "timestamp", "changed_fields", "retry_count", "error_code"),
}
OUTCOME_COLUMNS: Final = Columns(
    tuple(OUTCOME),
    drop=("retry_count", "timestamp", "changed_fields", "contact_type", "error_code", "account_name"),
    prose=("account_name", "changed_fields"),
)
HISTORY: Final = {
    **as_named("timestamp", "contact_type"),
    "status": "listed_as",
    **as_named("detail", "generation", "changed_fields", "retry_count", "error_code"),
}
HISTORY_COLUMNS: Final = Columns(
    (*HISTORY, "sync_id"),
    drop=("retry_count", "generation", "changed_fields", "contact_type", "error_code", "detail"),
    prose=("changed_fields",),
)
HISTORY_JSON: Final = {**as_named("account_id", "contact_type"), **RESULT}


@app.command("list")
def list_operations(
    *,
    status: Annotated[OperationStatus | None, typer.Option(help="Only operations with this status.")] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: LimitOption = 20,
    output: OutputOption = Output.TABLE,
) -> None:
    """List sync operations, newest first.

    Example: `contactsync operations list --status failed --since 7d`
    """
    from contactsync.services.services import Services

    period = period_of(since, until)
    listed = Services.from_environment(needs=[Group.STATE]).operation_queries.recent(
        limit=limit, status=status, period=period
    )
    if output is Output.JSON:
        rows: Iterable[Row] = map(_operation_row, listed)
    else:
        rows = map(_listed_row, listed)
    show_rows(OPERATION_COLUMNS, map(_short, rows) if output is Output.TABLE else rows, output, alarming=_failed)


@app.command("show")
def show(name: NameArgument, *, output: OutputOption = Output.TABLE) -> None:
    """Show one operation: its facts and decisions, then every account outcome, failed ones first.

    As JSON or CSV, the output is that of `contactsync export`.

    Example: `contactsync operations show manual__2026-11-21T10:00:00+00:00`
    """
    from contactsync.services.services import Services
    from contactsync.views.export import operations_csv, operations_json

    services = Services.from_environment(needs=[Group.STATE])
    operation = operation_named(services, name)
    if output is Output.TABLE:
        notices = services.notice_store.deliveries(operation.sync_id)
        show_facts(flat({**_operation_row(operation), "notices": _ends(notices)}))
        # All in memory, because they are sorted: 10,000 outcomes are some megabytes.
        outcomes = sorted(services.stored_operations.outcomes(operation.sync_id), key=_failed_first)
        rows = (choose(OUTCOME, outcome) for outcome in outcomes)
        show_rows(OUTCOME_COLUMNS, rows, output, alarming=_failed)
        return
    write = operations_json if output is Output.JSON else operations_csv
    write_text(write([operation], services.stored_operations.outcomes))


@app.command("desired")
def desired(*, output: OutputOption = Output.TABLE) -> None:
    """Show which operation set the desired contact of each contact type; contact values are never shown.

    Example: `contactsync operations desired`
    """
    from contactsync.services.services import Services

    listed = Services.from_environment(needs=[Group.DESIRED]).desired_versions.every()
    rows = ({"contact_type": d.contact_type, "generation": d.generation, "sync_id": d.sync_id} for d in listed)
    show_rows(("contact_type", "generation", "sync_id"), rows, output)


@accounts_app.command("history")
def history(
    account_id: AccountArgument,
    *,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: LimitOption = 20,
    output: OutputOption = Output.TABLE,
) -> None:
    """List what operations did to one account, newest first.

    Example: `contactsync accounts history 123456789012 --limit 5`
    """
    from contactsync.services.services import Services

    queries = Services.from_environment(needs=[Group.STATE]).operation_queries
    listed = queries.account_history(account_id, limit=limit, period=period_of(since, until))
    columns = HISTORY_JSON if output is Output.JSON else HISTORY
    rows = ({"sync_id": past.sync_id, **choose(columns, past.outcome)} for past in listed)
    show_rows(HISTORY_COLUMNS, rows, output, alarming=_failed)


def operation_named(services: "Services", name: str) -> SyncOperation:
    """Return the operation of a run id or a sync id; raise OperationUnknownError when there is none."""
    from contactsync.errors import OperationUnknownError
    from contactsync.operations.operation import sync_id_of

    operation = services.stored_operations.get(sync_id_of(name)) or services.stored_operations.get(name)
    if operation is None:
        raise OperationUnknownError(dag_run_id=name)
    return operation


def period_of(since: Any, until: Any) -> "Period":  # noqa: ANN401 -- what the parsers of cli/screen/periods.py return
    """Return the period; raise BadParameter when its end does not come after its start."""
    from contactsync.operations.queries import Period

    period = Period(since, until)
    if period.empty:
        raise typer.BadParameter("--until must be later than --since.")
    return period


def _operation_row(operation: SyncOperation) -> Row:
    from contactsync.views.export import operation_facts, plan_facts

    return {
        **operation_facts(operation),
        "contact_types": operation.contact_types,
        "plans": {contact_type: plan_facts(plan) for contact_type, plan in operation.plans.items()},
        "counts": operation.counts,
        "would_change": operation.would_change,
    }


def _short(row: Row) -> Row:
    """Leave out a run id that is only the id of the event, because nobody searches for it."""
    return {**row, "dag_run_id": None} if row["dag_run_id"] == row["event_id"] else row


def _failed(row: Row) -> bool:
    """Return whether a row is about a failure."""
    from contactsync.operations.operation import OutcomeDetail

    return row["status"] == OperationStatus.FAILED or row.get("detail") == OutcomeDetail.PERMISSION_DENIED


def _failed_first(outcome: AccountOutcome) -> tuple[bool, str, str, str]:
    from contactsync.operations.counting import is_failure

    return not is_failure(outcome), outcome.account_name, outcome.account_id, outcome.contact_type


def _listed_row(operation: SyncOperation) -> Row:
    """Return a row with the numbers in one cell: a dry run's by contact type, or that a failed run has none."""
    numbers: dict[str, int] = dict(operation.counts)
    if len(operation.would_change) > 1:
        numbers |= {f"would_change {contact_type}": number for contact_type, number in operation.would_change.items()}
    unplanned = operation.status is OperationStatus.FAILED and not numbers
    return {**_operation_row(operation), "counts": "plan failed" if unplanned else numbers}


def _ends(deliveries: Iterable[Row]) -> dict[str, str]:
    """Return how the delivery of each notice on each channel ended, in a few words."""
    return {
        ".".join(filter(None, (one["scenario"], one.get("channel")))): " ".join(
            str(one[name]) for name in ("status", "code", "at") if one.get(name)
        )
        or ("not to be sent" if one["priority"] == Severity.INFO else "not delivered yet")
        for one in deliveries
    }

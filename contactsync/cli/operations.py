"""`contactsync operations` and `contactsync accounts`: what was done, when, by whom and to which account."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from contactsync.bus.events import Severity
from contactsync.cli.listing import LimitOption, Output, OutputOption, Row, flat, show_rows, show_table, write_text
from contactsync.cli.periods import SinceOption, UntilOption
from contactsync.settings import Group
from contactsync.sync.operation import AccountOutcome, OperationStatus, SyncOperation

if TYPE_CHECKING:
    from contactsync.aws.operation_queries import Period
    from contactsync.services import Services

app = typer.Typer(help="List and show sync operations.", no_args_is_help=True)
accounts_app = typer.Typer(help="Show what was done to an account.", no_args_is_help=True)

OPERATION_COLUMNS: Final = (
    "timestamp",
    "status",
    "contact_types",
    "initiating_user",
    "counts",
    "dry_run",
    "sync_id",
    "dag_run_id",
)
OUTCOME_COLUMNS: Final = (
    "account_id",
    "account_name",
    "contact_type",
    "status",
    "detail",
    "timestamp",
    "changed_fields",
    "retry_count",
    "error_code",
)
HISTORY_COLUMNS: Final = (
    "timestamp",
    "contact_type",
    "status",
    "detail",
    "generation",
    "changed_fields",
    "retry_count",
    "error_code",
    "sync_id",
)

NameArgument = Annotated[str, typer.Argument(metavar="RUN_OR_SYNC_ID", help="A DAG run id, or the operation's own id.")]


def _account_id(text: str) -> str:
    if not re.fullmatch(r"[0-9]{12}", text, re.ASCII):
        raise typer.BadParameter(f"{text!r} is not an account id of 12 digits.")
    return text


AccountArgument = Annotated[str, typer.Argument(metavar="ACCOUNT_ID", help="12 digits.", callback=_account_id)]


@app.command("list")
def list_operations(
    *,
    status: Annotated[OperationStatus | None, typer.Option(help="Only those of this status.")] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: LimitOption = 20,
    output: OutputOption = Output.TABLE,
) -> None:
    """List sync operations, newest first.

    Example: `contactsync operations list --status failed --since 7d`
    """
    from contactsync.services import Services

    period = period_of(since, until)
    found = Services.from_environment(needs=[Group.STATE]).operation_queries.recent(
        limit=limit, status=status, period=period
    )
    show_rows(OPERATION_COLUMNS, map(_operation_row, found), output)


@app.command()
def show(name: NameArgument, *, output: OutputOption = Output.TABLE) -> None:
    """Show an operation with everything it decided, and every account outcome; JSON and CSV are its export.

    Example: `contactsync operations show manual__2026-11-21T10:00:00+00:00`
    """
    from contactsync.services import Services
    from contactsync.sync.export import operations_csv, operations_json

    services = Services.from_environment(needs=[Group.STATE])
    operation = operation_named(services, name)
    if output is Output.TABLE:
        notices = services.notice_requests.deliveries(operation.sync_id)
        show_table(("what", "value"), flat({**_operation_row(operation), "notices": _ends(notices)}))
        outcomes = services.stored_operations.outcomes(operation.sync_id)
        show_rows(OUTCOME_COLUMNS, map(_outcome_row, outcomes), output)
        return
    write = operations_json if output is Output.JSON else operations_csv
    write_text(write([operation], services.stored_operations.outcomes))


@app.command()
def desired(*, output: OutputOption = Output.TABLE) -> None:
    """Show which operation's contact the accounts are to carry, per contact type; never the contact itself.

    Example: `contactsync operations desired`
    """
    from contactsync.contacts import ContactType
    from contactsync.services import Services

    versions = Services.from_environment(needs=[Group.DESIRED]).desired_versions
    found = filter(None, map(versions.of, ContactType))
    rows = ({"contact_type": d.contact_type, "generation": d.generation, "sync_id": d.sync_id} for d in found)
    show_rows(("contact_type", "generation", "sync_id"), rows, output)


@accounts_app.command()
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
    from contactsync.services import Services

    queries = Services.from_environment(needs=[Group.STATE]).operation_queries
    found = queries.account_history(account_id, limit=limit, period=period_of(since, until))
    rows = ({"sync_id": past.sync_id, **_outcome_row(past.outcome)} for past in found)
    show_rows(HISTORY_COLUMNS, rows, output)


def operation_named(services: "Services", name: str) -> SyncOperation:
    """Return the operation of a run id or a sync id; raise OperationUnknownError when there is none."""
    from contactsync.errors import OperationUnknownError
    from contactsync.sync.operation import sync_id_of

    operation = services.stored_operations.get(sync_id_of(name)) or services.stored_operations.get(name)
    if operation is None:
        raise OperationUnknownError(dag_run_id=name)
    return operation


def period_of(since: Any, until: Any) -> "Period":  # noqa: ANN401 -- what the parsers of cli/periods.py return
    """Return the period; wrong usage when its end does not come after its start."""
    from contactsync.aws.operation_queries import Period

    period = Period(since, until)
    if period.empty:
        raise typer.BadParameter("--until must be later than --since.")
    return period


def _operation_row(operation: SyncOperation) -> Row:
    from contactsync.sync.export import operation_facts, plan_facts

    return {
        **operation_facts(operation),
        "contact_types": operation.contact_types,
        "plans": {contact_type: plan_facts(plan) for contact_type, plan in operation.plans.items()},
        "counts": operation.counts,
    }


def _ends(deliveries: Iterable[Row]) -> dict[str, str]:
    """Return how each notice and channel ended, in a few words."""
    return {
        ".".join(filter(None, (one["scenario"], one.get("channel")))): " ".join(
            str(one[name]) for name in ("status", "code", "at") if one.get(name)
        )
        or ("nobody is to be told" if one["priority"] == Severity.INFO else "not delivered yet")
        for one in deliveries
    }


def _outcome_row(outcome: AccountOutcome) -> Row:
    from contactsync.sync.export import result_of

    return {"account_id": outcome.account_id, "contact_type": outcome.contact_type, **result_of(outcome)}

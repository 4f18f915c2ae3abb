"""`contactsync report`: what a run did to every account."""

from typing import TYPE_CHECKING, Annotated

import typer

from contactsync.cli.screen.listing import Output, OutputOption, show, window, write_text
from contactsync.operations.operation import SyncOperation
from contactsync.settings.groups import Group

if TYPE_CHECKING:
    from contactsync.services.services import Services


def report(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN_OR_SYNC_ID]", help="A DAG run id or a sync id. Without it: the newest sync operation."
        ),
    ] = None,
    *,
    output: OutputOption = Output.TABLE,
) -> None:
    """Print the stored report of a run: the numbers, then every account with its outcome, failed accounts last.

    As JSON or CSV, the output is that of `contactsync export`.

    Example: `contactsync report manual__2026-11-21T10:00:00+00:00`
    """
    from contactsync.cli.operations import operation_named
    from contactsync.services.services import Services
    from contactsync.sync.report import stored_report
    from contactsync.views.export import operations_csv, operations_json
    from contactsync.views.report_table import report_renderables, table_width

    services = Services.from_environment(needs=[Group.STATE, Group.CONFIGURATION])
    operation = operation_named(services, run) if run else _newest(services)
    outcomes = list(services.stored_operations.outcomes(operation.sync_id))
    if output is not Output.TABLE:
        write = operations_json if output is Output.JSON else operations_csv
        write_text(write([operation], lambda _: outcomes))
        return
    threshold = _threshold(services, operation)
    for number, part in enumerate(
        report_renderables(stored_report(operation, outcomes, threshold), outcomes, window())
    ):
        if number:
            typer.echo()
        show(part, table_width(outcomes))


def _threshold(services: "Services", operation: SyncOperation) -> int:
    from contactsync.operations.operation import UNPLANNED

    if operation.config_version == UNPLANNED:
        return 1
    version = services.stored_configurations.version(operation.config_version)
    return version.configuration.notification_settings.failure_threshold


def _newest(services: "Services") -> SyncOperation:
    from contactsync.errors import NoOperationsError

    operation = next(services.operation_queries.recent(limit=1), None)
    if operation is None:
        raise NoOperationsError
    return operation

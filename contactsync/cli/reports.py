"""`contactsync report`: what a run did to every account."""

from typing import TYPE_CHECKING, Annotated

import typer

from contactsync.settings import Group
from contactsync.sync.operation import SyncOperation

if TYPE_CHECKING:
    from contactsync.services import Services


def report(
    run: Annotated[
        str | None, typer.Argument(help="A DAG run id or sync id; without it the newest sync operation.")
    ] = None,
) -> None:
    """Print the stored report of a run: the numbers, then every account with its outcome.

    Example: `contactsync report manual__2026-11-21T10:00:00+00:00`
    """
    from contactsync.cli.operations import operation_named
    from contactsync.services import Services
    from contactsync.sync.report import stored_report
    from contactsync.sync.report_table import report_text

    services = Services.from_environment(needs=[Group.STATE, Group.CONFIGURATION])
    operation = operation_named(services, run) if run else _newest(services)
    outcomes = list(services.stored_operations.outcomes(operation.sync_id))
    threshold = services.stored_configurations.version(
        operation.config_version
    ).settings.notification_settings.failure_threshold
    typer.echo(report_text(stored_report(operation, outcomes, threshold), outcomes))


def _newest(services: "Services") -> SyncOperation:
    from contactsync.errors import OperationMissingError

    operation = next(services.operation_queries.recent(limit=1), None)
    if operation is None:
        raise OperationMissingError(dag_run_id="(any)")
    return operation

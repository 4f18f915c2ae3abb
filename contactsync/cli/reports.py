"""`contactsync report`: what a run did to every account."""

from typing import Annotated

import typer


def report(
    run: Annotated[str | None, typer.Argument(help="The DAG run id; without it the newest sync operation.")] = None,
) -> None:
    """Print the stored report of a run: the numbers, then every account with its outcome.

    Example: `contactsync report manual__2026-11-21T10:00:00+00:00`
    """
    from contactsync.errors import OperationMissingError
    from contactsync.services import Services
    from contactsync.sync.operation import sync_id_of
    from contactsync.sync.report import stored_report
    from contactsync.sync.report_table import report_text

    services = Services.from_environment()
    operation = (
        services.operations.get(sync_id_of(run)) if run else next(iter(services.operations.recent(limit=1)), None)
    )
    if operation is None:
        raise OperationMissingError(dag_run_id=run or "(any)")
    outcomes = list(services.operations.outcomes(operation.sync_id))
    threshold = services.configurations.version(
        operation.config_version
    ).settings.notification_settings.failure_threshold
    typer.echo(report_text(stored_report(operation, outcomes, threshold), outcomes))

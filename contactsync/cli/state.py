"""`contactsync accounts state`: a statement of what every account carries, for auditors."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from contactsync.cli.export import warn_of_expiry, write_file
from contactsync.cli.screen.listing import Output, OutputOption, json_array, show_rows, write_text
from contactsync.cli.screen.periods import FORMS, start_of
from contactsync.settings.groups import Group
from contactsync.views.tables import Columns

if TYPE_CHECKING:
    from contactsync.contacts import ContactType
    from contactsync.services.services import Services
    from contactsync.views.statement import StatedContact, StatementState

COLUMNS: Final = Columns(
    (
        "account_id",
        "account_name",
        "contact_type",
        "standing",
        "generation",
        "desired_generation",
        "since",
        "verified_at",
        "written_by",
    ),
    drop=("written_by", "since", "desired_generation", "verified_at", "generation", "account_name"),
)
NEEDS: Final = (Group.MANAGEMENT, Group.CONFIGURATION, Group.STATE, Group.DESIRED)
NEEDS_OF_THE_PAST: Final = (Group.CONFIGURATION, Group.STATE)


def state(
    *,
    at: Annotated[
        datetime | None,
        typer.Option(
            parser=start_of, metavar="TIME", help=f"Show the state at an earlier time: {FORMS}.", show_default=False
        ),
    ] = None,
    output: OutputOption = Output.TABLE,
    file: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False, help="Write to this file; needs `-o json` or `-o csv`. Without it: to standard output."
        ),
    ] = None,
) -> None:
    """List for every account and contact type whether it has the desired contact; contact values are never shown.

    For an account that contactsync does not change, the standing says why. With `--at`, the list shows what operations
    had recorded by then, and only accounts that were part of an operation by then.

    Example: `contactsync accounts state -o csv --file state.csv`
    """
    from contactsync.services.services import Services
    from contactsync.views.rows import csv_lines

    if file and output is Output.TABLE:
        raise typer.BadParameter("A file is JSON or CSV: name one with -o.")
    services = Services.from_environment(needs=NEEDS_OF_THE_PAST if at else NEEDS)
    moment = at or services.clock.now()
    if moment > services.clock.now():
        raise typer.BadParameter("--at is in the future.")
    version, contacts = _past(services, moment) if at else _present(services)
    rows = [{**vars(contact), "as_of": moment, "config_version": version} for contact in contacts]
    if output is Output.TABLE:
        show_rows(COLUMNS, rows, output, alarming=_needs_a_look)
    else:
        columns = ("as_of", "config_version", *COLUMNS.names)
        parts = json_array(rows) if output is Output.JSON else csv_lines(columns, rows)
        typer.echo(f"SHA-256 {_written(parts, file)}", err=True)
    counts = Counter(str(row["standing"]) for row in rows)
    typer.echo(f"As of {moment:%Y-%m-%d %H:%M:%S} UTC, configuration version {version}: {_counted(counts)}", err=True)


def _present(services: "Services") -> tuple[int, Iterator["StatedContact"]]:
    return services.configurations.latest().version, read_state(services).contacts()


def _past(services: "Services", moment: datetime) -> tuple[int, Iterator["StatedContact"]]:
    from contactsync.errors import ConfigurationMissingError
    from contactsync.operations.queries import Period
    from contactsync.views.past_state import PastState, in_force

    configurations = services.stored_configurations
    version = in_force(configurations.history(), moment)
    if version is None:
        raise ConfigurationMissingError(
            table=services.settings.configuration.table, config_key=configurations.config_key
        )
    warn_of_expiry(services, moment)
    past = PastState(moment, version.configuration)
    for operation in services.operation_queries.recent(period=Period(until=moment + timedelta(microseconds=1))):
        if past.concerns(operation):
            past.add(operation, services.stored_operations.outcomes(operation.sync_id))
    return version.number, past.contacts()


def read_state(services: "Services") -> "StatementState":
    """Read what the statement needs: the organization, the configuration in force, records and desired versions."""
    from contactsync.configuration.reach import Reach
    from contactsync.views.statement import StatementState, settled_since

    configuration = services.configurations.latest().configuration
    management_account = services.settings.management.account
    reach = Reach(services.organization, management_account)
    scope = reach.scope(configuration)
    versions = {kind: services.desired_versions.of(kind) for kind in configuration.contact_types}
    desired = {kind: version.generation if version else None for kind, version in versions.items()}
    keys = [(account.account_id, kind) for account in reach.accounts for kind in desired]
    since: dict[Any, datetime] = {}
    for sync_id in sorted({version.sync_id for version in versions.values() if version}):
        since |= settled_since(services.stored_operations.outcomes(sync_id), desired)
    unreadable: set[tuple[str, ContactType]] = set()
    records = {(one.account_id, one.contact_type): one for one in services.records.many(keys, unreadable)}
    return StatementState(
        accounts=reach.accounts,
        management_account=management_account,
        scope=scope,
        desired=desired,
        records=records,
        since=since,
        unreadable=unreadable,
    )


def _written(parts: Iterator[str], file: Path | None) -> str:
    """Write text, and return its SHA-256 digest."""
    digest = hashlib.sha256()

    def passed_on() -> Iterator[str]:
        for part in parts:
            digest.update(part.encode(errors="backslashreplace"))
            yield part

    if file:
        write_file(file, passed_on())
    else:
        write_text(passed_on())
    return digest.hexdigest()


def _needs_a_look(row: Any) -> bool:  # noqa: ANN401 -- a row of any columns
    return row["standing"] in {"behind", "unsettled", "unreadable", "never_seen"}


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{number} {standing}" for standing, number in sorted(counts.items())) or "no accounts"

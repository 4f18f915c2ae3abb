"""`contactsync export`: operations with all their outcomes, for auditors."""

import contextlib
import secrets
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from contactsync.cli.listing import write_text
from contactsync.cli.operations import operation_named, period_of
from contactsync.cli.periods import SinceOption, UntilOption
from contactsync.errors import FileNotWrittenError
from contactsync.settings import Group


class ExportFormat(StrEnum):
    """The forms of an export."""

    JSON = "json"
    CSV = "csv"


def export(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[RUN_OR_SYNC_ID]", help="One operation; without it all of the period, newest first."),
    ] = None,
    *,
    since: SinceOption = None,
    until: UntilOption = None,
    output: Annotated[
        ExportFormat,
        typer.Option("--output", "-o", help="CSV has a row per outcome."),
    ] = ExportFormat.JSON,
    file: Annotated[Path | None, typer.Option(dir_okay=False, help="Else the standard output.")] = None,
) -> None:
    """Write operations with every account outcome as JSON or CSV, page by page.

    Example: `contactsync export --since 2026-01-01 --until 2026-03-31 -o csv --file quarter.csv`
    """
    from contactsync.services import Services
    from contactsync.sync.export import operations_csv, operations_json

    if name and (since or until):
        raise typer.BadParameter("Name an operation or a period, not both.")
    period = period_of(since, until)
    services = Services.from_environment(needs=[Group.STATE])
    operations = [operation_named(services, name)] if name else services.operation_queries.recent(period=period)
    write = operations_json if output is ExportFormat.JSON else operations_csv
    parts = write(operations, services.stored_operations.outcomes)
    if file:
        write_file(file, parts)
    else:
        write_text(parts)


def write_file(path: Path, parts: Iterable[str]) -> None:
    """Write a file as a whole or not at all; raise FileNotWrittenError when the system refuses."""
    target = path.resolve()  # so that a link stays one
    special = target.exists() and not target.is_file()
    partial = target if special else target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
    try:
        with partial.open("w", encoding="utf-8", newline="") as file:
            file.writelines(parts)
        if not special:
            partial.replace(target)
    except OSError as error:
        raise FileNotWrittenError(path=str(path), reason=error.strerror or type(error).__name__) from None
    finally:
        if not special:
            with contextlib.suppress(OSError):
                partial.unlink()

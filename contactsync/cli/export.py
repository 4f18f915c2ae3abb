"""`contactsync export`: operations with all their outcomes, for auditors."""

import contextlib
import hashlib
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from contactsync.cli.operations import operation_named, period_of
from contactsync.cli.screen.listing import write_text
from contactsync.cli.screen.periods import SinceOption, UntilOption
from contactsync.errors import FileNotWrittenError
from contactsync.operations.operation import AccountOutcome, SyncOperation
from contactsync.settings.groups import Group

if TYPE_CHECKING:
    from contactsync.services.services import Services


class ExportFormat(StrEnum):
    """The forms of an export."""

    JSON = "json"
    CSV = "csv"


def export(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN_OR_SYNC_ID]",
            help="Export only this operation. Without it: all operations of the period, newest first.",
        ),
    ] = None,
    *,
    since: SinceOption = None,
    until: UntilOption = None,
    output: Annotated[
        ExportFormat,
        typer.Option("--output", "-o", help="The format of the output. CSV has one row per account outcome."),
    ] = ExportFormat.JSON,
    file: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write to this file. Without it: to standard output.")
    ] = None,
) -> None:
    """Write sync operations with all their account outcomes, as JSON or CSV.

    Operations are read and written page by page, so a long period needs little memory. At the end, standard error shows
    the number of operations and outcomes, and the SHA-256 digest of the output.

    Example: `contactsync export --since 2026-01-01 --until 2026-03-31 -o csv --file quarter.csv`
    """
    from contactsync.services.services import Services
    from contactsync.views.export import operations_csv, operations_json

    if name and (since or until):
        raise typer.BadParameter("Name an operation or a period, not both.")
    period = period_of(since, until)
    services = Services.from_environment(needs=[Group.STATE])
    if period.since:
        warn_of_expiry(services, period.since)
    operations = [operation_named(services, name)] if name else services.operation_queries.recent(period=period)
    write = operations_json if output is ExportFormat.JSON else operations_csv
    written = Written()
    parts = written.text(
        write(
            written.operations(operations),
            lambda sync_id: written.outcomes(services.stored_operations.outcomes(sync_id)),
        )
    )
    if file:
        write_file(file, parts)
    else:
        write_text(parts)
    typer.echo(written.summary, err=True)


@dataclass
class Written:
    """The counts and the digest of an export, updated while it is written."""

    numbers: Counter[str] = field(default_factory=Counter)
    digest: Any = field(default_factory=hashlib.sha256)

    def operations(self, found: Iterable[SyncOperation]) -> Iterator[SyncOperation]:
        """Yield the operations, and count them."""
        for operation in found:
            self.numbers["operations"] += 1
            yield operation

    def outcomes(self, found: Iterable[AccountOutcome]) -> Iterator[AccountOutcome]:
        """Yield the outcomes, and count them."""
        for outcome in found:
            self.numbers["outcomes"] += 1
            yield outcome

    def text(self, parts: Iterable[str]) -> Iterator[str]:
        """Yield the text, and add it to the digest."""
        for part in parts:
            self.digest.update(part.encode(errors="backslashreplace"))
            yield part

    @property
    def summary(self) -> str:
        """What was written, in one line."""
        counted = ", ".join(_counted(self.numbers[name], name) for name in ("operations", "outcomes"))
        return f"{counted}, SHA-256 {self.digest.hexdigest()}"


def _counted(number: int, name: str) -> str:
    return f"{number} {name.removesuffix('s') if number == 1 else name}"


def warn_of_expiry(services: "Services", since: datetime) -> None:
    """Warn when operations of the period may have expired; the newest operation shows how long they are kept."""
    lasts = services.operation_queries.lasts() or timedelta(days=services.settings.state.retention_days)
    kept = services.clock.now() - lasts
    if since < kept:
        typer.echo(
            f"Operations expire {lasts.days} days after their latest plan (CONTACTSYNC_RETENTION_DAYS): those from "
            f"before {kept:%Y-%m-%d} may be missing. The audit trail is kept separately; `contactsync audit` reads it.",
            err=True,
        )


def write_file(path: Path, parts: Iterable[str]) -> None:
    """Write a file completely or not at all; raise FileNotWrittenError when the system refuses."""
    target = path.resolve()  # so that a symbolic link is kept
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

"""`contactsync audit`: what happened, to what, and everything that had one cause."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated, Final

import typer

from contactsync.cli.screen.listing import Output, OutputOption, Row, show_rows
from contactsync.cli.screen.periods import SinceOption, UntilOption
from contactsync.cli.screen.values import account_id, completed, one_of
from contactsync.settings.groups import Group
from contactsync.views.tables import Columns

if TYPE_CHECKING:
    from contactsync.bus.audit import AuditEntry, AuditTrail

COLUMNS: Final = Columns(
    ("time", "event_type", "severity", "source", "entities", "correlation_id", "data"),
    drop=("source", "data", "severity", "correlation_id"),
    prose=("entities", "data"),
)
SELECTORS: Final = "--entity, --account, --operation, --correlation-id, --day or --since"
DAY: Final = timedelta(days=1)


def _kinds() -> list[str]:
    from contactsync.bus.audit import ENTITIES

    return [*ENTITIES.values(), "dead-letter", "subject"]


def _entity(text: str | None) -> str | None:
    """Return the name of an entity; raise BadParameter for any other text."""
    if text is None:
        return None
    kind, mark, name = text.partition("#")
    if not (mark and name.strip()):
        raise typer.BadParameter(f"{text!r} is not KIND#NAME, such as account#123456789012.")
    if one_of(kind, _kinds()) == "account":
        account_id(name)
    return text


def audit(  # noqa: PLR0913 -- one option per question
    *,
    entity: Annotated[
        str | None,
        typer.Option(
            metavar="KIND#NAME",
            help="Only entries about this, such as notice#ID, configuration#KEY or dead-letter#QUEUE.",
            callback=_entity,
            autocompletion=completed(lambda: [f"{kind}#" for kind in _kinds()]),
        ),
    ] = None,
    account: Annotated[
        str | None, typer.Option(metavar="ACCOUNT_ID", help="Only entries about this account.", callback=account_id)
    ] = None,
    operation: Annotated[
        str | None,
        typer.Option(
            metavar="RUN_OR_SYNC_ID", help="Only entries about this sync operation, even after it has expired."
        ),
    ] = None,
    correlation_id: Annotated[
        str | None, typer.Option(metavar="ID", help="Everything that one CloudTrail event or one run led to.")
    ] = None,
    day: Annotated[
        str | None, typer.Option(metavar="DATE", help="Only entries of this day (UTC), such as 2026-01-31.")
    ] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Show at most this many, newest first. Without it: all.")
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """List the audit trail, newest first: by entity, by correlation id, by day or by period.

    Example: `contactsync audit --account 123456789012 --since 30d`
    """
    from contactsync.services.services import Services

    names = _names(entity, account, operation)
    if sum(map(bool, (names, correlation_id, day))) > 1 or (day and (since or until)):
        raise typer.BadParameter(f"Ask one question: {SELECTORS}.")
    if correlation_id and (since or until):
        raise typer.BadParameter("--correlation-id lists everything; leave --since and --until out.")
    start, end = (_midnight(day), _midnight(day) + DAY) if day else (since, until)
    if not (names or correlation_id or start):
        raise typer.BadParameter(f"Say what you look for: {SELECTORS}.")
    if start and end and start >= end:
        raise typer.BadParameter("--until must be later than --since.")
    trail = Services.from_environment(needs=[Group.AUDIT]).audit_trail
    show_rows(COLUMNS, map(_row, _found(trail, names, correlation_id, (start, end), limit)), output)


def _found(
    trail: "AuditTrail",
    names: list[str],
    correlation_id: str | None,
    period: tuple[datetime | None, datetime | None],
    limit: int | None,
) -> Iterator["AuditEntry"]:
    start, end = period
    if correlation_id:
        return trail.correlated(correlation_id, limit=limit)
    if start and not names:
        # Clocks differ: the time of an event may be later than this machine's time.
        return trail.during(start, end or datetime.now(UTC) + DAY, limit=limit)
    return _first(trail.about(name, since=start, until=end, limit=limit) for name in names)


def _first(listings: Iterable[Iterator["AuditEntry"]]) -> Iterator["AuditEntry"]:
    """Yield the first of the listings that is not empty."""
    for listing in listings:
        for first in listing:
            yield first
            yield from listing
            return


def _names(entity: str | None, account: str | None, operation: str | None) -> list[str]:
    """Return the possible names of the entity that the options name; raise BadParameter when they name several."""
    from contactsync.bus.audit import entity as named
    from contactsync.operations.operation import sync_id_of

    candidates = [
        [entity] if entity else [],
        [named("account", account)] if account else [],
        # The ids of operations and the names of follow-up runs look alike.
        [named("operation", operation), named("operation", sync_id_of(operation))] if operation else [],
    ]
    given = [names for names in candidates if names]
    if len(given) > 1:
        raise typer.BadParameter("Name one thing: --entity, --account or --operation.")
    return given[0] if given else []


def _midnight(text: str) -> datetime:
    try:
        midnight = datetime.combine(date.fromisoformat(text), time.min, tzinfo=UTC)
        midnight + DAY  # raises for the calendar's last day, which has no end
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{text!r} is not a date; write 2026-01-31.") from None
    return midnight


def _row(entry: "AuditEntry") -> Row:
    from contactsync.bus.values import json_value

    try:
        data = json_value(entry.data)
    except ValueError:  # shown as it is: the row matters more than its form
        data = entry.data
    return {**vars(entry), "severity": str(entry.severity), "data": data}

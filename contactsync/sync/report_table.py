"""The report as text: numbers first, then every account with its outcome, failed ones on top."""

import io
from collections.abc import Iterable, Iterator

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from contactsync.sync.operation import AccountOutcome, OutcomeDetail, OutcomeStatus
from contactsync.sync.report import Report, is_failure

WIDTH = 140
ROWS_PER_PART = 200
"""CloudWatch Logs takes 256 KiB a record, so a long table becomes several."""


def report_text(report: Report, outcomes: Iterable[AccountOutcome]) -> str:
    """Return the report as lines of at most 140 characters, without contact values."""
    return "\n".join(report_parts(report, outcomes))


def report_parts(report: Report, outcomes: Iterable[AccountOutcome]) -> Iterator[str]:
    """Yield the report in parts that fit a log record each: the numbers, then tables of up to 200 rows."""
    yield "\n".join([headline(report), *report.remarks])
    rows = sorted(outcomes, key=lambda o: (not is_failure(o), o.account_name, o.account_id, o.contact_type))
    denied = [row for row in rows if row.detail is OutcomeDetail.PERMISSION_DENIED]
    yield from _tables(denied, title="AWS denies the permission for these accounts")
    yield from _tables([row for row in rows if row.detail is not OutcomeDetail.PERMISSION_DENIED])


def _tables(rows: list[AccountOutcome], title: str | None = None) -> Iterator[str]:
    for start in range(0, len(rows), ROWS_PER_PART):
        yield _text(_table(rows[start : start + ROWS_PER_PART], title))


def _text(table: Table) -> str:
    target = io.StringIO()
    # Account names may hold brackets and colons, which rich would take for its markup.
    console = Console(file=target, width=WIDTH, color_system=None, highlight=False, markup=False, emoji=False)
    console.print(table)
    return "\n" + target.getvalue().rstrip()


def headline(report: Report) -> str:
    """Return the report in one line."""
    counts = ", ".join(f"{report.tally.counts.get(s, 0)} {s}" for s in OutcomeStatus if s is not OutcomeStatus.PENDING)
    details = ", ".join(f"{detail} {number}" for detail, number in sorted(report.tally.details.items()))
    types = ", ".join(report.operation.contact_types) or "no contact type"
    dry = " (dry run)" if report.operation.dry_run else ""
    return (
        f"Sync operation {report.operation.sync_id}{dry}: {types}: {report.operation.status} after "
        f"{report.duration.total_seconds():.1f} s: {counts}" + (f" ({details})" if details else "")
    )


def _table(rows: list[AccountOutcome], title: str | None) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left")
    for column in ("account", "id", "contact", "outcome", "detail", "fields", "retries", "error"):
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(
            row.account_name,
            row.account_id,
            row.contact_type,
            _styled(row),
            row.detail or "",
            ", ".join(row.changed_fields),
            str(row.retry_count or ""),
            row.error_code or "",
        )
    return table


def _styled(row: AccountOutcome) -> Text:
    colour = "red" if is_failure(row) else {"success": "green"}.get(row.status, "yellow")
    return Text(row.status, style=colour)

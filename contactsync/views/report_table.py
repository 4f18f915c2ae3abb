"""The report as text: the numbers, every account with its outcome, and at the end those that failed."""

import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from rich.console import Console, Group, RenderableType
from rich.text import Text

from contactsync.operations.counting import is_failure, ordered
from contactsync.operations.operation import AccountOutcome, OutcomeDetail, OutcomeStatus
from contactsync.plain_text import cell_text, log_text
from contactsync.sync.report import Report
from contactsync.views.outcome_row import choose
from contactsync.views.rows import as_text
from contactsync.views.tables import Columns, Row, fit, listing

WIDTH = 140
"""Characters of a line in a task's log."""
_ALWAYS: Final = (OutcomeStatus.SUCCESS, OutcomeStatus.FAILED, OutcomeStatus.SKIPPED)
"""The numbers that a headline shows even when they are 0."""

ROWS_PER_PART = 200
"""Rows in one log record: CloudWatch Logs accepts 256 KiB a record, so a long table needs several."""

SHOWN: Final = {
    "account": "account_name",
    "id": "account_id",
    "contact": "contact_type",
    "outcome": "counted_as",
    "detail": "detail",
    "fields": "changed_fields",
    "retries": "retry_count",
    "error": "error_code",
}
"""The columns, with the parts of an outcome's row that they show."""

COLUMNS: Final = Columns(
    tuple(SHOWN),
    drop=("retries", "fields", "error", "contact", "outcome"),
    prose=("account", "fields"),
)
OF_FAILURES: Final = Columns(COLUMNS.names, drop=("retries", "fields", "contact", "outcome"), prose=COLUMNS.prose)


def report_text(report: Report, outcomes: Iterable[AccountOutcome]) -> str:
    """Return the report as lines of at most 140 characters, without contact values."""
    return "\n".join(report_parts(report, outcomes))


def report_parts(report: Report, outcomes: Iterable[AccountOutcome]) -> Iterator[str]:
    """Yield the report in parts that fit a log record each: the numbers, then tables of up to 200 rows."""
    first, *tables = report_renderables(report, outcomes, WIDTH)
    yield log_text("\n".join(str(line) for line in first.renderables))
    yield from map(_text, tables)


def report_renderables(report: Report, outcomes: Iterable[AccountOutcome], width: int | None) -> Iterator[Group]:
    """Yield the same parts for a console with this width, failed accounts in red; None means no limit of width."""
    yield Group(headline(report), *map(cell_text, report.remarks))
    rows = sorted(outcomes, key=lambda o: (o.account_name, o.account_id, o.contact_type))
    failed = [row for row in rows if is_failure(row)]
    denied = [row for row in failed if row.detail is OutcomeDetail.PERMISSION_DENIED]
    others = [row for row in failed if row.detail is not OutcomeDetail.PERMISSION_DENIED]
    yield from _tables([row for row in rows if not is_failure(row)], width)
    # Failures come last: a log opens at its end, and a terminal shows the end.
    yield from _tables(denied, width, title="AWS denies the permission for these accounts")
    yield from _tables(others, width, title="These accounts failed")


def table_width(outcomes: Iterable[AccountOutcome]) -> int:
    """Return the width in cells that is needed to show everything."""
    whole = fit(COLUMNS, [_row(outcome) for outcome in outcomes], None)
    return whole.width if whole else WIDTH


def _tables(rows: Sequence[AccountOutcome], width: int | None, title: str | None = None) -> Iterator[Group]:
    for start in range(0, len(rows), ROWS_PER_PART):
        part = rows[start : start + ROWS_PER_PART]
        styles = ["red" if title else "" for _ in part]
        columns = OF_FAILURES if title else COLUMNS
        shown: list[RenderableType] = list(listing(columns, [_row(row) for row in part], width, styles))
        yield Group(*[Text(f"{title}:", style="bold")] if title else [], *shown)


def _text(part: Group) -> str:
    target = io.StringIO()
    # Account names may have brackets and colons, which rich would read as its markup.
    console = Console(file=target, width=WIDTH, color_system=None, highlight=False, markup=False, emoji=False)
    console.print(part)
    return log_text("\n" + "\n".join(line.rstrip() for line in target.getvalue().rstrip().split("\n")))


def headline(report: Report) -> str:
    """Return the report in one line."""
    counts = ", ".join(f"{number} {word}" for word, number in ordered(report.outcome_counts.counts, _ALWAYS).items())
    changing = f"{found}: " if (found := report.outcome_counts.comparison.sentence) else ""
    details = ", ".join(f"{detail} {number}" for detail, number in sorted(report.outcome_counts.details.items()))
    types = ", ".join(report.operation.contact_types) or "no contact type"
    dry = " (dry run)" if report.operation.dry_run else ""
    return (
        f"Sync operation {report.operation.sync_id}{dry}: {types}: {report.operation.status} after "
        f"{report.duration.total_seconds():.1f} s: {changing}{counts}" + (f" ({details})" if details else "")
    )


def _row(outcome: AccountOutcome) -> Row:
    return {heading: _cell(value) for heading, value in choose(SHOWN, outcome).items()}


def _cell(value: Any) -> str:  # noqa: ANN401 -- whatever a row holds
    """Return a value as short as possible: empty for nothing, and for 0."""
    if not value:
        return ""
    return cell_text(", ".join(value) if isinstance(value, tuple) else as_text(value))

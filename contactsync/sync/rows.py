"""Rows as text: JSON, and CSV whose values no spreadsheet takes for formulas (OWASP: CSV Injection)."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 -- full-width forms that spreadsheets read as formulas too


def utc_text(moment: datetime) -> str:
    """Return a time as source document 000 writes it: `2024-01-09T10:00:00Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


_ENCODER: Final = json.JSONEncoder(default=utc_text)


def json_text(value: Any) -> str:  # noqa: ANN401 -- whatever a row holds
    """Return one line of JSON in ASCII, with times in UTC."""
    return _ENCODER.encode(value)


def csv_lines(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the header, then each row with its line end; rows are consumed one by one."""
    yield _line(columns)
    for row in rows:
        yield _line([defused(as_text(row.get(column))) for column in columns])


def as_text(value: Any) -> str:  # noqa: ANN401 -- whatever a row holds
    """Return a value as a cell of a table: times in UTC, lists separated by blanks, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return utc_text(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {as_text(part)}" for key, part in value.items())
    if isinstance(value, (list, tuple)):
        return " ".join(as_text(part) for part in value)
    return str(value)


def defused(text: str) -> str:
    """Return text that a spreadsheet shows as it stands: an apostrophe precedes what would start a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) or text.lstrip().startswith(FORMULA_STARTS) else text


def _line(cells: Iterable[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(cells)
    return buffer.getvalue()

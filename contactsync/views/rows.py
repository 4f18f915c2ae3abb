"""Rows as text: JSON, and CSV whose values no spreadsheet reads as formulas (OWASP: CSV Injection)."""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from contactsync.plain_text import file_text

FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 -- full-width forms that spreadsheets read as formulas too

_FORMULA: Final = "=+\\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\u2212"
_SKIPPED: Final = '\\s"\u200b-\u200f\u2060\ufeff'
"""Characters that may precede a formula in a cell: blanks, quotes that readers of CSV remove, invisible ones."""

_START: Final = re.compile(f"[{_SKIPPED}]*[{_FORMULA}]")
_INNER_START: Final = re.compile(f"([;|\\t\\n\\r\\v\\f\\x1c-\\x1e\\x85\u2028\u2029][{_SKIPPED}]*)(?=[{_FORMULA}])")
"""Where a cell begins for a reader with another separator (`;` in most of Europe), or that ends it with the line."""


def utc_text(moment: datetime) -> str:
    """Return a time in the format of exports: `2024-01-09T10:00:00Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


_ENCODER: Final = json.JSONEncoder(default=utc_text)


def json_text(value: Any) -> str:  # noqa: ANN401 -- whatever a row holds
    """Return one line of JSON in ASCII, with times in UTC."""
    return _ENCODER.encode(value)


def csv_lines(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the header, then each row with its line end; rows are read one by one."""
    yield _line(columns)
    for row in rows:
        yield _line([defused(file_text(as_text(row.get(column)))) for column in columns])


def as_text(value: Any) -> str:  # noqa: ANN401 -- whatever a row holds
    """Return a value as a cell of a table: times in UTC, lists separated by blanks, empty for None."""
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
    """Return text that a spreadsheet shows unchanged: an apostrophe is put before the start of a formula.

    Also inside of a cell, where a spreadsheet with another separator would begin a new one.
    """
    inner = _INNER_START.sub(r"\1'", text)
    starts = text.startswith(FORMULA_STARTS) or _START.match(text)
    return f"'{inner}" if starts else inner


def _line(cells: Iterable[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(cells)
    return buffer.getvalue()

"""Periods as people write them: `--since 7d --until 2026-01-31`."""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Final

import typer

UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
FORMS: Final = "2026-01-31T08:00:00Z, 2026-01-31 (UTC) or 7d (m, h, d, w ago)"


def start_of(text: str) -> datetime:
    """Return the moment that `--since` names; a date means its first moment."""
    return _moment(text, timedelta())


def end_of(text: str) -> datetime:
    """Return the moment before which `--until` lists; a date is included as a whole."""
    return _moment(text, timedelta(days=1))


def _moment(text: str, of_a_date: timedelta) -> datetime:
    try:
        return _read(text.strip(), of_a_date)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{text!r} is not a time; write {FORMS}.") from None


def _read(text: str, of_a_date: timedelta) -> datetime:
    relative = re.fullmatch(r"([0-9]+)([mhdw])", text)
    if relative:
        return datetime.now(UTC) - timedelta(**{UNITS[relative[2]]: int(relative[1])})
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return datetime.combine(date.fromisoformat(text), time.min, tzinfo=UTC) + of_a_date
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise typer.BadParameter(f"{text!r} names no time zone; write {FORMS}.")
    return moment.astimezone(UTC)


SinceOption = Annotated[
    datetime | None,
    typer.Option("--since", parser=start_of, metavar="TIME", help=f"Start of the period: {FORMS}.", show_default=False),
]
UntilOption = Annotated[
    datetime | None,
    typer.Option(
        "--until",
        parser=end_of,
        metavar="TIME",
        help="End of the period, in the same forms; a date includes its whole day.",
        show_default=False,
    ),
]

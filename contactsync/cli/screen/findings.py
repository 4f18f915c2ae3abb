"""How findings of checks are written: a line for each with its mark, and what to do below it; or as a listing."""

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rich.markup import escape

from contactsync.cli.screen.listing import Output, PlainConsole, folded, show_rows, window
from contactsync.doc_links import linked
from contactsync.plain_text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from contactsync.checks.findings import Finding

COLUMNS: Final = ("name", "state", "sentence", "remedy")


@dataclass(frozen=True)
class Mark:
    """What stands before a finding."""

    sign: str
    plain: str
    """For a terminal or pipe whose encoding has no such characters, which would all become question marks."""
    color: str


GOOD: Final = Mark("✓", "ok", "green")
BAD: Final = Mark("✗", "NO", "red")
ABSENT: Final = Mark("–", "--", "dim")  # noqa: RUF001 -- the dash is meant
"""For what is not there and need not be, or cannot be known now."""


def show_findings(findings: "Iterable[Finding]", output: Output, mark_of: "Callable[[Finding], Mark]") -> None:
    """Write findings as soon as each is known; those for people begin with the mark."""
    if output is not Output.TABLE:
        show_rows(COLUMNS, map(_row, findings), output)
        return
    console = PlainConsole(highlight=False, emoji=False, soft_wrap=True)
    for finding in findings:
        console.print(_line(finding, mark_of(finding)))


def kept(findings: "Iterable[Finding]", into: "list[Finding]") -> "Iterator[Finding]":
    """Yield the findings, and keep them too."""
    for finding in findings:
        into.append(finding)
        yield finding


def _row(finding: "Finding") -> dict[str, Any]:
    return {name: str(getattr(finding, name)) for name in COLUMNS}


def _line(finding: "Finding", mark: Mark) -> str:
    """Return a finding as one line, and its remedy as another."""
    sign = mark.sign if _can_show("".join(one.sign for one in (GOOD, BAD, ABSENT))) else mark.plain
    text = f"{finding.name}: {finding.sentence}"
    lines = [text, f"    {finding.remedy}"] if finding.remedy else [text]
    shown = "\n".join(folded(linked(printable(line)), window()) for line in lines)
    return f"[{mark.color}]{sign}[/] {escape(shown)}"


def _can_show(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except (UnicodeError, LookupError):
        return False
    return True

"""What others wrote, as text that has no meaning of its own where it is shown: one function per kind of place.

Account names, units, reasons, principals, tags, run ids, notes and errors are data. Whoever chooses them must not be
able to steer a terminal, forge or hide a line, mention people, or write a link or a button's words into a page.
Standard library only; contactsync/notices/plain_text.py has the forms of notices.
"""

import json
import re
import unicodedata
from typing import Final

ELLIPSIS: Final = "\N{HORIZONTAL ELLIPSIS}"
REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"

NO_MENTION: Final = str.maketrans(
    {
        "<": "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}",
        ">": "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}",
        "@": "\N{FULLWIDTH COMMERCIAL AT}",
    }
)
"""Slack reads mentions and links from angle brackets, also in code; Teams and older clients from the at sign."""

_DIRECTION: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

_NAME: Final = re.compile(r"[A-Za-z0-9_.~:+=,@/%-]*")
_EDGE_UNDERSCORE: Final = re.compile(r"(?<![A-Za-z0-9_])_+|_+(?![A-Za-z0-9_])")

_LOG_GROUP: Final = re.compile(r"::(?=(?:end)?group)", re.IGNORECASE)


def printable(text: str) -> str:
    """Return text with its lines, but control characters and those that change the direction of text replaced."""
    return "\n".join(cell_text(line) for line in text.split("\n"))


def cell_text(text: str) -> str:
    """Return text for one cell of a table on a terminal: blanks are kept, and nothing ends the line."""
    return "".join(map(_shown, text))


def one_line(text: str, limit: int) -> str:
    """Return text in one line of at most `limit` characters, with what is not printable replaced.

    Control characters and those that change the direction of text count as not printable.
    """
    return cut(cell_text(" ".join(text.split())), limit)


def cut(text: str, limit: int, ellipsis: str = ELLIPSIS) -> str:
    """Return text of at most `limit` characters; it ends with an ellipsis when something was cut off."""
    return text if len(text) <= limit else text[: limit - len(ellipsis)].rstrip() + ellipsis


def log_text(text: str) -> str:
    """Return lines for a log: Airflow's pages would fold the text between its marks of a group."""
    return _LOG_GROUP.sub(": :", printable(text))


def file_text(text: str) -> str:
    """Return text for a file of data, which programs read and people print.

    Only control characters and those that change the direction of text are replaced; tabs and line ends are kept.
    """
    return "".join(REPLACEMENT if _steers(letter) and letter not in "\t\r\n" else letter for letter in text)


def json_shown(text: str) -> str:
    """Return equal JSON in which characters that are not printable are written as their code."""
    return "".join(letter if letter.isprintable() or letter == "\n" else json.dumps(letter)[1:-1] for letter in text)


def markdown_code(text: str) -> str:
    """Return text as a code span of Markdown, also for a table's cell, in which no character has a meaning."""
    inner = cell_text(" ".join(text.split())).translate(NO_MENTION).replace("`", "'").replace("|", "\N{BROKEN BAR}")
    return f"`{inner or ' '}`"


def markdown_name(text: str) -> str:
    """Return an id or a principal for Markdown, without emphasis, strike-through, links and mentions.

    A text with characters that such names do not have becomes a code span.
    """
    if not _NAME.fullmatch(text):
        return markdown_code(text)
    plain = _EDGE_UNDERSCORE.sub(lambda match: "\N{FULLWIDTH LOW LINE}" * len(match[0]), text)
    return plain.translate(NO_MENTION).replace("~", "\N{TILDE OPERATOR}").replace("://", ":").replace("www.", "www:")


def _steers(letter: str) -> bool:
    return unicodedata.category(letter) == "Cc" or letter in _DIRECTION


def _shown(letter: str) -> str:
    if letter.isprintable():
        return letter
    return " " if unicodedata.category(letter) == "Zs" else REPLACEMENT

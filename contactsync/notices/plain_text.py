"""Data as text that cannot break a message: one printable line, cut to a length, in characters that a form allows.

Names of accounts and sentences of errors are data: whoever names an account must not be able to mention people, to
forge a line or to hide one.
"""

import re
import unicodedata
from typing import Final

from contactsync.plain_text import ELLIPSIS, NO_MENTION, cut, markdown_code, one_line

__all__ = ["ascii_text", "chat_code", "chat_sentence", "cut", "gsm_text", "one_line"]

ASCII_ELLIPSIS: Final = "..."

_PUNCTUATION: Final = str.maketrans(
    {
        "\N{EN DASH}": "-",
        "\N{EM DASH}": "-",
        "\N{LEFT SINGLE QUOTATION MARK}": "'",
        "\N{RIGHT SINGLE QUOTATION MARK}": "'",
        "\N{LEFT DOUBLE QUOTATION MARK}": '"',
        "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
        ELLIPSIS: ASCII_ELLIPSIS,
    }
)

_NOT_GSM: Final = str.maketrans("[]{}\\^`|~", "()()/''/-")
"""ASCII characters that GSM 03.38 does not have, or encodes with two characters."""

_NO_EMPHASIS: Final = str.maketrans({"*": "\N{ASTERISK OPERATOR}", "~": "\N{TILDE OPERATOR}", "|": "\N{BROKEN BAR}"})
_SEVERAL_TICKS: Final = re.compile("``+")
_ESCAPED_TICK: Final = re.compile(r"\\+`")
"""In Markdown it would begin no code span, so the text after it would be read as Markdown."""
_EDGE_UNDERSCORE: Final = re.compile(r"(?<!\w)_+|_+(?!\w)")


def ascii_text(text: str, limit: int) -> str:
    """Return one line of printable ASCII: letters without their accents, and a question mark for other scripts."""
    line = one_line(text, 10 * limit).translate(_PUNCTUATION)
    letters = (letter for letter in unicodedata.normalize("NFKD", line) if not unicodedata.combining(letter))
    return cut("".join(letter if " " <= letter <= "~" else "?" for letter in letters), limit, ASCII_ELLIPSIS)


def gsm_text(text: str, limit: int) -> str:
    """Return one line in characters of GSM 03.38's basic set that ASCII has too."""
    return cut(ascii_text(text, 10 * limit).translate(_NOT_GSM), limit, ASCII_ELLIPSIS)


def chat_code(text: str) -> str:
    """Return text as a code span of Markdown, in which no character has a meaning, in Slack and in Teams."""
    return markdown_code(text)


def chat_sentence(text: str, limit: int) -> str:
    """Return one of our sentences, which may quote data: its code spans stay, other Markdown and mentions do not."""
    quoted = _ESCAPED_TICK.sub("`", one_line(text, len(text) + 1))
    line = cut(_SEVERAL_TICKS.sub("'", quoted).translate(NO_MENTION), limit)
    parts = line.split("`")
    if len(parts) % 2 == 0:  # the data or the cut left a span open
        return _unmarked(line.replace("`", "'"))
    return "`".join(part if index % 2 else _unmarked(part) for index, part in enumerate(parts))


def _unmarked(text: str) -> str:
    plain = text.translate(_NO_EMPHASIS).replace("](", "]\N{FULLWIDTH LEFT PARENTHESIS}")
    return _EDGE_UNDERSCORE.sub(lambda match: "\N{FULLWIDTH LOW LINE}" * len(match[0]), plain)

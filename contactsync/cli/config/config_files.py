"""Reading of configurations that people write: files from any editor, and values on the command line."""

import codecs
import json
import re
import sys
from pathlib import Path
from typing import Any, Final

import typer

from contactsync.errors import ConfigurationInvalidError

PLAIN_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9_:./-]*")
"""Text that `config set` takes without JSON's quotes."""

SAVE_AS_UTF_8: Final = "save the file as UTF-8 (in PowerShell: `... | Set-Content -Encoding utf8 FILE`)"

STANDARD_INPUT: Final = Path("-")

_WIDE: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)

_LEADING_ZERO: Final = re.compile(r"0[0-9]")


def read_configuration(file: Path) -> Any:  # noqa: ANN401 -- whatever JSON the file holds
    """Return a file's content, with or without a byte order mark; raise ConfigurationInvalidError if it is not JSON."""
    given = file == STANDARD_INPUT
    try:
        return _json(_text(sys.stdin.buffer.read() if given else file.read_bytes()))
    except ValueError as error:
        name = "the standard input" if given else file
        raise ConfigurationInvalidError(problems=[f"{name} is not JSON: {error}"]) from None


def assignments(texts: list[str]) -> list[tuple[str, Any]]:
    """Read KEY=VALUE; values are JSON, or plain words."""
    values = [_assignment(text) for text in texts]
    keys = [key for key, _ in values]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice:
        raise typer.BadParameter(f"{twice} is given twice.")
    return values


def _assignment(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise typer.BadParameter(f"{text!r} is not KEY=VALUE.")
    if PLAIN_WORD.fullmatch(value) and value not in {"true", "false", "null", "NaN", "Infinity"}:
        return key, value
    try:
        return key, _json(value)
    except ValueError as error:
        raise typer.BadParameter(f"The value of {key} is not JSON ({error}); text needs quotes: '\"text\"'.") from None


def _text(content: bytes) -> str:
    if content.startswith(_WIDE) or b"\0" in content[:4]:
        message = f"it is UTF-16 or UTF-32 text; {SAVE_AS_UTF_8}"
        raise ValueError(message)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        message = f"it is not UTF-8 text; {SAVE_AS_UTF_8}"
        raise ValueError(message) from None


def _json(text: str) -> Any:  # noqa: ANN401 -- whatever JSON the text holds
    """Read JSON; raise ValueError also for duplicate keys, of which json would keep the last."""
    try:
        return json.loads(text, object_pairs_hook=_distinct)
    except RecursionError:
        message = "it is nested too deeply"
        raise ValueError(message) from None
    except json.JSONDecodeError as error:
        if _LEADING_ZERO.match(text, max(error.pos - 1, 0)):
            where = f"line {error.lineno} column {error.colno}"
            message = f"a number begins with 0 at {where}; write account ids in quotes"
            raise ValueError(message) from None
        raise


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        message = f"the key {next(key for key in keys if keys.count(key) > 1)!r} is there twice"
        raise ValueError(message)
    return found

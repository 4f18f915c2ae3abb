"""Mentions of our pages, as links where the address of the documentation is known (CONTACTSYNC_DOCS_URL).

Whoever reads a mail or an error has no clone to look into. Standard library only: DAG files and errors use it.
"""

import os
import re
from collections.abc import Callable, Mapping
from typing import Final

from contactsync.own_variables import value_of

VARIABLE: Final = "CONTACTSYNC_DOCS_URL"
EXPECTED: Final = "must be an address that begins with https:// or http://"

_URL: Final = re.compile(r"https?://[^\s<>()\"'`\[\]\\|*~@]+")
"""Without characters that end a link, or have a meaning, in a mail, a chat or a page."""

_PAGE: Final = re.compile(r"(?<![\w/.-])docs/((?:[a-z0-9-]+/)*[a-z0-9-]+\.(?:md|json))(?![\w/-])")


def docs_address(environ: Mapping[str, str] = os.environ) -> str | None:
    """Return the address of the pages, without a slash at the end; raise ValueError for what is no address."""
    text = value_of(VARIABLE, environ).rstrip("/")
    if text and not _URL.fullmatch(text):
        raise ValueError(EXPECTED)
    return text or None


def with_links(text: str, address: str | None) -> str:
    """Return a text with the addresses of the pages that it names; without an address it is unchanged."""
    return pages_as(text, lambda page: f"{address}/{page}") if address else text


def linked(text: str) -> str:
    """Return a text for people with links, by this process's environment; a wrong address gives no links."""
    return with_links(text, known_address())


def known_address() -> str | None:
    """Return the address in this process's environment; None for a wrong one, which must not stop a message."""
    try:
        return docs_address()
    except ValueError:
        return None


def pages_as(text: str, written: Callable[[str], str]) -> str:
    """Return a text in which each page that it names, such as `scope.md`, is written in another way."""
    return _PAGE.sub(lambda match: written(match[1]), text)

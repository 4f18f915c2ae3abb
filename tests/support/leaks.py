"""Searching for contact values wherever they may have been left, in whatever form."""

import base64
import binascii
import gzip
import json
import re
import urllib.parse
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

import psycopg2
from psycopg2 import sql

SHORTEST: Final = 6
"""Shorter words than this are found by chance."""
COMMON: Final = {"example"}
"""Words that stand in other texts, too."""
PACKED: Final = re.compile(rb"[A-Za-z0-9+/_-]{32,}={0,2}")
"""What may be base64, standard or of URLs."""
DEPTH: Final = 3
"""How often what was unpacked is unpacked again."""


class LeakSearch:
    """Knows some contacts, and finds their values in text and bytes, also encoded or compressed."""

    def __init__(self, *contacts: Mapping[str, str]) -> None:
        """Take contacts whose every value holds a word or a number that stands nowhere else."""
        values = [value for contact in contacts for value in contact.values()]
        self._needles = {form.casefold(): value for value in values for form in _forms(value)}
        pattern = "|".join(re.escape(form) for form in sorted(self._needles, key=len, reverse=True))
        self._pattern = re.compile(pattern)

    def in_bytes(self, data: bytes, depth: int = DEPTH) -> set[str]:
        """Return the values that are there."""
        text = data.decode("utf-8", "replace").casefold()
        found = {self._needles[match] for match in self._pattern.findall(text)}
        # Telephone numbers are written with any separators.
        found |= {self._needles[match] for match in self._pattern.findall(re.sub(r"[\s().+-]+", "", text))}
        for part in _unpacked(data) if depth else ():
            found |= self.in_bytes(part, depth - 1)
        return found

    def in_value(self, value: Any) -> set[str]:
        """Return the values that are in a text, bytes, a number or anything that JSON can hold."""
        if isinstance(value, (bytes, bytearray, memoryview)):
            return self.in_bytes(bytes(value))
        text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
        return self.in_bytes(text.encode("utf-8", "replace"))

    def in_files(self, root: Path, *, without: str = "") -> dict[str, set[str]]:
        """Return what is in the files below a directory, except those of one folder in it."""
        paths = (path for path in sorted(root.rglob("*")) if path.is_file())
        places = ((path.relative_to(root), path) for path in paths)
        return _where(
            (str(place), self.in_bytes(path.read_bytes())) for place, path in places if place.parts[0] != without
        )

    def in_database(self, address: str) -> dict[str, set[str]]:
        """Return what is in the columns of all tables of a PostgreSQL database."""
        return _where((place, self.in_value(value)) for place, value in cells(address))


def cells(address: str) -> Iterator[tuple[str, Any]]:
    """Yield every value of a PostgreSQL database, with its table and column."""
    with closing(psycopg2.connect(address)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1")
        for (table,) in cursor.fetchall():
            cursor.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table)))
            names = [column.name for column in cursor.description or ()]
            for row in cursor:
                yield from ((f"{table}.{name}", value) for name, value in zip(names, row, strict=True) if value)


def _where(found: Iterable[tuple[str, set[str]]]) -> dict[str, set[str]]:
    places: dict[str, set[str]] = {}
    for place, values in found:
        if values:
            places.setdefault(place, set()).update(values)
    return places


def _forms(value: str) -> Iterator[str]:
    """Yield a value, its longer words and its digits, as they stand in text, in JSON, in JSON in JSON, and in URLs."""
    parts = set(re.split(r"[\W_]+", value)) - COMMON
    words = [part for part in parts if len(part) >= SHORTEST and not part.isdigit()]
    digits = re.sub(r"\D", "", value)
    for text in [value, *words, *([digits] if len(digits) > SHORTEST else [])]:
        escaped = json.dumps(text)[1:-1]
        yield from (text, escaped, json.dumps(escaped)[1:-1])
        yield from (urllib.parse.quote(text), urllib.parse.quote_plus(text))
    # Where all separators were removed, a value without digits of its own is still one word.
    if joined := re.sub(r"[\s().+-]+", "", value):
        yield joined


def _unpacked(data: bytes) -> Iterator[bytes]:
    for unpack in (zlib.decompress, gzip.decompress):
        with suppress(zlib.error, OSError, EOFError):
            yield unpack(data)
    for match in PACKED.finditer(data):
        packed = match[0].rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
        with suppress(binascii.Error, ValueError):
            yield base64.b64decode(packed + b"=" * (-len(packed) % 4))

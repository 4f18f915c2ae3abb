"""The search that the test for leaked contact values relies on."""

import base64
import gzip
import json
import urllib.parse
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.leaks import LeakSearch

CONTACT = {
    "Name": "Zyxquill Märquetrous",
    "EmailAddress": "plumquartz@leakmark.example",
    "PhoneNumber": "+1 (555) 731-9026",
}
SEARCH = LeakSearch(CONTACT)
TEXT = json.dumps({"note": CONTACT["Name"]}, ensure_ascii=False)

FORMS: dict[str, Callable[[str], bytes]] = {
    "plain": str.encode,
    "capitals": lambda text: text.upper().encode(),
    "JSON": lambda text: json.dumps(text).encode(),
    "JSON in JSON": lambda text: json.dumps(json.dumps(text)).encode(),
    "base64": lambda text: base64.b64encode(b"in front of it, " + text.encode()),
    "base64 of URLs": lambda text: base64.urlsafe_b64encode(b"???>>>" * 4 + text.encode()).rstrip(b"="),
    "zlib": lambda text: zlib.compress(text.encode()),
    "gzip in base64": lambda text: base64.b64encode(gzip.compress(json.dumps(text).encode())),
    "in a URL": lambda text: urllib.parse.quote_plus(text).encode(),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("field", CONTACT)
def test_found(form: str, field: str) -> None:
    """A value is found in any form, with anything around it."""
    text = f"something {CONTACT[field]} more"
    assert SEARCH.in_bytes(FORMS[form](text)) == {CONTACT[field]}


@pytest.mark.parametrize("text", ["märquetrous", "15557319026", "+1 555 731 90 26", "001-555-731-9026", "LEAKMARK"])
def test_parts(text: str) -> None:
    """So are single words of it, and telephone numbers however they are separated."""
    assert len(SEARCH.in_value(text)) == 1


@pytest.mark.parametrize("text", ["", "example", "555", "Marquee", "731-9026", {"Name": "other"}, 15557319025, None])
def test_not_found(text: object) -> None:
    """What only looks alike is not found."""
    assert SEARCH.in_value(text) == set()


def test_places(tmp_path: Path) -> None:
    """Files are named, except those of a folder that is left out."""
    for place in (tmp_path, tmp_path / "left out"):
        place.mkdir(exist_ok=True)
        (place / "some.log").write_text(TEXT)
    assert SEARCH.in_files(tmp_path) == {"some.log": {CONTACT["Name"]}, "left out/some.log": {CONTACT["Name"]}}
    assert SEARCH.in_files(tmp_path, without="left out") == {"some.log": {CONTACT["Name"]}}

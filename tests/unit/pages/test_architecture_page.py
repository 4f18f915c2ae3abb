"""The page that shows the rooms of the package: it lists each of them, with the sentence of its `__init__`."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "contactsync"
PAGE = (ROOT / "docs/architecture.md").read_text()
PICTURE = (ROOT / "docs/images/architecture.svg").read_text()
FIRST_FOLDERS = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))


def _sentence(module: Path) -> str:
    """Return the first paragraph of a module's docstring, in one line."""
    docstring = ast.get_docstring(ast.parse(module.read_text())) or ""
    return " ".join(docstring.partition("\n\n")[0].split())


def _rows(heading: str) -> dict[str, str]:
    """Return the rows of the first table below a heading: what is in code marks, and the text beside it."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([^`]+)` \| (.+) \|$", section, re.MULTILINE)
    assert len(rows) == len(dict(rows)), "a row is there twice"
    return dict(rows)


def test_rooms_are_listed_with_their_sentences() -> None:
    """Each folder of the package, and no other, has a row that says what its `__init__` says."""
    inits = [path for path in PACKAGE.rglob("__init__.py") if path.parent != PACKAGE]
    rooms = {f"{path.parent.relative_to(PACKAGE).as_posix()}/": _sentence(path) for path in inits}
    assert _rows("The rooms") == rooms


def test_modules_beside_the_rooms_are_listed_with_their_sentences() -> None:
    """Each module that lies beside the rooms, and no other, has a row with its own first sentence."""
    modules = {path.stem: _sentence(path) for path in PACKAGE.glob("*.py") if path.stem != "__init__"}
    assert _rows("Modules that need no room") == modules


def test_walk_names_rooms() -> None:
    """What the table of a change's way names as a room is one."""
    section = PAGE.partition("\n## The way of one contact change\n")[2].partition("\n## ")[0]
    cells = [row.split("|")[2] for row in re.findall(r"^\| (?:\d+\.|always:).*$", section, re.MULTILINE)]
    assert len(cells) > 1
    assert {name for cell in cells for name in re.findall(r"`(\w+)`", cell)} <= set(FIRST_FOLDERS)


def test_picture_shows_every_room() -> None:
    """The picture names each room of the first level."""
    words = set(re.findall(r"\w+", " ".join(re.findall(r"<text[^>]*>([^<]*)<", PICTURE))))
    assert [room for room in FIRST_FOLDERS if room not in words] == []


def test_picture_needs_nothing_from_elsewhere() -> None:
    """The picture has no script, and loads no font and no other picture, so that every host shows it."""
    assert re.findall(r"<script|<image|<foreignObject|@import|url\((?!#)|(?:xlink:)?href=", PICTURE) == []

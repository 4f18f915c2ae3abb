"""Which modules of ours a module imports."""

import pytest

from contactsync.errors import SourcesInconsistentError
from contactsync.packaging.imports import imported_names, needed_files, top_level_names

SOURCES = {
    "contactsync/__init__.py": b"",
    "contactsync/a/__init__.py": b"",
    "contactsync/a/one.py": b"import json\nfrom contactsync.b import two\n",
    "contactsync/b/__init__.py": b"from contactsync import five\n",
    "contactsync/b/two.py": b"def f():\n    import contactsync.c.three\n",
    "contactsync/b/beside.py": b"",
    "contactsync/c/__init__.py": b"",
    "contactsync/c/three.py": b"from . import four\n",
    "contactsync/c/four.py": b"from contactsync.a.one import something\n",
    "contactsync/five.py": b"from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import contactsync.unused\n",
    "contactsync/unused.py": b"",
}


def test_needed_files() -> None:
    """All that is imported at any place is found with the folders above it, and nothing for types alone."""
    unused = {"contactsync/unused.py", "contactsync/b/beside.py"}
    assert needed_files(["contactsync.a.one"], SOURCES) == set(SOURCES) - unused


def test_nothing_else() -> None:
    """A module that imports nothing of ours needs only the folders above it."""
    assert needed_files(["contactsync.b.beside"], {**SOURCES, "contactsync/b/__init__.py": b""}) == {
        "contactsync/__init__.py",
        "contactsync/b/__init__.py",
        "contactsync/b/beside.py",
    }


def test_imported_names() -> None:
    """What is imported in a branch for types is left out; what its other branch imports is not."""
    source = b"import typing\nif typing.TYPE_CHECKING:\n    import a\nelse:\n    import b.c\nfrom d import e\n"
    assert set(imported_names(source, "m.py")) == {"typing", "b.c", "d", "d.e"}


@pytest.mark.parametrize(("source", "where"), [(b"x = (\n", "in line 1"), (b"\0", ""), (b"\xff = 1\n", "")])
def test_not_python(source: bytes, where: str) -> None:
    """A file that is not Python is named, with the line where that is known."""
    with pytest.raises(SourcesInconsistentError, match=rf"contactsync/x\.py is not Python.*{where}"):
        needed_files(["contactsync.x"], {"contactsync/x.py": source})


def test_top_level_names() -> None:
    """Functions, classes and assignments count; imported and inner names do not."""
    source = b"from x import handler\na = 1\nb: int = 2\ndef c():\n    d = 3\nclass E: pass\n"
    assert set(top_level_names(source, "m.py")) == {"a", "b", "c", "E"}

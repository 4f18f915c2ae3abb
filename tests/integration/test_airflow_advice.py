"""Advice about Airflow works to the letter: whatever is to be cleared is cleared so that its run ends green."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest

from contactsync.errors.clearing import CLEAR_RUN, DOWNSTREAM, clear_task
from contactsync.errors.root import ContactSyncError
from tests.unit.errors.test_errors import CLASSES, made

ROOT = Path(__file__).parents[2]
CODE = [*sorted((ROOT / "contactsync").rglob("*.py")), *sorted((ROOT / "dags").glob("*.py"))]
DOCS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]

IMPERATIVE = re.compile(r"\bclear\b(?! (?:words?|sentences?|fault|one)\b)(?!\])", re.IGNORECASE)
"""`cleared` and `clearing` tell what happened, and advise nothing."""

OTHER = re.compile(
    r"\b(?:do not clear|cannot clear|(?:faults|resources) clear|(?:a|the|each|last) clear\b)"
    r"|--clear|^`?clear`?$|`clear`|in clear\b",
    re.IGNORECASE,
)
"""What is no advice: the noun, the opposite, and a command of the sandbox."""
GREEN = re.compile(r"\bdownstream\b|\bonly[ -]failed\b|\bclear only failed tasks\b", re.IGNORECASE)


def sentences(text: str) -> list[str]:
    """Return what a reader takes as one piece of advice, without markup that can stand between its words."""
    plain = re.sub(r"\s+", " ", text.replace("*", "").replace("\\\n", ""))
    return re.split(r"(?<=[.:;!?|])\s", plain)


def lamed(text: str) -> list[str]:
    """Return the sentences that advise to clear something and leave the run red."""
    return [s for s in sentences(text) if IMPERATIVE.search(s) and not OTHER.search(s) and not GREEN.search(s)]


def texts_of(path: Path) -> list[str]:
    """Return the texts of a module that are shown to somebody: every string but docstrings; what is put in is {}."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    bare = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            bare.update(id(part) for part in node.values)
            found.append("".join(_said(part) for part in node.values))
    constants = (n for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str))
    return [*found, *(str(node.value) for node in constants if id(node) not in bare)]


def _said(part: ast.expr) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    source = ast.unparse(part)
    known = {"CLEAR_RUN": CLEAR_RUN, "DOWNSTREAM": DOWNSTREAM}
    if "clear_task(" in source:
        return clear_task("TASK")
    return next((words for name, words in known.items() if name in source), "{}")


@pytest.mark.parametrize(
    "text",
    [
        "Fix it, then clear this task.",
        "Then clear `plan`.",
        "Clear the failed tasks later.",
        "See the log of its task `plan`, then clear that task.",
        "| WriteNotSeen | not visible yet | clear the task |",
        "See the task's log, then clear it.",
    ],
)
def test_found(text: str) -> None:
    """What leaves a run red is recognized as such."""
    assert lamed(text)


@pytest.mark.parametrize(
    "text",
    [
        f"Then {CLEAR_RUN}.",
        f"To plan again, {clear_task('plan', 'of this run')}.",
        "Clear the run with *only\nfailed* selected.",
        "Do not clear this run.",
        "An account that was cleared runs again.",
    ],
)
def test_allowed(text: str) -> None:
    """What ends green is not refused."""
    assert not lamed(text)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_errors(kind: type[ContactSyncError]) -> None:
    """No error advises to clear a task alone; what the log adds to it does not either."""
    error: Any = made(kind)
    assert not lamed(f"{error} {error.afterwards}")


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_code(path: Path) -> None:
    """No text of a module, a DAG's documentation and a notice's steps among them, advises so."""
    assert [found for text in texts_of(path) for found in lamed(text)] == []


@pytest.mark.parametrize("path", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_docs(path: Path) -> None:
    """No page advises so."""
    assert lamed(path.read_text(encoding="utf-8")) == []

"""Every page, heading, file, module, test and make target that a page, a docstring or a message names exists.

Commands of ours have a test of their own (test_named_commands.py).
"""

import ast
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from contactsync.settings.groups import Group
from contactsync.settings.settings import variables_of

ROOT = Path(__file__).parents[3]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
CODE = [
    *(ROOT / "contactsync").rglob("*.py"),
    *(ROOT / "dags").glob("*.py"),
    *(ROOT / "plugins").glob("*.py"),
    *(ROOT / "infra").glob("*.yaml"),
    ROOT / "Makefile",
    ROOT / "pyproject.toml",
]
WITH_EXAMPLES: Final = frozenset(
    {
        "test_advice.py",
        "test_doc_links.py",
        "test_docs_site.py",
        "test_imports.py",
        "test_product_wheel.py",
        Path(__file__).name,
    }
)
"""Tests that hold names of pages and files that there are not, or the beginnings of such names."""

TESTS = [path for path in (ROOT / "tests").rglob("*.py") if path.name not in WITH_EXAMPLES]

EXAMPLES: Final = frozenset(
    {
        "contactsync/lambdas/tickets.py",
        "infra/subscribers/tickets.yaml",
        "docs/PAGE.md",
        "airflow/models/taskinstance.py",
        "manifest.json",
    }
)
"""What a page tells its reader to add, the form of a name, a file of Airflow's, and one of the built packages."""

NOT_MODULES: Final = frozenset({"account", "applied", "dead_letter", "notice", "replay", "sync_operation", "zip"})
"""What stands behind `contactsync.` in names of events, of their ends and of a file."""

OPTIONS: Final = frozenset(
    f"contactsync.{name.removeprefix('CONTACTSYNC_').lower()}"
    for name in (*variables_of(Group), "CONTACTSYNC_ACCOUNT_TASKS", "CONTACTSYNC_DOCS_URL")
)
"""The settings as options of Airflow."""

_PATH: Final = re.compile(
    r"(?<![\w./:-])((?:contactsync|dags|plugins|infra|tests|docs|requirements)/[\w./*-]*[\w/*])(?:::(\w+))?"
)
_MODULE: Final = re.compile(r"(?<![\w./@-])contactsync(?:\.\w+)+")
_EVENT: Final = re.compile(r"\.v\d+(?:\.json)?$")
_LINK: Final = re.compile(r"\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]+))?\)")
_ANCHOR: Final = re.compile(r"(?<![\w/.-])docs/([\w/-]+\.md)#([\w-]+)")
_SECTION: Final = re.compile(r"(?<![\w/.-])docs/([\w/-]+\.md), ([A-Z][^).\"\n]*)\)")
_DECISION: Final = re.compile(r"\bADR (\d{1,4})\b")
_FILE: Final = re.compile(r"`([\w./-]+\.(?:ini|json|md|py|toml|txt|yaml))`")
_TARGET: Final = re.compile(r"^ {4,}make ([a-z][\w-]*)|`make ([a-z][\w-]*)", re.MULTILINE)


def problems(name: str, text: str) -> Iterator[str]:
    """Yield what a file's text names and is not there, whatever kind of file it is."""
    for path, test in _PATH.findall(text):
        if path not in EXAMPLES and not any(ROOT.glob(path)):
            yield f"{name}: there is no file {path}"
        elif test and f"def {test}(" not in (ROOT / path).read_text():
            yield f"{name}: {path} has no test {test}"
    for number in _DECISION.findall(text):
        if not any(ROOT.glob(f"docs/adr/{number:0>4}-*.md")):
            yield f"{name}: there is no ADR {number}"
    for page, anchor in _ANCHOR.findall(text):
        yield from missing_heading(name, ROOT / "docs" / page, anchor)
    for page, heading in _SECTION.findall(text):
        yield from missing_heading(name, ROOT / "docs" / page, slug(heading))


def module_problems(name: str, text: str) -> Iterator[str]:
    """Yield the modules, and the names in modules, that a text names and that are not there."""
    for dotted in sorted(set(_MODULE.findall(text))):
        known = is_module(dotted) or f"{dotted.rpartition('.')[0].replace('.', '/')}.py" in EXAMPLES
        known = known or dotted in OPTIONS or dotted.split(".")[1] in NOT_MODULES
        if not _EVENT.search(dotted) and not known:
            yield f"{name}: there is no module {dotted}"


def page_problems(name: str, text: str) -> Iterator[str]:
    """Yield the links, file names and make targets of a page that lead nowhere."""
    page = ROOT / name
    for file in sorted(set(_FILE.findall(text)) - EXAMPLES):
        if not any(f"/{path}".endswith(f"/{file}") for path in files()):
            yield f"{name}: there is no file {file}"
    for target, anchor in _LINK.findall(text):
        linked = page.parent / target if target else page
        if not linked.exists():
            yield f"{name}: there is no page {target}"
        elif anchor:
            yield from missing_heading(name, linked, anchor)
    for target in sorted({first or second for first, second in _TARGET.findall(text)} - make_targets()):
        yield f"{name}: there is no make target {target}"


def missing_heading(name: str, page: Path, anchor: str) -> Iterator[str]:
    """Yield a problem where a page has no heading of this anchor."""
    if page.is_file() and anchor not in anchors(page):
        yield f"{name}: {page.name} has no heading #{anchor}"


@cache
def anchors(page: Path) -> tuple[str, ...]:
    """List the anchors of a page's headings; what stands in blocks of code is none."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return tuple(slug(heading) for heading in re.findall(r"^#+ +(.+)$", text, re.MULTILINE))


def slug(heading: str) -> str:
    """Make an anchor of a heading, as GitHub does."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@cache
def is_module(dotted: str) -> bool:
    """Tell whether a dotted name is a module, or the name of something in one."""
    *parents, last = dotted.split(".")
    place = ROOT.joinpath(*parents)
    if (place / f"{last}.py").is_file() or (place / last / "__init__.py").is_file():
        return True
    file = place.with_suffix(".py") if place.with_suffix(".py").is_file() else place / "__init__.py"
    return file.is_file() and last in top_level_names(file)


def top_level_names(file: Path) -> set[str]:
    """List what a module defines or imports."""
    found = set()
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


@cache
def files() -> tuple[str, ...]:
    """List the repository's files, with `/` between the parts of their paths."""
    folders = ("contactsync", "dags", "plugins", "infra", "tests", "docs", "requirements")
    found = [*ROOT.glob("*.*"), *(path for folder in folders for path in (ROOT / folder).rglob("*.*"))]
    return tuple(path.relative_to(ROOT).as_posix() for path in found)


@cache
def make_targets() -> set[str]:
    """List the targets of the Makefile."""
    return set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize(
    ("files", "check"),
    [(PAGES + CODE + TESTS, problems), (PAGES + CODE, module_problems), (PAGES, page_problems)],
)
def test_named(files: list[Path], check: Callable[[str, str], Iterator[str]]) -> None:
    """Whatever is named is there."""
    found = [problem for file in files for problem in check(str(file.relative_to(ROOT)), file.read_text())]
    assert found == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_headings_are_unique(page: Path) -> None:
    """A page has no two headings of one anchor, of which a link could reach the first only."""
    found = anchors(page)
    assert sorted(found) == sorted(set(found))


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (problems, "see docs/nowhere.md"),
        (problems, "see docs/scope.md#nowhere"),
        (problems, "(docs/operations.md, Starting a rum by hand)"),
        (problems, "`contactsync/nowhere.py` does it"),
        (problems, "held by tests/nowhere/"),
        (problems, "decided in ADR 9999 (nowhere)"),
        (problems, "`tests/unit/pages/test_named_places.py::test_nowhere`"),
        (module_problems, "`contactsync.nowhere` does it"),
        (module_problems, "Handler: contactsync.lambdas.trigger.nowhere"),
        (module_problems, "contactsync.lambdas.nowhere.handler"),
        (page_problems, "[a page](nowhere.md)"),
        (page_problems, "[a heading](scope.md#nowhere)"),
        (page_problems, "[a heading of this page](#nowhere)"),
        (page_problems, "`nowhere.yaml` and `sandbox/requests/quotas.py`"),
        (page_problems, "    make nowhere"),
        (page_problems, "`make nowhere`"),
    ],
)
def test_missing(check: Callable[[str, str], Iterator[str]], text: str) -> None:
    """The search finds each kind of name that leads nowhere."""
    (problem,) = check("docs/settings.md", text)
    assert problem.startswith("docs/settings.md: ")


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (
            problems,
            "docs/scope.md#the-rules, (docs/operations.md, Starting a run by hand), infra/*.yaml, other/docs/x.md",
        ),
        (problems, "`tests/unit/pages/test_named_places.py::test_present`"),
        (
            module_problems,
            "contactsync.lambdas.trigger.handler, contactsync.sync_operation.failed.v1, contactsync.notice",
        ),
        (page_problems, "[a](scope.md#the-rules) [b](adr) [c](https://nowhere.example) `make check` `tables.yaml`"),
    ],
)
def test_present(check: Callable[[str, str], Iterator[str]], text: str) -> None:
    """The search passes over what is there, and what is no name of ours."""
    assert list(check("docs/settings.md", text)) == []


def test_pages_are_searched() -> None:
    """The search reaches the pages of the root, of docs/ and below it, and what code says."""
    names = {str(path.relative_to(ROOT)) for path in PAGES + CODE}
    assert {"README.md", "docs/facts.md", "docs/adr/0001-read-the-live-contact.md"} <= names
    assert {"infra/trigger.yaml", "contactsync/notices/remedies.py"} <= names

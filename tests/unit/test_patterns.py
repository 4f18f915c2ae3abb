"""Patterns end where the text ends: a line feed behind a valid text, as pasted lists leave it, makes it invalid."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, TypeAdapter, ValidationError

from contactsync.orchestration.params import contact_sync_params

ROOT = Path(__file__).parents[2]
SOURCES = [path for folder in ("contactsync", "dags", "plugins") for path in (ROOT / folder).rglob("*.py")]
SEARCHES = {"compile", "match", "search", "sub", "subn", "split", "findall", "finditer"}
END = re.compile(r"(?<!\\)(?:\\\\)*\$(?!\(\?!(?:\\n|\n)\))")
"""A `$` that stands for the end, where Python's also stands for the place before a last line feed."""

LOOKS_LIKE_ONE = re.compile(r"[\])}*+?a-z/]\$\Z")

# moto takes the `$` off before it routes, and werkzeug compares whole paths.
ROUTED_BY_MOTO = {"account_api.py", "moto_organizations.py"}

SAMPLES = (
    "123456789012",
    "abc",
    "https://x.example",
    "Workloads/Prod",
    "2026-01-31T09:00:00Z",
    "contactsync.x.v1",
    "0a" * 32,
)


def nodes() -> Iterator[tuple[Path, ast.AST]]:
    """Yield every part of the product's sources."""
    for path in SOURCES:
        yield from ((path, node) for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def calls() -> Iterator[tuple[Path, ast.Call]]:
    """Yield every call."""
    yield from ((path, node) for path, node in nodes() if isinstance(node, ast.Call))


def texts() -> Iterator[tuple[Path, str]]:
    """Yield every literal text."""
    yield from ((path, text) for path, node in nodes() if isinstance(node, ast.expr) and (text := text_of(node)))


def text_of(node: ast.expr) -> str | None:
    """Return a literal text, also the fixed parts of an f-string."""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def searched() -> Iterator[tuple[Path, str]]:
    """Yield the patterns that Python's `re` is given."""
    for path, call in calls():
        name = call.func.attr if isinstance(call.func, ast.Attribute) else None
        if name in SEARCHES and call.args and (text := text_of(call.args[0])):
            yield path, text


def checked_by_pydantic() -> set[str]:
    """Return the patterns that models give to pydantic."""
    keywords = (word for _, call in calls() for word in call.keywords if word.arg == "pattern")
    return {text for word in keywords if (text := text_of(word.value))}


def schemas() -> dict[str, Any]:
    """Return every JSON Schema of ours: the form's, and the published ones."""
    published = {path.name: json.loads(path.read_text()) for path in (ROOT / "docs" / "schemas").glob("*.json")}
    return published | {name: param.schema for name, param in contact_sync_params().items()}


def limited_texts(schema: object) -> Iterator[dict[str, Any]]:
    """Yield the places of a schema that limit which characters a text may have."""
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str) or "not" in schema:
            yield schema
        else:
            for part in schema.values():
                yield from limited_texts(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from limited_texts(part)


def test_python_patterns() -> None:
    """No pattern that Python's `re` is given ends in a `$`: `fullmatch` is what compares whole texts."""
    found = list(searched())
    assert len(found) > 20
    assert [(path.name, text) for path, text in found if END.search(text)] == []


def test_every_pattern_is_known() -> None:
    """Whatever looks like a pattern with an end is given to pydantic, or to moto, and so tried below."""
    elsewhere = {text for path, text in texts() if LOOKS_LIKE_ONE.search(text) and path.name not in ROUTED_BY_MOTO}
    assert elsewhere <= checked_by_pydantic()


@pytest.mark.parametrize("pattern", sorted(checked_by_pydantic()))
@given(data=st.data())
def test_models(pattern: str, data: st.DataObject) -> None:
    """What models give to pydantic is compared to the end of the text, unless a line feed is one of its characters."""
    adapter = TypeAdapter(Annotated[str, Field(pattern=pattern)])
    drawn = data.draw(st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True))
    text = drawn.rstrip("\n") if re.fullmatch(pattern, drawn.rstrip("\n")) else drawn
    adapter.validate_python(text)
    if pattern.endswith("$") and not re.fullmatch(pattern, f"{text}\n"):
        with pytest.raises(ValidationError):
            adapter.validate_python(f"{text}\n")


@pytest.mark.parametrize("name", schemas())
def test_schemas(name: str) -> None:
    """What a schema of ours limits is limited to its end, for a reader in Python too."""
    for schema in limited_texts(schemas()[name]):
        validator = jsonschema.Draft202012Validator(schema)
        valid = [text for text in SAMPLES if validator.is_valid(text)]
        assert valid, schema
        assert [text for text in valid if validator.is_valid(f"{text}\n")] == []
        assert [text for text in valid if validator.is_valid(f"\n{text}")] == []


@pytest.mark.parametrize(
    "account", ["123456789012\n", "123456789012\r", "123456789012 ", "\n123456789012", "12345678901\n"]
)
def test_form(account: str) -> None:
    """An account id with anything around it is refused by the form, before a run begins."""
    schemas = {name: param.schema for name, param in contact_sync_params().items()}
    assert jsonschema.Draft7Validator(schemas["accounts"]).is_valid(["123456789012"])
    assert not jsonschema.Draft7Validator(schemas["accounts"]).is_valid([account])
    source = schemas["change"]["properties"]["source_account"]
    assert not jsonschema.Draft7Validator(source).is_valid(account)

"""Reading of scenario files: UTF-8 YAML, in which text that YAML would misread or drop silently is refused."""

import codecs
from collections.abc import Iterator
from pathlib import Path

import yaml

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
# PyYAML raises Python's own errors for a value that only looks like a date, a number or a boolean.
_UNREADABLE = (ArithmeticError, AttributeError, LookupError, ValueError, yaml.YAMLError)
_MERGE = "tag:yaml.org,2002:merge"
_TEXT = "tag:yaml.org,2002:str"
_HALF = "has half of a surrogate pair, which is no character; write the character itself"
_READ_AS = {"bool": "true or false", "int": "a number", "float": "a number", "timestamp": "a date", "null": "nothing"}


class ScenarioError(Exception):
    """A scenario that cannot be used; the message names the field and what to write instead."""


def read_scenario_file(path: Path) -> object:
    """Return the file's content, or raise ScenarioError; its sentence does not name the file."""
    try:
        data = path.read_bytes()
    except OSError as error:
        message = f"it cannot be read: {error.strerror}."
        raise ScenarioError(message) from error
    return _content(_text(data))


def _text(data: bytes) -> str:
    if data.startswith(_UTF16) or b"\0" in data:
        raise ScenarioError("it is UTF-16, or no text at all; save the file as UTF-8.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        message = f"line {line} is not UTF-8; save the file as UTF-8."
        raise ScenarioError(message) from None


def _content(text: str) -> object:
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        for problem in _problems(node, "", set()):
            raise ScenarioError(problem)
        return loader.construct_document(node)
    except yaml.YAMLError as error:
        message = f"it is not YAML: {_position(error)}."
        raise ScenarioError(message) from error
    except RecursionError:
        raise ScenarioError("its lists and mappings are nested too deeply.") from None
    finally:
        loader.dispose()


def _position(error: yaml.YAMLError) -> str:
    """Return what is wrong and where, without the line's text, which can hold contact values."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"{error.problem} in line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1}"
    return " ".join(str(error).split())


def _problems(node: yaml.Node, path: str, looked_at: set[int], above: tuple[int, ...] = ()) -> Iterator[str]:
    """Yield what YAML accepts silently or cannot read: duplicate keys, keys that are not text, dates that do not exist.

    Each node is visited once, also when several aliases lead to it.
    """
    if id(node) in above:
        yield f"{path or 'the file'} holds itself, by an alias in line {_line(node)}."
        return
    if id(node) in looked_at:
        return
    looked_at.add(id(node))
    inside = (*above, id(node))
    if isinstance(node, yaml.MappingNode):
        yield from _key_problems(node, path)
        for key, value in node.value:
            yield from _problems(value, _joined(path, key.value), looked_at, inside)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield from _problems(item, _joined(path, number), looked_at, inside)
    elif problem := _unreadable(node):
        yield f"{path}: {problem}."


def _key_problems(node: yaml.MappingNode, path: str) -> Iterator[str]:
    lines: dict[str, int] = {}
    for key, _ in node.value:
        if key.tag == _MERGE:
            continue
        if key.tag != _TEXT:
            read_as = _READ_AS.get(key.tag.rpartition(":")[2], "something else")
            yield f"{path or 'the file'}: write the key in line {_line(key)} in quotes, or YAML reads it as {read_as}."
        elif not _is_text(key.value):
            yield f"the key in line {_line(key)} {_HALF}."
        elif key.value in lines:
            first, again = lines[key.value], _line(key)
            yield f"{_joined(path, key.value)} is given twice, in lines {first} and {again}; keep one."
        else:
            lines[key.value] = _line(key)


def _unreadable(node: yaml.Node) -> str:
    """Return the problem of a value that only looks like a date or a number, or cannot be encoded; else no text."""
    if not _is_text(node.value):
        return f"the text in line {_line(node)} {_HALF}"
    try:
        yaml.SafeLoader("").construct_document(node)
    except _UNREADABLE:
        read_as = _READ_AS.get(node.tag.rpartition(":")[2], f"a {node.tag}")
        return f"write the value in line {_line(node)} in quotes, or YAML reads it as {read_as}"
    return ""


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _joined(path: str, part: object) -> str:
    return f"{path}.{part}" if path else str(part)

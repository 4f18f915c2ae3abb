"""CloudFormation templates as data, and whether a value fits a parameter's declaration."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml


class TemplateError(Exception):
    """A template, or a file that says how templates are deployed, cannot be used; the message names it and says why.

    It is not in contactsync.errors because the sandbox raises it, which imports no more of ours than it must.
    """

    def __init__(self, template: str, reason: str) -> None:
        self.template = template
        self.reason = reason
        super().__init__(f"{template}: {reason}")


def load(path: Path) -> dict[str, Any]:
    """Read a template; short function forms such as !Ref become their long forms."""
    return _checked(read_yaml(path, path.name, _TemplateLoader), path.name)


def parse(text: str, name: str) -> dict[str, Any]:
    """Read a template from its text, as `load` reads it from a file; `name` is what errors call it."""
    return _checked(_parsed(text, name, _TemplateLoader), name)


def _checked(template: object, name: str) -> dict[str, Any]:
    if not isinstance(template, dict) or not isinstance(template.get("Resources"), dict):
        raise TemplateError(name, "a template needs Resources")
    for section in ("Parameters", "Resources", "Outputs"):
        entries = template.get(section) or {}
        if not isinstance(entries, dict) or not all(isinstance(entry, dict) for entry in entries.values()):
            raise TemplateError(name, f"{section} is a map of names, each with a map")
    return template


def read_yaml(path: Path, name: str, loader: type[yaml.SafeLoader] | None = None) -> Any:  # noqa: ANN401 - YAML of any form
    """Read a file of YAML in which no map has a key twice; `name` is what errors call the file."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise TemplateError(name, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise TemplateError(name, "not YAML: it is not UTF-8") from error
    return _parsed(text, name, loader or StrictLoader)


def _parsed(text: str, name: str, loader: type[yaml.SafeLoader]) -> Any:  # noqa: ANN401 - YAML of any form
    try:
        return yaml.load(text, Loader=loader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date such as 2026-02-30
        raise TemplateError(name, f"not YAML: {_one_line(error)}") from error
    except RecursionError as error:
        raise TemplateError(name, "not YAML: it is nested too deep") from error


def check_value(name: str, parameter: str, value: str, declaration: Mapping[str, Any]) -> None:
    """Raise TemplateError when a parameter's declaration does not allow a value; `name` is what the error names."""
    if problem := _problem(value, declaration):
        raise TemplateError(name, f"parameter {parameter}: {value!r} {problem}")


def _problem(value: str, declaration: Mapping[str, Any]) -> str | None:
    allowed = [str(item) for item in declaration.get("AllowedValues", [])]
    if allowed and value not in allowed:
        return f"is not one of {', '.join(allowed)}"
    pattern = declaration.get("AllowedPattern")
    is_list = declaration.get("Type") == "CommaDelimitedList"
    parts = [part.strip() for part in value.split(",")] if is_list else [value]
    try:
        matches = not pattern or all(re.fullmatch(pattern, part) for part in parts)
    except re.error as error:
        return f"cannot be compared with the AllowedPattern {pattern}: {error}"
    if not matches:
        return f"does not match {pattern}"
    return _number_problem(value, declaration) if declaration.get("Type") == "Number" else None


def _number_problem(value: str, declaration: Mapping[str, Any]) -> str | None:
    try:
        number = float(value)
    except ValueError:
        return "is not a number"
    least, most = (float(declaration.get(key, number)) for key in ("MinValue", "MaxValue"))
    return None if least <= number <= most else f"is not between {least:g} and {most:g}"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


class StrictLoader(yaml.SafeLoader):
    """YAML in which a key that stands twice in a map is an error, where YAML would take the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - YAML's signature
        """Refuse the second of two equal keys."""
        mapping = super().construct_mapping(node, deep=deep)
        if len(mapping) < len(node.value):
            keys = [self.construct_object(key, deep=True) for key, _ in node.value]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise yaml.constructor.ConstructorError(None, None, f"{twice} stands twice in a map", node.start_mark)
        return mapping


class _TemplateLoader(StrictLoader):
    """YAML with CloudFormation's short function forms."""


def _function(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = str(value).split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type] # the third kind of node
    return {name: value}


_TemplateLoader.add_multi_constructor("!", _function)

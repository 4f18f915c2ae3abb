"""Files of parameters, compared with the templates: one for each environment, and one for each further subscriber."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from contactsync.stacks.stack_file import StackList
from contactsync.stacks.templates import TemplateError, check_value, read_yaml

FOLDER: Final = "parameters"

_KEYS: Final = ("termination_protection", "parameters", "configuration")


@dataclass(frozen=True)
class EnvironmentFile:
    """What a file says about its environment."""

    parameters: Mapping[str, str]
    """Values of parameters, for every template that has them."""
    termination_protection: bool
    """Whether CloudFormation refuses to delete the stacks."""
    configuration: Mapping[str, Any]
    """What the first configuration has in place of its defaults; `contactsync config` changes it later."""


def read_environment(directory: Path, environment: str, listed: StackList) -> EnvironmentFile:
    """Read the file of an environment beside the templates; TemplateError says in one sentence what is wrong."""
    where = f"{FOLDER}/{environment}.yaml"
    content = read_yaml(directory / FOLDER / f"{environment}.yaml", where)
    if not isinstance(content, dict):
        raise TemplateError(where, f"it holds {', '.join(_KEYS)}")
    for key in content:
        if key not in _KEYS:
            raise TemplateError(where, f"unknown key {key}; there are {', '.join(_KEYS)}")
    protected = content.get("termination_protection", False)
    if not isinstance(protected, bool):
        raise TemplateError(where, "termination_protection is true or false")
    return EnvironmentFile(
        {str(name): _value(where, name, value, listed) for name, value in _map(where, content, "parameters").items()},
        protected,
        _map(where, content, "configuration"),
    )


def read_own_values(path: Path, template_name: str, template: Mapping[str, Any]) -> dict[str, str]:
    """Read the file that makes one more stack of a template; TemplateError says in one sentence what is wrong."""
    where = f"{path.parent.name}/{path.name}"
    content = read_yaml(path, where)
    if not isinstance(content, dict):
        raise TemplateError(where, f"it holds parameters of {template_name}, a line NAME: VALUE for each")
    declared = template.get("Parameters") or {}
    for name, value in content.items():
        if name not in declared:
            raise TemplateError(where, f"{name} is no parameter of {template_name}; there are {', '.join(declared)}")
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise TemplateError(where, f"{name}: a text or a whole number is expected; write other values in quotes")
    return {name: str(value) for name, value in content.items()}


def _map(where: str, content: Mapping[str, Any], key: str) -> dict[Any, Any]:
    found = content.get(key, {})
    if not isinstance(found, dict):
        raise TemplateError(where, f"{key}: a map is expected, with lines KEY: VALUE")
    return found


def _value(where: str, name: object, value: object, listed: StackList) -> str:
    declarations = listed.declarations.get(str(name))
    if declarations is None:
        near = difflib.get_close_matches(str(name), listed.declarations, n=1)
        raise TemplateError(
            where, f"no template has a parameter {name}" + (f"; do you mean {near[0]}?" if near else "")
        )
    if name == "Environment":
        raise TemplateError(where, "Environment is the file's own name, and is not given in it")
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise TemplateError(where, f"{name}: a text or a whole number is expected; write other values in quotes")
    for declaration in declarations:
        check_value(where, str(name), str(value), declaration)
    return str(value)

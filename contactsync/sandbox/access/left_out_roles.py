"""The roles of stacks that the sandbox does not deploy, such as the one of Airflow's workers, from their templates."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import WaiterError

from contactsync.stacks.stack_file import FILE, read_stacks
from contactsync.stacks.stacks import stack_name
from contactsync.stacks.templates import TemplateError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

ROLE: Final = "AWS::IAM::Role"
_WAITS: Final[Any] = {"Delay": 0.1, "MaxAttempts": 600}
_PLACEHOLDER: Final = re.compile(r"\$\{(\w+)")
_SECTIONS: Final = ("Parameters", "Mappings", "Conditions")


def add_left_out_roles(
    directory: Path,
    client: "CloudFormationClient",
    *,
    region: str,
    outputs: Mapping[str, Mapping[str, str]],
    parameters: Mapping[str, str],
) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Create a stack with nothing but the roles of each stack that is left out; yield its name, template and outputs.

    `outputs` are those of the stacks there are, by their names, and `parameters` the values that were given.
    """
    if not (directory / FILE).exists():
        return
    listed = read_stacks(directory)
    environment = parameters.get("Environment", "local")
    by_stack = {stack.name: outputs.get(stack_name(environment, stack.name), {}) for stack in listed.stacks}
    for stack in listed.stacks:
        part = roles_only(listed.templates[stack.template])
        if not stack.not_in_sandbox or part is None:
            continue
        known = _defaults(part) | listed.fed(stack, by_stack, region) | dict(parameters)
        name = stack_name(environment, f"{stack.name}-role")
        client.create_stack(
            StackName=name,
            TemplateBody=json.dumps(part),
            Parameters=[
                {"ParameterKey": key, "ParameterValue": known[key]} for key in part["Parameters"] if key in known
            ],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        try:
            client.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=_WAITS)
        except WaiterError as error:
            raise TemplateError(stack.template, f"its roles cannot be made: {error}") from error
        made = client.describe_stacks(StackName=name)["Stacks"][0].get("Outputs", [])
        yield name, stack.template, {one["OutputKey"]: one["OutputValue"] for one in made}


def _defaults(template: Mapping[str, Any]) -> dict[str, str]:
    """Return the defaults of the parameters: moto makes lists only of values that are given."""
    return {name: str(one["Default"]) for name, one in template["Parameters"].items() if "Default" in one}


def roles_only(template: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a template with its roles only, and what they refer to; None when it has no role."""
    roles = {name: one for name, one in template["Resources"].items() if one.get("Type") == ROLE}
    if not roles:
        return None
    others = template["Resources"].keys() - roles.keys()
    outputs = {name: one for name, one in (template.get("Outputs") or {}).items() if not others & set(_names(one))}
    kept: set[str] = set()
    found = set(_names([roles, outputs]))
    while found - kept:
        kept |= found
        conditions = template.get("Conditions") or {}
        found = set(_names([conditions[name] for name in kept if name in conditions]))
    part: dict[str, Any] = {"AWSTemplateFormatVersion": "2010-09-09", "Resources": roles, "Outputs": outputs}
    for section in _SECTIONS:
        part[section] = {name: one for name, one in (template.get(section) or {}).items() if name in kept}
    return {name: section for name, section in part.items() if section or name == "Parameters"}


def _names(content: object) -> Iterator[str]:
    """Yield every name that a part of a template may refer to, and more: each text, and each name within `${}`."""
    if isinstance(content, str):
        yield content
        yield from _PLACEHOLDER.findall(content)
    elif isinstance(content, Mapping):
        for value in content.values():
            yield from _names(value)
    elif isinstance(content, list):
        for value in content:
            yield from _names(value)

"""Stacks of the project's own templates, created in the sandbox through CloudFormation."""

import io
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import yaml
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from contactsync.sandbox.stacks import template_types

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

ORDER = ("tables", "bus", "trigger")  # templates that others need come first; those not named here follow
REGION = "us-east-1"
_CODE_BUCKET, _CODE_KEY = "CodeBucket", "CodeKey"
_PER_FILE = "StackPerFileIn"


class TemplateError(Exception):
    """A template cannot be deployed as in AWS; the message names the file and what to do."""

    def __init__(self, template: str, reason: str) -> None:
        self.template = template
        self.reason = reason
        super().__init__(f"{template}: {reason}")


@dataclass(frozen=True)
class Stack:
    """A deployed stack and its outputs."""

    name: str
    template: str
    outputs: Mapping[str, str]


def deploy(
    directory: Path,
    *,
    session: boto3.Session,
    endpoint_url: str,
    parameters: Mapping[str, str],
    order: Sequence[str] = ORDER,
) -> list[Stack]:
    """Create a stack contactsync-<file name> from every template in the directory; raise TemplateError when one fails.

    A template gets those of `parameters` that it declares, and outputs of earlier stacks with the name of one of its
    parameters. If the template's metadata name a folder (StackPerFileIn), each file of parameters in it makes a stack
    contactsync-<template>-<file name>, whose outputs later templates do not get.
    """
    known = dict(parameters)
    stacks = []
    for path in _ordered(directory, order):
        template = _checked(path)
        is_repeated = _PER_FILE in (template.get("Metadata") or {})
        for planned in _planned(path, template, known):
            _put_code(session, endpoint_url, planned.parameters)
            client: CloudFormationClient = session.client(
                "cloudformation", region_name=REGION, endpoint_url=endpoint_url
            )
            stack = Stack(planned.name, path.name, _create(client, planned))
            stacks.append(stack)
            if not is_repeated:
                known = dict(stack.outputs) | known
    return stacks


def local_parameters(management_account: str, **changes: str) -> dict[str, str]:
    """Return the values of our templates' parameters in the local system; `changes` replaces or adds some."""
    values = {
        "Environment": "local",
        "ManagementAccountId": management_account,
        "MwaaEnvironmentName": "contactsync-local",
        "CodeBucket": "contactsync-local-code",
        "CodeKey": "trigger.zip",
        "SubscriberCodeKey": "subscribers.zip",
    }
    return values | changes


def load(path: Path) -> dict[str, Any]:
    """Read a template; short function forms such as !Ref become their long forms."""
    try:
        template = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise TemplateError(path.name, f"not YAML: {error}") from error
    if not isinstance(template, dict) or not isinstance(template.get("Resources"), dict):
        raise TemplateError(path.name, "a template needs Resources")
    return template


def _ordered(directory: Path, order: Sequence[str]) -> list[Path]:
    files = {path.stem: path for path in sorted(directory.glob("*.yaml"))}
    names = [name for name in order if name in files]
    return [files[name] for name in [*names, *(name for name in files if name not in names)]]


@dataclass(frozen=True)
class _Planned:
    """A stack to create, and the file that an error names."""

    name: str
    file: str
    body: str
    parameters: Mapping[str, str]


def _planned(path: Path, template: Mapping[str, Any], known: Mapping[str, str]) -> list[_Planned]:
    name, body = f"contactsync-{path.stem}", path.read_text(encoding="utf-8")
    folder = (template.get("Metadata") or {}).get(_PER_FILE)
    if folder is None:
        return [_Planned(name, path.name, body, _given(path.name, template, known))]
    planned = []
    for file in sorted((path.parent / str(folder)).glob("*.yaml")):
        where = f"{folder}/{file.name}"
        values = {**known, **_own_parameters(file, where, path.name, template)}
        planned.append(_Planned(f"{name}-{file.stem}", where, body, _given(where, template, values)))
    return planned


def _own_parameters(file: Path, where: str, template_name: str, template: Mapping[str, Any]) -> dict[str, str]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise TemplateError(where, f"not YAML: {error}") from error
    if not isinstance(content, dict):
        raise TemplateError(where, f"it holds parameters of {template_name}, a line NAME: VALUE for each")
    declared = template.get("Parameters") or {}
    for name, value in content.items():
        if name not in declared:
            raise TemplateError(where, f"{name} is no parameter of {template_name}; there are {', '.join(declared)}")
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise TemplateError(where, f"{name}: a text or a whole number is expected; write other values in quotes")
    return {name: str(value) for name, value in content.items()}


def _checked(path: Path) -> dict[str, Any]:
    template = load(path)
    if "!Condition" in path.read_text(encoding="utf-8"):
        raise TemplateError(path.name, "moto takes !Condition for false: write {Condition: NAME}, which is the same")
    unknown = {
        name: resource.get("Type")
        for name, resource in template["Resources"].items()
        if not template_types.is_known(str(resource.get("Type")))
    }
    if unknown:
        listed = ", ".join(f"{name} ({type_name})" for name, type_name in unknown.items())
        raise TemplateError(
            path.name,
            f"the sandbox has no support for {listed}; add the type to contactsync/sandbox/stacks/template_types.py, "
            "or to WITHOUT_EFFECT there when nothing can depend on it",
        )
    return template


def _given(name: str, template: Mapping[str, Any], known: Mapping[str, str]) -> dict[str, str]:
    declared: Mapping[str, Mapping[str, Any]] = template.get("Parameters") or {}
    given = {parameter: known[parameter] for parameter in declared if parameter in known}
    missing = [parameter for parameter in declared if parameter not in given and "Default" not in declared[parameter]]
    if missing:
        raise TemplateError(name, f"no value for the parameters {', '.join(missing)}")
    for parameter, value in given.items():
        _check_value(name, parameter, value, declared[parameter])
    return given


def _check_value(name: str, parameter: str, value: str, declaration: Mapping[str, Any]) -> None:
    allowed = [str(item) for item in declaration.get("AllowedValues", [])]
    if allowed and value not in allowed:
        raise TemplateError(name, f"parameter {parameter}: {value!r} is not one of {', '.join(allowed)}")
    pattern = declaration.get("AllowedPattern")
    if pattern and not re.fullmatch(pattern, value):
        raise TemplateError(name, f"parameter {parameter}: {value!r} does not match {pattern}")


def _put_code(session: boto3.Session, endpoint_url: str, given: Mapping[str, str]) -> None:
    """Put a placeholder where the template expects the function's zip: the sandbox runs the checkout instead."""
    keys = [value for name, value in given.items() if name.endswith(_CODE_KEY)]
    if _CODE_BUCKET not in given or not keys:
        return
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as content:
        content.writestr("README", "The sandbox runs the functions from the checkout.\n")
    s3 = session.client("s3", region_name=REGION, endpoint_url=endpoint_url)
    s3.create_bucket(Bucket=given[_CODE_BUCKET])
    for key in keys:
        s3.put_object(Bucket=given[_CODE_BUCKET], Key=key, Body=archive.getvalue())


def _create(client: "CloudFormationClient", planned: _Planned) -> dict[str, str]:
    try:
        client.create_stack(
            StackName=planned.name,
            TemplateBody=planned.body,
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in planned.parameters.items()],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
    except ClientError as error:
        raise TemplateError(planned.file, error.response["Error"].get("Message", str(error))) from error
    except ResponseParserError as error:  # moto answers errors of a stack's resources in the form of their services
        raise TemplateError(planned.file, _message_in(str(error))) from error
    stack = client.describe_stacks(StackName=planned.name)["Stacks"][0]
    if stack["StackStatus"] != "CREATE_COMPLETE":
        raise TemplateError(planned.file, f"the stack ended as {stack['StackStatus']}")
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def _message_in(answer: str) -> str:
    match = re.search(r'"message": "(.*?)"[,}]', answer)
    return (match[1] if match else answer).replace("\\'", "'")


class _Loader(yaml.SafeLoader):
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


_Loader.add_multi_constructor("!", _function)


def outputs(stacks: Iterable[Stack]) -> dict[str, str]:
    """Merge the outputs of all stacks."""
    return {key: value for stack in stacks for key, value in stack.outputs.items()}

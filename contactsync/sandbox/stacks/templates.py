"""Stacks of the project's own templates, created in the sandbox through CloudFormation."""

import io
import time
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError

from contactsync.sandbox.functions.function_code import read_code
from contactsync.sandbox.stacks import template_types
from contactsync.stacks.parameter_file import read_own_values
from contactsync.stacks.stack_file import FILE, StackList, read_stacks
from contactsync.stacks.stacks import Region, stack_name
from contactsync.stacks.stacks import Stack as ListedStack
from contactsync.stacks.templates import TemplateError, check_value, load

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

REGION = "us-east-1"
_CODE_BUCKET, _CODE_KEY = "CodeBucket", "CodeKey"
_POLL_SECONDS = 0.1


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
    functions: Path | None = None,
) -> list[Stack]:
    """Create the stacks that the directory's stacks.yaml lists; raise TemplateError when one fails.

    A stack gets those of `parameters` that its template declares, and what the list says for the others. What the
    sandbox does without at its start is left out, and so are optional stacks that these parameters do not ask for. In a
    directory without a list every template is a stack contactsync-<file name>, in the order of names. The zips of
    functions are those in the folder `functions`; without it they are placeholders.
    """
    listed = _listed(directory)
    prefix = stack_name(parameters.get("Environment", "local"), "") if (directory / FILE).exists() else "contactsync-"
    outputs: dict[str, dict[str, str]] = {}
    stacks = []
    client: CloudFormationClient = session.client("cloudformation", region_name=REGION, endpoint_url=endpoint_url)
    for stack in listed.stacks:
        if stack.not_in_sandbox or not stack.is_wanted(parameters, REGION):
            continue
        known = listed.fed(stack, outputs, REGION) | dict(parameters)
        _check_template(stack.template, listed.templates[stack.template])
        for planned in _planned(prefix + stack.name, directory, stack, listed.templates[stack.template], known):
            _put_code(session, endpoint_url, planned.parameters, functions)
            created = Stack(planned.name, stack.template, _create(client, planned))
            stacks.append(created)
            if stack.stack_per_file_in is None:
                outputs[stack.name] = dict(created.outputs)
    return stacks


def local_parameters(management_account: str, **changes: str) -> dict[str, str]:
    """Return the values of our templates' parameters in the local system; `changes` replaces or adds some."""
    values = {
        "Environment": "local",
        "ManagementAccountId": management_account,
        "MwaaEnvironmentName": "contactsync-local",
        "CodeKey": "trigger.zip",
        "SubscriberCodeKey": "subscribers.zip",
    }
    return values | changes


def _listed(directory: Path) -> StackList:
    if (directory / FILE).exists():
        return read_stacks(directory)
    files = sorted(directory.glob("*.yaml"))
    stacks = tuple(ListedStack(path.stem, path.name, Region.DEPLOYMENT) for path in files)
    return StackList(stacks, {path.name: load(path) for path in files})


@dataclass(frozen=True)
class _Planned:
    """A stack to create, and the file that an error names."""

    name: str
    file: str
    body: str
    parameters: Mapping[str, str]


def _planned(
    name: str, directory: Path, stack: ListedStack, template: Mapping[str, Any], known: Mapping[str, str]
) -> list[_Planned]:
    body = (directory / stack.template).read_text(encoding="utf-8")
    if stack.stack_per_file_in is None:
        return [_Planned(name, stack.template, body, _given(stack.template, template, known))]
    planned = []
    for file in sorted((directory / stack.stack_per_file_in).glob("*.yaml")):
        where = f"{stack.stack_per_file_in}/{file.name}"
        values = {**known, **read_own_values(file, stack.template, template)}
        planned.append(_Planned(f"{name}-{file.stem}", where, body, _given(where, template, values)))
    return planned


def _check_template(name: str, template: Mapping[str, Any]) -> None:
    unknown = {
        logical_id: resource.get("Type")
        for logical_id, resource in template["Resources"].items()
        if not template_types.is_known(str(resource.get("Type")))
    }
    if unknown:
        named = ", ".join(f"{logical_id} ({type_name})" for logical_id, type_name in unknown.items())
        raise TemplateError(
            name,
            f"the sandbox has no support for {named}; add the type to contactsync/sandbox/stacks/template_types.py, "
            "or to WITHOUT_EFFECT there when nothing can depend on it",
        )


def _given(name: str, template: Mapping[str, Any], known: Mapping[str, str]) -> dict[str, str]:
    declared: Mapping[str, Mapping[str, Any]] = template.get("Parameters") or {}
    given = {parameter: known[parameter] for parameter in declared if parameter in known}
    missing = [parameter for parameter in declared if parameter not in given and "Default" not in declared[parameter]]
    if missing:
        raise TemplateError(name, f"no value for the parameters {', '.join(missing)}")
    for parameter, value in given.items():
        check_value(name, parameter, value, declared[parameter])
    return given


def _put_code(session: boto3.Session, endpoint_url: str, given: Mapping[str, str], functions: Path | None) -> None:
    """Put the function's zip where the template expects it."""
    keys = [value for name, value in given.items() if name.endswith(_CODE_KEY)]
    if _CODE_BUCKET not in given or not keys:
        return
    s3 = session.client("s3", region_name=REGION, endpoint_url=endpoint_url)
    s3.create_bucket(Bucket=given[_CODE_BUCKET])
    for key in keys:
        s3.put_object(
            Bucket=given[_CODE_BUCKET], Key=key, Body=read_code(functions, key) if functions else _placeholder()
        )


def _placeholder() -> bytes:
    """Return a zip for functions that run from the checkout."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as content:
        content.writestr("README", "The sandbox runs the functions from the checkout.\n")
    return archive.getvalue()


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
    stack = client.describe_stacks(StackName=planned.name)["Stacks"][0]
    while stack["StackStatus"] == "CREATE_IN_PROGRESS":  # a scenario can give resources a duration
        time.sleep(_POLL_SECONDS)
        stack = client.describe_stacks(StackName=planned.name)["Stacks"][0]
    if stack["StackStatus"] != "CREATE_COMPLETE":
        raise TemplateError(planned.file, _reason(client, planned.name) or f"the stack ended as {stack['StackStatus']}")
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def _reason(client: "CloudFormationClient", name: str) -> str | None:
    """Return why the first resource failed."""
    events = client.describe_stack_events(StackName=name)["StackEvents"]
    failed = [event for event in events if event["ResourceStatus"] == "CREATE_FAILED"]
    return f"{failed[-1]['LogicalResourceId']}: {failed[-1]['ResourceStatusReason']}" if failed else None


def outputs(stacks: Iterable[Stack]) -> dict[str, str]:
    """Merge the outputs of all stacks."""
    return {key: value for stack in stacks for key, value in stack.outputs.items()}

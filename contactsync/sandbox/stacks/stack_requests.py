"""Reads the design that a request gives a stack: its template, parameters, tags and capabilities."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any
from urllib.parse import parse_qsl, unquote, urlparse

from moto.core.exceptions import ServiceException
from moto.s3.models import s3_backends
from moto.utilities.utils import get_partition

from contactsync.sandbox.stacks.stack_records import Design, Place, StackError
from contactsync.sandbox.stacks.template_types import is_known
from contactsync.stacks.templates import TemplateError, parse

Params = Mapping[str, Any]
_RESOURCE_KEYS: Mapping[str, tuple[type, ...]] = {
    "Type": (str,),
    "Properties": (dict,),
    "Condition": (str,),
    "DependsOn": (str, list),
    "DeletionPolicy": (str,),
    "UpdateReplacePolicy": (str,),
}
_LONGEST_BODY = 51_200  # bytes
_STACK_NAME = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{0,127}", re.ASCII)
_NAMED_IAM = {"AWS::IAM::Role": "RoleName", "AWS::IAM::User": "UserName", "AWS::IAM::Group": "GroupName"}
_IAM = (*_NAMED_IAM, "AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::InstanceProfile")


def design_of(params: Params, place: Place, previous: Design | None = None) -> Design:
    """Return the design that a request gives, or raise StackError; `previous` is that of the stack."""
    text = template_text(params, place, previous)
    template = read_template(text)
    unknown = sorted({str(item.get("Type")) for item in template["Resources"].values()} - _known(template))
    if unknown:
        raise StackError(f"Template format error: Unrecognized resource types: [{', '.join(unknown)}]")
    capabilities = tuple(params.get("Capabilities") or ())
    _check_capabilities(template, capabilities)
    tags = {str(tag["Key"]): str(tag["Value"]) for tag in params["Tags"]} if params.get("Tags") else None
    kept = dict(previous.tags) if previous and tags is None else {}
    return Design(text, template, _parameters(params, template, previous), kept if tags is None else tags, capabilities)


def check_stack_name(name: str) -> None:
    """Raise StackError for a name that CloudFormation does not allow."""
    if not _STACK_NAME.fullmatch(name):
        raise StackError(
            f"1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: Member must "
            "satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
        )


def template_text(params: Params, place: Place, previous: Design | None = None) -> str:
    """Return the template's text from the request, from S3, or from the stack."""
    if params.get("UsePreviousTemplate"):
        if previous is None or not previous.text:
            raise StackError("The stack has no previous template.")
        return previous.text
    body, url = params.get("TemplateBody"), params.get("TemplateURL")
    if bool(body) == bool(url):
        raise StackError("Either Template URL or Template Body must be specified.")
    if url:
        return _from_s3(str(url), place)
    if len(str(body).encode()) > _LONGEST_BODY:
        raise StackError(
            "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have "
            f"length less than or equal to {_LONGEST_BODY}"
        )
    return str(body)


def read_template(text: str) -> dict[str, Any]:
    """Return the template, or raise StackError."""
    try:
        template = _without_dates(parse(text, "template"))
    except TemplateError as error:
        raise StackError(f"Template format error: {error.reason}") from error
    if not template["Resources"]:
        raise StackError("Template format error: At least one Resources member must be defined.")
    _check_shape(template)
    return dict(template)


def _check_shape(template: Mapping[str, Any]) -> None:
    """Raise StackError for a template whose sections or resources have not the form that CloudFormation reads."""
    for section in ("Parameters", "Conditions", "Mappings", "Rules", "Outputs", "Resources"):
        entries = template.get(section)
        if entries is None and section != "Resources":
            continue
        if not isinstance(entries, dict) or not all(isinstance(entry, dict) for entry in entries.values()):
            raise StackError(f"Template format error: [/{section}] must be a map of maps")
    _check_entries(template)


def _check_entries(template: Mapping[str, Any]) -> None:
    for name, resource in template["Resources"].items():
        for key, kinds in _RESOURCE_KEYS.items():
            if key in resource and not isinstance(resource[key], kinds):
                raise StackError(f"Template format error: [/Resources/{name}/{key}] has the wrong type")
    for name, parameter in (template.get("Parameters") or {}).items():
        if not isinstance(parameter.get("Type"), str):
            raise StackError(f"Template format error: [/Parameters/{name}/Type] must be a string")
    for name, rule in (template.get("Rules") or {}).items():
        assertions = rule.get("Assertions")
        if not isinstance(assertions, list) or not all(isinstance(one, dict) and "Assert" in one for one in assertions):
            raise StackError(f"Template format error: [/Rules/{name}/Assertions] must be a list of assertions")


def _known(template: Mapping[str, Any]) -> set[str]:
    types = {str(item.get("Type")) for item in template["Resources"].values()}
    return {name for name in types if is_known(name)}


def _from_s3(url: str, place: Place) -> str:
    address = urlparse(url)
    path = unquote(address.path.lstrip("/"))
    host = address.netloc.partition(":")[0]
    bucket, dot, _ = host.partition(".s3")
    key = path
    if not dot:
        bucket, _, key = path.partition("/")
    try:
        backend = s3_backends[place.account][get_partition(place.region)]
        found = backend.get_object(bucket, key, version_id=dict(parse_qsl(address.query)).get("versionId"))
    except ServiceException as error:
        raise StackError(f"S3 error: {error.message}") from error
    if found is None:
        raise StackError("S3 error: The specified key does not exist.")
    return bytes(found.value).decode()


def _without_dates(given: Any) -> Any:  # noqa: ANN401 - a template's JSON
    """Return the template with dates as text: YAML reads a version such as 2012-10-17 as a date."""
    if isinstance(given, dict):
        return {str(key): _without_dates(value) for key, value in given.items()}
    if isinstance(given, list):
        return [_without_dates(value) for value in given]
    return given.isoformat() if isinstance(given, date) else given


def _check_capabilities(template: Mapping[str, Any], given: tuple[str, ...]) -> None:
    needed = ""
    for resource in template["Resources"].values():
        if resource.get("Type") in _IAM:
            needed = needed or "CAPABILITY_IAM"
            if _NAMED_IAM.get(resource["Type"], "ManagedPolicyName") in (resource.get("Properties") or {}):
                needed = "CAPABILITY_NAMED_IAM"
    enough = (
        {"CAPABILITY_NAMED_IAM"} if needed == "CAPABILITY_NAMED_IAM" else {"CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"}
    )
    if needed and not enough & set(given):
        raise StackError(f"Requires capabilities : [{needed}]", "InsufficientCapabilitiesException")


def _parameters(params: Params, template: Mapping[str, Any], previous: Design | None) -> dict[str, str]:
    declared: Mapping[str, Any] = template.get("Parameters") or {}
    given = {str(item["ParameterKey"]): item for item in params.get("Parameters") or ()}
    unknown = sorted(given.keys() - declared.keys())
    if unknown:
        raise StackError(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    values: dict[str, str] = {}
    missing = []
    for name, declaration in declared.items():
        value = _value(given.get(name), name, declaration, previous)
        if value is None:
            missing.append(name)
            continue
        _check(name, value, declaration)
        values[name] = value
    if missing:
        raise StackError(f"Parameters: [{', '.join(missing)}] must have values")
    return values


def _value(
    item: Mapping[str, Any] | None, name: str, declaration: Mapping[str, Any], previous: Design | None
) -> str | None:
    if item is not None and item.get("UsePreviousValue"):
        if previous is None or name not in previous.parameters:
            raise StackError(
                f"Invalid input for parameter key {name}. Cannot specify usePreviousValue as true for a parameter key "
                "not in the previous template"
            )
        return previous.parameters[name]
    if item is not None and item.get("ParameterValue") is not None:
        return str(item["ParameterValue"])
    return str(declaration["Default"]) if "Default" in declaration else None


def _check(name: str, value: str, declaration: Mapping[str, Any]) -> None:
    allowed = [str(item) for item in declaration.get("AllowedValues") or ()]
    if allowed and value not in allowed:
        raise StackError(f"Parameter '{name}' must be one of AllowedValues")
    pattern = declaration.get("AllowedPattern")
    parts = [part.strip() for part in value.split(",")] if declaration.get("Type") == "CommaDelimitedList" else [value]
    if pattern and not all(re.fullmatch(pattern, part) for part in parts):
        constraint = declaration.get("ConstraintDescription")
        raise StackError(
            f"Parameter {name} failed to satisfy constraint: {constraint}"
            if constraint
            else f"Parameter '{name}' must match pattern {pattern}"
        )
    if declaration.get("Type") == "Number":
        _check_number(name, value, declaration)


def _check_number(name: str, value: str, declaration: Mapping[str, Any]) -> None:
    try:
        number = float(value)
    except ValueError:
        raise StackError(f"Parameter '{name}' must be a number") from None
    if number < float(declaration.get("MinValue", number)):
        raise StackError(f"Parameter '{name}' must be a number not less than {declaration['MinValue']}")
    if number > float(declaration.get("MaxValue", number)):
        raise StackError(f"Parameter '{name}' must be a number not greater than {declaration['MaxValue']}")

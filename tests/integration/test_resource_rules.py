"""What the sandbox's CloudFormation knows of resource types, compared with the CloudFormation registry."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from contactsync.sandbox.stacks.resource_rules import CREATE_ONLY, NAMES, WITHOUT_TAGS
from contactsync.stacks.templates import load

INFRA = Path(__file__).parents[2] / "infra"
TEMPLATES = [load(path) for path in sorted(INFRA.glob("*.yaml")) if path.name != "stacks.yaml"]
RESOURCES = [resource for template in TEMPLATES for resource in template["Resources"].values()]
USED = {
    str(kind): {name for item in RESOURCES if item["Type"] == kind for name in item.get("Properties", {})}
    for kind in {resource["Type"] for resource in RESOURCES}
}
"""The properties that our templates use, by type."""


def schema(type_name: str) -> Mapping[str, Any]:
    """Return the registry's schema of a type."""
    return dict(PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", type_name).schema)


def create_only(type_name: str) -> set[str]:
    """Return the paths that the registry calls create-only, under conditions or not."""
    listed = schema(type_name)
    paths = [*listed.get("createOnlyProperties", []), *listed.get("conditionalCreateOnlyProperties", [])]
    return {path.removeprefix("/properties/") for path in paths}


@pytest.mark.parametrize("type_name", sorted(USED))
def test_create_only(type_name: str) -> None:
    """A create-only property that our templates use replaces the resource, and no other property does."""
    known, registered = set(CREATE_ONLY.get(type_name, ())), create_only(type_name)
    used = {path for path in registered if path.partition("/")[0] in USED[type_name]}
    assert known <= registered
    assert used <= known


@pytest.mark.parametrize("type_name", sorted(NAMES))
def test_names(type_name: str) -> None:
    """The property that names a resource cannot change without another resource."""
    assert NAMES[type_name] in schema(type_name)["properties"]
    assert NAMES[type_name] in CREATE_ONLY[type_name]


@pytest.mark.parametrize("type_name", sorted(USED))
def test_tags(type_name: str) -> None:
    """A type gets its stack's tags exactly when it can have tags."""
    assert ("Tags" in schema(type_name)["properties"]) == (type_name not in WITHOUT_TAGS)


def test_no_other_types() -> None:
    """The tables name only types that our templates use."""
    assert {*CREATE_ONLY, *NAMES, *WITHOUT_TAGS} <= USED.keys()

"""Whether the names of buckets, tables and the environment are free, or belong to what an earlier deployment kept."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from contactsync.checks.findings import Finding, failed, ok, unknown_because
from contactsync.checks.ports import NamedResource, Names, ResourceKind
from contactsync.checks.wanted import WantedDeployment
from contactsync.errors import ContactSyncError, CredentialsError
from contactsync.stacks.stacks import Stack

NAMES: Final = "names"

_KINDS: Final[Mapping[str, tuple[ResourceKind, str]]] = {
    "AWS::S3::Bucket": (ResourceKind.BUCKET, "BucketName"),
    "AWS::DynamoDB::Table": (ResourceKind.TABLE, "TableName"),
    "AWS::MWAA::Environment": (ResourceKind.ENVIRONMENT, "Name"),
}
"""Types of resources with the property that has their name."""

_KEPT: Final = frozenset({"Retain", "RetainExceptOnCreate"})
_VARIABLE: Final = re.compile(r"\$\{([A-Za-z:]+)\}", re.ASCII)


@dataclass(frozen=True)
class WantedName:
    """A name that a stack would give to a resource."""

    stack: str
    kind: ResourceKind
    name: str
    region: str
    is_kept: bool
    """Whether the resource stays when its stack is deleted, and a new stack can adopt it."""
    key_attributes: tuple[str, ...] = ()
    """A table's partition key and sort key."""


def check_names(wanted: WantedDeployment, names: Names) -> Iterator[Finding]:
    """Yield a finding for each name that is taken by something which the deployment would not adopt."""
    free, kept = 0, []
    unread: dict[ResourceKind, ContactSyncError] = {}
    for one in wanted_names(wanted):
        if one.kind in unread:
            continue
        try:
            there = names.find(one.kind, one.name, one.region)
        except CredentialsError:
            raise
        except ContactSyncError as error:
            unread[one.kind] = error
            continue
        if there is None:
            free += 1
        elif problem := _problem(wanted, one, there):
            yield problem
        else:
            kept.append(one.name)
    yield from (unknown_because(NAMES, why) for why in unread.values())
    adopted = f"; an earlier deployment kept {', '.join(kept)}, which the stacks adopt" if kept else ""
    if free or kept:
        yield ok(NAMES, f"{free} names of buckets, tables and the environment are free{adopted}.")


def wanted_names(wanted: WantedDeployment) -> Iterator[WantedName]:
    """Yield the names of the stacks that are to be created."""
    for stack in wanted.listed.stacks:
        is_new = stack.name not in wanted.stacks and not stack.stack_per_file_in
        if is_new and stack.is_wanted(wanted.parameters, wanted.region):
            yield from _names_of(stack, wanted)


def _names_of(stack: Stack, wanted: WantedDeployment) -> Iterator[WantedName]:
    region = stack.region.of(wanted.region)
    for resource in wanted.listed.templates[stack.template]["Resources"].values():
        kind, property_name = _KINDS.get(resource.get("Type"), (None, ""))
        properties = resource.get("Properties") or {}
        name = _resolved(properties.get(property_name), wanted, region)
        if kind is not None and name is not None:
            keys = tuple(key["AttributeName"] for key in properties.get("KeySchema", ()))
            kept = resource.get("DeletionPolicy") in _KEPT
            yield WantedName(wanted.named(stack.name), kind, name, region, kept, keys)


def _resolved(value: Any, wanted: WantedDeployment, region: str) -> str | None:  # noqa: ANN401 -- a template's value
    """Return a name, which is Fn::Sub of our environment, account and region; None for any other form."""
    text = value.get("Fn::Sub") if isinstance(value, Mapping) else value
    if not isinstance(text, str):
        return None
    known = {"Environment": wanted.environment, "AWS::AccountId": wanted.account_id, "AWS::Region": region}
    if any(name not in known for name in _VARIABLE.findall(text)):
        return None
    return _VARIABLE.sub(lambda found: known[found[1]], text)


def _problem(wanted: WantedDeployment, one: WantedName, there: NamedResource) -> Finding | None:
    """Return why a resource that is there cannot become a part of the stack; None when it can."""
    what = f"{one.kind.capitalize() if one.kind.islower() else one.kind} {one.name}"
    other = f"Use another name for the environment than {wanted.environment}, or delete it if nobody needs it."
    if not there.is_own:
        return failed(NAMES, f"{what} belongs to another account.", other)
    if one.kind is ResourceKind.BUCKET and there.region not in (None, one.region):
        return failed(NAMES, f"{what} is there, in {there.region} and not in {one.region}.", other)
    if there.stack is not None and there.stack != one.stack:
        return failed(NAMES, f"{what} is there, and belongs to stack {there.stack}.", other)
    if not one.is_kept:
        return failed(
            NAMES,
            f"{what} is there without its stack {one.stack}.",
            "Delete it if nobody needs it (`aws mwaa delete-environment`), or use another name for the environment.",
        )
    if one.kind is ResourceKind.TABLE and tuple(there.key_attributes) != one.key_attributes:
        return failed(
            NAMES, f"{what} is there, with the key {', '.join(there.key_attributes)}: it is not contactsync's.", other
        )
    return None

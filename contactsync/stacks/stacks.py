"""A deployment's stacks as values: where each is, when it is wanted, and where its parameters' values come from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

_TRIGGER_REGIONS: Final = (("cn-", "cn-northwest-1"), ("us-gov-", "us-gov-west-1"), ("eusc-", "eusc-de-east-1"))
"""The regions of the trigger in other partitions, by how the names of their regions begin (docs/partitions.md)."""


class Region(StrEnum):
    """Which region a stack is in."""

    DEPLOYMENT = "deployment"
    """The region of the MWAA environment."""
    TRIGGER = "trigger"
    """The region where CloudTrail's events of Account Management arrive."""

    def of(self, deployment_region: str) -> str:
        """Return the region's name for a deployment to a region."""
        if self is Region.DEPLOYMENT:
            return deployment_region
        return next((name for prefix, name in _TRIGGER_REGIONS if deployment_region.startswith(prefix)), "us-east-1")


@dataclass(frozen=True)
class Condition:
    """When an optional stack is deployed; exactly one of the fields is set."""

    given: tuple[str, ...] = ()
    """At least one of these parameters has a value."""
    not_given: tuple[str, ...] = ()
    """None of these parameters has a value."""
    value: Mapping[str, str] = field(default_factory=dict)
    """These parameters have these values."""
    regions_differ: bool = False
    """The deployment's region is not the trigger's."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """The parameters that decide."""
        return (*self.given, *self.not_given, *self.value)

    def holds(self, parameters: Mapping[str, str], deployment_region: str) -> bool:
        """Return whether it holds under the values that were given for parameters."""
        if self.regions_differ:
            return Region.TRIGGER.of(deployment_region) != deployment_region
        if self.given:
            return any(parameters.get(name) for name in self.given)
        if self.not_given:
            return not any(parameters.get(name) for name in self.not_given)
        return all(parameters.get(name) == value for name, value in self.value.items())


@dataclass(frozen=True)
class OutputOf:
    """An output of another stack."""

    stack: str
    output: str
    same_region: bool = False
    """Whether it can be used only in the region of that stack."""


@dataclass(frozen=True)
class RegionOf:
    """The region of another stack."""

    stack: str


Source = OutputOf | RegionOf


@dataclass(frozen=True)
class Stack:
    """One entry of the list: a stack, or one for each file of parameters in a folder."""

    name: str
    template: str
    """The template's file name."""
    region: Region
    only_if: Condition | None = None
    """None: the stack is always deployed."""
    parameters: Mapping[str, tuple[Source, ...]] = field(default_factory=dict)
    """Where a parameter's value comes from when nobody gives one: the first source whose stack is deployed."""
    afterwards: Mapping[str, tuple[Source, ...]] = field(default_factory=dict)
    """The same, from stacks that come later: the stack is updated when they are deployed."""
    stack_per_file_in: str | None = None
    """The folder whose files of parameters make one stack each; its outputs give no other stack a value."""
    not_in_sandbox: str | None = None
    """Why the sandbox does not deploy it at its start; None where it does."""

    def is_wanted(self, parameters: Mapping[str, str], deployment_region: str) -> bool:
        """Return whether the stack is deployed under the values that were given for parameters."""
        return self.only_if is None or self.only_if.holds(parameters, deployment_region)


def stack_name(environment: str, name: str) -> str:
    """Return the name that CloudFormation has for a stack."""
    return f"contactsync-{environment}-{name}"

"""The deployment that is validated, with what its stacks say of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from contactsync.checks.health_ports import LiveStack, StackResource
from contactsync.stacks.outputs import OUTPUTS, PARAMETERS
from contactsync.stacks.stacks import stack_name


@dataclass(frozen=True)
class Target:
    """An environment in two regions, which may be the same."""

    environment: str
    region: str
    trigger_region: str

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions with stacks, without repetition."""
        return tuple(dict.fromkeys((self.region, self.trigger_region)))

    def full_name(self, stack: str) -> str:
        """Return the name that CloudFormation has for a stack."""
        return stack_name(self.environment, stack)


NEEDED = tuple(dict.fromkeys(stack for stack, _ in (*OUTPUTS.values(), *PARAMETERS.values())))
"""The stacks without which no command knows its settings."""


@dataclass(frozen=True)
class Found:
    """The stacks of the target, and what they made."""

    stacks: Sequence[LiveStack]
    resources: Sequence[StackResource] = ()

    def of_type(self, *types: str) -> Iterator[StackResource]:
        """Yield the resources of some types."""
        return (one for one in self.resources if one.resource_type in types)

    def output(self, stack: str, name: str) -> str:
        """Return a stack's output; empty when it has none of this name."""
        return next((one.outputs.get(name, "") for one in self.stacks if one.name == stack), "")

    def parameter(self, stack: str, name: str) -> str:
        """Return the value of a stack's parameter; empty when it has none of this name."""
        return next((one.parameters.get(name, "") for one in self.stacks if one.name == stack), "")

"""What is about to be deployed, as far as the checks before it must know."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from contactsync.stacks.stack_file import StackList
from contactsync.stacks.stacks import stack_name


@dataclass(frozen=True)
class WantedDeployment:
    """A deployment that a person asked for."""

    environment: str
    account_id: str
    """The account that `--account-id` names."""
    region: str
    """The region of the MWAA environment."""
    trigger_region: str
    """The region where the events of Account Management arrive."""
    listed: StackList
    """The stacks and their templates, whose resources have names."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """The values of parameters, those of the environment's file included; SubnetIds means a network that is there."""
    may_enable_trusted_access: bool = False
    """Whether the deployment may switch trusted access on."""
    creates_trail: bool = False
    """Whether the deployment shall create a trail."""
    stacks: frozenset[str] = frozenset()
    """The stacks of this environment that exist already, by their names in infra/stacks.yaml, such as `state`."""

    def named(self, what: str) -> str:
        """Return the name of a resource of this environment."""
        return stack_name(self.environment, what)

    def listed_values(self, parameter: str) -> tuple[str, ...]:
        """Return the values of a parameter that is a list."""
        return tuple(filter(None, (one.strip() for one in self.parameters.get(parameter, "").split(","))))


@dataclass(frozen=True)
class EnvironmentParts:
    """What an MWAA environment is made in and with; when it fails, MWAA itself names none of these as the cause."""

    region: str
    environment_name: str
    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]
    role_name: str
    """The name of the execution role."""
    bucket: str
    """The bucket with DAGs, plugins and requirements."""
    partition: str = "aws"
    """The partition of AWS, as in ARNs."""

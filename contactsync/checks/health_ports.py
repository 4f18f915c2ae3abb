"""What the checks of a deployment that is there ask AWS; every method may raise an AwsCallError."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True)
class LiveStack:
    """A stack of the deployment as CloudFormation has it."""

    name: str
    """Its name in infra/stacks.yaml, such as `bus`."""
    full_name: str
    region: str
    status: str
    reason: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class StackResource:
    """A resource of a stack."""

    stack: LiveStack
    logical_id: str
    resource_type: str
    physical_id: str


class DriftStatus(StrEnum):
    """How far CloudFormation's look for drift has come."""

    IN_PROGRESS = "in_progress"
    COMPLETE = "complete"
    FAILED = "failed"


@dataclass(frozen=True)
class Drift:
    """What is known of a stack's drift."""

    status: DriftStatus
    reason: str = ""
    resources: Sequence[str] = ()
    """The logical ids of the resources that were changed or deleted outside of CloudFormation."""


@dataclass(frozen=True)
class AirflowState:
    """An MWAA environment."""

    status: str
    last_update: str = ""
    """How the last update ended; empty when there was none."""
    error: str = ""
    """What MWAA says about an update that failed."""
    bucket: str = ""
    objects: Mapping[str, str] = field(default_factory=dict)
    """The versions of plugins.zip and requirements.txt in use, by their keys in the bucket."""


@dataclass(frozen=True)
class FunctionState:
    """A Lambda function."""

    state: str
    reason: str = ""
    last_update: str = "Successful"


@dataclass(frozen=True)
class TableState:
    """A table in DynamoDB."""

    status: str
    is_encrypted: bool
    """Whether with a KMS key of the account or of AWS, and not with DynamoDB's own."""
    has_backups: bool
    """Whether it has point-in-time recovery."""
    expires_by: str | None = None
    """The attribute of its time to live; None when nothing expires."""


@dataclass(frozen=True)
class Subscription:
    """A subscription of a topic."""

    protocol: str
    endpoint: str
    is_confirmed: bool


@dataclass(frozen=True)
class AlarmState:
    """A CloudWatch alarm."""

    name: str
    state: str
    reason: str = ""


@dataclass(frozen=True)
class Released:
    """The newest release that was deployed to the end."""

    version: str
    digests: Mapping[str, str]
    """The SHA-256 digests of its files by their names."""


class Stacks(Protocol):
    """CloudFormation in a region."""

    def stacks(self, environment: str, region: str) -> Iterable[LiveStack]:
        """Yield the stacks of an environment."""

    def resources(self, stack: LiveStack) -> Iterable[StackResource]:
        """Yield what a stack has made."""

    def look_for_drift(self, stack: LiveStack) -> str:
        """Have CloudFormation look for drift, and return the id under which it says what it found."""

    def drift(self, stack: LiveStack, look: str) -> Drift:
        """Return what is known so far."""


class AirflowEnvironments(Protocol):
    """MWAA and the logs of an environment."""

    def environment(self, region: str, name: str) -> AirflowState | None:
        """Return an environment; None when there is none of this name."""

    def installation_log(self, region: str, name: str, part: str) -> Sequence[str] | None:
        """Return the lines of the newest installation of requirements in a part of the environment, if any."""


class Resources(Protocol):
    """The resources of the stacks."""

    def function(self, region: str, name: str) -> FunctionState:
        """Return a function's state."""

    def mapping_state(self, region: str, mapping_id: str) -> str:
        """Return the state of the mapping between a queue and a function."""

    def table(self, region: str, name: str) -> TableState:
        """Return a table's settings."""

    def is_rule_enabled(self, region: str, name: str) -> bool:
        """Return whether a rule sends events on."""

    def targets(self, region: str, rule: str) -> int:
        """Return how many targets a rule has."""

    def subscriptions(self, region: str, topic: str) -> Sequence[Subscription]:
        """Return a topic's subscriptions."""

    def messages(self, region: str, queue: str) -> int:
        """Return how many messages a queue has, also those that somebody is handling."""

    def alarms(self, region: str, names: Sequence[str]) -> Sequence[AlarmState]:
        """Return alarms by their names."""


class Releases(Protocol):
    """The releases in the bucket for code."""

    def newest(self, region: str, bucket: str) -> Released | None:
        """Return the newest one that was deployed to the end; None when the bucket has none."""

    def digest(self, region: str, bucket: str, key: str, version: str) -> str:
        """Return the SHA-256 digest that whoever put an object has noted; empty when nobody has."""

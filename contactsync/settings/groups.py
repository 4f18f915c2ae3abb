"""The groups of settings; docs/settings.md explains each value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Group(StrEnum):
    """The groups, by the names that they have in `Settings`."""

    MANAGEMENT = "management"
    CONFIGURATION = "configuration"
    STATE = "state"
    DESIRED = "desired"
    DEPLOYMENT = "deployment"
    BUS = "bus"
    CLAIMS = "claims"
    FINGERPRINTS = "fingerprints"
    CALLS = "calls"
    PATIENCE = "patience"
    AUDIT = "audit"
    DEAD_LETTERS = "dead_letters"
    SUBSCRIBER = "subscriber"
    NOTICES = "notices"
    TRIGGER = "trigger"


RUN: Final = (
    Group.MANAGEMENT,
    Group.CONFIGURATION,
    Group.STATE,
    Group.DESIRED,
    Group.DEPLOYMENT,
    Group.BUS,
    Group.CLAIMS,
    Group.FINGERPRINTS,
    Group.CALLS,
    Group.PATIENCE,
)
"""What the tasks of a run use."""


@dataclass(frozen=True)
class ManagementSettings:
    """Whose contacts are the source."""

    account: str
    """The account whose contacts are the source; never written to."""


@dataclass(frozen=True)
class ConfigurationSettings:
    """Where the configuration is stored."""

    table: str
    key: str = "default"


@dataclass(frozen=True)
class StateSettings:
    """Where operations, outcomes and records are stored."""

    table: str
    retention_days: int = 400
    conflict_tries: int = 5
    """How many times an item that others keep changing is read again before a step gives up."""


@dataclass(frozen=True)
class DesiredSettings:
    """Where the desired contacts are stored."""

    table: str


@dataclass(frozen=True)
class DeploymentSettings:
    """Which deployment this is."""

    environment: str
    """What tells several deployments apart: part of the tables' names, of events and of metrics."""
    trigger_user_name: str | None = None
    """Airflow's user that the trigger function is; None: that of the role in infra/trigger.yaml."""

    @property
    def trigger_user(self) -> str:
        """The user of Airflow that alone may say which change started a run; MWAA names it after the caller's role."""
        return self.trigger_user_name or f"assumed-role/contactsync-{self.environment}-trigger"


@dataclass(frozen=True)
class BusSettings:
    """Where events go."""

    topic: str
    """ARN of the bus's SNS topic."""


@dataclass(frozen=True)
class ClaimSettings:
    """Where data is kept that does not fit into a message."""

    bucket: str | None = None
    """An S3 bucket; None: an event with such data stays in the outbox."""


@dataclass(frozen=True)
class FingerprintSettings:
    """Where the HMAC key of contact fingerprints comes from: exactly one of the two is set."""

    key: str | None = field(default=None, repr=False)
    """A strong one."""
    secret: str | None = None
    """ARN or name of a Secrets Manager secret whose string is that key."""
    former_key: str | None = field(default=None, repr=False)
    """The key before the present one, by which older account records are recognized; it may be a weak one."""


@dataclass(frozen=True)
class CallSettings:
    """How AWS is called; times in seconds."""

    management_role: str | None = None
    """ARN of the role to act as for Account Management and Organizations; None: the environment's own credentials."""
    connect_timeout: float = 5.0
    read_timeout: float = 15.0


@dataclass(frozen=True)
class PatienceSettings:
    """How long and how often the steps try; times in seconds."""

    verify_reads: int = 4
    """How many times a written contact is read back before the task gives up and is tried again."""
    verify_wait: float = 0.5
    """The wait before the second of these reads; it doubles."""
    source_reads: int = 3
    """How many times the source is read at most while it contradicts the recorded change, or seems absent."""
    source_wait: float = 1.0
    """The wait before the second of these reads; it doubles."""
    throttle_tries: int = 6
    """How many times a throttled call is made before its task pauses."""
    throttle_wait: float = 8.0
    """The longest wait between these; each is random."""
    organization_tries: int = 20
    """How many times a throttled call of Organizations is made before the task fails."""
    organization_wait: float = 20.0
    """The longest wait between these; each is random."""
    mark_wait: float = 25.0
    """How long another task's announced write is waited out; longer than both timeouts of a call together."""
    plan_lasts: float = 3600.0
    """For so long after a plan accounts count as being where the plan found them, and tagged as it found them."""
    follow_ups: int = 3
    """How many follow-up runs may follow each other when the source keeps changing."""
    overdue_after: float = 3600.0
    """From this age on housekeeping has people told of an operation that has not finished."""
    abandoned_after: float = 7 * 86_400.0
    """From this age on housekeeping warns of a run that is still active."""


@dataclass(frozen=True)
class AuditSettings:
    """Where the audit trail is."""

    table: str
    retention_days: int = 400


@dataclass(frozen=True)
class DeadLetterSettings:
    """Where the dead letters are, and why they became such."""

    idempotency_table: str
    """Where subscribers remember what they did, and why messages failed."""
    queues: Mapping[str, str]
    """The URLs of the dead-letter queues by name: `rule`, `trigger`, and the subscribers' names."""
    trigger_function: str | None = None
    """Name or ARN of the function that is called again with what EventBridge or it itself failed on."""


@dataclass(frozen=True)
class SubscriberSettings:
    """What the function of every subscriber needs."""

    idempotency_table: str
    """Where it remembers what it did, and why messages failed."""
    dead_letters_url: str
    """The URL of its queue of dead letters, where messages go that it cannot read yet."""


@dataclass(frozen=True)
class NoticeSettings:
    """Where notices go."""

    topic: str
    """ARN of the SNS topic for notices."""
    ops_items: bool = False
    """Whether critical notices become OpsItems, too."""
    airflow_url: str | None = None
    """Where people find the runs that notices are about."""


@dataclass(frozen=True)
class TriggerSettings:
    """Where the trigger function starts runs."""

    mwaa_environment: str
    mwaa_region: str

"""The groups of settings; docs/settings.md explains each value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Group(StrEnum):
    """The groups, by their names in `Settings`."""

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
    AIRFLOW = "airflow"


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
"""The groups that the tasks of a run use."""


@dataclass(frozen=True)
class ManagementSettings:
    """The account whose contacts are the source."""

    account: str
    """The account id; this account is never written to."""


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
    """Days after its latest plan for which an operation is kept."""
    conflict_tries: int = 5
    """How many times an item that others keep changing is read before a step gives up."""


@dataclass(frozen=True)
class DesiredSettings:
    """Where the desired contacts are stored."""

    table: str


@dataclass(frozen=True)
class DeploymentSettings:
    """Which deployment this is."""

    environment: str
    """The name that separates several deployments: part of the tables' names, of events and of metrics."""
    trigger_user_name: str | None = None
    """The user as which the trigger function appears in Airflow; None: the one of the role in infra/trigger.yaml."""

    @property
    def trigger_user(self) -> str:
        """Airflow's user that alone may say which change started a run; MWAA names it after the caller's role."""
        return self.trigger_user_name or f"assumed-role/contactsync-{self.environment}-trigger"


@dataclass(frozen=True)
class BusSettings:
    """Where events are published."""

    topic: str
    """ARN of the bus's SNS topic."""


@dataclass(frozen=True)
class ClaimSettings:
    """Where data is stored that does not fit into a message."""

    bucket: str | None = None
    """An S3 bucket; without one, an event with such data stays in the outbox."""


@dataclass(frozen=True)
class FingerprintSettings:
    """Where the HMAC key of contact fingerprints comes from; exactly one of `key` and `secret` is set."""

    key: str | None = field(default=None, repr=False)
    """The key itself; it must not be a weak one."""
    secret: str | None = None
    """ARN or name of a Secrets Manager secret whose string is that key."""
    former_key: str | None = field(default=None, repr=False)
    """The key before the present one, by which older account records are recognized; it may be weak."""


@dataclass(frozen=True)
class CallSettings:
    """How AWS is called; times in seconds."""

    management_role: str | None = None
    """ARN of the role for Account Management and Organizations; None: the environment's own credentials are used."""
    connect_timeout: float = 5.0
    """Seconds."""
    read_timeout: float = 15.0
    """Seconds."""


@dataclass(frozen=True)
class PatienceSettings:
    """How long and how often the steps try; times in seconds."""

    verify_reads: int = 4
    """How many times a written contact is read back before the task fails and is tried again."""
    verify_wait: float = 0.5
    """Seconds before the second of these reads; each later wait is twice as long."""
    source_reads: int = 3
    """How many times the source is read at most while it contradicts the recorded change, or seems to be absent."""
    source_wait: float = 1.0
    """Seconds before the second of these reads; each later wait is twice as long."""
    throttle_tries: int = 6
    """How many times a throttled call is made before its task gives its worker back."""
    throttle_wait: float = 8.0
    """The longest wait between these tries, in seconds; each wait is random."""
    organization_tries: int = 20
    """How many times a throttled call of Organizations is made before the task fails."""
    organization_wait: float = 20.0
    """The longest wait between these tries, in seconds; each wait is random."""
    mark_wait: float = 25.0
    """Seconds to wait for another task's announced write; longer than both timeouts of a call together."""
    plan_lasts: float = 3600.0
    """Seconds after a plan for which the units and tags that it read are used without asking again."""
    follow_ups: int = 3
    """How many follow-up runs there may be in a row when the source keeps changing."""
    overdue_after: float = 3600.0
    """Seconds after which people are notified of an operation that has not finished."""
    abandoned_after: float = 7 * 86_400.0
    """Seconds after which housekeeping warns about a run that is still active."""


@dataclass(frozen=True)
class AuditSettings:
    """Where the audit trail is."""

    table: str
    retention_days: int = 400
    """Days for which a row is kept."""


@dataclass(frozen=True)
class DeadLetterSettings:
    """Where the dead letters are, and why the messages failed."""

    idempotency_table: str
    """The table in which subscribers store which events they handled, and why messages failed."""
    queues: Mapping[str, str]
    """The URLs of the dead-letter queues by name: `rule`, `trigger`, and the subscribers' names."""
    trigger_function: str | None = None
    """Name or ARN of the function that is called again with events that EventBridge or it itself failed on."""


@dataclass(frozen=True)
class SubscriberSettings:
    """What the function of each subscriber needs."""

    idempotency_table: str
    """The table in which it stores which events it handled, and why messages failed."""
    dead_letters_url: str
    """The URL of its dead-letter queue, to which messages are sent that it cannot handle yet."""


@dataclass(frozen=True)
class NoticeSettings:
    """Where notices are sent."""

    topic: str
    """ARN of the SNS topic for notices."""
    ops_items: bool = False
    """Whether notices are also copied into OpsItems."""
    airflow_url: str | None = None
    """The address of Airflow's UI, for links to runs."""


@dataclass(frozen=True)
class TriggerSettings:
    """Where the trigger function starts runs."""

    mwaa_environment: str
    mwaa_region: str


@dataclass(frozen=True)
class AirflowSettings:
    """The Airflow whose REST API commands use: an MWAA environment, or an Airflow at an address."""

    url: str | None
    """The address, without a slash at its end; None: the MWAA environment."""
    username: str | None = None
    password: str = field(default="", repr=False)
    token: str | None = field(default=None, repr=False)
    """A token of Airflow's API, instead of user and password."""

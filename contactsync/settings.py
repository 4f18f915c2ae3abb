"""What the environment says about this deployment, in groups: whoever needs a group reads it, and needs no other.

Within what is read together everything that is missing or wrong is named at once.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, Final, TypeVar

from contactsync.errors import SettingsError
from contactsync.fingerprint_keys import key_problem
from contactsync.limits import FOLLOW_UPS_LIMIT

_ACCOUNT_ID: Final = re.compile(r"[0-9]{12}", re.ASCII)
_QUEUE_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,63}", re.ASCII)
_RESERVED_QUEUE: Final = "outbox"
_PREFIX: Final = "CONTACTSYNC_"

T = TypeVar("T")


class Group(StrEnum):
    """The groups, by the names that they have in `Settings`."""

    MANAGEMENT = "management"
    CONFIGURATION = "configuration"
    STATE = "state"
    DESIRED = "desired"
    DEPLOYMENT = "deployment"
    BUS = "bus"
    FINGERPRINTS = "fingerprints"
    CALLS = "calls"
    PATIENCE = "patience"
    AUDIT = "audit"
    DEAD_LETTERS = "dead_letters"


RUN: Final = (
    Group.MANAGEMENT,
    Group.CONFIGURATION,
    Group.STATE,
    Group.DESIRED,
    Group.DEPLOYMENT,
    Group.BUS,
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
    claim_bucket: str | None = None
    """S3 bucket for the data of events that do not fit into a message; None: such an event stays in the outbox."""


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


class Settings:
    """A deployment's own values; docs/settings.md explains each.

    A group is read when it is first asked for; SettingsError names everything in it that is missing or wrong.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Take the environment; what is changed in it later changes nothing here."""
        self._environ = {name: value for name, value in environ.items() if name.startswith(_PREFIX)}

    def demand(self, groups: Iterable[Group]) -> None:
        """Read groups ahead of time; raise SettingsError for everything in any of them that is missing or wrong."""
        problems = _Variables(self._environ)
        for group in groups:
            _READERS[group](problems)
        problems.check()

    @cached_property
    def management(self) -> ManagementSettings:
        """The management account."""
        return self._read(_management)

    @cached_property
    def configuration(self) -> ConfigurationSettings:
        """The stored configuration."""
        return self._read(_configuration)

    @cached_property
    def state(self) -> StateSettings:
        """The state table."""
        return self._read(_state)

    @cached_property
    def desired(self) -> DesiredSettings:
        """The table of desired contacts."""
        return self._read(_desired)

    @cached_property
    def deployment(self) -> DeploymentSettings:
        """The deployment's name."""
        return self._read(_deployment)

    @cached_property
    def bus(self) -> BusSettings:
        """The event bus."""
        return self._read(_bus)

    @cached_property
    def fingerprints(self) -> FingerprintSettings:
        """The HMAC key."""
        return self._read(_fingerprints)

    @cached_property
    def calls(self) -> CallSettings:
        """Timeouts and the role."""
        return self._read(_calls)

    @cached_property
    def patience(self) -> PatienceSettings:
        """Tries and waits."""
        return self._read(_patience)

    @cached_property
    def audit(self) -> AuditSettings:
        """The audit trail."""
        return self._read(_audit)

    @cached_property
    def dead_letters(self) -> DeadLetterSettings:
        """The dead letters."""
        return self._read(_dead_letters)

    def _read(self, reader: "Callable[[_Variables], T]") -> T:
        variables = _Variables(self._environ)
        group = reader(variables)
        variables.check()
        return group


def read_settings(environ: Mapping[str, str], groups: Iterable[Group] = RUN) -> Settings:
    """Read CONTACTSYNC_* variables; raise SettingsError for all that are missing or wrong in these groups."""
    settings = Settings(environ)
    settings.demand(groups)
    return settings


def variables_of(groups: Iterable[Group] = Group) -> tuple[str, ...]:
    """Return the variables that the groups are read from."""
    variables = _Variables({})
    for group in groups:
        _READERS[group](variables)
    return tuple(variables.asked)


class _Variables:
    """The environment's CONTACTSYNC_* variables; problems are gathered, and the value is a blank meanwhile."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._problems: dict[str, str] = {}
        self.asked: dict[str, None] = {}

    def check(self) -> None:
        """Raise SettingsError for all problems."""
        if self._problems:
            raise SettingsError.of(self._problems)

    def refuse(self, name: str, problem: str) -> None:
        """Note what is wrong with a variable; the first problem of a variable counts."""
        self._problems.setdefault(_PREFIX + name, problem)

    def optional(self, name: str) -> str | None:
        """Return a value; a blank one is none."""
        self.asked[_PREFIX + name] = None
        return self._environ.get(_PREFIX + name, "").strip() or None

    def required(self, name: str) -> str:
        """Return a value that must be there."""
        value = self.optional(name)
        if value is None:
            self.refuse(name, "is not set")
        return value or ""

    def number(self, name: str, default: float, *, least: float, most: float = 3600) -> float:
        """Return a number within bounds."""
        text = self.optional(name)
        if text is None:
            return default
        try:
            value = float(text)
        except ValueError:
            self.refuse(name, "is not a number")
            return default
        if not least <= value <= most:
            self.refuse(name, f"must be a number from {least:g} to {most:g}")
            return default
        return value

    def whole(self, name: str, default: int, *, least: int, most: int = 3600) -> int:
        """Return a number without its fraction."""
        return int(self.number(name, default, least=least, most=most))


def _management(variables: _Variables) -> ManagementSettings:
    account = variables.required("MANAGEMENT_ACCOUNT_ID")
    if account and not _ACCOUNT_ID.fullmatch(account):
        variables.refuse("MANAGEMENT_ACCOUNT_ID", "is not an account id of 12 digits")
    return ManagementSettings(account)


def _configuration(variables: _Variables) -> ConfigurationSettings:
    return ConfigurationSettings(
        table=variables.required("CONFIG_TABLE"),
        key=variables.optional("CONFIG_KEY") or ConfigurationSettings.key,
    )


def _state(variables: _Variables) -> StateSettings:
    return StateSettings(
        table=variables.required("STATE_TABLE"),
        retention_days=variables.whole("RETENTION_DAYS", StateSettings.retention_days, least=90, most=3650),
        conflict_tries=variables.whole("CONFLICT_TRIES", StateSettings.conflict_tries, least=1),
    )


def _desired(variables: _Variables) -> DesiredSettings:
    return DesiredSettings(variables.required("DESIRED_CONTACTS_TABLE"))


def _deployment(variables: _Variables) -> DeploymentSettings:
    return DeploymentSettings(variables.required("ENVIRONMENT"), variables.optional("TRIGGER_USER"))


def _bus(variables: _Variables) -> BusSettings:
    return BusSettings(
        topic=variables.required("EVENTS_TOPIC_ARN"),
        claim_bucket=variables.optional("CLAIM_BUCKET"),
    )


def _fingerprints(variables: _Variables) -> FingerprintSettings:
    key, secret = variables.optional("FINGERPRINT_KEY"), variables.optional("FINGERPRINT_SECRET")
    if (key is None) == (secret is None):
        variables.refuse("FINGERPRINT_KEY", f"and {_PREFIX}FINGERPRINT_SECRET: exactly one of the two must be set")
    elif key is not None and (problem := key_problem(key)):
        variables.refuse("FINGERPRINT_KEY", problem)
    return FingerprintSettings(key, secret, former_key=variables.optional("FORMER_FINGERPRINT_KEY"))


def _calls(variables: _Variables) -> CallSettings:
    return CallSettings(
        management_role=variables.optional("MANAGEMENT_ROLE_ARN"),
        connect_timeout=variables.number("CONNECT_TIMEOUT", CallSettings.connect_timeout, least=0.1),
        read_timeout=variables.number("READ_TIMEOUT", CallSettings.read_timeout, least=0.1),
    )


def _patience(variables: _Variables) -> PatienceSettings:
    default = PatienceSettings
    months = 90 * 86_400
    patience = PatienceSettings(
        verify_reads=variables.whole("VERIFY_READS", default.verify_reads, least=1),
        verify_wait=variables.number("VERIFY_WAIT", default.verify_wait, least=0),
        source_reads=variables.whole("SOURCE_READS", default.source_reads, least=1),
        source_wait=variables.number("SOURCE_WAIT", default.source_wait, least=0),
        throttle_tries=variables.whole("THROTTLE_TRIES", default.throttle_tries, least=1),
        throttle_wait=variables.number("THROTTLE_WAIT", default.throttle_wait, least=0),
        organization_tries=variables.whole("ORGANIZATION_TRIES", default.organization_tries, least=1),
        organization_wait=variables.number("ORGANIZATION_WAIT", default.organization_wait, least=0),
        mark_wait=variables.number("MARK_WAIT", default.mark_wait, least=1),
        plan_lasts=variables.number("PLAN_LASTS", default.plan_lasts, least=0, most=86_400),
        follow_ups=variables.whole("FOLLOW_UPS", default.follow_ups, least=0, most=FOLLOW_UPS_LIMIT),
        overdue_after=variables.number("OVERDUE_AFTER", default.overdue_after, least=60, most=months),
        abandoned_after=variables.number("ABANDONED_AFTER", default.abandoned_after, least=60, most=months),
    )
    calls = _calls(variables)
    if patience.mark_wait <= calls.connect_timeout + calls.read_timeout:
        variables.refuse("MARK_WAIT", f"must be longer than {_PREFIX}CONNECT_TIMEOUT and READ_TIMEOUT together")
    return patience


def _audit(variables: _Variables) -> AuditSettings:
    return AuditSettings(
        table=variables.required("AUDIT_TABLE"),
        retention_days=variables.whole("AUDIT_RETENTION_DAYS", AuditSettings.retention_days, least=90, most=3650),
    )


def _dead_letters(variables: _Variables) -> DeadLetterSettings:
    return DeadLetterSettings(
        idempotency_table=variables.required("IDEMPOTENCY_TABLE"),
        queues=_queues(variables),
        trigger_function=variables.optional("TRIGGER_FUNCTION"),
    )


def _queues(variables: _Variables) -> dict[str, str]:
    text = variables.required("DEAD_LETTER_QUEUES")
    queues: dict[str, str] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        name, _, url = (piece.strip() for piece in part.partition("="))
        if not _QUEUE_NAME.fullmatch(name) or not url.startswith(("https://", "http://")) or name in queues:
            problem = f"has {part!r}, and takes NAME=URL, NAME=URL with names of lower-case letters, each once"
            variables.refuse("DEAD_LETTER_QUEUES", problem)
        if name == _RESERVED_QUEUE:
            variables.refuse("DEAD_LETTER_QUEUES", f"names a queue {name}, which contactsync has already")
        queues[name] = url
    if text and not queues:
        variables.refuse("DEAD_LETTER_QUEUES", "names no queue")
    return queues


_READERS: Final[Mapping[Group, Callable[[_Variables], Any]]] = {
    Group.MANAGEMENT: _management,
    Group.CONFIGURATION: _configuration,
    Group.STATE: _state,
    Group.DESIRED: _desired,
    Group.DEPLOYMENT: _deployment,
    Group.BUS: _bus,
    Group.FINGERPRINTS: _fingerprints,
    Group.CALLS: _calls,
    Group.PATIENCE: _patience,
    Group.AUDIT: _audit,
    Group.DEAD_LETTERS: _dead_letters,
}

"""What the environment says about this deployment: read once, and a missing value is an error."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from contactsync.errors import SettingsError
from contactsync.fingerprint_keys import key_problem
from contactsync.sync.bounds import FOLLOW_UPS_LIMIT

_ACCOUNT_ID: Final = re.compile(r"[0-9]{12}", re.ASCII)
_QUEUE_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,63}", re.ASCII)
_PREFIX: Final = "CONTACTSYNC_"


@dataclass(frozen=True)
class Settings:
    """A deployment's own values; docs/settings.md explains each. Times are in seconds."""

    management_account: str
    """The account whose contacts are the source; never written to."""
    config_table: str
    state_table: str
    desired_contacts_table: str
    environment: str
    """What tells several deployments apart: part of the tables' names, of events and of metrics."""
    events_topic: str
    """ARN of the bus's SNS topic."""
    claim_bucket: str | None = None
    """S3 bucket for the data of events that do not fit into a message; None: such an event stays in the outbox."""
    management_role: str | None = None
    """ARN of the role to act as for Account Management and Organizations; None: the environment's own credentials."""
    config_key: str = "default"
    fingerprint_key: str | None = field(default=None, repr=False)
    """The HMAC key of contact fingerprints, a strong one; exactly one of this and `fingerprint_secret` is set."""
    fingerprint_secret: str | None = None
    """ARN or name of a Secrets Manager secret whose string is that key."""
    retention_days: int = 90
    connect_timeout: float = 5.0
    read_timeout: float = 15.0
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
    mark_wait: float = 25.0
    """How long another task's announced write is waited out; longer than both timeouts of a call together."""
    follow_ups: int = 3
    """How many follow-up runs may follow each other when the source keeps changing."""
    conflict_tries: int = 5
    """How many times an item that others keep changing is read again before a step gives up."""
    overdue_after: float = 3600.0
    """From this age on housekeeping has people told of an operation that has not finished."""
    abandoned_after: float = 7 * 86_400.0
    """From this age on housekeeping warns of a run that is still active."""
    audit_table: str | None = None
    """The audit trail; commands about it and about dead letters need it."""
    audit_retention_days: int = 365
    idempotency_table: str | None = None
    """Where subscribers remember what they did, and why messages failed."""
    dead_letter_queues: Mapping[str, str] = field(default_factory=dict)
    """The URLs of the dead-letter queues by name: `rule`, `trigger`, and the subscribers' names."""
    trigger_function: str | None = None
    """Name or ARN of the function that is called again with what EventBridge or it itself failed on."""
    former_fingerprint_key: str | None = field(default=None, repr=False)
    """The key before the present one, by which older account records are recognized; it may be a weak one."""


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read CONTACTSYNC_* variables; raise SettingsError for the first that is missing or wrong."""
    settings = _read(environ)
    if settings.mark_wait <= settings.connect_timeout + settings.read_timeout:
        raise SettingsError(
            variable=f"{_PREFIX}MARK_WAIT",
            problem=f"must be longer than {_PREFIX}CONNECT_TIMEOUT and READ_TIMEOUT together",
        )
    return settings


def _read(environ: Mapping[str, str]) -> Settings:
    account = _required(environ, "MANAGEMENT_ACCOUNT_ID")
    if not _ACCOUNT_ID.fullmatch(account):
        raise SettingsError(variable=f"{_PREFIX}MANAGEMENT_ACCOUNT_ID", problem="is not an account id of 12 digits")
    return Settings(
        management_account=account,
        config_table=_required(environ, "CONFIG_TABLE"),
        state_table=_required(environ, "STATE_TABLE"),
        desired_contacts_table=_required(environ, "DESIRED_CONTACTS_TABLE"),
        environment=_required(environ, "ENVIRONMENT"),
        events_topic=_required(environ, "EVENTS_TOPIC_ARN"),
        claim_bucket=_optional(environ, "CLAIM_BUCKET"),
        management_role=_optional(environ, "MANAGEMENT_ROLE_ARN"),
        config_key=_optional(environ, "CONFIG_KEY") or Settings.config_key,
        **_fingerprint_source(environ),
        retention_days=int(_number(environ, "RETENTION_DAYS", Settings.retention_days, least=90, most=3650)),
        connect_timeout=_number(environ, "CONNECT_TIMEOUT", Settings.connect_timeout, least=0.1),
        read_timeout=_number(environ, "READ_TIMEOUT", Settings.read_timeout, least=0.1),
        verify_reads=int(_number(environ, "VERIFY_READS", Settings.verify_reads, least=1)),
        verify_wait=_number(environ, "VERIFY_WAIT", Settings.verify_wait, least=0),
        source_reads=int(_number(environ, "SOURCE_READS", Settings.source_reads, least=1)),
        source_wait=_number(environ, "SOURCE_WAIT", Settings.source_wait, least=0),
        throttle_tries=int(_number(environ, "THROTTLE_TRIES", Settings.throttle_tries, least=1)),
        throttle_wait=_number(environ, "THROTTLE_WAIT", Settings.throttle_wait, least=0),
        mark_wait=_number(environ, "MARK_WAIT", Settings.mark_wait, least=1),
        follow_ups=int(_number(environ, "FOLLOW_UPS", Settings.follow_ups, least=0, most=FOLLOW_UPS_LIMIT)),
        conflict_tries=int(_number(environ, "CONFLICT_TRIES", Settings.conflict_tries, least=1)),
        overdue_after=_number(environ, "OVERDUE_AFTER", Settings.overdue_after, least=60, most=90 * 86_400),
        abandoned_after=_number(environ, "ABANDONED_AFTER", Settings.abandoned_after, least=60, most=90 * 86_400),
        audit_table=_optional(environ, "AUDIT_TABLE"),
        audit_retention_days=int(
            _number(environ, "AUDIT_RETENTION_DAYS", Settings.audit_retention_days, least=90, most=3650)
        ),
        idempotency_table=_optional(environ, "IDEMPOTENCY_TABLE"),
        dead_letter_queues=_queues(environ),
        trigger_function=_optional(environ, "TRIGGER_FUNCTION"),
        former_fingerprint_key=_optional(environ, "FORMER_FINGERPRINT_KEY"),
    )


def _fingerprint_source(environ: Mapping[str, str]) -> dict[str, str | None]:
    key, secret = _optional(environ, "FINGERPRINT_KEY"), _optional(environ, "FINGERPRINT_SECRET")
    if (key is None) == (secret is None):
        raise SettingsError(
            variable=f"{_PREFIX}FINGERPRINT_KEY",
            problem=f"and {_PREFIX}FINGERPRINT_SECRET: exactly one of the two must be set",
        )
    if problem := key_problem(key) if key is not None else None:
        raise SettingsError(variable=f"{_PREFIX}FINGERPRINT_KEY", problem=problem)
    return {"fingerprint_key": key, "fingerprint_secret": secret}


def _queues(environ: Mapping[str, str]) -> dict[str, str]:
    text = _optional(environ, "DEAD_LETTER_QUEUES") or ""
    queues: dict[str, str] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        name, _, url = (piece.strip() for piece in part.partition("="))
        if not _QUEUE_NAME.fullmatch(name) or not url.startswith(("https://", "http://")) or name in queues:
            problem = f"has {part!r}, and takes NAME=URL, NAME=URL with names of lower-case letters, each once"
            raise SettingsError(variable=f"{_PREFIX}DEAD_LETTER_QUEUES", problem=problem)
        queues[name] = url
    return queues


def _required(environ: Mapping[str, str], name: str) -> str:
    value = _optional(environ, name)
    if value is None:
        raise SettingsError(variable=_PREFIX + name, problem="is not set")
    return value


def _optional(environ: Mapping[str, str], name: str) -> str | None:
    return environ.get(_PREFIX + name, "").strip() or None


def _number(environ: Mapping[str, str], name: str, default: float, *, least: float, most: float = 3600) -> float:
    text = _optional(environ, name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        raise SettingsError(variable=_PREFIX + name, problem="is not a number") from None
    if not least <= value <= most:
        raise SettingsError(variable=_PREFIX + name, problem=f"must be a number from {least:g} to {most:g}")
    return value

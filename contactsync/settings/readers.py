"""How each group is read from the environment; docs/settings.md explains each variable."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from contactsync.fingerprint_keys import key_problem
from contactsync.limits import FOLLOW_UPS_LIMIT
from contactsync.own_variables import PREFIX
from contactsync.settings.groups import (
    AirflowSettings,
    AuditSettings,
    BusSettings,
    CallSettings,
    ClaimSettings,
    ConfigurationSettings,
    DeadLetterSettings,
    DeploymentSettings,
    DesiredSettings,
    FingerprintSettings,
    Group,
    ManagementSettings,
    NoticeSettings,
    PatienceSettings,
    StateSettings,
    SubscriberSettings,
    TriggerSettings,
)
from contactsync.settings.variables import Variables

_ACCOUNT_ID: Final = re.compile(r"[0-9]{12}", re.ASCII)
_QUEUE_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,63}", re.ASCII)
_RESERVED_QUEUE: Final = "outbox"


def management(variables: Variables) -> ManagementSettings:
    """Read the management account."""
    account = variables.required("MANAGEMENT_ACCOUNT_ID")
    if account and not _ACCOUNT_ID.fullmatch(account):
        variables.refuse("MANAGEMENT_ACCOUNT_ID", "is not an account id of 12 digits")
    return ManagementSettings(account)


def configuration(variables: Variables) -> ConfigurationSettings:
    """Read the stored configuration."""
    return ConfigurationSettings(
        table=variables.required("CONFIG_TABLE"),
        key=variables.optional("CONFIG_KEY") or ConfigurationSettings.key,
    )


def state(variables: Variables) -> StateSettings:
    """Read the state table."""
    return StateSettings(
        table=variables.required("STATE_TABLE"),
        retention_days=variables.whole("RETENTION_DAYS", StateSettings.retention_days, least=90, most=3650),
        conflict_tries=variables.whole("CONFLICT_TRIES", StateSettings.conflict_tries, least=1),
    )


def desired(variables: Variables) -> DesiredSettings:
    """Read the table of desired contacts."""
    return DesiredSettings(variables.required("DESIRED_CONTACTS_TABLE"))


def deployment(variables: Variables) -> DeploymentSettings:
    """Read the deployment's name."""
    return DeploymentSettings(variables.required("ENVIRONMENT"), variables.optional("TRIGGER_USER"))


def bus(variables: Variables) -> BusSettings:
    """Read the event bus."""
    return BusSettings(variables.required("EVENTS_TOPIC_ARN"))


def claims(variables: Variables) -> ClaimSettings:
    """Read where large data is stored."""
    return ClaimSettings(variables.optional("CLAIM_BUCKET"))


def fingerprints(variables: Variables) -> FingerprintSettings:
    """Read the HMAC key."""
    for name in ("FINGERPRINT_KEY", "FORMER_FINGERPRINT_KEY"):
        variables.not_an_option(name)
    key, secret = variables.optional("FINGERPRINT_KEY"), variables.optional("FINGERPRINT_SECRET")
    if (key is None) == (secret is None):
        variables.refuse("FINGERPRINT_KEY", f"and {PREFIX}FINGERPRINT_SECRET: exactly one of the two must be set")
    elif key is not None and (problem := key_problem(key)):
        variables.refuse("FINGERPRINT_KEY", problem)
    return FingerprintSettings(key, secret, former_key=variables.optional("FORMER_FINGERPRINT_KEY"))


def calls(variables: Variables) -> CallSettings:
    """Read the timeouts and the role."""
    return CallSettings(
        management_role=variables.optional("MANAGEMENT_ROLE_ARN"),
        connect_timeout=variables.number("CONNECT_TIMEOUT", CallSettings.connect_timeout, least=0.1),
        read_timeout=variables.number("READ_TIMEOUT", CallSettings.read_timeout, least=0.1),
    )


def patience(variables: Variables) -> PatienceSettings:
    """Read the numbers of tries and the waits."""
    default = PatienceSettings
    months = 90 * 86_400
    settings = PatienceSettings(
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
    timeouts = calls(variables)
    if settings.mark_wait <= timeouts.connect_timeout + timeouts.read_timeout:
        variables.refuse("MARK_WAIT", f"must be longer than {PREFIX}CONNECT_TIMEOUT and READ_TIMEOUT together")
    return settings


def audit(variables: Variables) -> AuditSettings:
    """Read the audit trail."""
    return AuditSettings(
        table=variables.required("AUDIT_TABLE"),
        retention_days=variables.whole("AUDIT_RETENTION_DAYS", AuditSettings.retention_days, least=90, most=3650),
    )


def dead_letters(variables: Variables) -> DeadLetterSettings:
    """Read the dead letters."""
    return DeadLetterSettings(
        idempotency_table=variables.required("IDEMPOTENCY_TABLE"),
        queues=_queues(variables),
        trigger_function=variables.optional("TRIGGER_FUNCTION"),
    )


def subscriber(variables: Variables) -> SubscriberSettings:
    """Read what a subscriber's function needs."""
    return SubscriberSettings(
        idempotency_table=variables.required("IDEMPOTENCY_TABLE"),
        dead_letters_url=variables.required("DEAD_LETTERS_URL"),
    )


def notices(variables: Variables) -> NoticeSettings:
    """Read where notices are sent."""
    return NoticeSettings(
        topic=variables.required("NOTICES_TOPIC_ARN"),
        ops_items=variables.flag("OPS_ITEMS"),
        airflow_url=variables.optional("AIRFLOW_URL"),
    )


def trigger(variables: Variables) -> TriggerSettings:
    """Read where the trigger function starts runs."""
    return TriggerSettings(
        mwaa_environment=variables.required("MWAA_ENVIRONMENT"),
        mwaa_region=variables.required("MWAA_REGION"),
    )


def airflow(variables: Variables) -> AirflowSettings:
    """Read which Airflow commands use: one at an address if somebody can sign in there, or if no MWAA is named."""
    url, username = variables.optional("AIRFLOW_URL"), variables.optional("AIRFLOW_USERNAME")
    password, token = variables.optional("AIRFLOW_PASSWORD"), variables.optional("AIRFLOW_TOKEN")
    if not (username or password or token) and (url is None or variables.optional("MWAA_ENVIRONMENT")):
        trigger(variables)
        return AirflowSettings(None)
    if url is None:
        variables.refuse("AIRFLOW_URL", "is not set, and without it there is no Airflow to sign in at")
    elif not _is_address(url):
        variables.refuse("AIRFLOW_URL", "is not an address like https://airflow.example.com")
    if token and (username or password):
        variables.refuse("AIRFLOW_TOKEN", f"and {PREFIX}AIRFLOW_USERNAME or AIRFLOW_PASSWORD: only one way can be set")
    elif bool(username) != bool(password):
        variables.refuse("AIRFLOW_USERNAME", f"and {PREFIX}AIRFLOW_PASSWORD: set both, or none of them")
    return AirflowSettings((url or "").rstrip("/").removesuffix("/api/v2"), username, password or "", token)


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 -- it is checked when it is read
    except ValueError:
        return False
    plain = not (parts.username or parts.password or parts.query or parts.fragment)
    return (
        parts.scheme in {"http", "https"} and bool(parts.hostname) and plain and text.isprintable() and " " not in text
    )


def _queues(variables: Variables) -> dict[str, str]:
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


READERS: Final[Mapping[Group, Callable[[Variables], Any]]] = {
    Group.MANAGEMENT: management,
    Group.CONFIGURATION: configuration,
    Group.STATE: state,
    Group.DESIRED: desired,
    Group.DEPLOYMENT: deployment,
    Group.BUS: bus,
    Group.CLAIMS: claims,
    Group.FINGERPRINTS: fingerprints,
    Group.CALLS: calls,
    Group.PATIENCE: patience,
    Group.AUDIT: audit,
    Group.DEAD_LETTERS: dead_letters,
    Group.SUBSCRIBER: subscriber,
    Group.NOTICES: notices,
    Group.TRIGGER: trigger,
    Group.AIRFLOW: airflow,
}

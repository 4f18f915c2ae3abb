"""Which settings the deployed stacks give: what their outputs and parameters mean for commands outside of MWAA."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

OUTPUTS: Final[Mapping[str, tuple[str, str]]] = {
    "CONTACTSYNC_CONFIG_TABLE": ("state", "ConfigTableName"),
    "CONTACTSYNC_STATE_TABLE": ("state", "StateTableName"),
    "CONTACTSYNC_DESIRED_CONTACTS_TABLE": ("state", "DesiredContactsTableName"),
    "CONTACTSYNC_FINGERPRINT_SECRET": ("state", "FingerprintSecretArn"),
    "CONTACTSYNC_EVENTS_TOPIC_ARN": ("bus", "EventsTopicArn"),
    "CONTACTSYNC_CLAIM_BUCKET": ("bus", "ClaimBucketName"),
    "CONTACTSYNC_AUDIT_TABLE": ("bus", "AuditTableName"),
    "CONTACTSYNC_IDEMPOTENCY_TABLE": ("bus", "IdempotencyTableName"),
    "CONTACTSYNC_TRIGGER_FUNCTION": ("trigger", "FunctionName"),
}
"""Outputs that are settings, by the setting: the stack of infra/stacks.yaml, and the output."""

PARAMETERS: Final[Mapping[str, tuple[str, str]]] = {
    "CONTACTSYNC_MANAGEMENT_ACCOUNT_ID": ("trigger", "ManagementAccountId"),
    "CONTACTSYNC_MWAA_ENVIRONMENT": ("trigger", "MwaaEnvironmentName"),
    "CONTACTSYNC_MWAA_REGION": ("trigger", "MwaaRegion"),
}
"""Parameters that are settings."""

QUEUES: Final[Mapping[str, tuple[str, str]]] = {
    "audit": ("bus", "AuditDeadLettersUrl"),
    "notices": ("bus", "NoticesDeadLettersUrl"),
    "rule": ("trigger", "RuleDeadLettersUrl"),
    "trigger": ("trigger", "TriggerDeadLettersUrl"),
}
"""The outputs with the URLs of dead-letter queues, by the queue's name."""

SUBSCRIBER: Final = "subscriber-"
"""How the names of subscribers' stacks begin; each has its queue as `name=url`."""
SUBSCRIBER_QUEUE: Final = "DeadLetterQueue"


@dataclass(frozen=True)
class DeployedStack:
    """A stack that CloudFormation has."""

    name: str
    """Its full name, such as contactsync-prod-bus."""
    outputs: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)


def settings_of(environment: str, stacks: Iterable[DeployedStack]) -> dict[str, str]:
    """Return the settings of an environment; a stack that is missing, or an older one, leaves its settings out."""
    prefix = f"contactsync-{environment}-"
    own = {stack.name.removeprefix(prefix): stack for stack in stacks if stack.name.startswith(prefix)}
    outputs = {name: stack.outputs for name, stack in own.items()}
    parameters = {name: stack.parameters for name, stack in own.items()}
    settings = {"CONTACTSYNC_ENVIRONMENT": environment, **_values(OUTPUTS, outputs), **_values(PARAMETERS, parameters)}
    queues = [f"{name}={url}" for name, url in _values(QUEUES, outputs).items()]
    queues += [
        of[SUBSCRIBER_QUEUE] for name, of in outputs.items() if name.startswith(SUBSCRIBER) and of.get(SUBSCRIBER_QUEUE)
    ]
    return settings | ({"CONTACTSYNC_DEAD_LETTER_QUEUES": ",".join(queues)} if queues else {})


def environments(stacks: Iterable[DeployedStack]) -> list[str]:
    """Return the names of the environments that have a stack with tables; each deployment has one."""
    return sorted(
        stack.name.removeprefix("contactsync-").removesuffix("-state")
        for stack in stacks
        if stack.name.startswith("contactsync-") and stack.name.endswith("-state")
    )


def _values(wanted: Mapping[str, tuple[str, str]], values: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    found = {name: values.get(stack, {}).get(key) for name, (stack, key) in wanted.items()}
    return {name: value for name, value in found.items() if value}

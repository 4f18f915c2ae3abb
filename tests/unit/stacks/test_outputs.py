"""Settings from the outputs and parameters of deployed stacks."""

from pathlib import Path

import pytest

from contactsync.stacks.outputs import (
    OUTPUTS,
    PARAMETERS,
    QUEUES,
    SUBSCRIBER_QUEUE,
    DeployedStack,
    environments,
    settings_of,
)
from contactsync.stacks.stack_file import read_stacks

ROOT = Path(__file__).parents[3]
STATE = DeployedStack("contactsync-prod-state", {"ConfigTableName": "config", "StateTableName": "state"})
BUS = DeployedStack("contactsync-prod-bus", {"EventsTopicArn": "arn:topic", "AuditDeadLettersUrl": "https://audit"})
TRIGGER = DeployedStack(
    "contactsync-prod-trigger",
    {"RuleDeadLettersUrl": "https://rule", "FunctionName": "f"},
    {"ManagementAccountId": "111122223333", "MwaaEnvironmentName": "airflow", "MwaaRegion": "eu-west-1"},
)
OWN = DeployedStack("contactsync-prod-subscriber-billing", {SUBSCRIBER_QUEUE: "billing=https://billing"})


def test_settings() -> None:
    """Outputs and parameters of this environment's stacks become settings; other stacks are left alone."""
    others = [
        DeployedStack("contactsync-prod2-state", {"ConfigTableName": "of prod2"}),
        DeployedStack("somebody-prod-state", {"ConfigTableName": "of somebody"}),
    ]
    assert settings_of("prod", [*others, STATE, BUS, TRIGGER, OWN]) == {
        "CONTACTSYNC_ENVIRONMENT": "prod",
        "CONTACTSYNC_CONFIG_TABLE": "config",
        "CONTACTSYNC_STATE_TABLE": "state",
        "CONTACTSYNC_EVENTS_TOPIC_ARN": "arn:topic",
        "CONTACTSYNC_TRIGGER_FUNCTION": "f",
        "CONTACTSYNC_MANAGEMENT_ACCOUNT_ID": "111122223333",
        "CONTACTSYNC_MWAA_ENVIRONMENT": "airflow",
        "CONTACTSYNC_MWAA_REGION": "eu-west-1",
        "CONTACTSYNC_DEAD_LETTER_QUEUES": "audit=https://audit,rule=https://rule,billing=https://billing",
    }


def test_part_of_a_deployment() -> None:
    """What is not deployed gives no setting: commands that do not need it work."""
    assert settings_of("prod", [STATE]) == {
        "CONTACTSYNC_ENVIRONMENT": "prod",
        "CONTACTSYNC_CONFIG_TABLE": "config",
        "CONTACTSYNC_STATE_TABLE": "state",
    }


def test_environments() -> None:
    """An environment is known by its stack with the tables."""
    stacks = [TRIGGER, DeployedStack("contactsync-dev-2-state"), STATE, DeployedStack("contactsync-old-bus")]
    assert environments(stacks) == ["dev-2", "prod"]


@pytest.mark.parametrize(("stack", "output"), sorted({*OUTPUTS.values(), *QUEUES.values()}))
def test_outputs_exist(stack: str, output: str) -> None:
    """The templates have the outputs that are settings."""
    listed = read_stacks(ROOT / "infra")
    (template,) = (one.template for one in listed.stacks if one.name == stack)
    assert output in listed.templates[template]["Outputs"]


@pytest.mark.parametrize(("stack", "parameter"), sorted(PARAMETERS.values()))
def test_parameters_exist(stack: str, parameter: str) -> None:
    """The templates have the parameters that are settings."""
    listed = read_stacks(ROOT / "infra")
    (template,) = (one.template for one in listed.stacks if one.name == stack)
    assert parameter in listed.templates[template]["Parameters"]

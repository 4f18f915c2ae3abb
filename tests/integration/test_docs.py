"""Documents that can go stale."""

import re
from pathlib import Path

import yaml

from contactsync.sandbox.scenario import parse_scenario
from contactsync.settings import Group, variables_of
from contactsync.sync.config import Configuration

DOCS = Path(__file__).parents[2] / "docs"


def test_documented_scenario_is_valid() -> None:
    """The scenario in docs/sandbox.md can be run as it stands."""
    (text,) = re.findall(r"```yaml\n(.*?)```", (DOCS / "sandbox.md").read_text(), re.DOTALL)
    assert parse_scenario(yaml.safe_load(text)).organization.accounts == 40


def test_every_setting_is_documented() -> None:
    """docs/settings.md names every variable that the code reads, and no other."""
    documented = set(re.findall(r"`(CONTACTSYNC_[A-Z_]+)`", (DOCS / "settings.md").read_text()))
    elsewhere = {
        "CONTACTSYNC_MWAA_ENVIRONMENT",
        "CONTACTSYNC_MWAA_REGION",
        "CONTACTSYNC_DEAD_LETTERS_URL",
        "CONTACTSYNC_NOTICES_TOPIC_ARN",
        "CONTACTSYNC_AIRFLOW_URL",
        "CONTACTSYNC_OPS_ITEMS",
        "CONTACTSYNC_ACCOUNT_TASKS",
        "CONTACTSYNC_DOCS_URL",
    }
    assert documented == {*variables_of(Group)} | elsewhere


def test_every_configuration_key_is_documented() -> None:
    """docs/settings.md has a row for every key of the configuration."""
    text = (DOCS / "settings.md").read_text()
    assert all(f"`{name}" in text for name in Configuration.model_fields)

"""The option --environment and `contactsync env`: settings from the stacks of a deployment."""

import json
import os

import pytest

from contactsync.cli.local.local_system import product_environment
from contactsync.configuration.schema import Configuration
from contactsync.sandbox.server import Sandbox
from contactsync.services.services import Services
from tests.integration.conftest import Command, misused, refused

NOT_FOUND = {
    "CONTACTSYNC_FINGERPRINT_KEY",  # the local system's own
    "CONTACTSYNC_CONNECT_TIMEOUT",
    "CONTACTSYNC_READ_TIMEOUT",
    "CONTACTSYNC_MARK_WAIT",
}


@pytest.fixture
def laptop(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Leave only credentials, region and endpoint in the environment; return what the local system would set."""
    settings = product_environment(sandbox)
    for name in [name for name in os.environ if name.startswith("CONTACTSYNC_")]:
        monkeypatch.delenv(name)
    for name, value in settings.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    return {name: value for name, value in settings.items() if name.startswith("CONTACTSYNC_")}


def test_what_is_found(contactsync: Command, laptop: dict[str, str]) -> None:
    """Everything that a deployment has is found, in both forms."""
    answer = contactsync("--environment", "local", "env", "-o", "json")
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    expected = {name: value for name, value in laptop.items() if name not in NOT_FOUND}
    different = {name: (found.get(name), value) for name, value in expected.items() if found.get(name) != value}
    assert set(different) <= {"CONTACTSYNC_MWAA_REGION"}, different  # the sandbox's trigger stack keeps the default
    assert "CONTACTSYNC_FINGERPRINT_SECRET" in found
    lines = contactsync("--environment", "local", "env").out.splitlines()
    assert f"export CONTACTSYNC_STATE_TABLE={laptop['CONTACTSYNC_STATE_TABLE']}" in lines


def test_commands(contactsync: Command, laptop: dict[str, str]) -> None:
    """A command works with the option alone, and without it says which settings are missing."""
    assert "CONTACTSYNC_CONFIG_TABLE" in contactsync("config", "show").err
    services = Services.from_environment(os.environ | laptop)
    services.configurations.store(Configuration(), after_version=0, changed_by="tests")
    answer = contactsync("--environment", "local", "config", "show")
    assert answer.code == 0, answer.err
    assert "excluded_accounts" in answer.out


def test_a_setting_wins(contactsync: Command, laptop: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is set is used, also as an option of Airflow."""
    assert laptop
    monkeypatch.setenv("CONTACTSYNC_STATE_TABLE", "mine")
    monkeypatch.setenv("AIRFLOW__CONTACTSYNC__CONFIG_TABLE", "an-option")
    found = json.loads(contactsync("--environment", "local", "env", "-o", "json").out)
    assert (found["CONTACTSYNC_STATE_TABLE"], found["CONTACTSYNC_CONFIG_TABLE"]) == ("mine", "an-option")


def test_another_environment(contactsync: Command, laptop: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of one environment are not mixed with those of another one."""
    assert laptop
    monkeypatch.setenv("CONTACTSYNC_ENVIRONMENT", "dev")
    misused(contactsync("--environment", "local", "env"), "CONTACTSYNC_ENVIRONMENT is set to dev")


def test_own_key(contactsync: Command, laptop: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that is set takes the place of the stacks' secret, and all settings of a run can be read."""
    monkeypatch.setenv("CONTACTSYNC_FINGERPRINT_KEY", laptop["CONTACTSYNC_FINGERPRINT_KEY"])
    found = json.loads(contactsync("--environment", "local", "env", "-o", "json").out)
    assert "CONTACTSYNC_FINGERPRINT_SECRET" not in found
    assert Services.from_environment()


def test_unknown(contactsync: Command, laptop: dict[str, str]) -> None:
    """An environment that is not there is one sentence with those that are."""
    assert laptop
    answer = contactsync("--environment", "locale", "env")
    refused(answer, "There is no stack contactsync-locale-state in us-east-1; the environments are local.")
    assert "(did you mean local?)" in answer.err


def test_keys_are_not_printed(contactsync: Command, laptop: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys of fingerprints, and what signs in at Airflow, stay where they are."""
    keys = ("FINGERPRINT_KEY", "FORMER_FINGERPRINT_KEY", "AIRFLOW_PASSWORD", "AIRFLOW_TOKEN")
    for name in (f"CONTACTSYNC_{key}" for key in keys):
        monkeypatch.setenv(name, laptop["CONTACTSYNC_FINGERPRINT_KEY"])
    assert laptop["CONTACTSYNC_FINGERPRINT_KEY"] not in contactsync("env").out


def test_help_asks_nothing(contactsync: Command, laptop: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Help is shown without a call to AWS."""
    assert laptop
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert contactsync("--environment", "local", "config", "show", "--help").code == 0

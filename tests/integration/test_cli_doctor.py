"""`contactsync doctor` on a sandbox: one line for each check, whatever is missing or wrong."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from contactsync.configuration.schema import Configuration
from contactsync.sandbox.requests.faults import FaultSettings
from contactsync.sandbox.server import Sandbox
from contactsync.services.services import Services
from tests.integration.conftest import Command
from tests.support.fakes.airflow import FakeAirflow, served

READS = ("configuration", "operations", "desired-contacts", "audit-trail", "events-topic", "dead-letters", "airflow")


@pytest.fixture
def complete(deployment: Sandbox) -> Iterator[Sandbox]:
    """Give a deployment with a configuration and an Airflow."""
    services = Services.from_environment()
    services.configurations.store(Configuration(), after_version=0, changed_by="tests")
    with served(FakeAirflow()) as url:
        deployment.register_airflow(url, "user", "password")
        yield deployment


def found(answer_out: str) -> dict[str, dict[str, str]]:
    """Return the findings of JSON output by their names."""
    return {one["name"]: one for one in json.loads(answer_out)}


@pytest.mark.usefixtures("complete")
def test_healthy(contactsync: Command) -> None:
    """Where nothing is missing each line has its sign and what was found, and the exit code is 0."""
    answer = contactsync("doctor")
    assert answer.code == 0, answer.out
    lines = dict(line[2:].split(": ", 1) for line in answer.out.splitlines())
    assert {line[0] for line in answer.out.splitlines()} == {"✓"}
    assert set(READS) < set(lines)
    assert "111122223333" in lines["credentials"]
    assert "(from env)" in lines["credentials"]
    assert lines["configuration"] == "Version 1 is valid."
    assert "audit 0, notices 0" in lines["dead-letters"]
    assert lines["events-topic"] == "The topic has 2 subscriptions."
    assert lines["airflow"] == "MWAA's environment contactsync-local answers; the DAG contact_sync is active."
    assert "FINGERPRINT_KEY)" in lines["settings"] or "CONTACTSYNC_FINGERPRINT_KEY" in lines["settings"]
    assert os.environ["CONTACTSYNC_FINGERPRINT_KEY"] not in answer.out


@pytest.mark.usefixtures("complete")
def test_from_stacks(contactsync: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --environment alone, settings come from the stacks, except for those that are set."""
    for name in [name for name in os.environ if name.startswith("CONTACTSYNC_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CONTACTSYNC_CONFIG_KEY", "mine")
    answer = contactsync("--environment", "local", "doctor", "-o", "json")
    findings = found(answer.out)
    assert findings["settings"]["state"] == "ok"
    assert "from variables (CONTACTSYNC_CONFIG_KEY)" in findings["settings"]["sentence"]
    assert "from the stacks of local (CONTACTSYNC_AUDIT_TABLE, " in findings["settings"]["sentence"]
    assert findings["configuration"]["state"] == "failed"
    assert "config init" in findings["configuration"]["sentence"] + findings["configuration"]["remedy"]
    assert answer.code == 1


@pytest.mark.usefixtures("complete")
def test_unknown_environment(contactsync: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that is not there is one of the findings; the others are made all the same."""
    for name in [name for name in os.environ if name.startswith("CONTACTSYNC_")]:
        monkeypatch.delenv(name)
    answer = contactsync("--environment", "lokal", "doctor", "-o", "json")
    findings = found(answer.out)
    assert answer.code == 1
    assert "did you mean local?" in findings["settings"]["sentence"]
    assert findings["credentials"]["state"] == "ok"
    assert {findings[name]["state"] for name in READS} == {"unknown"}


@pytest.mark.usefixtures("complete")
def test_wrong_table(contactsync: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that is not there, and a setting that is wrong, are named by the checks that need them."""
    monkeypatch.setenv("CONTACTSYNC_AUDIT_TABLE", "contactsync-local-audio")
    monkeypatch.setenv("CONTACTSYNC_RETENTION_DAYS", "7")
    answer = contactsync("doctor")
    bad = {line.split(": ")[0]: line for line in answer.out.splitlines() if line[0] not in "✓ "}
    assert (answer.code, list(bad)) == (1, ["✗ operations", "✗ audit-trail", "✗ dead-letters"])
    assert "CONTACTSYNC_RETENTION_DAYS must be a number from 90 to 3650." in bad["✗ operations"]
    assert "ResourceNotFoundException" in bad["✗ audit-trail"]


@pytest.mark.parametrize(
    ("service", "operation", "error", "name", "state"),
    [
        ("dynamodb", "Query", "AccessDeniedException", "operations", "failed"),
        ("sns", "ListSubscriptionsByTopic", "AuthorizationError", "events-topic", "failed"),
        ("sqs", "GetQueueAttributes", "AccessDenied", "dead-letters", "failed"),
        ("sqs", "GetQueueAttributes", "ThrottlingException", "dead-letters", "unknown"),
        ("sts", "GetCallerIdentity", "ExpiredToken", "credentials", "failed"),
        ("sts", "GetCallerIdentity", "InvalidClientTokenId", "credentials", "failed"),
        ("sts", "GetCallerIdentity", "RequestExpired", "clock", "failed"),
    ],
)
def test_refused(
    complete: Sandbox, contactsync: Command, service: str, operation: str, error: str, name: str, state: str
) -> None:
    """What AWS refuses is a finding with its remedy, and what may pass by itself is not a failure."""
    fault = complete.conditions.faults.add(FaultSettings(service=service, operation=operation, error=error))
    try:
        answer = contactsync("doctor", "-o", "json")
    finally:
        complete.conditions.faults.remove(fault.id)
    findings = found(answer.out)
    assert findings[name]["state"] == state, findings
    assert findings[name]["remedy"]
    assert (answer.code == 1) == (state == "failed")


@pytest.mark.usefixtures("complete")
def test_no_credentials(contactsync: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without credentials the checks of AWS are dashes, and one line says where credentials come from."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    answer = contactsync("doctor")
    assert answer.code == 1
    assert sum(line.startswith("✗") for line in answer.out.splitlines()) == 1
    assert "✗ credentials: " in answer.out
    assert "aws sso login" in answer.out


def test_bare(contactsync: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine with nothing at all the command still answers, and calls nothing."""
    for name in [name for name in os.environ if name.startswith(("CONTACTSYNC_", "AWS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    answer = contactsync("doctor")
    assert answer.code == 1
    assert "✗ region: No region is set." in answer.out
    assert answer.err == ""


@pytest.mark.usefixtures("complete")
def test_another_environment(contactsync: Command) -> None:
    """Settings of two environments are refused here as everywhere."""
    answer = contactsync("--environment", "prod", "doctor")
    assert answer.code == 2
    assert "CONTACTSYNC_ENVIRONMENT is set to local" in answer.err

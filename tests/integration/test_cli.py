"""The command line on a sandbox: what it prints, and the exit codes 0 (fine), 1 (failed) and 2 (wrong usage)."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import typer

from contactsync.cli.app import app
from contactsync.contacts import ContactType
from contactsync.operations.operation import (
    AccountOutcome,
    Attempt,
    OperationStatus,
    OutcomeDetail,
    OutcomeStatus,
    sync_id_of,
)
from contactsync.sandbox.contacts.defaults import member_account_id
from contactsync.sandbox.requests.faults import FaultSettings
from contactsync.sandbox.server import Sandbox
from contactsync.services.services import Services
from tests.integration.conftest import Command, misused, refused
from tests.support.builders import operation
from tests.support.fakes.surroundings import START

ONE, TWO = (member_account_id(number) for number in (1, 2))
SETTINGS: dict[str, Any] = {"contact_types": ["security"], "notification_settings": {"failure_threshold": 2}}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Write a valid configuration."""
    path = tmp_path / "configuration.json"
    path.write_text(json.dumps(SETTINGS))
    return path


@pytest.mark.parametrize(
    ("error", "text"),
    [("AccessDeniedException", "AccessDenied"), ("ResourceNotFoundException", "CONTACTSYNC_")],
)
def test_aws_refuses(deployment: Sandbox, contactsync: Command, error: str, text: str) -> None:
    """What AWS refuses is one sentence that says what to do."""
    added = deployment.conditions.faults.add(FaultSettings(service="dynamodb", error=error))
    try:
        refused(contactsync("config", "show"), text)
        refused(contactsync("report"), text)
    finally:
        deployment.conditions.faults.remove(added.id)


@pytest.mark.usefixtures("deployment")
def test_no_region(contactsync: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a region the command ends with one sentence too."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    refused(contactsync("config", "show"), "region")


@pytest.mark.usefixtures("deployment")
def test_no_such_run(contactsync: Command) -> None:
    """A run without an operation is named."""
    refused(contactsync("report", "no-such-run"), "no-such-run")


def settled(number: int, status: OutcomeStatus, detail: OutcomeDetail) -> AccountOutcome:
    """Return the outcome of a member after one try."""
    attempt = Attempt(1, START, START + timedelta(seconds=2), status, detail)
    return AccountOutcome(member_account_id(number), f"member-{number}", ContactType.SECURITY).settled(attempt)


@pytest.mark.usefixtures("deployment")
def test_report(contactsync: Command, file: Path) -> None:
    """The report of a run has its numbers and every account; without a name it is the newest run's."""
    contactsync("config", "put", file)
    operations = Services.from_environment().operations
    outcomes = [
        settled(1, OutcomeStatus.SUCCESS, OutcomeDetail.UPDATED),
        settled(2, OutcomeStatus.FAILED, OutcomeDetail.UNAVAILABLE),
    ]
    for minute, run in enumerate(("the first run", "the second run")):
        moment = START + timedelta(minutes=minute)
        planned = operation(ContactType.SECURITY, run=run, timestamp=moment, planned=moment)
        operations.store_plan(planned, [])
        operations.store_outcomes(planned, outcomes)
        operations.update(replace(planned, status=OperationStatus.COMPLETED, finished=moment))
    answer = contactsync("report", "the first run")
    assert (answer.code, answer.err) == (0, "")
    headline, *table = answer.out.splitlines()
    assert "completed" in headline
    assert "1 success, 1 failed" in headline
    rows = [line for line in table if ONE in line or TWO in line]
    assert [TWO in row for row in rows] == [False, True]
    assert contactsync("report", sync_id_of("the first run")) == answer
    assert planned.sync_id in contactsync("report").out
    assert planned.sync_id not in answer.out


@pytest.mark.usefixtures("deployment")
def test_no_credentials(contactsync: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without credentials the sentence says how to get them."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    refused(contactsync("operations", "list"), "aws sso login")


@pytest.mark.parametrize(
    "arguments",
    [
        ("config", "put"),
        ("config", "put", "/no/such/file.json"),
        ("config", "validate", "/"),
        ("config", "put", __file__, "--after-version", "two"),
        ("config", "show", "more"),
        ("config", "remove"),
        ("report", "one", "two"),
        ("report", "--all"),
        ("explode",),
    ],
)
def test_usage(contactsync: Command, arguments: tuple[str, ...]) -> None:
    """Wrong usage ends with code 2 and says what is wrong on stderr."""
    misused(contactsync(*arguments))


@pytest.mark.parametrize("command", [(), ("config",), ("config", "put"), ("config", "show"), ("report",)])
def test_help(contactsync: Command, command: tuple[str, ...]) -> None:
    """Every command explains itself."""
    answer = contactsync(*command, "--help")
    assert (answer.code, answer.err) == (0, "")
    assert "Usage: " in answer.out


def commands(group: Any) -> Iterator[Any]:
    """Yield the commands of a group and of the groups in it."""
    for command in group.commands.values():
        if hasattr(command, "commands"):
            yield from commands(command)
        else:
            yield command


def test_examples() -> None:
    """Every command's help has an example to paste."""
    found = list(commands(typer.main.get_command(app)))
    assert len(found) > 20
    assert [one.name for one in found if "Example: " not in f"{one.help}{one.epilog}"] == []

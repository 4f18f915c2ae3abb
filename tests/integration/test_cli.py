"""The command line on a sandbox: what it prints, and the exit codes 0 (fine), 1 (failed) and 2 (wrong usage)."""

import json
import os
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from contactsync.cli.app import main
from contactsync.cli.local_system import product_environment
from contactsync.sandbox.defaults import member_account_id
from contactsync.sandbox.faults import FaultSettings
from contactsync.sandbox.scenario import Scenario
from contactsync.sandbox.server import Sandbox
from contactsync.services import Services
from contactsync.sync.config import Configuration
from tests.builders import request

ROOT = Path(__file__).parents[2]
ONE, TWO = (member_account_id(number) for number in (1, 2))
SETTINGS: dict[str, Any] = {"contact_types": ["security"], "notification_settings": {"failure_threshold": 2}}


@dataclass(frozen=True)
class Answer:
    """What a command left: exit code, output and error output."""

    code: object
    out: str
    err: str


Command = Callable[..., Answer]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Run a sandbox of two members with the project's templates."""
    scenario = Scenario.model_validate({"organization": {"accounts": 2}, "quotas": {"enabled": False}})
    with Sandbox(scenario, templates=ROOT / "infra") as running:
        yield running


@pytest.fixture
def deployment(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """Set the environment of a deployment that has no configuration yet."""
    for name, value in product_environment(sandbox).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CONTACTSYNC_CONFIG_KEY", str(uuid.uuid4()))
    return sandbox


@pytest.fixture
def contactsync(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the command as the shell does, in this process."""

    def run(*arguments: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["contactsync", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return Answer(ended.value.code or 0, captured.out, captured.err)

    return run


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Write a valid configuration."""
    path = tmp_path / "configuration.json"
    path.write_text(json.dumps(SETTINGS))
    return path


def refused(answer: Answer, text: str) -> None:
    """Check that a command failed with one sentence that has a text in it, and no traceback."""
    assert answer.code == 1
    assert answer.out == ""
    assert answer.err.startswith("contactsync: ")
    assert len(answer.err.splitlines()) == 1
    assert text in answer.err


@pytest.mark.usefixtures("deployment")
def test_put_and_show(contactsync: Command, file: Path) -> None:
    """What is stored is shown with its defaults, and its version goes to stderr so that the output can be stored."""
    assert contactsync("config", "put", file) == Answer(0, "Stored as version 1.\n", "")
    shown = contactsync("config", "show")
    assert (shown.code, shown.err) == (0, "version 1\n")
    assert json.loads(shown.out) == Configuration.model_validate(SETTINGS).model_dump(mode="json")
    file.write_text(shown.out)
    assert contactsync("config", "put", file).out == "Stored as version 2.\n"
    assert contactsync("config", "show").out == shown.out


@pytest.mark.usefixtures("deployment")
def test_after_version(contactsync: Command, file: Path) -> None:
    """A change of another version than the one in force is refused, and the sentence says what to do."""
    assert contactsync("config", "put", file, "--after-version", 0).code == 0
    for stale in (0, 2, 77):
        refused(contactsync("config", "put", file, "--after-version", stale), "config show")
    assert contactsync("config", "put", file, "--after-version", 1).out == "Stored as version 2.\n"


@pytest.mark.usefixtures("deployment")
def test_replaces_an_invalid_one(contactsync: Command, file: Path) -> None:
    """A configuration in force that is invalid is named by its version, and can be replaced."""
    services = Services.from_environment()
    client: Any = services._dynamodb
    item = {"config_key": {"S": services.settings.config_key}, "version": {"N": "4"}, "contact_types": {"L": []}}
    client.put_item(TableName=services.settings.config_table, Item=item)
    refused(contactsync("config", "show"), "version 4")
    assert contactsync("config", "put", file).out == "Stored as version 5.\n"
    assert contactsync("config", "show").code == 0


@pytest.mark.usefixtures("deployment")
def test_nothing_stored(contactsync: Command) -> None:
    """Without a configuration the sentence says how to store one."""
    refused(contactsync("config", "show"), "contactsync config put")


def test_validate(contactsync: Command, file: Path) -> None:
    """A file can be checked without any deployment."""
    assert not [name for name in os.environ if name.startswith("CONTACTSYNC_")]
    assert contactsync("config", "validate", file) == Answer(0, "The configuration is valid.\n", "")


@pytest.mark.parametrize("command", ["validate", "put"])
@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b'{"contact_types": []}', "contact_types"),
        (b'{"excluded_accounts": ["1"], "deletion": {"policy": "never"}}', "deletion.policy"),
        (b'{"excluded": []}', "excluded"),
        (b"[]", "configuration"),
        (b"{", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"", "is not JSON"),
    ],
)
@pytest.mark.usefixtures("deployment")
def test_invalid_file(contactsync: Command, file: Path, command: str, content: bytes, problem: str) -> None:
    """A file that is no valid configuration is refused with its problems, and nothing is stored."""
    file.write_bytes(content)
    refused(contactsync("config", command, file), problem)
    assert contactsync("config", "show").code == 1


@pytest.mark.parametrize("command", [("config", "show"), ("config", "put"), ("report",)])
def test_settings_missing(contactsync: Command, file: Path, command: tuple[str, ...]) -> None:
    """Without the deployment's variables the first missing one is named."""
    given = (*command, file) if command[-1] == "put" else command
    refused(contactsync(*given), "CONTACTSYNC_MANAGEMENT_ACCOUNT_ID")


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


@pytest.mark.usefixtures("deployment")
def test_report(contactsync: Command, file: Path) -> None:
    """The report of a run has its numbers and every account; without a name it is the newest run's."""
    contactsync("config", "put", file)
    services = Services.from_environment()
    for run in ("the first run", "the second run"):
        services.planner.plan(request(dag_run_id=run), map_limit=9)
        operation, _ = services.account_sync.open(run)
        services.account_sync.sync(operation, ONE, 1)
        services.reporter.report(run, {ONE: "success", TWO: "failed"}, planned=True)
    answer = contactsync("report", "the first run")
    assert (answer.code, answer.err) == (0, "")
    headline, *table = answer.out.splitlines()
    assert "completed" in headline
    assert "1 success, 1 failed" in headline
    rows = [line for line in table if ONE in line or TWO in line]
    assert [TWO in row for row in rows] == [True, False]
    assert "NoOutcome" in rows[0]
    assert operation.sync_id in contactsync("report").out
    assert operation.sync_id not in answer.out


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
    answer = contactsync(*arguments)
    assert answer.code == 2
    assert answer.out == ""
    assert "Usage: " in answer.err
    assert "Traceback" not in answer.err


@pytest.mark.parametrize("command", [(), ("config",), ("config", "put"), ("config", "show"), ("report",)])
def test_help(contactsync: Command, command: tuple[str, ...]) -> None:
    """Every command explains itself."""
    answer = contactsync(*command, "--help")
    assert (answer.code, answer.err) == (0, "")
    assert "Usage: " in answer.out

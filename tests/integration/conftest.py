"""The command line on a sandbox of two members with the project's templates."""

import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from contactsync.cli.app import main
from contactsync.cli.local.local_system import product_environment
from contactsync.sandbox.scenario.scenario import Scenario
from contactsync.sandbox.server import Sandbox
from contactsync.services.services import Services

ROOT = Path(__file__).parents[2]


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
def services(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Services:
    """Give the services of the deployment in the module's sandbox."""
    for name, value in product_environment(sandbox).items():
        monkeypatch.setenv(name, value)
    return Services.from_environment()


@pytest.fixture
def key() -> str:
    """Give a correlation id that no other test uses."""
    return str(uuid.uuid4())


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


def refused(answer: Answer, text: str) -> None:
    """Check that a command failed with one sentence that has a text in it, and no traceback."""
    assert answer.code == 1
    assert answer.out == ""
    assert answer.err.startswith("contactsync: ")
    assert len(answer.err.splitlines()) == 1
    assert text in answer.err


def misused(answer: Answer, text: str = "") -> None:
    """Check that wrong usage ended a command, and that it said what is wrong."""
    assert answer.code == 2
    assert answer.out == ""
    assert "Usage: " in answer.err
    assert text in " ".join(answer.err.replace("│", " ").split())
    assert "Traceback" not in answer.err

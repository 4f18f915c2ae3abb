"""Each command asks only for the variables that it uses, and names all of those that are missing at once."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from contactsync.cli.local.local_system import product_environment
from contactsync.sandbox.server import Sandbox
from tests.integration.conftest import Command, refused

STATE, CONFIG = "CONTACTSYNC_STATE_TABLE", "CONTACTSYNC_CONFIG_TABLE"
DEPLOYMENT, TOPIC = "CONTACTSYNC_ENVIRONMENT", "CONTACTSYNC_EVENTS_TOPIC_ARN"
AUDIT, IDEMPOTENCY = "CONTACTSYNC_AUDIT_TABLE", "CONTACTSYNC_IDEMPOTENCY_TABLE"
QUEUES, DESIRED = "CONTACTSYNC_DEAD_LETTER_QUEUES", "CONTACTSYNC_DESIRED_CONTACTS_TABLE"
STORING = (CONFIG, STATE, DEPLOYMENT, TOPIC)
LETTERS = (IDEMPOTENCY, QUEUES, AUDIT, STATE, DEPLOYMENT)

NEEDS: Sequence[tuple[tuple[str, ...], tuple[str, ...]]] = [
    (("operations", "list"), (STATE,)),
    (("operations", "show", "run-a"), (STATE,)),
    (("operations", "desired"), (DESIRED,)),
    (("accounts", "history", "123456789012"), (STATE,)),
    (("export",), (STATE,)),
    (("report",), (STATE, CONFIG)),
    (("notices", "deliveries", "run-a"), (STATE,)),
    (("audit", "--since", "1d"), (AUDIT,)),
    (("dead-letters", "list"), LETTERS),
    (("dead-letters", "redrive", "audit", "--all"), LETTERS),
    (("config", "show"), (CONFIG,)),
    (("config", "history"), (CONFIG,)),
    (("config", "diff", "1"), (CONFIG,)),
    (("config", "put", "FILE"), STORING),
    (("config", "set", "deletion.policy=ignore"), STORING),
    (("config", "rollback", "1"), STORING),
    (("config", "init"), STORING),
    (("config", "add", "excluded_accounts", "123456789012"), STORING),
    (("config", "remove", "excluded_accounts", "123456789012"), STORING),
    (("dead-letters", "show", "audit", "059f36b4-87a3-44ab-83d2-661975040000"), LETTERS),
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Write a configuration."""
    path = tmp_path / "configuration.json"
    path.write_text("{}")
    return path


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take all of our variables away."""
    for name in [name for name in os.environ if name.startswith("CONTACTSYNC_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(("command", "needed"), NEEDS)
def test_all_named(contactsync: Command, file: Path, command: tuple[str, ...], needed: tuple[str, ...]) -> None:
    """Without any variable all that the command uses are named in one sentence, and no other."""
    answer = contactsync(*(file if part == "FILE" else part for part in command))
    refused(answer, "not set")
    assert {word.strip(",.;") for word in answer.err.split() if word.startswith("CONTACTSYNC_")} == set(needed)


@pytest.mark.usefixtures("bare")
def test_region(contactsync: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A region that nothing names is named with the rest; a profile may name it."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    refused(contactsync("audit", "--since", "1d"), "AWS_REGION is not set, and no AWS profile names a region")
    refused(contactsync("audit", "--since", "1d"), "CONTACTSYNC_AUDIT_TABLE is not set")
    (tmp_path / "config").write_text("[default]\nregion = eu-west-1\n")
    assert "AWS_REGION" not in contactsync("audit", "--since", "1d").err


@pytest.mark.parametrize(("command", "needed"), NEEDS)
def test_enough(
    sandbox: Sandbox,
    contactsync: Command,
    monkeypatch: pytest.MonkeyPatch,
    file: Path,
    command: tuple[str, ...],
    needed: tuple[str, ...],
) -> None:
    """These variables are enough: whatever the command answers, it asks for no other."""
    for name, value in product_environment(sandbox).items():
        monkeypatch.delenv(name, raising=False)
        if name in needed or name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    answer = contactsync(*(file if part == "FILE" else part for part in command))
    assert answer.code in {0, 1}
    assert "contactsync: Environment variable" not in answer.err
    assert "Traceback" not in answer.err

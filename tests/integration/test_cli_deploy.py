"""`contactsync deploy` before it calls AWS: wrong usage, and packages that cannot be deployed."""

from pathlib import Path

import pytest

from tests.integration.conftest import Command, misused, refused
from tests.support.releases import packages

HERE = ("deploy", "--environment", "dev", "--account-id", "111122223333", "--notification-email", "ops@example.com")


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no call reach anything."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "none")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")


def test_no_terminal(contactsync: Command) -> None:
    """Where nobody can be asked, the command says what to add."""
    misused(contactsync(*HERE), "add --yes, or --preview")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--set", "LogLevel"), "NAME=VALUE is expected"),
        (("--set", "=x"), "NAME=VALUE is expected"),
        (("--set", "LogLevel=DEBUG", "--set", "LogLevel=INFO"), "two values are given"),
        (("--packages", "nowhere"), "nowhere"),
        (("--account-id", "1234"), "is not an account id of 12 digits"),
    ],
)
def test_usage(contactsync: Command, arguments: tuple[str, ...], text: str) -> None:
    """Wrong values are refused with what is expected."""
    misused(contactsync(*HERE, "--yes", *arguments), text)


def test_no_environment(contactsync: Command) -> None:
    """The environment is named before or after the command's name."""
    misused(contactsync("deploy", "--account-id", "111122223333", "--yes"), "--environment is needed")


def test_broken_packages(contactsync: Command, tmp_path: Path) -> None:
    """Packages that are not whole are one sentence, before anything is asked of AWS."""
    folder = packages(tmp_path / "packages")
    (folder / "plugins.zip").write_text("changed")
    refused(
        contactsync(*HERE, "--yes", "--packages", folder), "plugins.zip is not the file that manifest.json describes"
    )


def test_no_network(contactsync: Command, tmp_path: Path) -> None:
    """Without a way to AWS nothing is done, and the sentence says what to check."""
    folder = packages(tmp_path / "packages")
    refused(contactsync(*HERE, "--yes", "--packages", folder), "DescribeStacks")

"""The command in an environment that has only what the wheel itself requires: no moto, no requests, no Airflow."""

import os
import subprocess
import sys

import pytest

WITHOUT = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"moto", "requests", "werkzeug", "airflow", "aws_lambda_powertools", "flask"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
from contactsync.cli.app import main
main()
"""


def contactsync(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command where the extras are missing."""
    environment = {**os.environ, "AWS_DEFAULT_REGION": "us-east-1"}
    program = [sys.executable, "-c", WITHOUT, *arguments]
    return subprocess.run(program, capture_output=True, text=True, env=environment, timeout=60, check=False)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["sandbox", "--help"],
        ["sandbox", "faults", "add", "--help"],
        ["demo", "--help"],
        ["env"],
        ["notices", "preview", "halted"],
        ["notices", "list"],
    ],
    ids=" ".join,
)
def test_works(arguments: list[str]) -> None:
    """What needs no sandbox works."""
    answer = contactsync(*arguments)
    assert (answer.returncode, answer.stderr) == (0, ""), answer.stderr


@pytest.mark.parametrize(
    "arguments",
    [["sandbox", "start"], ["sandbox", "status"], ["sandbox", "inbox", "--follow"], ["demo", "--once"]],
    ids=" ".join,
)
def test_what_to_install(arguments: list[str]) -> None:
    """What needs the sandbox says which package is missing and how to get it, in one sentence."""
    answer = contactsync(*arguments)
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr.startswith("contactsync: This command needs the Python package ")
    assert answer.stderr.endswith("which is not installed. Run `make setup`.\n")


@pytest.mark.parametrize("arguments", [["sync"], ["operations", "list"], ["approvals", "list"], ["config", "show"]])
def test_other_errors(arguments: list[str]) -> None:
    """Commands on a deployment get as far as their settings."""
    answer = contactsync(*arguments)
    assert (answer.returncode, answer.stdout) == (1, "")
    assert "is not set" in answer.stderr.replace("are not set", "is not set")


def test_doctor() -> None:
    """The doctor looks at what is installed, and needs none of it."""
    answer = contactsync("doctor")
    assert answer.returncode == 1
    assert "✗ credentials" in answer.stdout
    assert answer.stderr == ""

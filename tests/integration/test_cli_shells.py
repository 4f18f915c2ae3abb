"""The command line as a process, in shells of all kinds: one sentence or the whole output, and never a traceback."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from contactsync.cli.local.local_system import product_environment
from contactsync.configuration.schema import Configuration
from contactsync.contacts import ContactType
from contactsync.operations.operation import AccountOutcome, Attempt, OperationStatus, OutcomeDetail, OutcomeStatus
from contactsync.sandbox.contacts.defaults import member_account_id
from contactsync.sandbox.requests.faults import FaultSettings
from contactsync.sandbox.server import Sandbox
from contactsync.services.services import Services
from tests.support.builders import operation
from tests.support.fakes.surroundings import START

MAIN: Final = "from contactsync.cli.app import main; main()"
NAME: Final = "日本支社 é"
RUN: Final = "shells é 日本"
OLD_LOCALE: Final = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}

Shell = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture(scope="module")
def environment(sandbox: Sandbox) -> Mapping[str, str]:
    """Store a run whose account has a name outside of most encodings; return the deployment's environment."""
    found = product_environment(sandbox)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in found.items():
            patch.setenv(name, value)
        services = Services.from_environment()
        services.configurations.store(Configuration(), after_version=0, changed_by="tests")
        planned = operation(ContactType.SECURITY, run=RUN)
        attempt = Attempt(1, START, START, OutcomeStatus.SUCCESS, OutcomeDetail.UPDATED)
        outcomes = [
            AccountOutcome(member_account_id(number), NAME, ContactType.SECURITY).settled(attempt)
            for number in range(1, 300)
        ]
        services.operations.store_plan(planned, [])
        services.operations.store_outcomes(planned, outcomes)
        services.operations.update(replace(planned, status=OperationStatus.COMPLETED, finished=START))
    return found


@pytest.fixture
def shell(environment: Mapping[str, str], tmp_path: Path) -> Shell:
    """Run a command as a process in the deployment's environment with further variables; None drops one."""

    def run(*arguments: str, variables: Mapping[str, str | None] | None = None, pipe: str = "") -> object:
        given = {**os.environ, **environment, "CONTACTSYNC_CONNECT_TIMEOUT": "1", **(variables or {})}
        command = [sys.executable, "-c", MAIN, *arguments]
        if pipe:
            command = ["bash", "-c", f'"$0" "$@" {pipe}; exit ${{PIPESTATUS[0]}}', *command]
        return subprocess.run(
            command,
            env={name: value for name, value in given.items() if value is not None},
            capture_output=True,
            check=False,
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
        )

    return run  # type: ignore[return-value] # a Callable[...] has no keyword arguments of its own


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"AWS_PROFILE": "missing"}, "AWS_PROFILE"),
        ({"AWS_DEFAULT_PROFILE": "missing"}, "AWS_DEFAULT_PROFILE"),
        ({"AWS_CONFIG_FILE": sys.executable}, "AWS_CONFIG_FILE"),
        ({"AWS_DEFAULT_REGION": "eu-west-1 "}, "AWS_DEFAULT_REGION"),
        ({"AWS_DEFAULT_REGION": "eu_west_1/x"}, "AWS_DEFAULT_REGION"),
        ({"AWS_DEFAULT_REGION": None}, "AWS_REGION"),
        ({"AWS_ENDPOINT_URL": "nonsense"}, "AWS_ENDPOINT_URL"),
        ({"AWS_ENDPOINT_URL": "localhost:4599"}, "AWS_ENDPOINT_URL"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "DynamoDB at http://127.0.0.1:9"),
        ({"AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:9"}, "http://127.0.0.1:9"),
        ({"AWS_STS_REGIONAL_ENDPOINTS": "x"}, "AWS_STS_REGIONAL_ENDPOINTS"),
        ({"AWS_DEFAULTS_MODE": "x"}, "AWS_DEFAULTS_MODE"),
        ({"AWS_REQUEST_CHECKSUM_CALCULATION": "x"}, "AWS_REQUEST_CHECKSUM_CALCULATION"),
        ({"AWS_ACCOUNT_ID_ENDPOINT_MODE": "x"}, "AWS_ACCOUNT_ID_ENDPOINT_MODE"),
        ({"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}, "aws sso login"),
        ({"AWS_SECRET_ACCESS_KEY": None}, "aws sso login"),
        ({"AWS_SESSION_TOKEN": "a\nb"}, "AWS_SESSION_TOKEN"),
        ({"http_proxy": "http://127.0.0.1:9", "NO_PROXY": "", "no_proxy": ""}, "HTTPS_PROXY"),
    ],
)
def test_one_sentence(shell: Shell, variables: Mapping[str, str | None], words: str) -> None:
    """What is wrong with the shell's AWS variables is one sentence that names it, and exit code 1."""
    answer = shell("operations", "list", variables=variables)
    told = answer.stderr.decode()
    assert answer.returncode == 1, told
    assert told.startswith("contactsync: ")
    assert len(told.splitlines()) == 1
    assert words in told
    assert "tried again" not in told


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("ExpiredTokenException", "aws sso login"),
        ("UnrecognizedClientException", "aws sso login"),
        ("InvalidSignatureException", "aws sso login"),
        ("RequestExpired", "clock"),
        ("AccessDeniedException", "aws sts get-caller-identity"),
        ("OptInRequired", "aws sts get-caller-identity"),
        ("BrandNewException", "look it up"),
    ],
)
def test_refused(shell: Shell, sandbox: Sandbox, code: str, words: str) -> None:
    """What AWS refuses is one sentence about this call, with what the person at the command line can do."""
    added = sandbox.conditions.faults.add(FaultSettings(service="dynamodb", error=code, status=400))
    try:
        answer = shell("operations", "list")
    finally:
        sandbox.conditions.faults.remove(added.id)
    told = answer.stderr.decode()
    assert answer.returncode == 1
    assert len(told.splitlines()) == 1
    assert all(part in told for part in (code, "DynamoDB", sandbox.endpoint_url, words))
    assert not any(part in told for part in ("trusted access", "task", "tried again"))


@pytest.mark.parametrize(
    "variables",
    [
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONIOENCODING": "ascii:strict"},
        {"PYTHONIOENCODING": "cp437"},
        {"PYTHONIOENCODING": "utf-8:strict"},
        OLD_LOCALE,
        {"LANG": "xx_YY.nonsense"},
        {"TERM": "nonsense", "COLORTERM": "x"},
        {"NO_COLOR": "1"},
        {"FORCE_COLOR": "1"},
        {"TTY_COMPATIBLE": "1"},
        {"COLUMNS": "20"},
        {"COLUMNS": "0", "LINES": "x", "TERMINAL_WIDTH": "abc"},
        {"TZ": "nonsense/x"},
    ],
    ids=str,
)
@pytest.mark.parametrize("arguments", [("operations", "show", RUN), ("--help",)])
def test_whole(shell: Shell, variables: Mapping[str, str], arguments: tuple[str, ...]) -> None:
    """Whatever encoding, colour and size the shell has, piped output is whole; what cannot be shown is replaced."""
    answer = shell(*arguments, variables=variables)
    assert (answer.returncode, answer.stderr) == (0, b"")
    wanted = ["operations"] if arguments == ("--help",) else [member_account_id(number) for number in (1, 299)]
    assert all(text.encode() in answer.stdout for text in wanted)


@pytest.mark.parametrize("variables", [{"PYTHONIOENCODING": "latin-1"}, OLD_LOCALE], ids=str)
def test_report(shell: Shell, variables: Mapping[str, str]) -> None:
    """The report has every account, whatever its name; a run's id is found in any locale."""
    answer = shell("report", RUN, variables=variables)
    assert (answer.returncode, answer.stderr) == (0, b"")
    assert all(member_account_id(number).encode() in answer.stdout for number in (1, 299))


def test_broken_argument(shell: Shell) -> None:
    """An argument that is no UTF-8 is a name like any other: there is no such run."""
    answer = shell("report", os.fsdecode(b"run \xff"))
    assert answer.returncode == 1
    assert answer.stderr.startswith(b"contactsync: No sync operation belongs to run ")


@pytest.mark.parametrize("arguments", [("operations", "show", RUN), ("--help",), ("notices", "list")])
def test_closed_pipe(shell: Shell, arguments: tuple[str, ...]) -> None:
    """A reader that ends early ends the command quietly."""
    answer = shell(*arguments, pipe="| true")
    assert answer.stderr == b""
    assert answer.returncode in {0, 141}


@pytest.mark.parametrize("arguments", [("operations", "show", RUN), ("notices", "list", "-o", "json"), ("--help",)])
def test_full_disk(shell: Shell, arguments: tuple[str, ...]) -> None:
    """An output that takes nothing is one sentence."""
    answer = shell(*arguments, pipe="> /dev/full")
    assert answer.returncode == 1
    assert answer.stderr.decode() == "contactsync: the output cannot be used: No space left on device.\n"


@pytest.mark.parametrize("redirected", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_output(shell: Shell, redirected: str) -> None:
    """Closed outputs are no reason for a traceback."""
    assert b"Traceback" not in shell("report", RUN, pipe=redirected).stderr


def test_closed_input(shell: Shell) -> None:
    """An input that the shell has closed is an empty one."""
    answer = shell("config", "put", "-", "--reason", "closed", pipe="<&-")
    assert answer.returncode == 1
    assert answer.stderr.startswith(b"contactsync: The configuration is invalid: the standard input is not JSON")
    assert answer.stderr.count(b"\n") == 1


def test_empty(shell: Shell, sandbox: Sandbox) -> None:
    """Where nothing was ever planned the report says so, and speaks of no log."""
    client: Any = sandbox.session().client("dynamodb", endpoint_url=sandbox.endpoint_url)
    state = client.describe_table(TableName=product_environment(sandbox)["CONTACTSYNC_STATE_TABLE"])["Table"]
    names = ("AttributeName", "KeyType")
    client.create_table(
        TableName="empty",
        KeySchema=state["KeySchema"],
        AttributeDefinitions=state["AttributeDefinitions"],
        BillingMode="PAY_PER_REQUEST",
        GlobalSecondaryIndexes=[
            {
                "IndexName": index["IndexName"],
                "KeySchema": [{name: key[name] for name in names} for key in index["KeySchema"]],
                "Projection": {"ProjectionType": "ALL"},
            }
            for index in state["GlobalSecondaryIndexes"]
        ],
    )
    answer = shell("report", variables={"CONTACTSYNC_STATE_TABLE": "empty"})
    assert answer.returncode == 1
    assert answer.stderr.startswith(b"contactsync: There is no sync operation yet")
    assert b"log" not in answer.stderr

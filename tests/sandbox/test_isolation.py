"""Whatever variables a shell has, what uses the sandbox stays on this machine."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import boto3
import pytest

from contactsync.isolation import environment_of, is_foreign, without_foreign
from contactsync.local_airflow.airflow_settings import AirflowPlace, airflow_environment
from contactsync.sandbox.scenario.scenario import Scenario
from contactsync.sandbox.server import Sandbox

NOWHERE: Final = "http://127.0.0.1:9"
SHELLS: Final[Mapping[str, Mapping[str, str]]] = {
    "services": {
        f"AWS_ENDPOINT_URL_{name}": NOWHERE
        for name in (
            "ACCOUNT",
            "DYNAMODB",
            "ORGANIZATIONS",
            "STS",
            "SNS",
            "SQS",
            "S3",
            "LAMBDA",
            "SSM",
            "IAM",
            "FIREHOSE",
        )
    },
    "ignored": {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
    "profile": {"AWS_PROFILE": "missing"},
    "default profile": {"AWS_DEFAULT_PROFILE": "missing"},
    "files": {"AWS_CONFIG_FILE": sys.executable, "AWS_SHARED_CREDENTIALS_FILE": sys.executable},
    "proxies": dict.fromkeys(
        ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "Http_Proxy"), NOWHERE
    )
    | {"NO_PROXY": "", "no_proxy": ""},
    "certificates": {"AWS_CA_BUNDLE": "/no/such", "REQUESTS_CA_BUNDLE": "/no/such", "SSL_CERT_FILE": "/no/such"},
    "variants": {"AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "true"},
    "credentials": {
        "AWS_SESSION_TOKEN": "stale",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "/no/such",
        "AWS_ROLE_ARN": "arn:aws:iam::111122223333:role/x",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": NOWHERE,
    },
    "metadata": {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": NOWHERE},
    "region": {"AWS_REGION": "cn-north-1"},
}


@pytest.fixture(params=SHELLS.values(), ids=list(SHELLS))
def shell(request: pytest.FixtureRequest) -> Mapping[str, str]:
    """Return a shell's variables that lead away from the sandbox, or break an AWS client."""
    found: Mapping[str, str] = request.param
    return found


def everywhere(sandbox: Sandbox) -> None:
    """Call several services as a process does that has nothing but its environment."""
    assert boto3.Session().client("sts").get_caller_identity()["Account"] == sandbox.management_account
    assert boto3.Session().client("organizations").list_roots()["Roots"]
    assert boto3.Session().client("account").get_contact_information()["ContactInformation"]
    assert "TableNames" in boto3.Session().client("dynamodb").list_tables()
    assert "Buckets" in boto3.Session().client("s3").list_buckets()


def small() -> Sandbox:
    """Return a sandbox of one member."""
    return Sandbox(Scenario.model_validate({"organization": {"accounts": 1}}))


def test_laid_over(shell: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The sandbox's environment, laid over a shell's, wins."""
    for name, value in shell.items():
        monkeypatch.setenv(name, value)
    with small() as sandbox:
        for name, value in sandbox.environment().items():
            monkeypatch.setenv(name, value)
        everywhere(sandbox)


def test_in_place(shell: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs the whole product takes the sandbox's environment in place of the shell's, and gives that back."""
    for name, value in shell.items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    with small() as sandbox, environment_of(sandbox.environment()):
        everywhere(sandbox)
        assert without_foreign(os.environ).items() <= before.items()
    assert dict(os.environ) == before


def test_endpoint_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS_ENDPOINT_URL alone says where the sandbox is: a wrong one is not hidden by others."""
    with small() as sandbox:
        for name, value in sandbox.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_ENDPOINT_URL", NOWHERE)
        assert boto3.Session().client("dynamodb").meta.endpoint_url == NOWHERE


def test_airflow(shell: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow's processes inherit none of it."""
    for name, value in (shell | {"PYTHONIOENCODING": "latin-1"}).items():
        monkeypatch.setenv(name, value)
    place = AirflowPlace(home=tmp_path, dags=tmp_path, plugins=tmp_path, port=1, parallelism=1)
    given = airflow_environment(place, {}, {})
    assert [name for name in given if is_foreign(name) and name != "AWS_EC2_METADATA_DISABLED"] == []
    assert (given["PYTHONUTF8"], "PYTHONIOENCODING" in given) == ("1", False)


@pytest.fixture(params=["all at once"])
def started(tmp_path: Path) -> Iterator[tuple[dict[str, str], dict[str, Any]]]:
    """Start `contactsync sandbox start` in a shell with all of these variables; return them and the ready file."""
    variables = {name: value for found in SHELLS.values() for name, value in found.items()}
    ready = tmp_path / "ready.json"
    command = [
        sys.executable,
        "-m",
        "contactsync.cli.app",
        "sandbox",
        "start",
        "--port",
        "0",
        "--ready-file",
        str(ready),
    ]
    command[1:3] = ["-c", "from contactsync.cli.app import main; main()"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            command, env={**os.environ, **variables}, stdout=log, stderr=log, cwd=tmp_path, start_new_session=True
        )
    try:
        while not ready.exists():
            assert process.poll() is None, (tmp_path / "log").read_text()
            time.sleep(0.1)
        yield variables, json.loads(ready.read_text())
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def test_command(started: tuple[dict[str, str], dict[str, Any]]) -> None:
    """The command starts in such a shell, and its ready file leads every client of such a shell to it."""
    variables, ready = started
    code = "import boto3; print(boto3.client('organizations').list_roots()['Roots'][0]['Id'])"
    told = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **variables, **ready["environment"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.stdout.startswith("r-"), told.stderr
    status = subprocess.run(
        [sys.executable, "-c", "from contactsync.cli.app import main; main()", "sandbox", "status", "--json"],
        env={**os.environ, **variables, **ready["environment"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert status.returncode == 0, status.stderr

"""`contactsync deploy` and `rollback` against the sandbox's CloudFormation, from packages, in two regions."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests

from contactsync.isolation import isolated_session
from contactsync.sandbox.scenario.scenario import Scenario
from contactsync.sandbox.server import Sandbox
from contactsync.services.deploying import Deploying
from tests.integration.conftest import Answer, Command
from tests.integration.test_cli_shells import MAIN
from tests.support.fakes.airflow import FakeAirflow, Json, served
from tests.support.releases import describe, packages
from tests.support.waiting import until

REGION, TRIGGER_REGION = "eu-west-1", "us-east-1"
PREFIX = "contactsync-dev-"
COMMAND = (sys.executable, "-c", MAIN, "deploy", "--environment", "dev")

Deploy = Callable[..., Answer]


class DeployedAirflow(FakeAirflow):
    """An Airflow that has both DAGs."""

    def __init__(self) -> None:
        """Begin without active runs and without errors."""
        super().__init__()
        self.import_errors: list[dict[str, str]] = []
        self.active: list[list[str]] = []
        self.has_read = True

    def answer(self, method: str, path: str, body: Json, parameters: Json) -> tuple[int, Json]:
        """Answer what a deployment asks, too."""
        if path == "/importErrors":
            return 200, {"import_errors": self.import_errors, "total_entries": len(self.import_errors)}
        if path == "/dags/contact_housekeeping":
            if not self.has_read:
                return 404, {"detail": "Not Found"}
            return 200, {"dag_id": "contact_housekeeping"}
        if path == "/dags/~/dagRuns/list":
            return 200, {"dag_runs": [{"dag_run_id": run} for run in (self.active.pop(0) if self.active else [])]}
        return super().answer(method, path, body, parameters)


@pytest.fixture(scope="module")
def airflow() -> Iterator[tuple[DeployedAirflow, str]]:
    """Serve an Airflow, and return it with its address."""
    fake = DeployedAirflow()
    with served(fake) as url:
        yield fake, url


@pytest.fixture(scope="module")
def account(airflow: tuple[DeployedAirflow, str]) -> Iterator[Sandbox]:
    """Run a sandbox in which nothing is deployed."""
    scenario = Scenario.model_validate({"organization": {"accounts": 2}, "quotas": {"enabled": False}})
    with Sandbox(scenario) as running:
        running.register_airflow(airflow[1], "user", "password")
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return packages."""
    return packages(tmp_path / "packages")


@pytest.fixture
def deploy(contactsync: Command, account: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Deploy:
    """Return the command on these packages, for the environment dev."""
    for name in [name for name in os.environ if name.startswith("CONTACTSYNC_")]:
        monkeypatch.delenv(name)
    for name, value in {**account.environment(), "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: object, command: str = "deploy") -> Answer:
        account_id = ("--account-id", account.management_account) if command == "deploy" else ()
        mail = ("--notification-email", "ops@example.com", "--packages", folder) if command == "deploy" else ()
        return contactsync(command, "--environment", "dev", *account_id, *mail, *arguments)

    return run


@pytest.fixture
def deployed(deploy: Deploy) -> Deploy:
    """Return the command where these packages are deployed; the account has no trail but that of the deployment."""
    answer = deploy("--yes", "--set", "CreateTrail=true")
    assert answer.code == 0, answer.err
    return deploy


def client(service: str, account: Sandbox, region: str = REGION) -> Any:
    """Return a client of the sandbox."""
    session = boto3.Session("sandbox", "sandbox", region_name=region, botocore_session=isolated_session())
    return session.client(service, endpoint_url=account.endpoint_url)


def script(account: Sandbox, *resources: dict[str, Any]) -> None:
    """Script how long resources take, and how they fail."""
    url = f"{account.endpoint_url}/_sandbox/stack-settings"
    requests.put(url, json={"resources": list(resources)}, timeout=10).raise_for_status()


def parameters(account: Sandbox, stack: str, region: str = REGION) -> dict[str, str]:
    """Return the values of a stack's parameters."""
    (found,) = client("cloudformation", account, region).describe_stacks(StackName=f"{PREFIX}{stack}")["Stacks"]
    return {one["ParameterKey"]: one["ParameterValue"] for one in found["Parameters"]}


def status(account: Sandbox, stack: str) -> str:
    """Return a stack's status."""
    (found,) = client("cloudformation", account).describe_stacks(StackName=f"{PREFIX}{stack}")["Stacks"]
    return str(found["StackStatus"])


def test_checks(deploy: Deploy, account: Sandbox) -> None:
    """What keeps contactsync from working is found before anything is made, all of it at once."""
    organizations = client("organizations", account)

    def trusted() -> set[str]:
        listed = organizations.list_aws_service_access_for_organization()["EnabledServicePrincipals"]
        return {one["ServicePrincipal"] for one in listed}

    organizations.disable_aws_service_access(ServicePrincipal="account.amazonaws.com")
    try:
        answer = deploy("--yes")
        assert answer.code == 1
        assert "✗ No trail records management write events in us-east-1" in answer.err
        assert "✗ Account Management has no trusted access" in answer.err
        assert answer.err.endswith("Nothing was changed.\n")
        assert deploy("--preview", "--set", "CreateTrail=true", "--enable-trusted-access").code == 3
        assert "account.amazonaws.com" not in trusted()
        answer = deploy("--yes", "--set", "CreateTrail=true", "--enable-trusted-access")
        assert answer.code == 0, answer.err
        assert "account.amazonaws.com" in trusted()
    finally:
        organizations.enable_aws_service_access(ServicePrincipal="account.amazonaws.com")


def test_wrong_account(deploy: Deploy, account: Sandbox) -> None:
    """With credentials of another account than the one that is named nothing is looked at."""
    assert account
    answer = deploy("--yes", "--account-id", "999999999999")
    assert answer.code == 1
    assert "✗ The credentials are those of account" in answer.err


def test_first(deployed: Deploy, account: Sandbox) -> None:
    """After a first deployment everything works together: files, stacks in two regions, and a first configuration."""
    assert parameters(account, "bus")["AirflowUrl"].startswith("https://")
    assert parameters(account, "trigger", TRIGGER_REGION)["MwaaRegion"] == REGION
    key = parameters(account, "trigger", TRIGGER_REGION)["CodeKey"]
    bucket = parameters(account, "trigger", TRIGGER_REGION)["CodeBucket"]
    assert client("s3", account, TRIGGER_REGION).get_object(Bucket=bucket, Key=key)["Body"].read() == b"trigger"
    assert deployed().code == 2  # nobody can be asked
    assert Deploying.from_environment().records("dev") is not None


def test_again(deployed: Deploy, account: Sandbox) -> None:
    """The same packages once more: nothing is uploaded or updated, and a preview says so with its exit code."""
    account.call_log.clear()
    answer = deployed("--yes")
    assert answer.code == 0
    assert "Nothing to do: everything is deployed already." in answer.err
    made = {call.operation for call in account.call_log.query()}
    assert not made & {"PutObject", "ExecuteChangeSet", "DeleteObjects"}
    assert deployed("--preview").code == 0


def test_preview(deployed: Deploy, account: Sandbox) -> None:
    """A preview shows the old and the new value, changes nothing, and leaves no change set."""
    answer = deployed("--preview", "--set", "LogRetentionDays=30")
    assert answer.code == 3
    assert "RetentionInDays" in answer.out
    assert "environment:" not in answer.out
    assert parameters(account, "bus")["LogRetentionDays"] == "7"
    left = client("cloudformation", account).list_change_sets(StackName=f"{PREFIX}bus")["Summaries"]
    assert [one for one in left if one["ExecutionStatus"] == "AVAILABLE"] == []


def test_parameter(deployed: Deploy, account: Sandbox) -> None:
    """A value is kept by later commands, which need not give it."""
    assert deployed("--yes", "--set", "LogRetentionDays=30").code == 0
    assert parameters(account, "bus")["LogRetentionDays"] == "30"
    assert "Nothing to do" in deployed("--yes").err
    assert deployed("--yes", "--set", "LogRetentionDays=7").code == 0


def test_dags(deployed: Deploy, account: Sandbox, folder: Path) -> None:
    """Other DAG files are uploaded, those that are gone removed, and no stack is updated."""
    packages(folder, dags={"contact_sync.py": "# newer"})
    answer = deployed("--yes")
    assert answer.code == 0, answer.err
    assert "is updated" not in answer.err
    bucket = parameters(account, "airflow")["CodeBucket"]
    listed = client("s3", account).list_objects_v2(Bucket=bucket, Prefix="dags/")["Contents"]
    assert [one["Key"] for one in listed] == ["dags/contact_sync.py"]


def test_plugins(deployed: Deploy, account: Sandbox, folder: Path, airflow: tuple[DeployedAirflow, str]) -> None:
    """Other plugins update the environment, after the runs that are active have ended."""
    assert airflow
    before = parameters(account, "airflow")["PluginsVersion"]
    packages(folder, plugins="newer")
    preview = deployed("--preview")
    assert preview.code == 3
    assert "environment: updated, usually 10 to 30 minutes" in preview.out
    answer = deployed("--yes", "--interrupt-runs")
    assert answer.code == 0, answer.err
    assert parameters(account, "airflow")["PluginsVersion"] != before


def test_replacement(deployed: Deploy, folder: Path) -> None:
    """A table is not replaced unless somebody names it."""
    template = folder / "infra/tables.yaml"
    template.write_text(template.read_text().replace("${Environment}-state", "${Environment}-states"))
    describe(folder)
    preview = deployed("--preview")
    assert "replace" in preview.out
    answer = deployed("--yes")
    assert answer.code == 1
    assert "contactsync-dev-state: StateTable (AWS::DynamoDB::Table) is replaced" in answer.err
    assert "--allow-replacement StateTable" in answer.err


def test_failure(deployed: Deploy, account: Sandbox) -> None:
    """An update that fails names the cause, and the same command finishes it."""
    script(account, {"logical_id": "Airflow", "action": "update", "error": "INCORRECT_CONFIGURATION", "count": 1})
    change = ("--yes", "--set", "MaxWorkers=4")
    answer = deployed(*change)
    assert answer.code == 1
    assert "contactsync-dev-airflow in eu-west-1 ended as UPDATE_ROLLBACK_COMPLETE" in answer.err
    assert "INCORRECT_CONFIGURATION" in answer.err
    script(account)
    answer = deployed(*change)
    assert answer.code == 0, answer.err
    assert parameters(account, "airflow")["MaxWorkers"] == "4"


def test_stopped(deployed: Deploy, account: Sandbox, folder: Path) -> None:
    """After Ctrl-C a sentence says what goes on, and the same command waits for it and finishes."""
    script(account, {"logical_id": "Airflow", "action": "update", "seconds": 10})
    change = ("--yes", "--set", "MinWorkers=2")
    process = subprocess.Popen(
        [*COMMAND, "--account-id", account.management_account, "--packages", str(folder), *change],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert process.stderr
    for line in process.stderr:
        if "contactsync-dev-airflow is updated" in line:
            break
    until(lambda: status(account, "airflow") == "UPDATE_IN_PROGRESS")
    process.send_signal(signal.SIGINT)
    *_, last = process.stderr
    assert process.wait(60) == 130
    assert "CloudFormation goes on with contactsync-dev-airflow in eu-west-1 without this command." in last
    answer = deployed(*change)
    script(account)
    assert answer.code == 0, answer.err
    assert "contactsync-dev-airflow is UPDATE_IN_PROGRESS already: waiting for it" in answer.err
    assert parameters(account, "airflow")["MinWorkers"] == "2"


def test_throttled(deployed: Deploy, account: Sandbox) -> None:
    """Calls that CloudFormation throttles for a while are made again."""
    fault = {"service": "cloudformation", "operation": "DescribeStackEvents", "error": "Throttling", "count": 6}
    url = f"{account.endpoint_url}/_sandbox/faults"
    requests.post(url, json=[fault], timeout=10).raise_for_status()
    answer = deployed("--yes", "--set", "OldVersionDays=40")
    requests.delete(url, timeout=10)
    assert answer.code == 0, answer.err
    assert "Looking again." in answer.err


def test_import_error(deployed: Deploy, airflow: tuple[DeployedAirflow, str]) -> None:
    """DAG files that Airflow cannot import are named, after everything was deployed."""
    trace = "Traceback\nModuleNotFoundError: No module named 'contactsync'\n"
    airflow[0].import_errors = [{"filename": "contact_sync.py", "stack_trace": trace}]
    try:
        answer = deployed("--yes")
    finally:
        airflow[0].import_errors = []
    assert answer.code == 1
    assert "contact_sync.py: ModuleNotFoundError: No module named 'contactsync'" in answer.err


def test_stopped_at_the_end(
    deployed: Deploy, account: Sandbox, folder: Path, airflow: tuple[DeployedAirflow, str]
) -> None:
    """The addresses are there before Airflow is waited for, and Ctrl-C then ends with a sentence, too."""
    assert deployed("--yes").code == 0
    airflow[0].has_read = False
    try:
        process = subprocess.Popen(
            [*COMMAND, "--account-id", account.management_account, "--packages", str(folder), "--yes"],
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout
        assert any(line.startswith("Airflow: https://") for line in process.stdout)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        airflow[0].has_read = True
    assert process.returncode == 130
    assert err.splitlines()[-1] == "Stopped. Nothing is running at AWS. Repeat the same command: it goes on from there."


def test_rollback(deployed: Deploy, account: Sandbox, folder: Path) -> None:
    """The release before is deployed again, from the bucket."""
    packages(folder, plugins="for a rollback")
    assert deployed("--yes").code == 0
    listed = deployed("--list", command="rollback")
    assert listed.code == 0
    assert "0.1.0-00000000" in listed.out
    answer = deployed("--force", command="rollback")
    assert answer.code == 0, answer.err
    bucket, version = (parameters(account, "airflow")[name] for name in ("CodeBucket", "PluginsVersion"))
    found = client("s3", account).get_object(Bucket=bucket, Key="plugins.zip", VersionId=version)["Body"].read()
    assert found != b"for a rollback"


def test_deleted_and_back(deployed: Deploy, account: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has data stays when everything is deleted, and a new deployment adopts it."""
    dynamodb = client("dynamodb", account)
    item = {"config_key": {"S": "mine"}, "version": {"N": "1"}}
    dynamodb.put_item(TableName=f"{PREFIX}config", Item=item)
    monkeypatch.chdir(tmp_path)
    answer = deployed("--delete", "--force", "--backup-data", command="rollback")
    assert answer.code == 0, answer.err
    (backup,) = tmp_path.glob("contactsync-dev-*")
    assert (backup / "manifest.json").is_file()
    assert f"aws dynamodb delete-table --region eu-west-1 --table-name {PREFIX}config" in answer.out
    script(account, {"logical_id": "Airflow", "action": "create", "error": "INCORRECT_CONFIGURATION", "count": 1})
    answer = deployed("--yes", "--set", "CreateTrail=true")
    assert answer.code == 1
    assert "contactsync-dev-airflow in eu-west-1 ended as ROLLBACK_COMPLETE: Airflow" in answer.err
    script(account)
    answer = deployed("--yes", "--set", "CreateTrail=true")
    assert answer.code == 0, answer.err
    assert dynamodb.get_item(TableName=f"{PREFIX}config", Key=item)["Item"] == item

"""The sandbox as a server: its life, who calls, its control API, and the command that runs it."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from contactsync.cli.local.sandbox import app
from contactsync.sandbox.scenario.scenario import Scenario
from contactsync.sandbox.server import PortTakenError, Sandbox, SandboxRunningError
from tests.sandbox.sandbox_clients import CONTACT, ONE_ATTEMPT, UNLIMITED, client, control, member_session, running

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Run one sandbox for the tests that do not start one themselves."""
    with running() as sandbox:
        yield sandbox


def command(*arguments: str) -> Any:
    """Run a command in this process."""
    return CliRunner().invoke(app, list(arguments))


class TestLife:
    """Starting and stopping; these run before the module's own sandbox is started."""

    def test_one_after_the_other(self) -> None:
        """Sandboxes start with nothing of the one before, and leave no thread and no port behind."""
        before = set(threading.enumerate())
        for _ in range(2):
            with running() as sandbox:
                dynamodb = client(sandbox, "dynamodb")
                assert dynamodb.list_tables()["TableNames"] == []
                account = client(sandbox, "account")
                contact = account.get_alternate_contact(AlternateContactType="SECURITY")["AlternateContact"]
                assert contact["Name"] != CONTACT["Name"]
                account.put_alternate_contact(AlternateContactType="SECURITY", **CONTACT)
                dynamodb.create_table(
                    TableName="t",
                    AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
                    KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
                    BillingMode="PAY_PER_REQUEST",
                )
            assert set(threading.enumerate()) <= before
            with pytest.raises(requests.ConnectionError):
                requests.get(f"http://127.0.0.1:{sandbox.port}/_sandbox/status", timeout=1)

    def test_two_at_once(self) -> None:
        """A second sandbox in the process is refused while the first goes on."""
        with running() as sandbox:
            with pytest.raises(SandboxRunningError):
                Sandbox().start()
            assert control(sandbox, "GET", "/status")["status"] == "ok"

    def test_port_taken(self) -> None:
        """A taken port is reported, and the next sandbox can start."""
        with (
            socket.create_server(("127.0.0.1", 0)) as taken,
            pytest.raises(PortTakenError, match="cannot be used"),
        ):
            Sandbox(port=taken.getsockname()[1]).start()
        with running() as sandbox:
            assert control(sandbox, "GET", "/status")["status"] == "ok"

    def test_wrong_template(self, tmp_path: Path) -> None:
        """A template that cannot be deployed stops the sandbox again, and the command says so in a sentence."""
        before = set(threading.enumerate())
        (tmp_path / "odd.yaml").write_text("Resources: {Odd: {Type: 'AWS::Odd::Thing'}}")
        refused = command("start", "--port", "0", "--templates", str(tmp_path))
        assert (refused.exit_code, refused.stderr.count("\n")) == (1, 1)
        assert "AWS::Odd::Thing" in refused.stderr
        assert set(threading.enumerate()) <= before

    def test_stop_cuts_waits_short(self) -> None:
        """Stopping does not wait for a call that is being slowed down: by longer than this test may take."""
        with running(Scenario.model_validate(UNLIMITED | {"latency": {"default": 3600}})) as sandbox:
            account = client(sandbox, "account")
            waiting = threading.Thread(target=lambda: account.get_contact_information())  # noqa: PLW0108 - boto3's
            waiting.start()
            while not any(thread.name == "sandbox-connection" for thread in threading.enumerate()):
                time.sleep(0.01)
        waiting.join(120)
        assert not waiting.is_alive()

    def test_templates(self) -> None:
        """The project's own templates are deployed, and deploying them leaves no calls in the log."""
        with running(templates=ROOT / "infra") as sandbox:
            assert control(sandbox, "GET", "/calls")["calls"] == []
            assert sandbox.outputs["FunctionName"] == "contactsync-local-trigger"
            stacks = control(sandbox, "GET", "/status")["stacks"]
            assert {"contactsync-local-state", "contactsync-local-trigger"} <= {stack["name"] for stack in stacks}
            client(sandbox, "account").put_alternate_contact(AlternateContactType="SECURITY", **CONTACT)
            deadline = time.monotonic() + 120
            while not (events := control(sandbox, "GET", "/events?matched=true")["events"]):
                assert time.monotonic() < deadline
                time.sleep(0.02)
            assert events[0]["event_name"] == "PutAlternateContact"

    def test_command_refuses(self, tmp_path: Path) -> None:
        """A taken port, and a scenario that is wrong or absent, are one sentence and exit code 1."""
        scenario = tmp_path / "scenario.yaml"
        scenario.write_text("organisation: {}\n")
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            refusals = [
                command("start", "--scenario", str(scenario)),
                command("start", "--scenario", str(tmp_path / "absent")),
                command("start", "--port", port),
            ]
        assert [(refused.exit_code, refused.stderr.count("\n")) for refused in refusals] == [(1, 1)] * 3
        assert "organisation" in refusals[0].stderr
        assert f"port {port} cannot be used" in refusals[2].stderr


def test_management_account_by_default(sandbox: Sandbox) -> None:
    """Any credentials that nobody was given act as the scenario's management account."""
    identity = client(sandbox, "sts").get_caller_identity()
    assert identity["Arn"] == f"arn:aws:iam::{sandbox.management_account}:user/sandbox"  # as CloudTrail's records say
    assert identity["Account"] == sandbox.management_account
    stranger = boto3.Session("A" * 20, "secret", region_name="us-east-1")
    assert client(sandbox, "sts", session=stranger).get_caller_identity()["Account"] == sandbox.management_account


def test_assumed_role(sandbox: Sandbox) -> None:
    """Credentials of an assumed role act as the role's account, in every service and in the log."""
    member = sandbox.organization.account_ids()[1]
    session = member_session(sandbox, member)
    assert client(sandbox, "sts", session=session).get_caller_identity()["Account"] == member
    client(sandbox, "account", session=session).put_alternate_contact(AlternateContactType="SECURITY", **CONTACT)
    logged = sandbox.call_log.query(operation="PutAlternateContact", caller=member)[-1]
    assert logged.caller_arn.endswith("assumed-role/OrganizationAccountAccessRole/tests")
    assert (logged.target_account, logged.account) == (None, member)
    organization_context = client(sandbox, "account").get_alternate_contact(
        AccountId=member, AlternateContactType="SECURITY"
    )
    assert organization_context["AlternateContact"]["Name"] == CONTACT["Name"]


def test_member_in_the_log(sandbox: Sandbox) -> None:
    """A call that names a member is logged with it, with the client's own parameters and without them over HTTP."""
    member = sandbox.organization.account_ids()[2]
    sandbox.call_log.clear()
    client(sandbox, "account").put_alternate_contact(AccountId=member, AlternateContactType="BILLING", **CONTACT)
    (logged,) = sandbox.call_log.query()
    assert logged.parameters == {"AccountId": member, "AlternateContactType": "BILLING", **CONTACT}
    assert (logged.service, logged.operation, logged.status) == ("account", "PutAlternateContact", 200)
    assert logged.source_ip == "127.0.0.1"
    assert "Boto3" in logged.user_agent
    text = requests.get(f"{sandbox.endpoint_url}/_sandbox/calls?account={member}", timeout=60).text
    assert member in text
    assert not any(value in text for value in CONTACT.values())


@pytest.mark.parametrize(
    ("service", "method", "arguments", "operation"),
    [
        ("organizations", "describe_organization", {}, "DescribeOrganization"),
        ("dynamodb", "describe_table", {"TableName": "absent"}, "DescribeTable"),
        ("sqs", "get_queue_url", {"QueueName": "absent"}, "GetQueueUrl"),
        ("sns", "get_topic_attributes", {"TopicArn": "arn:aws:sns:us-east-1:111122223333:x"}, "GetTopicAttributes"),
        ("lambda", "get_function", {"FunctionName": "absent"}, "GetFunction"),
        ("s3", "get_object", {"Bucket": "absent", "Key": "a/b"}, "GetObject"),
        ("iam", "get_user", {"UserName": "absent"}, "GetUser"),
        ("mwaa", "get_environment", {"Name": "absent"}, "GetEnvironment"),
        ("mwaa", "invoke_rest_api", {"Name": "absent", "Path": "/x", "Method": "GET"}, "InvokeRestApi"),
    ],
)
def test_errors_of_services(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, service: str, method: str, arguments: Any, operation: str
) -> None:
    """The log has the operation and the error code that boto3 saw, whatever the protocol."""
    monkeypatch.setenv("AWS_DISABLE_HOST_PREFIX_INJECTION", "true")
    sandbox.call_log.clear()
    code = None
    try:
        getattr(client(sandbox, service), method)(**arguments)
    except ClientError as error:
        code = error.response["Error"]["Code"]
    (logged,) = sandbox.call_log.query()
    assert (logged.service, logged.operation, logged.error_code) == (service, operation, code)


def test_what_moto_lacks(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """An operation or region that moto does not have is an AWS error, and a line for whoever watches the sandbox."""
    with pytest.raises(ClientError) as caught:
        client(sandbox, "organizations").list_handshakes_for_account()
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert "cannot do this" in caught.value.response["Error"]["Message"]
    with pytest.raises(ClientError, match="cannot do this"):
        client(sandbox, "dynamodb", config=ONE_ATTEMPT.merge(Config(region_name="eu-west-9"))).list_tables()
    said = [record for record in caplog.records if "cannot do" in record.getMessage() and not record.exc_info]
    assert [record.getMessage().partition(":")[0] for record in said] == [
        "The sandbox cannot do organizations ListHandshakesForAccount in us-east-1",
        "The sandbox cannot do dynamodb ListTables in eu-west-9",
    ]
    assert not any(record.exc_info for record in caplog.records if record.levelname != "DEBUG")


def test_bodies(sandbox: Sandbox) -> None:
    """Large bodies, and answers without one, come through on a connection that is kept alive."""
    s3 = client(sandbox, "s3")
    s3.create_bucket(Bucket="large")
    content = os.urandom(3_000_000)
    s3.put_object(Bucket="large", Key="a b/ü", Body=content)
    assert s3.head_object(Bucket="large", Key="a b/ü")["ContentLength"] == len(content)
    assert s3.get_object(Bucket="large", Key="a b/ü")["Body"].read() == content
    chunks = requests.post(f"{sandbox.endpoint_url}/_sandbox/faults", data=iter([b'{"error"', b': "E"}']), timeout=60)
    assert chunks.json()["faults"][0]["error"] == "E"
    control(sandbox, "DELETE", "/faults")
    s3.delete_object(Bucket="large", Key="a b/ü")
    assert "Contents" not in s3.list_objects_v2(Bucket="large")
    with requests.Session() as session:
        for _ in range(3):
            assert session.get(f"{sandbox.endpoint_url}/_sandbox/status", timeout=60).ok
        assert len(session.adapters["http://"].poolmanager.pools._container) == 1  # type: ignore[attr-defined]


def test_organization_control(sandbox: Sandbox) -> None:
    """The organization is described without contacts; states and trusted access are changed with effect."""
    described = control(sandbox, "GET", "/organization")
    member = described["accounts"][1]["id"]
    account = client(sandbox, "account")
    control(sandbox, "PUT", f"/accounts/{member}/state", {"state": "SUSPENDED"})
    listed = client(sandbox, "organizations").describe_account(AccountId=member)["Account"]
    assert listed["Status"] == "SUSPENDED"
    control(sandbox, "PUT", f"/accounts/{member}/state", {"state": "ACTIVE"})
    control(sandbox, "PUT", "/trusted-access", {"enabled": False})
    with pytest.raises(account.exceptions.AccessDeniedException):
        account.get_contact_information(AccountId=member)
    control(sandbox, "PUT", "/trusted-access", {"enabled": True})
    control(sandbox, "PUT", "/stale-reads", {"seconds": 600, "account": member})
    contacts = sandbox.organization.contacts
    assert (contacts.stale_seconds, contacts.stale_account) == (600, member)
    control(sandbox, "PUT", "/stale-reads", {"seconds": 0})
    name = account.get_contact_information(AccountId=member)["ContactInformation"]["FullName"]
    assert name not in json.dumps(described)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/nothing", None, 404),
        ("PATCH", "/status", None, 405),
        ("PATCH", "/events", None, 405),
        ("GET", "/calls?since=yesterday", None, 400),
        ("GET", "/calls?acount=1", None, 400),
        ("GET", "/calls?limit=-1", None, 400),
        ("PUT", "/accounts/000000000000/state", {"state": "CLOSED"}, 404),
        ("PUT", "/accounts/111122223333/state", {"state": "CLOSED"}, 400),
        ("PUT", "/accounts/111122223333/state", {"state": "GONE"}, 400),
        ("PUT", "/accounts/111122223333/state", {"state": ["GONE"]}, 400),
        ("PUT", "/trusted-access", {"enabled": "yes"}, 400),
        ("PUT", "/stale-reads", {"seconds": 1, "account": "1"}, 400),
        ("PUT", "/latency", {"default": -1}, 400),
        ("PUT", "/latency", None, 400),
        ("GET", "/events?acount=1", None, 400),
        ("POST", "/events", [1], 400),
        ("POST", "/events", {"source": 1}, 400),
        ("POST", "/events/none/redeliver", None, 404),
        ("GET", "/events/none/redeliver", None, 405),
        ("PUT", "/event-settings", [1], 400),
        ("PUT", "/event-settings", {"colour": 1}, 400),
        ("PUT", "/airflow", {"environment": "9", "base_url": "x"}, 400),
        ("PUT", "/airflow", None, 400),
        ("GET", "/functions/none/logs?limit=-1", None, 400),
        ("GET", "/functions/none/logs?limit=ten", None, 400),
        ("GET", "/functions/none/logs?since=1", None, 400),
        ("GET", "/inbox?chanel=email", None, 400),
    ],
)
def test_control_errors(sandbox: Sandbox, method: str, path: str, body: object, status: int) -> None:
    """What the control API refuses it refuses in a sentence."""
    assert control(sandbox, method, path, body, status=status)["error"].endswith(".")


def test_control_routes(sandbox: Sandbox) -> None:
    """Every route answers a method that it does not offer in the same words, and every path beside it in the same."""
    routes = sandbox.control.routes
    assert {("GET", "/calls"), ("POST", "/events/{id}/redeliver"), ("GET", "/functions/{name}/logs")} <= set(routes)
    for path in {path for _, path in routes}:
        asked = re.sub(r"\{\w+\}", "none", path)
        answer = control(sandbox, "PATCH", asked, status=405)
        assert answer == {"error": f"PATCH is not offered for /_sandbox{asked}."}
        answer = control(sandbox, "GET", f"{asked}/beside/it", status=404)
        assert answer["error"].startswith(f"There is no /_sandbox{asked}/beside/it; ")


def test_control_body(sandbox: Sandbox) -> None:
    """A body that is no JSON is refused."""
    answer = requests.post(f"{sandbox.endpoint_url}/_sandbox/faults", data=b"{", timeout=60)
    assert (answer.status_code, answer.json()) == (400, {"error": "The body is not JSON."})


def test_reset_of_moto(sandbox: Sandbox) -> None:
    """Moto's own reset is refused, because it would take the organization away."""
    assert requests.post(f"{sandbox.endpoint_url}/moto-api/reset", timeout=60).status_code == 403
    assert control(sandbox, "GET", "/status")["status"] == "ok"


def test_commands(sandbox: Sandbox) -> None:
    """Every command works against a running sandbox, as a table and as JSON."""
    url = ("--url", sandbox.endpoint_url)
    member = sandbox.organization.account_ids()[1]
    assert "management account" in command("status", *url).stdout
    assert json.loads(command("status", "--json", *url).stdout)["status"] == "ok"
    client(sandbox, "account").put_alternate_contact(AlternateContactType="SECURITY", **CONTACT)
    calls = json.loads(command("calls", "--operation", "PutAlternateContact", "--limit", "1", "--json", *url).stdout)
    assert [call["operation"] for call in calls] == ["PutAlternateContact"]
    added = command("faults", "add", "--error", "TooManyRequestsException", "--count", "3", *url).stdout.strip()
    assert added in command("faults", "list", *url).stdout
    assert command("faults", "clear", added, *url).exit_code == 0
    assert json.loads(command("faults", "list", "--json", *url).stdout) == []
    script = ("--logical-id", "StateTable", "--action", "create", "--seconds", "20", "--error", "No more tables today")
    assert command("resources", "add", *script, *url).exit_code == 0
    assert "StateTable" in command("resources", "list", *url).stdout
    assert [one["seconds"] for one in json.loads(command("resources", "list", "--json", *url).stdout)] == [20.0]
    assert command("resources", "add", "--seconds", "100000", *url).stderr.startswith(
        "contactsync: resources.1.seconds:"
    )
    assert command("resources", "clear", *url).exit_code == 0
    assert json.loads(command("resources", "list", "--json", *url).stdout) == []
    assert command("events", *url).exit_code == 0
    assert command("trusted-access", "off", *url).exit_code == 0
    assert not sandbox.organization.trusted_access
    assert command("trusted-access", "on", *url).exit_code == 0
    assert command("account-state", member, "SUSPENDED", *url).exit_code == 0
    assert sandbox.organization.state_of(member) == "SUSPENDED"
    assert command("account-state", member, "ACTIVE", *url).exit_code == 0
    assert command("calls", "--clear", *url).exit_code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("calls", "--operation", "NothingLikeThis"),
        ("faults", "list"),
        ("events", "--account", "000000000000"),
        ("inbox", "--channel", "chat"),
        ("inbox", "--channel", "chat", "--full"),
    ],
)
def test_empty_listings(sandbox: Sandbox, arguments: tuple[str, ...]) -> None:
    """A listing without a row says so beside the standard output, and JSON stays JSON."""
    control(sandbox, "DELETE", "/faults")
    control(sandbox, "DELETE", "/inbox")
    found = command(*arguments, "--url", sandbox.endpoint_url)
    assert (found.exit_code, found.stdout, found.stderr) == (0, "", "Nothing was found.\n")
    assert json.loads(command(*arguments, "--json", "--url", sandbox.endpoint_url).stdout) in (
        [],
        {"messages": [], "dropped": []},
    )


def test_faults_that_would_never_strike(sandbox: Sandbox) -> None:
    """A fault for an operation or a service that there is not is refused with the nearest name."""
    url = ("--url", sandbox.endpoint_url, "--error", "E")
    wrong = command("faults", "add", "--operation", "PutAlternatContact", *url)
    assert (wrong.exit_code, wrong.stderr) == (
        1,
        "contactsync: operation: PutAlternatContact is no operation of account; the nearest is PutAlternateContact.\n",
    )
    assert "the nearest is dynamodb" in command("faults", "add", "--service", "dynamodbb", *url).stderr
    assert "twelve digits" in command("faults", "add", "--account", "1", *url).stderr
    assert control(sandbox, "GET", "/faults")["faults"] == []
    body = {"operations": {"GetAlternatContact": 1}}
    refused = control(sandbox, "PUT", "/latency", body, status=400)["error"]
    assert refused.endswith("the nearest is GetAlternateContact.")


def test_command_errors(sandbox: Sandbox) -> None:
    """Commands end with a sentence and 1 when something is wrong, and with 2 when they are misused."""
    wrong = command("account-state", "000000000000", "CLOSED", "--url", sandbox.endpoint_url)
    told = "contactsync: There is no account 000000000000 in the organization."
    assert (wrong.exit_code, wrong.stderr.strip()) == (1, told)
    nobody = command("status", "--url", "http://127.0.0.1:9")
    assert nobody.exit_code == 1
    assert nobody.stderr.startswith("contactsync: No sandbox answers")
    assert command("status", "--url", "nonsense").exit_code == 1
    assert command("trusted-access", "maybe").exit_code == 2


def test_command_examples() -> None:
    """The help of every command has an example to paste."""
    groups = [app, *(group.typer_instance for group in app.registered_groups if group.typer_instance)]
    for group in groups:
        for registered in group.registered_commands:
            assert "Example: contactsync sandbox" in (registered.epilog or "")


def test_start_command(tmp_path: Path) -> None:
    """The command serves until Ctrl-C or SIGTERM, which end it in less than two seconds."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    ready = {number: tmp_path / f"{number.name}.json" for number in numbers}
    processes = {
        number: started("--port", "0", "--accounts", "2", "--ready-file", str(ready[number])) for number in numbers
    }
    try:
        for number, process in processes.items():
            check_start_command(process, ready[number], number)
    finally:
        for process in processes.values():
            process.kill()
            process.wait()


def check_start_command(process: subprocess.Popen[str], ready: Path, number: signal.Signals) -> None:
    """Wait until it is ready, ask it, and end it."""
    deadline = time.monotonic() + 120
    while not ready.exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    url = json.loads(ready.read_text())["endpoint_url"]
    assert len(requests.get(f"{url}/_sandbox/status", timeout=60).json()["account_ids"]) == 3
    process.send_signal(number)
    output, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, "")
    assert "In another terminal:  . .run/env" in output
    assert "put_alternate_contact" in output
    assert not ready.exists()


def started(*arguments: str) -> subprocess.Popen[str]:
    """Start the command in a process of its own."""
    program = "from contactsync.cli.local.sandbox import app; app()"
    return subprocess.Popen(
        [sys.executable, "-c", program, "start", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )

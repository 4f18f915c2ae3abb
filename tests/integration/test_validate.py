"""`contactsync validate` on the sandbox's stacks, with an Airflow whose REST API answers as Airflow's does."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from contactsync.checks import deep
from contactsync.cli.local.local_system import product_environment
from contactsync.configuration.schema import Configuration
from contactsync.sandbox.requests.faults import FaultSettings
from contactsync.sandbox.server import Sandbox
from contactsync.services.services import Services
from tests.integration.conftest import Command, misused
from tests.support.fakes.airflow import served
from tests.support.fakes.healthy_airflow import HealthyAirflow

REGION = "us-east-1"


@pytest.fixture(scope="module")
def system(sandbox: Sandbox) -> Iterator[HealthyAirflow]:
    """Give the deployment what people set up: a configuration, a trail, and confirmed subscriptions."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in product_environment(sandbox).items():
            patch.setenv(name, value)
        Services.from_environment().configurations.store(Configuration(), after_version=0, changed_by="tests")
    client(sandbox, "s3").create_bucket(Bucket="trails")
    cloudtrail = client(sandbox, "cloudtrail")
    cloudtrail.create_trail(Name="all", S3BucketName="trails", IsMultiRegionTrail=True)
    cloudtrail.start_logging(Name="all")
    fake = HealthyAirflow()
    with served(fake) as url:
        sandbox.register_airflow(url, "user", "password")
        yield fake


@pytest.fixture
def airflow(sandbox: Sandbox, system: HealthyAirflow, monkeypatch: pytest.MonkeyPatch) -> Iterator[HealthyAirflow]:
    """Leave credentials, region and endpoint in the environment; what a test breaks is whole afterwards."""
    for name, value in product_environment(sandbox).items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    whole = vars(HealthyAirflow()).copy()
    yield system
    vars(system).update(whole)
    sandbox.conditions.faults.clear()


def client(sandbox: Sandbox, service: str) -> Any:
    """Return a client of the management account."""
    return sandbox.session().client(service, region_name=REGION, endpoint_url=sandbox.endpoint_url)


def wrong(contactsync: Command, *arguments: str) -> dict[str, dict[str, str]]:
    """Validate, and return what is not ok, by the names of the checks."""
    answer = contactsync("validate", "--environment", "local", "--format", "json", *arguments)
    found = [one for one in json.loads(answer.out) if one["state"] != "ok"]
    assert answer.code == (1 if found else 0), answer.err
    return {one["name"]: one for one in found}


@pytest.mark.usefixtures("airflow")
def test_healthy(contactsync: Command) -> None:
    """A deployment in which everything works has a ✓ for each check, and exit code 0."""
    answer = contactsync("validate", "--environment", "local")
    assert answer.code == 0, answer.out
    *lines, _, last = answer.out.splitlines()
    assert [line[:2] for line in lines] == ["✓ "] * len(lines)
    assert last == f"{len(lines)} checks, nothing to do."
    assert [line[2:].partition(":")[0] for line in lines] == [
        *("credentials", "stacks", "environment", "requirements", "imports", "dags", "housekeeping", "version"),
        *("functions", "tables", "rule", "topics", "dead-letters", "alarms", "configuration", "trusted-access"),
        *("trail", "drift"),
    ]


@pytest.mark.usefixtures("airflow")
def test_formats(contactsync: Command) -> None:
    """Programs get the same as JSON, in both spellings of the option."""
    answer = contactsync("--environment", "local", "validate", "-o", "json")
    findings = json.loads(answer.out)
    assert {one["state"] for one in findings} == {"ok"}
    assert set(findings[0]) == {"name", "state", "sentence", "remedy"}
    assert wrong(contactsync) == {}


def test_paused_dag(contactsync: Command, airflow: HealthyAirflow) -> None:
    """A DAG that is paused is a ✗ with its remedy, and exit code 1."""
    airflow.paused = True
    answer = contactsync("validate", "--environment", "local")
    assert answer.code == 1
    assert "✗ dags: The DAG contact_sync is paused.\n    Switch it on in Airflow's list of DAGs." in answer.out
    assert answer.out.endswith("18 checks, 1 to look at.\n")


def test_import_error(contactsync: Command, airflow: HealthyAirflow) -> None:
    """A DAG file that Airflow cannot import is named, with the last line of its traceback."""
    trace = "Traceback (most recent call last):\nModuleNotFoundError: No module named 'contactsync'\n"
    airflow.import_errors = [{"filename": "contact_sync.py", "stack_trace": trace}]
    finding = wrong(contactsync)["imports"]
    assert "contact_sync.py: ModuleNotFoundError: No module named 'contactsync'." in finding["sentence"]
    assert "requirements_install_*" in finding["remedy"]


@pytest.mark.usefixtures("airflow")
def test_failed_installation(contactsync: Command, sandbox: Sandbox) -> None:
    """What pip logged is found in the newest stream: MWAA calls the environment available all the same."""
    logs, group = client(sandbox, "logs"), "airflow-contactsync-local-Worker"
    logs.create_log_group(logGroupName=group)
    for number, lines in enumerate((["ERROR: old"], ["Collecting", "ERROR: No matching distribution found for x"])):
        stream = f"requirements_install_ip-10-0-0-{number}"
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        now = int(time.time() * 1000) - 60_000 * (2 - number)
        events = [{"timestamp": now + at, "message": line} for at, line in enumerate(lines)]
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
    try:
        finding = wrong(contactsync)["requirements"]
    finally:
        logs.delete_log_group(logGroupName=group)
    assert finding["sentence"].startswith("Worker could not install requirements.txt: ERROR: No matching distribution")


@pytest.mark.usefixtures("airflow")
def test_trusted_access_off(contactsync: Command, sandbox: Sandbox) -> None:
    """Trusted access that somebody switched off is found."""
    organizations = client(sandbox, "organizations")
    organizations.disable_aws_service_access(ServicePrincipal="account.amazonaws.com")
    try:
        assert list(wrong(contactsync)) == ["trusted-access"]
    finally:
        organizations.enable_aws_service_access(ServicePrincipal="account.amazonaws.com")


@pytest.mark.usefixtures("airflow")
def test_rule_disabled(contactsync: Command, sandbox: Sandbox) -> None:
    """A rule that somebody disabled is found, and drift says it, too."""
    events, name = client(sandbox, "events"), "contactsync-local-contact-change"
    events.disable_rule(Name=name)
    try:
        found = wrong(contactsync)
    finally:
        events.enable_rule(Name=name)
    assert set(found) == {"rule", "drift"}
    assert f"aws events enable-rule --region {REGION} --name {name}" in found["rule"]["remedy"]
    assert "contactsync-local-trigger has drifted" in found["drift"]["sentence"]


@pytest.mark.usefixtures("airflow")
def test_dead_letter(contactsync: Command, sandbox: Sandbox) -> None:
    """A dead letter is found, with the command that shows it."""
    sqs = client(sandbox, "sqs")
    url = sqs.get_queue_url(QueueName="contactsync-local-trigger-dead-letters")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    try:
        found = wrong(contactsync)
    finally:
        sqs.purge_queue(QueueUrl=url)
    assert list(found) == ["dead-letters"]
    assert "contactsync-local-trigger-dead-letters has 1 dead letter." in found["dead-letters"]["sentence"]


@pytest.mark.usefixtures("airflow")
@pytest.mark.parametrize(
    ("alarm", "state", "is_wrong"),
    [
        ("contactsync-local-silent", "INSUFFICIENT_DATA", True),
        ("contactsync-local-scheduler-silent", "INSUFFICIENT_DATA", True),
        ("contactsync-local-outbox-left", "INSUFFICIENT_DATA", False),
        ("contactsync-local-outbox-left", "ALARM", True),
    ],
)
def test_alarms(
    contactsync: Command,
    sandbox: Sandbox,
    alarm: str,
    state: str,
    is_wrong: bool,  # noqa: FBT001 -- a parameter of the test
) -> None:
    """A raised alarm is a ✗, and so is an alarm of silence that has no data."""
    cloudwatch = client(sandbox, "cloudwatch")
    cloudwatch.set_alarm_state(AlarmName=alarm, StateValue=state, StateReason="a test")
    try:
        assert list(wrong(contactsync)) == (["alarms"] if is_wrong else [])
    finally:
        cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="OK", StateReason="a test")


@pytest.mark.usefixtures("airflow")
def test_expired_credentials(contactsync: Command, sandbox: Sandbox) -> None:
    """Expired credentials are the only ✗, and nothing else is asked."""
    fault = {"service": "sts", "operation": "GetCallerIdentity", "error": "ExpiredToken"}
    sandbox.conditions.faults.add(FaultSettings.model_validate(fault))
    answer = contactsync("validate", "--environment", "local")
    assert answer.code == 1
    assert answer.out.startswith("✗ credentials: GetCallerIdentity failed with ExpiredToken")
    assert "1 check, 1 to look at." in answer.out
    assert answer.err == ""


@pytest.mark.usefixtures("airflow")
def test_credentials_expire_meanwhile(contactsync: Command, sandbox: Sandbox) -> None:
    """Credentials that expire between two checks end the validation with one more ✗."""
    fault = {"service": "dynamodb", "operation": "DescribeTable", "error": "ExpiredTokenException"}
    sandbox.conditions.faults.add(FaultSettings.model_validate(fault))
    assert list(wrong(contactsync)) == ["credentials"]


@pytest.mark.usefixtures("airflow")
def test_denied_read(contactsync: Command, sandbox: Sandbox) -> None:
    """A denied read is a ✗ that names the permission, and the other checks go on."""
    for service, operation in (("cloudwatch", "DescribeAlarms"), ("cloudformation", "DetectStackDrift")):
        fault = {"service": service, "operation": operation, "error": "AccessDenied"}
        sandbox.conditions.faults.add(FaultSettings.model_validate(fault))
    found = wrong(contactsync)
    assert {name: one["state"] for name, one in found.items()} == {"alarms": "unknown", "drift": "unknown"}
    assert "cloudwatch:DescribeAlarms" in found["alarms"]["remedy"]


@pytest.mark.usefixtures("airflow")
def test_no_configuration(contactsync: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A configuration that is not there is a ✗."""
    monkeypatch.setenv("CONTACTSYNC_CONFIG_KEY", "nobodys")
    assert list(wrong(contactsync)) == ["configuration"]


@pytest.mark.usefixtures("airflow")
def test_two_environments(contactsync: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of one environment are not used to validate another one."""
    monkeypatch.setenv("CONTACTSYNC_ENVIRONMENT", "dev")
    misused(contactsync("validate", "--environment", "local", "--deep"), "CONTACTSYNC_ENVIRONMENT is set to dev")


@pytest.mark.usefixtures("airflow")
def test_unknown_environment(contactsync: Command) -> None:
    """An environment without stacks is one ✗; a name that no environment can have is wrong usage."""
    answer = contactsync("validate", "--environment", "nobodys")
    assert answer.code == 1
    assert "✗ stacks: There is no stack of environment nobodys in us-east-1." in answer.out
    assert answer.out.endswith("\n2 checks, 1 to look at.\n")
    misused(contactsync("validate", "--environment", "x y"), "is no environment")
    misused(contactsync("validate"), "--environment NAME")


def test_deep(contactsync: Command, airflow: HealthyAirflow, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dry run that never ends is given up after its limit, and the rest is checked all the same."""
    monkeypatch.setattr(deep, "POLL", 0.1)
    found = wrong(contactsync, "--deep", "--limit", "1")
    assert list(found) == ["dry-run"]
    (run_id,) = airflow.runs
    assert f"contactsync watch {run_id}" in found["dry-run"]["remedy"]
    assert airflow.runs[run_id]["conf"]["dry_run"] is True

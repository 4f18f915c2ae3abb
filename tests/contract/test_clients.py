"""The boto3 clients on the sandbox: what they log, where they call, and as whom."""

import logging
import os
import uuid
from collections.abc import Iterator

import boto3
import pytest

from contactsync.aws.sdk.clients import Clients
from contactsync.aws.sdk.error_codes import translated
from contactsync.configuration.schema import Configuration
from contactsync.contacts import ContactType
from contactsync.errors import (
    AccessDeniedError,
    AwsSetupError,
    HaltedError,
    RequestInvalidError,
    ServiceUnavailableError,
    SettingsError,
)
from contactsync.operations.desired import DesiredContact
from contactsync.operations.operation import OutcomeDetail, OutcomeStatus, TypePlan
from contactsync.sandbox.contacts.defaults import member_account_id
from contactsync.sandbox.requests.faults import FaultSettings
from contactsync.services.services import Services
from tests.contract.conftest import Adapters
from tests.support.builders import alternate, operation, primary, request

SECURITY, PRIMARY = ContactType.SECURITY, ContactType.PRIMARY
ONE, TWO = (member_account_id(number) for number in (1, 2))
MARKED = alternate(Name="Zebulon Markword", EmailAddress="zebulon.markword@quagga.example", Title="Markword Keeper")
MARKED_PRIMARY = primary(FullName="Zebulon Markword", AddressLine1="9 Markword Wharf")


@pytest.fixture(scope="module")
def services(adapters: Adapters) -> Services:
    """Store a configuration for two contact types."""
    settings = Configuration(contact_types=(SECURITY, PRIMARY))
    adapters.services.configurations.store(settings, after_version=0, changed_by="tests")
    return adapters.services


@pytest.fixture
def untouched_loggers() -> Iterator[None]:
    """Give the SDK's loggers the levels that they have in a fresh process, where Airflow logs everything."""
    loggers = [logging.getLogger(name) for name in ("botocore", "boto3", "urllib3")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.NOTSET)
    yield
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)


def acting(adapters: Adapters) -> Services:
    """Return services that act as a role of the management account."""
    role = f"arn:aws:iam::{adapters.sandbox.management_account}:role/contactsync"
    return Services.from_environment(os.environ | {"CONTACTSYNC_MANAGEMENT_ROLE_ARN": role})


@pytest.mark.usefixtures("untouched_loggers")
def test_no_values_in_logs(adapters: Adapters, services: Services, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing of a contact is logged, by whatever library and at whatever level Airflow logs."""
    made = Services(services.settings)
    caplog.set_level(logging.DEBUG)
    contacts = made.steps.account_sync.contacts
    contacts.write(SECURITY, TWO, MARKED)
    contacts.write(PRIMARY, TWO, MARKED_PRIMARY)
    assert contacts.read(SECURITY, TWO) == MARKED
    assert contacts.read(PRIMARY, TWO) == MARKED_PRIMARY
    with pytest.raises(RequestInvalidError):
        contacts.write(SECURITY, TWO, type(MARKED).observed({**MARKED.values(), "PhoneNumber": "Markword"}))
    plans = {SECURITY: TypePlan(made.operations.raise_generation(SECURITY), absent=False, approved=True)}
    planned = operation(run=str(uuid.uuid4()), plans=plans)
    made.operations.store_plan(
        planned, [DesiredContact(SECURITY, plans[SECURITY].generation or 0, planned.sync_id, MARKED)]
    )
    found = made.desired_contacts.latest(SECURITY)
    assert found is not None
    assert found.contact == MARKED
    contacts.delete(SECURITY, TWO)
    logging.getLogger(__name__).debug("the tests' own record")
    assert "the tests' own record" in caplog.text
    assert adapters.sandbox.call_log.query(operation="PutAlternateContact")
    telling = {r.name for r in caplog.records if "markword" in f"{r.getMessage()} {r.args!r} {r.exc_text}".lower()}
    assert telling == set()


@pytest.mark.usefixtures("untouched_loggers")
@pytest.mark.parametrize("level", [logging.NOTSET, logging.DEBUG, logging.ERROR])
def test_log_level(level: int) -> None:
    """Making clients silences the SDK's debug records, and makes no quieter logger louder."""
    logging.getLogger("botocore").setLevel(level)
    Clients(management_role=None, connect_timeout=1, read_timeout=1)
    assert logging.getLogger("botocore").level == max(level, logging.WARNING)
    assert not logging.getLogger("botocore.endpoint").isEnabledFor(logging.DEBUG)


@pytest.mark.usefixtures("adapters")
@pytest.mark.parametrize(
    ("environment", "region"),
    [
        ({"AWS_REGION": "eu-west-3"}, "eu-west-3"),
        ({"AWS_DEFAULT_REGION": "eu-north-1", "AWS_REGION": "eu-west-3"}, "eu-north-1"),
    ],
)
def test_region(environment: dict[str, str], region: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """MWAA sets AWS_REGION only, which boto3 does not read; the management account's clients are in us-east-1."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    clients = Clients(management_role=None, connect_timeout=1, read_timeout=1)
    assert clients.own("dynamodb").meta.region_name == region
    assert clients.management("account").meta.region_name == "us-east-1"


@pytest.mark.usefixtures("services")
def test_role_is_assumed_once(adapters: Adapters) -> None:
    """All clients of one process share the role's credentials."""
    made = acting(adapters)
    log = adapters.sandbox.call_log
    before = len(log.query(operation="AssumeRole"))
    made.steps.planner.plan(request(dag_run_id="one role", accounts=[TWO]), map_limit=9)
    made.steps.account_sync.sync(*made.steps.account_sync.open("one role"), TWO, 1)
    assert len(log.query(operation="AssumeRole")) == before + 1
    assert "assumed-role/contactsync" in log.query(service="organizations")[-1].caller_arn
    assert "assumed-role/contactsync" in log.query(service="account")[-1].caller_arn


@pytest.mark.usefixtures("services")
def test_role_is_for_the_management_account_only(adapters: Adapters) -> None:
    """The tables are the deployment's own, and are used with its own credentials."""
    acting(adapters).steps.planner.plan(request(dag_run_id="own tables"), map_limit=9)
    callers = {call.caller_arn for call in adapters.sandbox.call_log.query(service="dynamodb")}
    functions = {
        caller for caller in callers if "assumed-role/contactsync-local-bus-" in caller
    }  # have roles of their own
    assert callers - functions
    assert not any("assumed-role" in caller for caller in callers - functions)


def test_denied_role(adapters: Adapters, services: Services) -> None:
    """A role that may not be assumed is named as such, halts the operation, and is no account's refused permission."""
    run = "a denied role"
    services.steps.account_sync.contacts.write(SECURITY, TWO, MARKED)
    services.steps.planner.plan(request(dag_run_id=run, accounts=[TWO]), map_limit=9)
    made = acting(adapters)
    faults = adapters.sandbox.conditions.faults
    added = faults.add(FaultSettings(service="sts", operation="AssumeRole", error="AccessDenied"))
    try:
        with pytest.raises(AccessDeniedError, match=r"^AssumeRole failed with AccessDenied") as caught:
            made.steps.planner.plan(request(dag_run_id="never planned"), map_limit=9)
        assert caught.value.account_id is None
        found, pinned = made.steps.account_sync.open(run)
        with pytest.raises(HaltedError, match="AssumeRole") as failed:
            made.steps.account_sync.sync(found, pinned, TWO, 1)
    finally:
        faults.remove(added.id)
    assert TWO not in str(failed.value)
    outcomes = services.operations.outcomes_of(found.sync_id, TWO).values()
    assert {(outcome.status, outcome.detail, outcome.error_code) for outcome in outcomes} == {
        (OutcomeStatus.FAILED, OutcomeDetail.HALTED, "AccessDenied")
    }


@pytest.mark.parametrize(
    ("region", "account", "organizations", "sts"),
    [
        ("us-east-1", "us-east-1.amazonaws.com", "us-east-1.amazonaws.com", "us-east-1.amazonaws.com"),
        ("eu-west-3", "us-east-1.amazonaws.com", "us-east-1.amazonaws.com", "eu-west-3.amazonaws.com"),
        (
            "cn-north-1",
            "cn-northwest-1.amazonaws.com.cn",
            "cn-northwest-1.amazonaws.com.cn",
            "cn-north-1.amazonaws.com.cn",
        ),
        ("us-gov-west-1", "us-gov-west-1.amazonaws.com", "us-gov-west-1.amazonaws.com", "us-gov-west-1.amazonaws.com"),
        ("us-gov-east-1", "us-gov-west-1.amazonaws.com", "us-gov-west-1.amazonaws.com", "us-gov-east-1.amazonaws.com"),
        ("eusc-de-east-1", "eusc-de-east-1.amazonaws.eu", "eusc-de-east-1.amazonaws.eu", "eusc-de-east-1.amazonaws.eu"),
    ],
)
@pytest.mark.parametrize("variable", ["AWS_REGION", "AWS_DEFAULT_REGION"])
@pytest.mark.parametrize("role", ["", "role/contactsync"])
def test_partitions(
    region: str, account: str, organizations: str, sts: str, variable: str, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each partition's deployment calls its own partition, as botocore does when it is handed the region."""
    for name in ("AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv(variable, region)
    partition = boto3.Session().get_partition_for_region(region)
    arn = f"arn:{partition}:iam::{ONE}:{role}" if role else None
    clients = Clients(management_role=arn, connect_timeout=1, read_timeout=1)
    expected = {"account": account, "organizations": organizations, "sts": sts}
    for service, host in expected.items():
        assert clients.management(service).meta.endpoint_url == f"https://{service}.{host}"
        own = boto3.Session().client(service, region_name=region).meta  # type: ignore[call-overload] # one for each name
        assert own.partition == clients.management(service).meta.partition
    assert clients.own("dynamodb").meta.region_name == region


def test_role_is_assumed_in_the_region(monkeypatch: pytest.MonkeyPatch) -> None:
    """With AWS_REGION only, which boto3 does not read, STS is asked in that region, also in another partition."""
    for name in ("AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_REGION", "cn-north-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    role = f"arn:aws-cn:iam::{ONE}:role/contactsync"
    sts = Clients(management_role=role, connect_timeout=1, read_timeout=1).management("organizations")
    with pytest.raises(ServiceUnavailableError) as caught, translated("ListRoots"):
        sts.list_roots()
    assert (caught.value.service, caught.value.endpoint) == ("sts", "https://sts.cn-north-1.amazonaws.com.cn")


def test_foreign_partition(monkeypatch: pytest.MonkeyPatch) -> None:
    """A role or a region of another partition is refused; the default region stands for this partition's main one."""
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_REGION", "cn-north-1")
    clients = Clients(management_role=f"arn:aws:iam::{ONE}:role/x", connect_timeout=1, read_timeout=1)
    with pytest.raises(SettingsError, match=r"CONTACTSYNC_MANAGEMENT_ROLE_ARN .* aws-cn"):
        clients.management("account")
    with pytest.raises(AwsSetupError, match="another partition"):
        clients.quick("ssm", "us-gov-west-1")
    assert clients.quick("ssm", "us-east-1").meta.region_name == "cn-northwest-1"
    assert clients.quick("ssm", "cn-north-1").meta.region_name == "cn-north-1"

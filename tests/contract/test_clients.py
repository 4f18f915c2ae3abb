"""The boto3 clients on the sandbox: what they log, where they call, and as whom."""

import logging
import os
import uuid
from collections.abc import Iterator

import pytest

from contactsync.aws.clients import Clients
from contactsync.contacts import ContactType
from contactsync.errors import AccessDeniedError, HaltedError, RequestInvalidError
from contactsync.sandbox.defaults import member_account_id
from contactsync.sandbox.faults import FaultSettings
from contactsync.services import Services
from contactsync.sync.config import Configuration
from contactsync.sync.desired import DesiredContact
from contactsync.sync.operation import OutcomeDetail, OutcomeStatus, TypePlan
from tests.builders import alternate, operation, primary, request
from tests.contract.conftest import Adapters

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
    contacts = made.account_sync.contacts
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
    assert logging.getLogger("botocore").level == max(level, logging.INFO)
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
    made.planner.plan(request(dag_run_id="one role", accounts=[TWO]), map_limit=9)
    made.account_sync.sync(*made.account_sync.open("one role"), TWO, 1)
    assert len(log.query(operation="AssumeRole")) == before + 1
    assert "assumed-role/contactsync" in log.query(service="organizations")[-1].caller_arn
    assert "assumed-role/contactsync" in log.query(service="account")[-1].caller_arn


@pytest.mark.usefixtures("services")
def test_role_is_for_the_management_account_only(adapters: Adapters) -> None:
    """The tables are the deployment's own, and are used with its own credentials."""
    acting(adapters).planner.plan(request(dag_run_id="own tables"), map_limit=9)
    callers = {call.caller_arn for call in adapters.sandbox.call_log.query(service="dynamodb")}
    functions = {caller for caller in callers if "assumed-role/contactsync-bus-" in caller}  # have roles of their own
    assert callers - functions
    assert not any("assumed-role" in caller for caller in callers - functions)


def test_denied_role(adapters: Adapters, services: Services) -> None:
    """A role that may not be assumed is named as such, halts the operation, and is no account's refused permission."""
    run = "a denied role"
    services.account_sync.contacts.write(SECURITY, TWO, MARKED)
    services.planner.plan(request(dag_run_id=run, accounts=[TWO]), map_limit=9)
    made = acting(adapters)
    faults = adapters.sandbox.conditions.faults
    added = faults.add(FaultSettings(service="sts", operation="AssumeRole", error="AccessDenied"))
    try:
        with pytest.raises(AccessDeniedError, match=r"^AssumeRole failed with AccessDenied") as caught:
            made.planner.plan(request(dag_run_id="never planned"), map_limit=9)
        assert caught.value.account_id is None
        found, pinned = made.account_sync.open(run)
        with pytest.raises(HaltedError, match="AssumeRole") as failed:
            made.account_sync.sync(found, pinned, TWO, 1)
    finally:
        faults.remove(added.id)
    assert TWO not in str(failed.value)
    outcomes = services.operations.outcomes_of(found.sync_id, TWO).values()
    assert {(outcome.status, outcome.detail, outcome.error_code) for outcome in outcomes} == {
        (OutcomeStatus.FAILED, OutcomeDetail.HALTED, "AccessDenied")
    }

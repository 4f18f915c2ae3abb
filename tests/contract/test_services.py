"""The composition root on the sandbox: a whole run without Airflow, and what it leaves behind."""

import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contactsync.account_management.api_operations import read_of
from contactsync.configuration.schema import Configuration
from contactsync.contacts import ContactType, changed_fields
from contactsync.errors import AccountsFailedError, CallerMismatchError, SettingsError
from contactsync.operations.operation import OutcomeDetail
from contactsync.sandbox.contacts.defaults import member_account_id
from contactsync.sandbox.requests.faults import FaultSettings
from contactsync.services.services import Services
from contactsync.views.report_table import report_text
from tests.contract.conftest import Adapters
from tests.support.builders import KEY, request
from tests.support.fakes.surroundings import FakeClock

ONE, TWO, SUSPENDED = (member_account_id(number) for number in (1, 2, 3))


@pytest.fixture(scope="module")
def services(adapters: Adapters) -> Services:
    """Store a configuration that propagates everything."""
    adapters.services.configurations.store(Configuration(), after_version=0, changed_by="tests")
    return adapters.services


def with_variables(**variables: str) -> Services:
    """Return the services of this deployment with other variables, by their names without the prefix."""
    return Services.from_environment(os.environ | {f"CONTACTSYNC_{name}": text for name, text in variables.items()})


def run(services: Services, name: str) -> dict[str, str]:
    """Run all steps, and return the states that Airflow would have."""
    states = {}
    for account_id in services.steps.planner.plan(request(dag_run_id=name), map_limit=1024):
        operation, settings = services.steps.account_sync.open(name)
        try:
            services.steps.account_sync.sync(operation, settings, account_id, 1)
            states[account_id] = "success"
        except AccountsFailedError:
            states[account_id] = "failed"
    return states


def everything(adapters: Adapters, table: str) -> list[dict[str, Any]]:
    """Return all items of a table."""
    client: Any = adapters.services._dynamodb
    return [item for page in client.get_paginator("scan").paginate(TableName=table) for item in page["Items"]]


def test_run(adapters: Adapters, services: Services) -> None:
    """Every active member ends with the management account's contacts, and a second run writes nothing."""
    states = run(services, "first")
    assert states == {ONE: "success", TWO: "success"}
    contacts = services.steps.account_sync.contacts
    for kind in ContactType:
        for account_id in (ONE, TWO):
            assert changed_fields(contacts.read(kind, None), contacts.read(kind, account_id)) == ()
    writes = len([call for call in adapters.sandbox.call_log.query() if call.operation.startswith(("Put", "Delete"))])
    run(services, "second")
    calls = [call for call in adapters.sandbox.call_log.query() if call.service == "account"]
    assert len([call for call in calls if call.operation.startswith(("Put", "Delete"))]) <= writes
    assert SUSPENDED not in {call.target_account for call in calls}
    report = services.steps.reporter.report("second", states, has_plan=True)
    report.check()
    assert report.outcome_counts.details == {OutcomeDetail.UNCHANGED: 8, OutcomeDetail.NOT_ACTIVE: 4}


def test_no_values_left(adapters: Adapters, services: Services) -> None:
    """Contact values are in the table of desired contacts and nowhere else: no item, no report."""
    fault = adapters.sandbox.conditions.faults.add(FaultSettings(account=TWO, error="ValidationException"))
    states = run(services, "third")
    adapters.sandbox.conditions.faults.remove(fault.id)
    rows: list[Any] = []
    report = services.steps.reporter.report("third", states, show=rows.append, has_plan=True)
    values = {
        value
        for kind in ContactType
        if (contact := services.steps.account_sync.contacts.read(kind, None))
        for value in contact.values().values()
        if len(value) > 2
    }
    settings = services.settings
    state = json.dumps(everything(adapters, settings.state.table)) + report_text(report, rows)
    assert not [value for value in values if value in state]
    desired = json.dumps(everything(adapters, settings.desired.table), ensure_ascii=False)
    assert all(value in desired for value in values)


def test_expiry(adapters: Adapters, services: Services) -> None:
    """All items of an operation share one expiry; what outlives operations has none."""
    run(services, "fourth")
    operations: dict[str, set[str]] = {}
    lasting: dict[str, set[str]] = {}
    for item in everything(adapters, services.settings.state.table):
        kind, name, *_ = item["pk"]["S"].split("#")
        kept = (
            operations.setdefault(name, set()) if kind in {"OPERATION", "OUTCOMES"} else lasting.setdefault(kind, set())
        )
        kept.add(item.get("expires_at", {"N": "never"})["N"])
    assert operations
    assert all(len(expiries) == 1 and "never" not in expiries for expiries in operations.values())
    assert {kind for kind, expiries in lasting.items() if expiries == {"never"}} >= {"GENERATION", "RECORD", "PACE"}
    assert not [i for i in everything(adapters, services.settings.desired.table) if "expires_at" in i]


@pytest.mark.usefixtures("services")
def test_role(adapters: Adapters) -> None:
    """With a role of the management account the product acts as that account."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in adapters.sandbox.environment().items():
            patch.setenv(name, value)
        role = f"arn:aws:iam::{adapters.sandbox.management_account}:role/contactsync"
        acting = with_variables(MANAGEMENT_ROLE_ARN=role)
        assert acting.steps.planner.plan(request(dag_run_id="as a role"), map_limit=9) == (ONE, TWO)
        assert "assumed-role/contactsync" in adapters.sandbox.call_log.query(service="account")[-1].caller_arn
        wrong = with_variables(MANAGEMENT_ROLE_ARN=f"arn:aws:iam::{TWO}:role/contactsync")
        with pytest.raises(CallerMismatchError, match=TWO):
            wrong.steps.planner.plan(request(dag_run_id="as a member"), map_limit=9)


def test_secret(adapters: Adapters, services: Services) -> None:
    """The fingerprint key can come from Secrets Manager; a secret without text is an error that names the variable."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in adapters.sandbox.environment().items():
            patch.setenv(name, value)
        client: Any = services._clients.own("secretsmanager")
        client.create_secret(Name="fingerprints", SecretString=KEY.decode())
        client.create_secret(Name="binary", SecretBinary=KEY)
        client.create_secret(Name="weak", SecretString="changeme")
        named = with_variables(FINGERPRINT_KEY="", FINGERPRINT_SECRET="fingerprints")
        assert named.steps.planner.fingerprint_key == KEY
        with pytest.raises(SettingsError, match="FINGERPRINT_SECRET"):
            _ = with_variables(FINGERPRINT_KEY="", FINGERPRINT_SECRET="binary").steps.planner
        with pytest.raises(SettingsError, match=r"a secret whose string is 8 bytes long.*openssl rand"):
            _ = with_variables(FINGERPRINT_KEY="", FINGERPRINT_SECRET="weak").steps.planner


def test_deleted_run_again(adapters: Adapters, services: Services) -> None:
    """A run that is planned again with its id keeps its expiry, and its tries, which count from 1 again, settle."""
    name = "deleted and started again"
    run(services, name)
    operation, settings = services.steps.account_sync.open(name)
    for account_id in (ONE, TWO):
        services.steps.account_sync.sync(operation, settings, account_id, 5)
    tomorrow = FakeClock(datetime.now(UTC) + timedelta(days=1))
    assert replace(services.steps.planner, clock=tomorrow).plan(request(dag_run_id=name), map_limit=9) == (ONE, TWO)
    again, settings = services.steps.account_sync.open(name)
    assert (again.timestamp, again.planned) == (operation.timestamp, tomorrow.time)
    for account_id in (ONE, TWO):
        for outcome in replace(services.steps.account_sync, clock=tomorrow).sync(again, settings, account_id, 1):
            assert (outcome.attempts[-1].try_number, outcome.attempts[-1].started) == (1, tomorrow.time)
    items = everything(adapters, services.settings.state.table)
    assert len({item["expires_at"]["N"] for item in items if operation.sync_id in item["pk"]["S"]}) == 1
    services.steps.reporter.report(name, {ONE: "success", TWO: "success"}, has_plan=True).check()


@pytest.mark.usefixtures("services")
def test_throttled_calls_wait(adapters: Adapters) -> None:
    """The guard makes a throttled call again, as often as the settings say."""
    patient = with_variables(THROTTLE_TRIES="3", THROTTLE_WAIT="0")
    faults, log = adapters.sandbox.conditions.faults, adapters.sandbox.call_log
    added = faults.add(FaultSettings(operation="GetContactInformation", error="TooManyRequestsException", count=2))
    before = len(log.query(operation="GetContactInformation"))
    guarded, contacts = patient.steps.call_guard.guarded_calls(Configuration()), patient.steps.planner.contacts
    try:
        assert guarded.call(read_of(ContactType.PRIMARY), lambda: contacts.read(ContactType.PRIMARY, TWO)) is not None
    finally:
        faults.remove(added.id)
    assert len(log.query(operation="GetContactInformation")) == before + 3


@pytest.mark.parametrize(
    ("variable", "arn"),
    [
        ("EVENTS_TOPIC_ARN", "arn:aws-cn:sns:cn-north-1:111122223333:events"),
        ("MANAGEMENT_ROLE_ARN", "arn:aws-us-gov:iam::111122223333:role/x"),
    ],
)
@pytest.mark.usefixtures("services")
def test_foreign_partition(variable: str, arn: str) -> None:
    """What belongs to another partition cannot work, and is refused before a plan asks or writes anything."""
    with pytest.raises(SettingsError, match=rf"CONTACTSYNC_{variable} is an ARN of partition"):
        _ = with_variables(**{variable: arn}).steps.planner

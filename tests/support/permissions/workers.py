"""What Airflow's workers do in AWS, without Airflow: every step of a run and of housekeeping."""

from typing import Any

import pytest

from contactsync.bus.envelope import announcement
from contactsync.bus.events import ConfigurationChanged
from contactsync.configuration.schema import Configuration
from contactsync.errors import AccountsFailedError
from contactsync.notices.scenarios import Scenario
from contactsync.operations.operation import Verdict, sync_id_of
from contactsync.sandbox.contacts.defaults import member_account_id
from contactsync.services.services import Services
from contactsync.sync.housekeeping import RunState
from tests.support.builders import alternate_values, primary_values, request
from tests.support.events import data_of
from tests.support.fakes.surroundings import START
from tests.support.permissions.system import System


def walk(system: System, role_arn: str) -> None:
    """Carry out runs and housekeeping under the execution role."""
    secret = system.sandbox.outputs["FingerprintSecretArn"]
    settings = {"CONTACTSYNC_FINGERPRINT_KEY": "", "CONTACTSYNC_FINGERPRINT_SECRET": secret}
    with system.as_role(role_arn, **settings) as services:
        _changed(system, "a")
        _run(services, "run-all")
        _changed(system, "b")
        _configure(system, scope={"include": {"organizational_units": ["Security"]}})
        _run(services, "run-units", organizational_units=["Security"])
        _changed(system, "c")
        _changed(system, "account")
        _run(services, "run-account", accounts=[member_account_id(1)])
        _moved(system, services)
        _changed(system, "d")
        _configure(system, scope={"exclude": {"tags": {"team": ["nobody"]}}})
        _run(services, "run-tags")
        _configure(system)
        _changed(system, "e")
        denied = {"service": "account", "operation": "PutAlternateContact", "error": "AccessDeniedException"}
        with system.fault(**denied, status=403), pytest.raises(AccountsFailedError):
            _run(services, "run-denied")
        _delete(system, services)
        _housekeeping(services)
        _outbox(services)


def _moved(system: System, services: Services) -> None:
    """Change the rules between plan and write, so that the account's units are asked before it is written."""
    _changed(system, "moved")
    (account_id,) = services.steps.planner.plan(
        request(dag_run_id="run-moved", accounts=[member_account_id(1)]), map_limit=1024
    )
    _configure(system, scope={"exclude": {"organizational_units": ["Infrastructure"]}})
    operation, pinned = services.steps.account_sync.open("run-moved")
    services.steps.account_sync.sync(operation, pinned, account_id, 1)


def _changed(system: System, mark: str) -> None:
    """Change every contact of the management account."""
    account = system.client("account")
    account.put_contact_information(ContactInformation=primary_values(FullName=f"Wanda {mark}"))
    for contact_type in ("BILLING", "OPERATIONS", "SECURITY"):
        account.put_alternate_contact(AlternateContactType=contact_type, **alternate_values(Name=f"Wanda {mark}"))


def _configure(system: System, **settings: Any) -> None:
    unpaced = {"rates": {"enabled": False}, **settings}
    with system.admin() as services:
        configurations = services.configurations
        latest = configurations.latest_version()
        configurations.store(Configuration.model_validate(unpaced), after_version=latest, changed_by="tests")


def _run(services: Services, run: str, **parts: Any) -> None:
    """Plan, synchronize and report, as the DAG does it."""
    asked = request(dag_run_id=run, **parts)
    accounts = services.steps.planner.plan(asked, map_limit=1024)
    assert accounts
    for account_id in accounts:
        operation, configuration = services.steps.account_sync.open(run)
        services.steps.account_sync.sync(operation, configuration, account_id, 1)
    services.steps.reporter.report(run, dict.fromkeys(accounts, "success"), has_plan=True, listed=accounts)
    services.steps.notice_requests.request(Scenario.OVERDUE, run, dag_id="contact_sync")


def _delete(system: System, services: Services) -> None:
    system.client("account").delete_alternate_contact(AlternateContactType="SECURITY")
    asked = request(dag_run_id="run-delete", contact_types=["security"])
    accounts = services.steps.planner.plan(asked, map_limit=1024)
    assert services.steps.approvals.ask("run-delete")
    planned = services.operations.get(sync_id_of("run-delete")).planned  # type: ignore[union-attr]
    now = services.clock.now()
    services.steps.approvals.decide("run-delete", Verdict.APPROVED, planned=planned, by="airflow:a", at=now)
    operation, configuration = services.steps.account_sync.open("run-delete")
    for account_id in accounts:
        services.steps.account_sync.sync(operation, configuration, account_id, 1)
    services.steps.reporter.report("run-delete", {}, has_plan=True, listed=accounts)


def _housekeeping(services: Services) -> None:
    services.steps.planner.plan(request(dag_run_id="run-gone"), map_limit=1024)
    services.steps.housekeeper.overdue(lambda _: RunState.RUNNING)
    services.steps.housekeeper.unplanned(1)
    services.steps.housekeeper.unplanned(0)
    services.steps.housekeeper.close_abandoned(lambda _: None, services.steps.notice_requests.announced_end)
    services.steps.reporter.store_unplanned("run-no", initiating_user="a", source_account="111122223333", cause="c")


def _outbox(services: Services) -> None:
    """Publish what was left, and among it an event that is too large for a message."""
    data = data_of(ConfigurationChanged, config_key="large", changed_keys=["k" * 100] * 2800)
    services.outbox.add(announcement(data, about="large", subject="large", correlation_id="large", time=START))
    assert services.relay.send_left() == 1

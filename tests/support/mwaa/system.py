"""The sandbox, with an Airflow that is as on MWAA: the image's packages, the release, the template's options, FAB."""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contactsync.cli.local.local_system import (
    DAG_ID,
    LOCAL_ENVIRONMENT,
    LocalSystem,
    product_environment,
    worker_environment,
)
from contactsync.configuration.schema import Configuration
from contactsync.isolation import environment_of
from contactsync.local_airflow.airflow import LocalAirflow
from contactsync.local_airflow.ports import reserved_port
from contactsync.sandbox.scenario.scenario import Scenario
from contactsync.sandbox.server import REGION, Sandbox
from contactsync.services.services import Services
from contactsync.stacks.stack_file import read_stacks
from contactsync.stacks.stacks import stack_name
from tests.support.mwaa.image import ROOT, PythonEnvironment
from tests.support.mwaa.options import option_values, variables
from tests.support.mwaa.release import Release

FAB: Final = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"

# MWAA makes its users when they come, with the role that IAM allows them.
MAKE_USERS: Final = """
import json, sys
from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

with get_application_builder() as builder:
    for name, role, password in json.load(sys.stdin):
        mail = f"{len(builder.sm.get_all_users())}@example.com"
        found = builder.sm.find_role(role)
        assert found and builder.sm.add_user(name, name, name, mail, found, password), name
"""


@dataclass(frozen=True)
class MwaaSystem(LocalSystem):
    """The running system, and the options that its Airflow got from the template."""

    options: Mapping[str, str]


@contextmanager
def mwaa_system(
    home: Path,
    image: PythonEnvironment,
    release: Release,
    scenario: Scenario,
    *,
    configuration: Configuration,
    further: Mapping[str, str],
) -> Iterator[MwaaSystem]:
    """Start everything, with further variables for Airflow; stop everything at the end."""
    with ExitStack() as stack:
        port = stack.enter_context(reserved_port(0))
        links = {"AirflowUrl": f"http://127.0.0.1:{port}"}
        sandbox = stack.enter_context(Sandbox(scenario, templates=ROOT / "infra", parameters=links))
        ours = product_environment(sandbox)
        stack.enter_context(environment_of(ours))
        Services.from_environment(ours).configurations.store(configuration, after_version=0, changed_by="a test")
        options = deployed_options(sandbox)
        airflow = LocalAirflow(
            home,
            release.dags,
            release.plugins,
            # No CONTACTSYNC_* and no PYTHONPATH: the settings are the template's, and the product is the wheel. The
            # keys are those of the execution role, whose policies the sandbox enforces.
            environment={
                **worker_environment(sandbox, sandbox.environment()),
                **variables(options),
                "AIRFLOW__CORE__AUTH_MANAGER": FAB,
                "PYTHONPATH": "",
                **further,
            },
            port=port,
            python=image.python,
        )
        stack.enter_context(airflow)
        _make_users(airflow, image)
        sandbox.register_airflow(airflow.base_url, *airflow.trigger_credentials)
        airflow.wait_for_dag(DAG_ID)
        yield MwaaSystem(sandbox, airflow, ours, options)


def deployed_options(sandbox: Sandbox) -> dict[str, str]:
    """Return the options of infra/airflow.yaml with the outputs of the stacks that the sandbox has."""
    listed = read_stacks(ROOT / "infra")
    (stack,) = (one for one in listed.stacks if one.name == "airflow")
    outputs = {one.name.removeprefix(stack_name(LOCAL_ENVIRONMENT, "")): one.outputs for one in sandbox.stacks}
    given = {"Environment": LOCAL_ENVIRONMENT, "ManagementAccountId": sandbox.management_account}
    return option_values(listed, listed.fed(stack, outputs, REGION) | given)


def _make_users(airflow: LocalAirflow, image: PythonEnvironment) -> None:
    trigger, password = airflow.trigger_credentials
    users = [(airflow.username, "Admin", airflow.password), (trigger, "User", password)]
    answer = image.run("-c", MAKE_USERS, environment=airflow.environment(), given=json.dumps(users))
    assert answer.returncode == 0, answer.stderr

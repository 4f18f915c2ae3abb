"""The whole product on one machine: the sandbox with the project's templates, and a local Airflow in MWAA's place."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import typer

from contactsync.cli.local.project import project_root
from contactsync.configuration.schema import Configuration
from contactsync.doc_links import VARIABLE, known_address
from contactsync.errors import ContactSyncError
from contactsync.isolation import environment_of
from contactsync.local_airflow.airflow import LocalAirflow, LocalAirflowError
from contactsync.local_airflow.airflow_api import AirflowApiError
from contactsync.local_airflow.airflow_settings import Database
from contactsync.local_airflow.ports import reserved_port
from contactsync.sandbox.scenario.scenario import Scenario, ScenarioError
from contactsync.sandbox.server import MWAA_ENVIRONMENT, REGION, PortTakenError, Sandbox
from contactsync.services.services import Services
from contactsync.stacks.outputs import DeployedStack, settings_of
from contactsync.stacks.templates import TemplateError

DAG_ID: Final = "contact_sync"

LOCAL_ENVIRONMENT: Final = "local"
"""The environment that the sandbox deploys the templates for."""


# The sandbox's data is made up, so this public key protects nothing; a deployment has its own.
_FINGERPRINT_KEY: Final = "nnZ3QtgEbHfl/UXgIU6S9iXvLnQichhOHdgUEZT17wQ="


@dataclass(eq=False)
class LocalSystemError(ContactSyncError):
    """The sandbox or the local Airflow failed."""

    reason: str

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return self.reason


@contextmanager
def sandbox_errors() -> Iterator[None]:
    """Raise errors of the sandbox and the local Airflow as a LocalSystemError."""
    try:
        yield
    except (AirflowApiError, LocalAirflowError, PortTakenError, ScenarioError, TemplateError) as error:
        raise LocalSystemError(str(error)) from None


@dataclass(frozen=True)
class LocalSystem:
    """A running sandbox and Airflow, and the environment that makes the product use them."""

    sandbox: Sandbox
    airflow: LocalAirflow
    environment: Mapping[str, str]

    @property
    def shell_environment(self) -> dict[str, str]:
        """The environment for another shell, whose commands sign in at this Airflow instead of going through MWAA."""
        return {
            **self.environment,
            "CONTACTSYNC_AIRFLOW_URL": self.airflow.base_url,
            "CONTACTSYNC_AIRFLOW_USERNAME": self.airflow.username,
            "CONTACTSYNC_AIRFLOW_PASSWORD": self.airflow.password,
        }

    @property
    def services(self) -> Services:
        """The product's services; the process must have `environment` in its own environment."""
        return Services.from_environment(self.environment)


@contextmanager
def local_system(
    home: Path,
    scenario: Scenario,
    *,
    configuration: Configuration | None = None,
    airflow_port: int = 0,
    database: Database = Database.POSTGRESQL,
    tell: Callable[[str], None] = typer.echo,
) -> Iterator[LocalSystem]:
    """Start everything and store a configuration; stop everything at the end, also when starting fails.

    Each takes another port when its own is used (`airflow_port`; 0 is any). While it runs, the environment of this
    process leads boto3 to the sandbox.
    """
    root = project_root()
    with ExitStack() as stack:
        tell("Starting the sandbox: a simulated AWS organization")
        # Chosen before the sandbox starts, because notices link to Airflow's pages.
        port = stack.enter_context(reserved_port(airflow_port))
        links = {"AirflowUrl": f"http://127.0.0.1:{port}", "DocsUrl": known_address() or ""}
        sandbox = stack.enter_context(Sandbox(scenario, port=None, templates=root / "infra", parameters=links))
        environment = product_environment(sandbox)
        stack.enter_context(environment_of(environment))
        services = Services.from_environment(environment)
        services.configurations.store(configuration or Configuration(), after_version=0, changed_by="local system")
        tell("Starting Airflow: database, scheduler, DAG processor, triggerer and web server")
        airflow = LocalAirflow(
            home,
            root / "dags",
            root / "plugins",
            environment=worker_environment(sandbox, environment),
            database=database,
            port=port,
            triggerer=True,  # our tasks do not need it, but without one Airflow's home page shows a red cross
        )
        stack.enter_context(airflow)
        sandbox.register_airflow(airflow.base_url, *airflow.trigger_credentials)
        airflow.wait_for_dag(DAG_ID)
        yield LocalSystem(sandbox, airflow, environment)
        tell("Stopping")


def product_environment(sandbox: Sandbox) -> dict[str, str]:
    """Return the variables of a deployment: from the stacks' outputs, as on MWAA, with the sandbox's endpoint."""
    found = settings_of(LOCAL_ENVIRONMENT, [DeployedStack(stack.name, stack.outputs) for stack in sandbox.stacks])
    del found["CONTACTSYNC_FINGERPRINT_SECRET"]  # here the key itself is enough
    return {
        **sandbox.environment(),
        **found,
        "CONTACTSYNC_MANAGEMENT_ACCOUNT_ID": sandbox.management_account,
        "CONTACTSYNC_MWAA_ENVIRONMENT": MWAA_ENVIRONMENT,
        "CONTACTSYNC_MWAA_REGION": REGION,
        "CONTACTSYNC_FINGERPRINT_KEY": _FINGERPRINT_KEY,
        # Across a network, waiting for an answer or for a killed task's call takes longer than on one machine.
        "CONTACTSYNC_CONNECT_TIMEOUT": "2",
        "CONTACTSYNC_READ_TIMEOUT": "8",
        "CONTACTSYNC_MARK_WAIT": "12",
        **_docs(),
    }


def worker_environment(sandbox: Sandbox, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of Airflow's processes: as on MWAA, their keys are those of the execution role."""
    return {**environment, **sandbox.environment_of_role(sandbox.outputs["ExecutionRoleArn"], "airflow")}


def _docs() -> dict[str, str]:
    """Return the variable with the documentation's address if the shell has it, so that links work here too."""
    address = known_address()
    return {VARIABLE: address} if address else {}

"""A sandbox for walks through everything that each component does, each under its own role."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from contactsync.cli.local.local_system import product_environment
from contactsync.isolation import environment_of
from contactsync.sandbox.scenario.scenario import Scenario
from contactsync.sandbox.server import REGION, Sandbox
from contactsync.services.services import Services
from tests.support.fakes.airflow import FakeAirflow, served

ROOT = Path(__file__).parents[3]
FALLBACK = "contactsync-local-fallback"
SCENARIO = {
    "organization": {"accounts": 3},
    "quotas": {"enabled": False},
    "events": {"time_scale": 0.005, "delay": 0},
}


@dataclass
class System:
    """The running sandbox, with all that is optional in the templates."""

    sandbox: Sandbox

    def client(self, service: str) -> Any:
        """Return a client of a person who may do everything."""
        return self.sandbox.session().client(service, endpoint_url=self.sandbox.endpoint_url)

    @contextmanager
    def admin(self) -> Iterator[Services]:
        """Use the deployment as a person who may do everything."""
        environment = product_environment(self.sandbox)
        with environment_of(environment):
            yield Services.from_environment(environment)

    @contextmanager
    def as_role(self, role_arn: str, **settings: str) -> Iterator[Services]:
        """Use the deployment in a session of a role; settings are added to those of the deployment."""
        session = self.sandbox.environment_of_role(role_arn, "walk")
        environment = {**product_environment(self.sandbox), **session, **settings}
        with environment_of(environment):
            boto3.DEFAULT_SESSION = None
            yield Services.from_environment(environment)

    def role_of_function(self, function: str) -> str:
        """Return the role of a function."""
        return str(self.client("lambda").get_function_configuration(FunctionName=function)["Role"])

    def role_with(self, name: str, policy_arn: str) -> str:
        """Return a role that has a managed policy, as a person's permission set has it."""
        iam = self.client("iam")
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Statement": []}))["Role"]
        iam.attach_role_policy(RoleName=name, PolicyArn=policy_arn)
        return str(role["Arn"])

    @contextmanager
    def fault(self, **settings: Any) -> Iterator[None]:
        """Let calls fail for a while."""
        from contactsync.sandbox.requests.faults import FaultSettings

        added = self.sandbox.conditions.faults.add(FaultSettings.model_validate(settings))
        try:
            yield
        finally:
            self.sandbox.conditions.faults.remove(added.id)


@contextmanager
def system(**parameters: str) -> Iterator[System]:
    """Run the sandbox; `parameters` are those of the templates."""
    scenario = Scenario.model_validate(SCENARIO)
    management = scenario.organization.management_account
    wanted = {
        "Enabled": "true",
        "OpsItems": "true",
        "FallbackTopicArn": f"arn:aws:sns:{REGION}:{management}:{FALLBACK}",
        **parameters,
    }
    airflow = FakeAirflow()
    airflow.has_dag = False
    with served(airflow) as address, Sandbox(scenario, templates=ROOT / "infra", parameters=wanted) as sandbox:
        sandbox.register_airflow(address)
        running = System(sandbox)
        running.client("sns").create_topic(Name=FALLBACK)
        yield running

"""The checks before a deployment and `contactsync validate`, with all stacks of infra/ in two regions."""

import json
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from contactsync.checks.before_deployment import after_failed_environment, before_deployment
from contactsync.checks.findings import Finding
from contactsync.checks.wanted import EnvironmentParts, WantedDeployment
from contactsync.configuration.schema import Configuration
from contactsync.isolation import local_environment
from contactsync.sandbox.server import Sandbox
from contactsync.services.checks import deployment_ports
from contactsync.services.deployment import deployed_settings
from contactsync.services.services import Services
from contactsync.settings.groups import Group
from tests.integration.conftest import Command
from tests.sandbox.test_cloudformation_infra import REGION, TRIGGER, Deployed
from tests.support.fakes.airflow import served
from tests.support.fakes.healthy_airflow import HealthyAirflow

AIRFLOW = "contactsync-dev-airflow"
NEEDED = ("credentials", "account", "organization", "trusted-access", "trail", "region", "quota", "names")


class Account:
    """The management account of a sandbox, before, with and after a deployment."""

    def __init__(self, sandbox: Sandbox) -> None:
        """Begin with no stack."""
        self.sandbox = sandbox
        self.deployed: Deployed = Deployed(SimpleNamespace(client=self.client))  # type: ignore[arg-type] # what it uses
        self.deployed.given["ManagementAccountId"] = sandbox.management_account

    def client(self, service: str, **settings: Any) -> Any:
        """Return a client of the account."""
        return self.sandbox.session().client(service, endpoint_url=self.sandbox.endpoint_url, **settings)

    def wanted(self, **changes: Any) -> WantedDeployment:
        """Return the deployment that is there, or shall be."""
        usual = WantedDeployment(
            "dev",
            self.sandbox.management_account,
            REGION,
            TRIGGER,
            self.deployed.listed,
            self.deployed.given,
            creates_trail=True,
            stacks=frozenset(self.deployed.outputs),
        )
        return replace(usual, **changes)

    def deploy(self) -> None:
        """Make all stacks."""
        for stack in self.deployed.stacks():
            self.deployed.create(stack)


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    """Run a sandbox with an organization, and no stack."""
    with Sandbox() as running:
        yield Account(running)


@pytest.fixture(autouse=True)
def _credentials(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Be a person of the management account whose region is the deployment's."""
    for name, value in local_environment(account.sandbox.endpoint_url).items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "sandbox")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)


def checked(account: Account, **changes: Any) -> dict[str, Finding]:
    """Make the checks before a deployment."""
    return {one.name: one for one in before_deployment(account.wanted(**changes), deployment_ports())}


def test_first_and_second_deployment(account: Account) -> None:
    """Before the first deployment every name is free; before the second one nothing stops it, its own trail neither."""
    first = checked(account)
    assert {name: first[name].sentence for name in NEEDED if not first[name].is_ok} == {}
    account.deploy()
    second = checked(account)
    assert {name: one.sentence for name, one in second.items() if not one.is_ok} == {}
    assert "is there already" in second["quota"].sentence


def test_without_its_stacks(account: Account) -> None:
    """Without their stacks, tables and buckets would be adopted, and an environment would not."""
    finding = checked(account, stacks=frozenset())["names"]
    assert not finding.is_ok or "kept" in finding.sentence
    names = [
        one
        for one in before_deployment(account.wanted(stacks=frozenset()), deployment_ports())
        if one.name == "names" and not one.is_ok
    ]
    assert [one.sentence for one in names] == [f"MWAA environment {AIRFLOW} is there without its stack {AIRFLOW}."]


def test_healthy(account: Account, contactsync: Command) -> None:
    """All stacks are validated in their own regions, with the release that the bucket keeps."""
    settings = deployed_settings("dev")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        store = Services.from_environment(needs=[Group.CONFIGURATION, Group.STATE, Group.DEPLOYMENT, Group.BUS])
        store.configurations.store(Configuration(), after_version=0, changed_by="tests")
    bucket = account.deployed.outputs["artifacts"]["CodeBucketName"]
    record = {"version": "0.1.0", "is_complete": True, "files": {"plugins.zip": "ab"}}
    s3 = account.client("s3", region_name=REGION)
    s3.put_object(Bucket=bucket, Key="releases/20261129-0.1.0/release.json", Body=json.dumps(record))
    s3.put_object(Bucket=bucket, Key="releases/files/ab", Body=b"x")
    fake = HealthyAirflow()
    with served(fake) as url:
        account.sandbox.register_airflow(url, "user", "password", environment=AIRFLOW)
        answer = contactsync("validate", "--environment", "dev", "--output", "json")
        fake.version = "0.0.9"
        other = contactsync("validate", "--environment", "dev", "--output", "json")
    wrong = {one["name"]: one["sentence"] for one in json.loads(answer.out) if one["state"] != "ok"}
    assert wrong == {}
    assert answer.code == 0
    found = {one["name"]: one["sentence"] for one in json.loads(answer.out)}
    assert found["version"] == "Version 0.1.0 was released, and runs."
    assert found["drift"] == f"{len(account.deployed.stacks())} stacks are as their templates say."
    assert [one["name"] for one in json.loads(other.out) if one["state"] != "ok"] == ["version"]
    assert other.code == 1


def test_another_environment(contactsync: Command) -> None:
    """Another environment's stacks are not taken for this one's."""
    answer = contactsync("validate", "--environment", "de")
    assert answer.code == 1
    assert "There is no stack of environment de in eu-west-1 and us-east-1." in answer.out


def test_after_a_failed_environment(account: Account) -> None:
    """The network, role and bucket of the real stacks are right, but for what IAM in the sandbox cannot simulate."""
    network = account.deployed.outputs["network"]
    parts = EnvironmentParts(
        REGION,
        AIRFLOW,
        tuple(network["SubnetIds"].split(",")),
        (network["SecurityGroupId"],),
        AIRFLOW,
        account.deployed.outputs["artifacts"]["CodeBucketName"],
    )
    found = {one.name: one for one in after_failed_environment(parts, deployment_ports())}
    assert {name: one.sentence for name, one in found.items() if not one.is_ok and name != "role"} == {}
    assert "SimulatePrincipalPolicy" in found["role"].sentence or found["role"].is_ok

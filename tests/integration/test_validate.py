"""`contactsync validate` on the sandbox's stacks, with an Airflow whose REST API answers as Airflow's does."""

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest

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


def test_healthy(contactsync: Command, airflow: HealthyAirflow) -> None:
    """A deployment in which everything works has a ✓ for each check, and exit code 0."""
    answer = contactsync("validate", "--environment", "local")
    print(answer.out)
    assert answer.code == 0, answer.out

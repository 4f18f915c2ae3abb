"""The adapters on a sandbox, for the suites that run against fake and adapter alike."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from contactsync.aws.operations.desired_contacts_table import DynamoDbDesiredContacts
from contactsync.aws.organization import AwsOrganization
from contactsync.cli.local.local_system import product_environment
from contactsync.sandbox.scenario.scenario import Scenario
from contactsync.sandbox.server import Sandbox
from contactsync.services.services import Services
from tests.contract.store import Store
from tests.support.fakes.state import FakeDesiredContacts, FakeOperations, FakeState

ROOT = Path(__file__).parents[2]
SCENARIO = {
    "organization": {
        "accounts": 3,
        "empty_pages": 1,
        "members": [
            {"number": 1, "contacts": {"security": None}},
            {"number": 3, "state": "SUSPENDED"},
        ],
    },
    "quotas": {"enabled": False},
}


@dataclass(frozen=True)
class Adapters:
    """A running sandbox and the product's adapters on it."""

    sandbox: Sandbox
    services: Services
    desired: DynamoDbDesiredContacts
    organization: AwsOrganization


@pytest.fixture(scope="module")
def adapters() -> Iterator[Adapters]:
    """Run a sandbox with the project's templates, and make the adapters that the composition root makes."""
    with adapters_on(SCENARIO) as made:
        yield made


@contextmanager
def adapters_on(scenario: dict[str, Any]) -> Iterator[Adapters]:
    """Do that for any scenario."""
    with (
        Sandbox(Scenario.model_validate(scenario), templates=ROOT / "infra") as sandbox,
        pytest.MonkeyPatch.context() as patch,
    ):
        environment = {**product_environment(sandbox), "CONTACTSYNC_THROTTLE_TRIES": "1"}
        for name, value in environment.items():
            patch.setenv(name, value)
        services = Services.from_environment(environment)
        # Endpoint and credentials are read when a client is made, so all are made here.
        _ = services.steps.planner, services.steps.account_sync, services.steps.reporter
        yield Adapters(sandbox, services, services.desired_contacts, services.organization)


@pytest.fixture(params=["fake", "sandbox"])
def store(request: pytest.FixtureRequest) -> Store:
    """Give the fakes, then the adapters."""
    if request.param == "fake":
        state = FakeState()
        return Store(FakeOperations(state), FakeDesiredContacts(state))
    adapters: Adapters = request.getfixturevalue("adapters")
    return Store(adapters.services.operations, adapters.desired)

"""The adapters on a sandbox, for the suites that run against fake and adapter alike."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from contactsync.aws.desired_contacts_table import DynamoDbDesiredContacts
from contactsync.aws.organization import AwsOrganization
from contactsync.cli.local_system import product_environment
from contactsync.sandbox.scenario import Scenario
from contactsync.sandbox.server import Sandbox
from contactsync.services import Services

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
    with (
        Sandbox(Scenario.model_validate(SCENARIO), templates=ROOT / "infra") as sandbox,
        pytest.MonkeyPatch.context() as patch,
    ):
        environment = {**product_environment(sandbox), "CONTACTSYNC_THROTTLE_TRIES": "1"}
        for name, value in environment.items():
            patch.setenv(name, value)
        services = Services.from_environment(environment)
        # Endpoint and credentials are read when a client is made, so all are made here.
        planner, account_sync = services.planner, services.account_sync
        assert isinstance(planner.organization, AwsOrganization)
        assert isinstance(account_sync.desired, DynamoDbDesiredContacts)
        yield Adapters(sandbox, services, account_sync.desired, planner.organization)

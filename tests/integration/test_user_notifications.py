"""Notices that AWS User Notifications forwards, on the sandbox."""

from pathlib import Path

import pytest

from contactsync.cli.local.local_system import product_environment
from contactsync.configuration.schema import Configuration
from contactsync.notices.scenarios import Scenario
from contactsync.sandbox.scenario.scenario import Scenario as SandboxScenario
from contactsync.sandbox.server import Sandbox
from contactsync.services.services import Services
from tests.support.worlds.people import People, recorded, wait_for

ROOT = Path(__file__).parents[2]


def test_user_notifications() -> None:
    """Mirrored as OpsItems, notices reach User Notifications, one for each operation and severity."""
    scenario = SandboxScenario.model_validate({"organization": {"accounts": 1}, "events": {"time_scale": 0.01}})
    parameters = {"OpsItems": "true", "NotificationsEmail": "on-call@example.com"}
    with (
        Sandbox(scenario, templates=ROOT / "infra", parameters=parameters) as sandbox,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in product_environment(sandbox).items():
            patch.setenv(name, value)
        services = Services.from_environment()
        services.configurations.store(Configuration(), after_version=0, changed_by="tests")
        people = People(sandbox, services)
        people.notified(Scenario.SYSTEM_ERRORS, "run-mirrored")
        people.notified(Scenario.PERMISSION_ERRORS, "run-mirrored")
        wait_for(lambda: len(people.inbox("run-mirrored")) >= 2, "both mails")
        wait_for(
            lambda: all("delivery_USER_NOTIFICATIONS" in e for e in recorded(people, "run-mirrored")), "the record"
        )
        mirrored = people.control("GET", "inbox?channel=user-notifications")["messages"]
        assert [message["recipient"] for message in mirrored] == ["on-call@example.com"]
        assert {e["delivery_USER_NOTIFICATIONS"]["status"] for e in recorded(people, "run-mirrored")} == {"sent"}

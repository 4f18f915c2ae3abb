"""People on a sandbox: what they are told, and what tests ask."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import requests

from contactsync.configuration.schema import Configuration
from contactsync.notices.scenarios import Scenario
from contactsync.operations.operation import sync_id_of
from contactsync.sandbox.server import Sandbox
from contactsync.services.services import Services


@dataclass
class People:
    """The sandbox with its functions, and what people see."""

    sandbox: Sandbox
    services: Services

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Call the sandbox's control API."""
        answer = requests.request(method, f"{self.sandbox.endpoint_url}/_sandbox/{path}", json=body, timeout=30)
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    def inbox(self, run: str) -> list[dict[str, Any]]:
        """Return the messages about a run."""
        return [m for m in self.control("GET", "inbox")["messages"] if run in m["text"] or run in (m["subject"] or "")]

    def notified(self, scenario: Scenario, run: str, **parts: Any) -> bool:
        """Request a notice."""
        return self.services.steps.notice_requests.request(scenario, run, dag_id="contact_sync", **parts)

    def configure(self, **settings: Any) -> None:
        """Store the next version of the configuration with these notification settings."""
        configurations = self.services.configurations
        latest = configurations.latest_version()
        changed = Configuration.model_validate({"notification_settings": settings})
        configurations.store(changed, after_version=latest, changed_by="tests")


def wait_for(found: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    """Wait until something is there."""
    end = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(0.1)
    return value


def recorded(people: People, run: str) -> list[dict[str, Any]]:
    """Return what is stored of a run's notices."""
    return list(people.services.notice_store.of_operation(sync_id_of(run)))

"""One sandbox and one Airflow, shared by all end-to-end tests."""

import itertools
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
import requests

from contactsync.cli.local.local_system import DAG_ID, LocalSystem, local_system
from contactsync.configuration.schema import Configuration
from contactsync.sandbox.contacts.defaults import member_account_id
from contactsync.sandbox.scenario.scenario import Scenario

ACCOUNTS = 15
SUSPENDED, EXCLUDED, EQUAL = 5, 11, (8, 12, 14)


def contact_of(person: str) -> dict[str, str]:
    """Return a valid alternate contact of a made-up person."""
    local = person.lower().replace(" ", ".")
    return {
        "Name": person,
        "Title": "On call",
        "EmailAddress": f"{local}@example.com",
        "PhoneNumber": "+1-206-555-0142",
    }


FIRST_CONTACT = contact_of("Avery Quill")


class World:
    """The running system, and what tests do to it and ask of it."""

    def __init__(self, system: LocalSystem) -> None:
        """Take the running system."""
        self.system = system
        self.api = system.airflow.api
        self.call_log = system.sandbox.call_log
        self.members = [member_account_id(number) for number in range(1, ACCOUNTS + 1)]
        self.suspended = self.members[SUSPENDED - 1]
        self.excluded = self.members[EXCLUDED - 1]
        self.equal = [self.members[number - 1] for number in EQUAL]
        self.targets = [m for m in self.members if m not in {self.suspended, self.excluded}]
        self.management: Any = boto3.client("account")
        self._people = (f"Person {number:03}" for number in itertools.count())

    def new_contact(self) -> dict[str, str]:
        """Return a contact that nobody has had in this session."""
        return contact_of(next(self._people))

    def put(self, contact: dict[str, str], contact_type: str = "SECURITY") -> None:
        """Change an alternate contact of the management account, as any client would."""
        self.management.put_alternate_contact(AlternateContactType=contact_type, **contact)

    def member_contact(self, account_id: str, contact_type: str = "SECURITY") -> dict[str, str]:
        """Return a member's contact through the API that everybody uses."""
        answer = self.management.get_alternate_contact(AccountId=account_id, AlternateContactType=contact_type)
        return {k: v for k, v in answer["AlternateContact"].items() if k != "AlternateContactType"}

    def run_ids(self) -> set[str]:
        """Return the ids of all runs there are."""
        return {run["dag_run_id"] for run in self.api.runs(DAG_ID)}

    def wait_for_new_run(self, before: set[str]) -> str:
        """Wait until a change has become a run, and return its id."""
        found = self.api.wait_until(
            lambda: next(({"id": run_id} for run_id in self.run_ids() - before), None), "a new run", seconds=60
        )
        return str(found["id"])

    def finish(self, run_id: str) -> str:
        """Wait until a run has ended, and return its state."""
        return str(self.api.wait_for_run(DAG_ID, run_id, seconds=240)["state"])

    def change(self, contact: dict[str, str], contact_type: str = "SECURITY") -> tuple[str, str]:
        """Change a contact, wait for its run, and return the run's id and state."""
        before = self.run_ids()
        self.put(contact, contact_type)
        run_id = self.wait_for_new_run(before)
        return run_id, self.finish(run_id)

    def trigger(self, **conf: Any) -> tuple[str, str]:
        """Start a run by hand, and return its id and state."""
        run_id = str(self.api.trigger(DAG_ID, conf)["dag_run_id"])
        return run_id, self.finish(run_id)

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Call the sandbox's control API."""
        answer = requests.request(method, f"{self.system.sandbox.endpoint_url}/_sandbox/{path}", json=body, timeout=30)
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    def events(self) -> list[dict[str, Any]]:
        """Return every event that the sandbox made, oldest first, with what became of it."""
        found: list[dict[str, Any]] = self.control("GET", "events")["events"]
        return found

    def outcomes(self, run_id: str) -> dict[str, Any]:
        """Return the stored outcomes of a run with one contact type, by account."""
        from contactsync.operations.operation import sync_id_of

        found = list(self.system.services.operations.outcomes(sync_id_of(run_id)))
        by_account = {outcome.account_id: outcome for outcome in found}
        assert len(by_account) == len(found)
        return by_account

    def writes_since(self, sequence: int) -> list[str]:
        """Return the accounts that were written since a point of the call log, one entry per call."""
        return [
            call.target_account or "management"
            for call in self.call_log.query(service="account", since=sequence)
            if call.operation.startswith(("Put", "Delete")) and call.target_account
        ]

    def check_permissions(self) -> None:
        """Check that Airflow and the functions called with their roles, and that no policy denied a call."""
        calls = self.call_log.query(caller="assumed-role/contactsync-local-")
        words = ("because no identity-based policy", "with an explicit deny")
        denied = [call.error_message for call in calls if any(word in (call.error_message or "") for word in words)]
        assert denied == []
        assert any("assumed-role/contactsync-local-airflow/" in call.caller_arn for call in calls)

    def mark(self) -> int:
        """Return the current point of the call log."""
        calls = self.call_log.query()
        return calls[-1].sequence if calls else 0


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Start everything once."""
    members: list[dict[str, Any]] = [
        {"number": SUSPENDED, "state": "SUSPENDED"},
        *({"number": number, "contacts": {"security": FIRST_CONTACT}} for number in EQUAL),
    ]
    scenario = Scenario.model_validate(
        {"organization": {"accounts": ACCOUNTS, "members": members}, "quotas": {"enabled": False}}
    )
    configuration = Configuration.model_validate({"excluded_accounts": [member_account_id(EXCLUDED)]})
    with local_system(
        tmp_path_factory.mktemp("airflow"), scenario, configuration=configuration, tell=lambda _: None
    ) as system:
        made = World(system)
        yield made
        made.check_permissions()


@pytest.fixture
def faults(world: World) -> Iterator[World]:
    """Let a test script faults, and clear them afterwards."""
    yield world
    world.control("DELETE", "faults")

"""What can happen to a running system, and how tests see it: faults, killed processes, changed configurations."""

import os
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import boto3

from contactsync.cli.local.local_system import DAG_ID
from contactsync.configuration.schema import Configuration
from contactsync.operations.operation import AccountOutcome, OutcomeDetail, SyncOperation, sync_id_of
from contactsync.sandbox.contacts.account_rules import ContactType

if TYPE_CHECKING:
    from tests.e2e.conftest import World

LATENCY = 60.0
"""What a loaded machine may add to a retry's delay, in seconds."""


def begin(world: "World", contact: dict[str, str]) -> str:
    """Change a contact, and return the id of its run once it is there."""
    before = world.run_ids()
    world.put(contact)
    return world.wait_for_new_run(before)


def fault(world: "World", operation: str, **settings: Any) -> str:
    """Script a fault, and return its id."""
    added = world.control("POST", "faults", {"operation": operation, **settings})["faults"]
    return str(added[0]["id"])


def struck(world: "World") -> Mapping[str, int]:
    """Return how often each fault has struck."""
    return {item["id"]: item["struck"] for item in world.control("GET", "faults")["faults"]}


def wait_for(world: "World", done: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Wait until something is so."""
    world.api.wait_until(lambda: {} if done() else None, what, seconds=seconds, every=0.1)


def wait_for_strike(world: "World", fault_id: str, times: int = 1, seconds: float = 60) -> None:
    """Wait until a fault has struck so often."""
    wait_for(world, lambda: struck(world)[fault_id] >= times, f"{fault_id} has struck", seconds)


def wait_for_plan(world: "World", run_id: str) -> list[str]:
    """Wait until the run is planned, and return its accounts in the order of their mapped tasks."""
    accounts: Any = None

    def planned() -> object:
        nonlocal accounts
        accounts = world.api.xcom(DAG_ID, run_id, "plan")
        return accounts

    wait_for(world, planned, "the run is planned")
    return [str(account) for account in accounts]


def kill(world: "World", run_id: str, task_id: str, *, map_index: int = -1) -> None:
    """Kill the process of a task that is known to run."""
    task = world.api.wait_until(
        lambda: _running(world, run_id, task_id, map_index), f"{task_id} {map_index} runs", seconds=30, every=0.05
    )
    os.kill(task["pid"], signal.SIGKILL)


def _running(world: "World", run_id: str, task_id: str, map_index: int) -> dict[str, Any] | None:
    for item in world.api.task_instances(DAG_ID, run_id, task_id=task_id):
        if item["map_index"] == map_index and item["state"] == "running" and item["pid"]:
            return dict(item)
    return None


@contextmanager
def configured(world: "World", **sections: Any) -> Iterator[None]:
    """Change sections of the configuration as an operator does, and restore the configuration afterwards."""
    configurations = world.system.services.configurations
    before = configurations.latest()
    store(world, **sections)
    try:
        yield
    finally:
        after = configurations.latest().version
        configurations.store(before.configuration, after_version=after, changed_by="a test")


@contextmanager
def broken_configuration(world: "World", contact: dict[str, str]) -> Iterator[str]:
    """Break the configuration between a change's trigger and its plan, give the run's id, and fix it afterwards."""
    world.api.pause(DAG_ID)
    try:
        run_id = begin(world, contact)
        version = world.system.services.configurations.latest_version()
        table: Any = boto3.resource("dynamodb").Table(world.system.environment["CONTACTSYNC_CONFIG_TABLE"])
        key = {"config_key": "default", "version": version + 1}
        table.put_item(Item={**key, "excluded_acounts": [world.excluded]})
    finally:
        world.api.pause(DAG_ID, paused=False)
    try:
        yield run_id
    finally:
        table.delete_item(Key=key)


def store(world: "World", **sections: Any) -> int:
    """Store the latest configuration with sections replaced, and return its version."""
    configurations = world.system.services.configurations
    latest = configurations.latest()
    changed = Configuration.model_validate({**latest.configuration.model_dump(mode="json"), **sections})
    return configurations.store(changed, after_version=latest.version, changed_by="a test").version


@dataclass
class Watch:
    """What a person who looks at the grid would have seen, and how the run ended."""

    state: str = ""
    seen: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """The states of every account's task, by account."""
    seconds: float = 0.0

    @property
    def states(self) -> set[str]:
        """Every state that any account's task was seen in."""
        return set().union(*self.seen.values())


def watch(world: "World", run_id: str, *, seconds: float = 240) -> Watch:
    """Look at the grid until the run has ended."""
    accounts, watch, started = wait_for_plan(world, run_id), Watch(), time.monotonic()
    while not watch.state:
        assert time.monotonic() < started + seconds, f"run {run_id} has not ended; states: {dict(watch.seen)}"
        run = world.api.run(DAG_ID, run_id)
        for item in world.api.task_instances(DAG_ID, run_id, task_id="sync_account"):
            if item["map_index"] >= 0:
                watch.seen[accounts[item["map_index"]]].add(str(item["state"]))
        if run and run["state"] in {"success", "failed"}:
            watch.state = str(run["state"])
        time.sleep(0.3)
    watch.seconds = time.monotonic() - started
    return watch


def red_logs(world: "World", run_id: str, accounts: Sequence[str]) -> str:
    """Return the logs of all tries of the accounts whose tasks are red, for a test that did not expect any."""
    failed = [
        item for item in world.api.task_instances(DAG_ID, run_id, task_id="sync_account") if item["state"] == "failed"
    ]
    texts = []
    for item in failed:
        index = item["map_index"]
        for one in world.api.tries(DAG_ID, run_id, "sync_account", map_index=index):
            number = one["try_number"]
            log = world.api.log(DAG_ID, run_id, "sync_account", try_number=number, map_index=index)
            texts.append(f"{accounts[index]}, try {number}, {one['start_date']} to {one['end_date']}:\n{log}")
    return "\n".join(texts)


def tries(world: "World", run_id: str, account: str) -> list[dict[str, Any]]:
    """Return the tries of an account's task."""
    index = wait_for_plan(world, run_id).index(account)
    return world.api.tries(DAG_ID, run_id, "sync_account", map_index=index)


def pauses(tries: list[dict[str, Any]]) -> list[float]:
    """Return the seconds between the end of each try and the start of the next."""
    moments = [(datetime.fromisoformat(t["start_date"]), datetime.fromisoformat(t["end_date"])) for t in tries]
    return [(later[0] - earlier[1]).total_seconds() for earlier, later in pairwise(moments)]


def check_pauses(measured: list[float], configured: list[float]) -> None:
    """Check that retries came after the configured delays, and tell what the scheduler added."""
    added = [found - wanted for found, wanted in zip(measured, configured, strict=True)]
    print("retry delays:", [f"{w:g} s + {a:.1f} s" for w, a in zip(configured, added, strict=True)])  # noqa: T201 -- figures for docs/performance.md
    assert all(0 <= late <= LATENCY for late in added)


def operation(world: "World", run_id: str) -> SyncOperation:
    """Return a run's operation."""
    found = world.system.services.operations.get(sync_id_of(run_id))
    assert found is not None
    return found


def details(outcome: AccountOutcome) -> list[OutcomeDetail]:
    """Return what each try found."""
    return [attempt.detail for attempt in outcome.attempts]


def puts(world: "World", start: int, account: str) -> list[Any]:
    """Return the carried out writes of an account since a point of the call log, in their order."""
    calls = world.call_log.query(service="account", operation="PutAlternateContact", account=account, since=start)
    return [call for call in calls if call.applied]


def holding(world: "World", contact: dict[str, str]) -> set[str]:
    """Return the targets that have the contact, whatever reads are made to answer."""
    contacts = world.system.sandbox.organization.contacts
    return {account for account in world.targets if contacts.latest(account, ContactType.SECURITY) == contact}

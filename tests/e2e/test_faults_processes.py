"""Killed processes: of tasks at every point of their work, of the report, of a probe, and the scheduler."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest

from contactsync.account_management.api_operations import ApiOperation
from contactsync.cli.local.local_system import DAG_ID
from contactsync.operations.operation import OperationStatus, OutcomeDetail
from contactsync.pacing.breaker import Phase
from tests.e2e.accidents import (
    LATENCY,
    begin,
    configured,
    details,
    fault,
    holding,
    kill,
    operation,
    pauses,
    puts,
    red_logs,
    struck,
    tries,
    wait_for,
    wait_for_plan,
    wait_for_strike,
    watch,
)

if TYPE_CHECKING:
    from datetime import datetime

    from contactsync.pacing.breaker import Transition
    from contactsync.pacing.ports import Breakers
    from tests.e2e.conftest import World

LONG_ENOUGH = 5.0
"""For how long calls hang so that a test can kill their task; less than the read timeout."""

UNTIL_KILLED = 12.0
"""The same for a probe, which Airflow's API may take longer to find; less than the probe's lease."""


def test_killed_tasks(faults: "World") -> None:
    """Tasks killed before, during and after their write, or when they had recorded it, end right at their next try."""
    world, contact = faults, faults.new_contact()
    before, under_way, after, recorded = world.targets[3:15:3]
    hanging = {
        fault(world, "GetAlternateContact", account=before, delay=LONG_ENOUGH, count=1): before,
        fault(world, "PutAlternateContact", account=under_way, delay=LONG_ENOUGH, count=1): under_way,
        fault(world, "PutAlternateContact", account=after, delay=LONG_ENOUGH, count=1, stage="after"): after,
        fault(
            world,
            "PutItem",
            service="dynamodb",
            containing=f"{recorded}#security",
            delay=LONG_ENOUGH,
            count=1,
            stage="after",
        ): recorded,
    }
    start = world.mark()
    run_id = begin(world, contact)
    accounts = wait_for_plan(world, run_id)
    deadline = time.monotonic() + 60
    while hanging:
        assert time.monotonic() < deadline
        for fault_id, times in struck(world).items():
            if times and fault_id in hanging:
                kill(world, run_id, "sync_account", map_index=accounts.index(hanging.pop(fault_id)))
    seen = watch(world, run_id)

    assert seen.state == "success"
    assert holding(world, contact) == set(world.targets)
    outcomes = world.outcomes(run_id)
    for account in (before, under_way, after, recorded):
        assert outcomes[account].detail is OutcomeDetail.UPDATED
        assert outcomes[account].retry_count == 1
        [pause] = pauses(tries(world, run_id, account))
        print(f"after a kill: tried again after {pause:.1f} s")  # noqa: T201 -- figures for docs/performance.md
        assert 2 <= pause <= 4 + LATENCY  # Airflow's own exponential delay is 2 s, and up to twice that
    assert details(outcomes[recorded]) == [OutcomeDetail.UPDATED, OutcomeDetail.UPDATED]  # what the operation did
    assert [len(puts(world, start, account)) for account in (before, under_way, after, recorded)] == [1, 2, 2, 1]
    assert sum(operation(world, run_id).counts.values()) == len(world.members)


@pytest.mark.long
def test_killed_report(faults: "World") -> None:
    """A report that is killed is made again, and is complete."""
    world, contact = faults, faults.new_contact()
    run_id = begin(world, contact)
    wait_for_plan(world, run_id)
    account = world.system.sandbox.management_account
    look = fault(world, "GetAlternateContact", account=account, delay=LONG_ENOUGH, count=1)
    wait_for_strike(world, look)
    kill(world, run_id, "report")
    assert world.finish(run_id) == "success"
    assert holding(world, contact) == set(world.targets)
    assert len(world.api.tries(DAG_ID, run_id, "report")) == 2
    found = operation(world, run_id)
    assert found.status is OperationStatus.COMPLETED
    assert found.counts == {"success": len(world.targets), "skipped": 2}
    log = world.api.log(DAG_ID, run_id, "report", try_number=2)
    assert all(member in log for member in world.members)


@pytest.mark.long
def test_killed_scheduler(faults: "World") -> None:
    """When the scheduler dies with all its tasks, the next one goes on, and every account ends right."""
    world, contact = faults, faults.new_contact()
    hang = fault(world, "GetAlternateContact", delay=2.0, count=20)
    start = world.mark()
    run_id = begin(world, contact)
    wait_for_plan(world, run_id)
    wait_for(world, lambda: len(world.writes_since(start)) >= 4, "some accounts are written")
    wait_for_strike(world, hang, times=10)
    airflow = world.system.airflow
    airflow.kill_component("scheduler")
    killed = time.monotonic()
    airflow.restart_component("scheduler")
    seen = watch(world, run_id)
    print(f"after the scheduler's end: the run took {time.monotonic() - killed:.0f} s more")  # noqa: T201 -- figures
    assert seen.state == "success"
    assert holding(world, contact) == set(world.targets)
    assert operation(world, run_id).counts == {"success": len(world.targets), "skipped": 2}


@pytest.mark.long
def test_killed_probe(faults: "World") -> None:
    """When the account that probes a failing service dies, another one probes after the lease, and the run goes on."""
    world, contact, api = faults, faults.new_contact(), ApiOperation.GET_ALTERNATE_CONTACT
    breakers, lease = world.system.services.breakers, 14.0
    # Every member's read fails from the beginning; the source, whose read names no account, answers the plan.
    down = fault(world, "GetAlternateContact", containing="AccountId", error="InternalServerException")
    hanging = {
        fault(world, "GetAlternateContact", account=account, delay=UNTIL_KILLED, count=1): account
        for account in world.targets
    }
    with configured(world, breaker={"threshold": 5, "open_for": 3, "probe_lease": lease}):
        run_id = begin(world, contact)
        accounts = wait_for_plan(world, run_id)
        start = operation(world, run_id).planned
        # After a failed probe no call of a task that had been let through before it opened is under way any more.
        wait_for(world, lambda: _failed_probes(breakers, start), "a probe has failed")
        world.control("DELETE", f"faults/{down}")
        wait_for(world, lambda: _hangs(world, hanging), "an account probes")
        [holder] = _hangs(world, hanging)
        kill(world, run_id, "sync_account", map_index=accounts.index(holder))
        killed = time.monotonic()
        assert breakers.get(api).phase is Phase.HALF_OPEN
        world.control("DELETE", "faults")
        wait_for(world, lambda: breakers.get(api).phase is Phase.CLOSED, "another account has probed")
        waited = time.monotonic() - killed
        seen = watch(world, run_id)
    print(f"killed probe: {waited:.1f} s until another one, lease {lease:g} s; states {sorted(seen.states)}")  # noqa: T201 -- figures
    assert seen.state == "success", red_logs(world, run_id, accounts)
    assert "failed" not in seen.states
    assert holding(world, contact) == set(world.targets)


def _failed_probes(breakers: "Breakers", since: "datetime") -> list["Transition"]:
    return [change for change in breakers.transitions(since) if change.before is Phase.HALF_OPEN]


def _hangs(world: "World", hanging: Mapping[str, str]) -> list[str]:
    """Return the accounts whose read hangs, or has hung."""
    return [hanging[identifier] for identifier, times in struck(world).items() if times and identifier in hanging]

"""Causes that concern every account: trusted access switched off, and Account Management out of order."""

import threading
from typing import TYPE_CHECKING

import pytest

from contactsync.cli.local.local_system import DAG_ID
from contactsync.operations.operation import OutcomeDetail
from tests.e2e.accidents import (
    begin,
    configured,
    fault,
    holding,
    operation,
    wait_for,
    wait_for_plan,
    watch,
)

if TYPE_CHECKING:
    from tests.e2e.conftest import World

COMMAND = "aws organizations enable-aws-service-access"
PARALLEL_TASKS = 8


def test_trusted_access_off_in_the_middle(faults: "World") -> None:
    """A run whose trusted access is switched off stops after a few calls, with one error; cleared, it goes on."""
    world, contact = faults, faults.new_contact()
    fault(world, "GetAlternateContact", delay=0.4)
    start = world.mark()
    run_id = begin(world, contact)
    wait_for_plan(world, run_id)
    wait_for(world, lambda: len(world.writes_since(start)) >= 3, "the first accounts are written")
    world.control("PUT", "trusted-access", {"enabled": False})
    try:
        switched = world.mark()
        seen = watch(world, run_id)
    finally:
        world.control("PUT", "trusted-access", {"enabled": True})
        world.control("DELETE", "faults")
    calls = [c for c in world.call_log.query(service="account", since=switched) if c.error_code]
    written = set(world.writes_since(start))
    print(f"trusted access off: {len(calls)} more calls, {len(world.targets) - len(written)} accounts left")  # noqa: T201 -- figures
    assert seen.state == "failed"
    halt = operation(world, run_id).halt
    assert halt is not None
    assert COMMAND in halt.message
    log = world.api.log(DAG_ID, run_id, "report")
    assert "HALTED" in log
    assert COMMAND in log
    assert len(calls) <= PARALLEL_TASKS + 2
    assert "up_for_retry" not in seen.states
    halted = [o for o in world.outcomes(run_id).values() if o.detail is OutcomeDetail.HALTED]
    assert len(halted) > len(calls)
    # An account that was written, and whose reading back was denied, says that it was written.
    assert {o.account_id for o in halted if o.attempts[-1].written_fields} == {
        o.account_id for o in halted if o.account_id in holding(world, contact)
    }

    world.api.clear(DAG_ID, run_id, only_failed=True)
    assert world.finish(run_id) == "success"
    assert holding(world, contact) == set(world.targets)
    assert operation(world, run_id).halt is None


@pytest.mark.long
def test_service_down_for_a_minute(faults: "World") -> None:
    """While Account Management fails for everyone, accounts pause; none fails, and the run ends by itself."""
    world, contact, minute = faults, faults.new_contact(), 60.0
    run_id = begin(world, contact)
    wait_for_plan(world, run_id)
    start = world.mark()
    for name in ("GetAlternateContact", "PutAlternateContact"):
        fault(world, name, error="InternalServerException")
    end = threading.Timer(minute, lambda: world.control("DELETE", "faults"))
    end.start()
    try:
        seen = watch(world, run_id, seconds=280)
    finally:
        end.join()
    failed = world.call_log.query(service="account", error="InternalServerException", since=start)
    print(  # noqa: T201 -- figures for docs/performance.md
        f"service down for {minute:g} s: {len(failed)} failed calls, the run ended {seen.seconds - minute:.0f} s after,"
        f" states {sorted(seen.states)}"
    )
    assert seen.state == "success"
    assert "failed" not in seen.states
    assert "up_for_reschedule" in seen.states
    assert len(failed) < 3 * len(world.targets)
    assert holding(world, contact) == set(world.targets)
    log = world.api.log(DAG_ID, run_id, "report")
    assert "closed -> open (InternalServerException)" in log
    assert "half_open -> closed (Recovered)" in log


@pytest.mark.long
def test_service_down_before_the_plan(faults: "World") -> None:
    """A change during an outage is not lost: the plan is tried until the service is back; the run is green."""
    world, contact = faults, faults.new_contact()
    fault(world, "GetAlternateContact", error="InternalServerException")
    run_id = begin(world, contact)
    end = threading.Timer(30, lambda: world.control("DELETE", "faults"))
    end.start()
    try:
        assert world.finish(run_id) == "success"
    finally:
        end.join()
    print(f"service down for 30 s before the plan: {len(world.api.tries(DAG_ID, run_id, 'plan'))} tries of plan")  # noqa: T201 -- figures
    assert holding(world, contact) == set(world.targets)


@pytest.mark.long
def test_service_down_for_longer_than_calls_may_pause(faults: "World") -> None:
    """An outage beyond `max_pause` halts the operation with one sentence; cleared after the recovery, it ends green."""
    world, contact = faults, faults.new_contact()
    with configured(world, breaker={"threshold": 5, "open_for": 2, "max_pause": 6, "check_interval": 1}):
        run_id = begin(world, contact)
        wait_for_plan(world, run_id)
        fault(world, "GetAlternateContact", error="InternalServerException")
        seen = watch(world, run_id)
        world.control("DELETE", "faults")
        assert seen.state == "failed"
        assert "HALTED" in world.api.log(DAG_ID, run_id, "report")
        world.api.clear(DAG_ID, run_id, only_failed=True)
        assert watch(world, run_id).state == "success"
    assert holding(world, contact) == set(world.targets)

"""Changes that overtake each other, and sources that lie: every account ends at the newest contact."""

from typing import TYPE_CHECKING

import pytest

from contactsync.cli.local.local_system import DAG_ID
from contactsync.operations.operation import OutcomeDetail, OutcomeStatus
from tests.e2e.accidents import (
    begin,
    configured,
    details,
    fault,
    holding,
    kill,
    operation,
    puts,
    wait_for,
    wait_for_plan,
    wait_for_strike,
)

if TYPE_CHECKING:
    from tests.e2e.conftest import World

EVENTS = {"copies": 1, "delay": 0.2}


def test_two_changes(faults: "World") -> None:
    """Two changes a second apart, and the first one's retries come last: nobody gets the first contact for good."""
    world, first, second = faults, faults.new_contact(), faults.new_contact()
    failing, killed = world.targets[:5], world.targets[6]
    errors = [
        fault(world, "PutAlternateContact", account=account, error="InternalServerException", count=1)
        for account in failing
    ]
    late = fault(world, "PutAlternateContact", account=killed, delay=4.0, count=1)
    start = world.mark()
    with configured(world, retry_config={"base_delay": 10}):
        run_1 = begin(world, first)
        accounts = wait_for_plan(world, run_1)
        for error in errors:
            wait_for_strike(world, error)
        wait_for_strike(world, late)
        kill(world, run_1, "sync_account", map_index=accounts.index(killed))  # its write is on its way, and lands late
        run_2 = begin(world, second)
        assert world.finish(run_2) == "success"
        assert world.finish(run_1) == "success"
    assert holding(world, second) == set(world.targets)
    names = [call.parameters["Name"] for call in puts(world, start, killed)]
    assert (names[0], names[-1]) == (first["Name"], second["Name"])
    found, planned = world.outcomes(run_1), operation(world, run_2).planned
    for account in failing:
        assert (found[account].status, found[account].detail) == (OutcomeStatus.SKIPPED, OutcomeDetail.SUPERSEDED)
        assert details(found[account])[0] is OutcomeDetail.UNAVAILABLE
        assert found[account].attempts[0].ended < planned < found[account].attempts[-1].started
        assert [call.parameters["Name"] for call in puts(world, start, account)] == [second["Name"]]
    assert {found[a].detail for a in world.targets} <= {OutcomeDetail.UPDATED, OutcomeDetail.SUPERSEDED}
    assert {o.detail for o in world.outcomes(run_2).values() if o.account_id in world.targets} <= {
        OutcomeDetail.UPDATED,
        OutcomeDetail.UNCHANGED,
    }


@pytest.mark.long
def test_events_out_of_order(faults: "World") -> None:
    """An event that is delivered after a newer one carries over what is true now, which is there already."""
    world, older, newer = faults, faults.new_contact(), faults.new_contact()
    before = world.run_ids()
    try:
        # Kept back until the newer change has reached everybody, however long that takes.
        world.control("PUT", "event-settings", {**EVENTS, "drop": 1.0})
        world.put(older)
        wait_for(world, lambda: world.events()[-1]["event"]["detail"]["requestParameters"], "the event is made")
    finally:
        world.control("PUT", "event-settings", {**EVENTS, "drop": 0.0})
    late_event = world.events()[-1]["event_id"]
    run_2 = begin(world, newer)
    assert world.finish(run_2) == "success"
    assert holding(world, newer) == set(world.targets)
    start = world.mark()
    world.control("POST", f"events/{late_event}/redeliver")
    run_1 = world.wait_for_new_run(before | {run_2})
    assert run_1 == late_event
    assert world.finish(run_1) == "success"
    assert world.writes_since(start) == []
    assert holding(world, newer) == set(world.targets)
    outcomes = world.outcomes(run_1)
    assert {outcomes[account].detail for account in world.targets} == {OutcomeDetail.UNCHANGED}


@pytest.mark.long
def test_stale_source(faults: "World") -> None:
    """A plan that reads an old contact is followed up by its own report, and every account ends at the new one."""
    world, older, newer = faults, faults.new_contact(), faults.new_contact()
    assert world.change(older)[1] == "success"
    before = world.run_ids()
    account = world.system.sandbox.management_account
    try:
        world.control("PUT", "stale-reads", {"seconds": 3600, "account": account})
        run_id = begin(world, newer)
        wait_for_plan(world, run_id)
    finally:
        world.control("PUT", "stale-reads", {"seconds": 0})
    assert world.finish(run_id) == "success"
    follow_up = operation(world, run_id).followed_by
    assert follow_up is not None
    assert follow_up in world.api.log(DAG_ID, run_id, "report")
    assert world.finish(follow_up) == "success"
    assert holding(world, newer) == set(world.targets)
    assert world.run_ids() - before == {run_id, follow_up}
    assert {world.outcomes(run_id)[a].detail for a in world.targets} <= {
        OutcomeDetail.UNCHANGED,
        OutcomeDetail.SUPERSEDED,
    }

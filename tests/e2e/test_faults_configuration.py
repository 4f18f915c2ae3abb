"""Configurations and accounts that change while a run is under way."""

from typing import TYPE_CHECKING

from contactsync.cli.local.local_system import DAG_ID
from contactsync.operations.operation import OutcomeDetail, OutcomeStatus
from tests.e2e.accidents import (
    begin,
    broken_configuration,
    configured,
    fault,
    holding,
    operation,
    store,
    wait_for_strike,
)

if TYPE_CHECKING:
    from tests.e2e.conftest import World


def test_configuration_broken_before_the_plan(world: "World") -> None:
    """A configuration that breaks between trigger and plan stops the run; fixed and cleared, the run is green."""
    contact, start = world.new_contact(), world.mark()
    with broken_configuration(world, contact) as run_id:
        assert world.finish(run_id) == "failed"
    assert world.writes_since(start) == []
    assert len(world.api.tries(DAG_ID, run_id, "plan")) == 1
    log = world.api.log(DAG_ID, run_id, "plan")
    assert "excluded_acounts: unknown key; did you mean excluded_accounts?" in log

    world.api.clear(DAG_ID, run_id)
    assert world.finish(run_id) == "success"
    assert holding(world, contact) == set(world.targets)


def test_changes_in_the_middle(faults: "World") -> None:
    """Of a run under way, an account that is excluded and one that is closed are not written; the rest goes on."""
    world, contact = faults, faults.new_contact()
    excluded, closed = world.targets[:2]
    start, before = world.mark(), world.member_contact(excluded)
    failing = [
        fault(world, "GetAlternateContact", account=account, delay=4.0, error="InternalServerException")
        for account in (excluded, closed)
    ]
    pinned = world.system.services.configurations.latest_version()
    listed = [world.excluded, excluded]
    try:
        with configured(world):
            run_id = begin(world, contact)
            for item in failing:
                wait_for_strike(world, item)
            store(world, excluded_accounts=listed, contact_types=["primary"], retry_config={"max_attempts": 0})
            world.control("PUT", f"accounts/{closed}/state", {"state": "SUSPENDED"})
            world.control("DELETE", "faults")
            assert world.finish(run_id) == "success"
    finally:
        world.control("PUT", f"accounts/{closed}/state", {"state": "ACTIVE"})
    outcomes = world.outcomes(run_id)
    assert (outcomes[excluded].status, outcomes[excluded].detail) == (OutcomeStatus.SKIPPED, OutcomeDetail.EXCLUDED)
    assert (outcomes[closed].status, outcomes[closed].detail) == (OutcomeStatus.SKIPPED, OutcomeDetail.NOT_ACTIVE)
    written = set(world.writes_since(start))
    assert written == set(world.targets) - {excluded, closed}
    assert world.member_contact(excluded) == before
    assert operation(world, run_id).config_version == pinned + 1

"""Faults of single accounts and calls: denied, failing, throttled. docs/faults.md has the table."""

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from contactsync.cli.local.local_system import DAG_ID
from contactsync.operations.operation import OutcomeDetail, OutcomeStatus
from tests.e2e.accidents import (
    begin,
    check_pauses,
    configured,
    details,
    fault,
    holding,
    operation,
    pauses,
    puts,
    tries,
    wait_for_plan,
    watch,
)

if TYPE_CHECKING:
    from tests.e2e.conftest import World

PERMITTED = {OutcomeDetail.UPDATED, OutcomeDetail.EXCLUDED, OutcomeDetail.NOT_ACTIVE}


def test_denied_and_failing_accounts(faults: "World") -> None:
    """Denied accounts at the front of the list, and accounts that fail up to five times, do not hold up the others."""
    world, contact = faults, faults.new_contact()
    denied, failing, worn = world.targets[:5], dict(enumerate(world.targets[6:9], start=1)), world.targets[10]
    denials = [
        fault(world, operation, account=account, error="AccessDeniedException")
        for account, operation in zip(denied, ["GetAlternateContact"] * 3 + ["PutAlternateContact"] * 2, strict=True)
    ]
    for count, account in {**failing, 5: worn}.items():
        fault(world, "PutAlternateContact", account=account, error="InternalServerException", count=count)
    start = world.mark()
    run_id = begin(world, contact)
    seen = watch(world, run_id)

    assert seen.state == "failed"
    assert operation(world, run_id).halt is None
    assert holding(world, contact) == set(world.targets) - {*denied, worn}
    outcomes = world.outcomes(run_id)
    for account in denied:
        assert (outcomes[account].status, details(outcomes[account])) == (
            OutcomeStatus.SKIPPED,
            [OutcomeDetail.PERMISSION_DENIED],
        )
        assert len(tries(world, run_id, account)) == 1
    for count, account in failing.items():
        assert details(outcomes[account]) == [OutcomeDetail.UNAVAILABLE] * count + [OutcomeDetail.UPDATED]
        assert outcomes[account].retry_count == count
    assert details(outcomes[worn]) == [OutcomeDetail.UNAVAILABLE] * 4
    log = world.api.log(DAG_ID, run_id, "report")
    assert "AWS denies the permission for these accounts" in log
    assert "permission_denied 5" in log
    check_pauses(pauses(tries(world, run_id, failing[3])), [2, 4, 8])
    check_pauses(pauses(tries(world, run_id, worn)), [2, 4, 8])

    for denial in denials:
        world.control("DELETE", f"faults/{denial}")
    world.api.clear(DAG_ID, run_id, only_failed=True)
    assert world.finish(run_id) == "success"
    assert holding(world, contact) == set(world.targets)
    outcomes = world.outcomes(run_id)
    assert {outcome.detail for outcome in outcomes.values()} == PERMITTED
    assert details(outcomes[denied[0]]) == [OutcomeDetail.PERMISSION_DENIED, OutcomeDetail.UPDATED]
    check_pauses(pauses(tries(world, run_id, worn))[4:], [2])  # after a clear the delays start again
    assert Counter(len(puts(world, start, account)) for account in world.targets) == {1: len(world.targets)}


@pytest.mark.long
def test_another_configuration_gives_other_delays(faults: "World") -> None:
    """The delays are the pinned configuration's: doubled, capped, and without a change of the DAG."""
    world, account = faults, faults.targets[6]
    fault(world, "PutAlternateContact", account=account, error="InternalServerException", count=6)
    with configured(world, retry_config={"max_attempts": 5, "base_delay": 1, "max_delay": 3}):
        run_id = begin(world, world.new_contact())
        assert world.finish(run_id) == "failed"
    check_pauses(pauses(tries(world, run_id, account)), [1, 2, 3, 3, 3])
    world.api.clear(DAG_ID, run_id, only_failed=True)
    assert world.finish(run_id) == "success"


@pytest.mark.long
def test_throttling_storm(faults: "World") -> None:
    """Throttled calls wait inside their task, and one that waits too long is rescheduled; none of it is a retry."""
    world, contact = faults, faults.new_contact()
    unlucky = world.targets[4]
    fault(world, "PutAlternateContact", account=unlucky, error="TooManyRequestsException", count=8)
    for seed, operation_name in enumerate(["PutAlternateContact", "GetAlternateContact"]):
        fault(world, operation_name, error="TooManyRequestsException", probability=0.4, count=60, seed=seed)
    start = world.mark()
    seen = watch(world, begin(world, contact))
    throttled = world.call_log.query(service="account", error="TooManyRequestsException", since=start)
    print(f"throttling storm: {len(throttled)} throttled calls, run of {seen.seconds:.0f} s")  # noqa: T201 -- figures
    assert seen.state == "success"
    assert len(throttled) > 20
    assert "up_for_reschedule" in seen.seen[unlucky]
    assert "up_for_retry" not in seen.states
    assert holding(world, contact) == set(world.targets)
    assert all(len(puts(world, start, account)) == 1 for account in world.targets)


CALLS: dict[str, list[dict[str, Any]]] = {
    "answers lost": [
        {"operation": "PutAlternateContact", "error": "ConnectionDropped", "stage": "after", "probability": 0.2}
    ],
    "reads failing": [{"operation": "GetAlternateContact", "error": "InternalServerException", "probability": 0.1}],
    "tables throttled": [
        {"service": "dynamodb", "operation": name, "error": "ThrottlingException", "probability": 0.3, "seed": seed}
        for seed, name in enumerate(["PutItem", "GetItem", "UpdateItem", "Query", "TransactWriteItems"])
    ],
    "tables unreachable": [
        {"service": "dynamodb", "operation": "PutItem", "error": "InternalServerError", "count": 40}
    ],
}


@pytest.mark.long
@pytest.mark.parametrize("name", CALLS)
def test_every_account_ends_right(faults: "World", name: str) -> None:
    """Whatever AWS does to the calls of a run, afterwards every target has the contact, and the run is green."""
    world, contact = faults, faults.new_contact()
    run_id = begin(world, contact)
    if name == "tables unreachable":  # all 40 would meet the plan, which writes first
        wait_for_plan(world, run_id)
    for settings in CALLS[name]:
        fault(world, **settings)
    seen = watch(world, run_id)
    world.control("DELETE", "faults")
    print(f"{name}: {seen.state} after {seen.seconds:.0f} s, {sorted(seen.states)}")  # noqa: T201 -- figures
    if seen.state == "failed":  # three retries were not enough for some account: the operator clears it
        world.api.clear(DAG_ID, run_id, only_failed=True)
        assert world.finish(run_id) == "success"
    assert holding(world, contact) == set(world.targets)
    assert {outcome.detail for outcome in world.outcomes(run_id).values()} == PERMITTED

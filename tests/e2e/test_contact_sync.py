"""The main job on a real Airflow: a contact change reaches the member accounts that may be touched."""

import os
import signal
from collections import Counter
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from contactsync.cli.local.local_system import DAG_ID
from contactsync.operations.operation import OutcomeDetail, OutcomeStatus

if TYPE_CHECKING:
    from tests.e2e.conftest import World


def test_change_reaches_every_target(world: "World") -> None:
    """A change is written to exactly the accounts that differ; a second identical change writes nothing."""
    from tests.e2e.conftest import FIRST_CONTACT

    start = world.mark()
    run_id, state = world.change(FIRST_CONTACT)
    assert state == "success"
    differing = set(world.targets) - set(world.equal)
    assert Counter(world.writes_since(start)) == Counter(differing)
    reads = {
        c.target_account for c in world.call_log.query(service="account", operation="GetAlternateContact", since=start)
    }
    assert reads - {None} == set(world.targets)
    assert all(world.member_contact(account) == FIRST_CONTACT for account in world.targets)

    outcomes = world.outcomes(run_id)
    assert set(outcomes) == set(world.members)
    assert outcomes[world.excluded].detail is OutcomeDetail.EXCLUDED
    assert outcomes[world.suspended].detail is OutcomeDetail.NOT_ACTIVE
    assert {outcomes[account].detail for account in world.equal} == {OutcomeDetail.UNCHANGED}
    assert {outcomes[account].detail for account in differing} == {OutcomeDetail.UPDATED}

    again = world.mark()
    second_run, state = world.change(FIRST_CONTACT)
    assert state == "success"
    assert second_run != run_id
    assert world.writes_since(again) == []


def test_labels_and_report_are_readable(world: "World") -> None:
    """Mapped tasks are labelled with name and id, and the report's log names every account, and no contact value."""
    contact = world.new_contact()
    run_id, _ = world.change(contact)
    instances = world.api.task_instances(DAG_ID, run_id, task_id="sync_account")
    labels = {str(item["rendered_map_index"]) for item in instances}
    assert len(labels) == len(world.targets)
    assert all(any(f"({account})" in label for label in labels) for account in world.targets)
    log = world.api.log(DAG_ID, run_id, "report")
    assert all(account in log for account in world.members)
    assert contact["EmailAddress"] not in log
    assert contact["Name"] not in log


def test_primary_contact_is_synchronized(world: "World") -> None:
    """A change of the primary contact reaches every target, and removes optional fields that the source lacks."""
    values = {
        "FullName": "Robin Vale",
        "AddressLine1": "1 Sample Road",
        "City": "Utrecht",
        "PostalCode": "3500 AA",
        "CountryCode": "NL",
        "PhoneNumber": "+31205550142",
    }
    before = world.run_ids()
    world.management.put_contact_information(ContactInformation=values)
    run_id = world.wait_for_new_run(before)
    assert world.finish(run_id) == "success"
    for account in world.targets:
        assert world.management.get_contact_information(AccountId=account)["ContactInformation"] == values


def test_one_event_delivered_three_times_is_one_run(world: "World") -> None:
    """The DAG run's id is the event's, so deliveries after the first find it there."""
    before = world.run_ids()
    world.control("PUT", "event-settings", {"copies": 3})
    try:
        run_id, state = world.change(world.new_contact())
        assert state == "success"
        world.api.wait_until(lambda: _delivered(world, run_id, 3), "three deliveries", seconds=60)
    finally:
        world.control("PUT", "event-settings", {"copies": 1})
    assert len(world.run_ids() - before) == 1


def _delivered(world: "World", event_id: str, copies: int) -> dict[str, Any] | None:
    """Return the event once the function has handled so many deliveries of it."""
    event = next(event for event in world.events() if event["event_id"] == event_id)
    done = [step for step in event["deliveries"] if (step["step"], step["result"]) == ("invoke", "success")]
    return event if len(done) == copies else None


def test_write_to_a_member_starts_nothing(world: "World") -> None:
    """A change of a member account makes an event that the rule does not match."""
    before, number = world.run_ids(), len(world.events())
    world.management.put_alternate_contact(
        AccountId=world.members[0], AlternateContactType="BILLING", **world.new_contact()
    )
    event = world.api.wait_until(lambda: _newer(world, number, "AccountId", world.members[0]), "the event", seconds=30)
    assert event["matched"] is False
    assert world.run_ids() == before


def test_failed_put_starts_nothing(world: "World") -> None:
    """A put that AWS refuses makes an event with an error code, which the rule does not match."""
    before, number = world.run_ids(), len(world.events())
    with pytest.raises(ClientError):
        world.put({**world.new_contact(), "PhoneNumber": "ext. 5"})
    event = world.api.wait_until(lambda: _newer(world, number, "errorCode", "ValidationException"), "it", seconds=30)
    assert event["matched"] is False
    assert world.run_ids() == before


def _newer(world: "World", number: int, key: str, value: str) -> dict[str, Any] | None:
    """Return an event beyond the first `number` whose detail or request parameters have this value."""
    for event in world.events()[number:]:
        detail = event["event"]["detail"]
        if value in {detail.get(key), detail["requestParameters"].get(key)}:
            return event
    return None


def test_dry_run_writes_nothing(world: "World") -> None:
    """A dry run names the fields that would change, writes nothing and stores no desired contact."""
    world.management.put_alternate_contact(
        AccountId=world.targets[0], AlternateContactType="SECURITY", **world.new_contact()
    )
    start = world.mark()
    run_id, state = world.trigger(contact_types=["security"], dry_run=True, reason="what would change?")
    assert state == "success"
    assert world.writes_since(start) == []
    outcomes = world.outcomes(run_id)
    assert outcomes[world.targets[0]].detail is OutcomeDetail.WOULD_UPDATE
    assert outcomes[world.targets[0]].changed_fields == ("EmailAddress", "Name")
    assert outcomes[world.targets[1]].changed_fields == ()


def test_run_by_hand_touches_the_named_accounts(world: "World") -> None:
    """Accounts named in the form are synchronized, and no others; the run is attributed to its user."""
    chosen = world.targets[2:4]
    start = world.mark()
    run_id, state = world.trigger(contact_types=["billing"], accounts=chosen)
    assert state == "success"
    assert set(world.writes_since(start)) == set(chosen)
    assert set(world.outcomes(run_id)) == set(chosen)
    newest = next(world.system.services.operation_queries.recent(limit=1))
    assert newest.dag_run_id == run_id
    assert newest.initiating_user == "airflow:admin"


def test_unknown_conf_key_is_refused(world: "World") -> None:
    """Airflow lets unknown conf keys through; plan refuses them at once, before anything is read or written."""
    start = world.mark()
    run_id, state = world.trigger(contact_type="security")
    assert state == "failed"
    assert "contact_type: unknown key" in world.api.log(DAG_ID, run_id, "plan")
    assert world.call_log.query(service="account", since=start) == []
    assert len(world.api.tries(DAG_ID, run_id, "plan")) == 1


@pytest.mark.long
def test_denied_account_is_skipped_and_can_be_cleared(faults: "World") -> None:
    """AWS forbidding one account skips it without retry, turns the run red, and a clear turns it green."""
    world = faults
    denied = world.targets[5]
    world.control(
        "POST", "faults", {"operation": "GetAlternateContact", "account": denied, "error": "AccessDeniedException"}
    )
    contact = world.new_contact()
    run_id, state = world.change(contact)
    assert state == "failed"
    outcome = world.outcomes(run_id)[denied]
    assert (outcome.status, outcome.detail) == (OutcomeStatus.SKIPPED, OutcomeDetail.PERMISSION_DENIED)
    assert len(outcome.attempts) == 1
    others = [account for account in world.targets if account != denied]
    assert all(world.member_contact(account) == contact for account in others)

    world.control("DELETE", "faults")
    world.api.clear(DAG_ID, run_id, only_failed=True)
    assert world.finish(run_id) == "success"
    cleared = world.outcomes(run_id)[denied]
    assert cleared.detail is OutcomeDetail.UPDATED
    assert [attempt.detail for attempt in cleared.attempts] == [OutcomeDetail.PERMISSION_DENIED, OutcomeDetail.UPDATED]
    assert world.member_contact(denied) == contact


def test_transient_errors_are_retried_by_airflow(faults: "World") -> None:
    """Two server errors for one account cost two retries, and the run is green."""
    world = faults
    troubled = world.targets[7]
    world.control(
        "POST",
        "faults",
        {"operation": "PutAlternateContact", "account": troubled, "error": "InternalServerException", "count": 2},
    )
    run_id, state = world.change(world.new_contact())
    assert state == "success"
    outcome = world.outcomes(run_id)[troubled]
    assert [attempt.detail for attempt in outcome.attempts] == [
        OutcomeDetail.UNAVAILABLE,
        OutcomeDetail.UNAVAILABLE,
        OutcomeDetail.UPDATED,
    ]
    assert outcome.retry_count == 2


def test_killed_task_is_retried(faults: "World") -> None:
    """A task process killed in the middle is retried; afterwards every account is right and counted once."""
    world = faults
    victim = world.targets[9]
    world.control(
        "POST",
        "faults",
        {"operation": "GetAlternateContact", "account": victim, "delay": 60.0, "count": 1, "stage": "before"},
    )
    contact, before = world.new_contact(), world.run_ids()
    world.put(contact)
    run_id = world.wait_for_new_run(before)
    process = world.api.wait_until(lambda: _process_of(world, run_id, victim), "the victim's process", seconds=60)
    os.kill(process["pid"], signal.SIGKILL)
    assert world.finish(run_id) == "success"
    assert all(world.member_contact(account) == contact for account in world.targets)
    outcomes = world.outcomes(run_id)
    assert set(outcomes) == set(world.members)
    counts = next(world.system.services.operation_queries.recent(limit=1)).counts
    assert sum(counts.values()) == len(world.members)


def _process_of(world: "World", run_id: str, account: str) -> dict[str, Any] | None:
    """Return the running task of an account once it is inside the call that hangs."""
    for item in world.api.task_instances(DAG_ID, run_id, task_id="sync_account"):
        if f"({account})" in str(item["rendered_map_index"]) and item["state"] == "running" and item["pid"]:
            return dict(item)
    return None


def test_invalid_configuration_stops_the_run(world: "World") -> None:
    """A configuration that became invalid stops the run before any account is read or written."""
    configurations = world.system.services.configurations
    version = configurations.latest_version()
    dynamodb: Any = boto3.client("dynamodb")
    key = {"config_key": {"S": "default"}, "version": {"N": str(version + 1)}}
    table = world.system.environment["CONTACTSYNC_CONFIG_TABLE"]
    dynamodb.put_item(TableName=table, Item={**key, "contact_typs": {"L": [{"S": "security"}]}})
    try:
        start = world.mark()
        run_id, state = world.change(world.new_contact())
        log = world.api.log(DAG_ID, run_id, "plan")
    finally:
        dynamodb.delete_item(TableName=table, Key=key)
    assert state == "failed"
    assert "contact_typs: unknown key; did you mean contact_types?" in log
    calls = world.call_log.query(service="account", since=start)
    assert [call.operation for call in calls] == ["PutAlternateContact"]


@pytest.mark.parametrize("only_failed", [True, pytest.param(False, marks=pytest.mark.long)])
def test_cleared_plan_recovers(world: "World", only_failed: bool) -> None:  # noqa: FBT001 -- a column of the table
    """A run whose plan failed is red; cleared as its log says, or as a whole, it does its work and is green."""
    world.control("PUT", "trusted-access", {"enabled": False})
    start, contact = world.mark(), world.new_contact()
    try:
        run_id, state = world.change(contact)
    finally:
        world.control("PUT", "trusted-access", {"enabled": True})
    assert state == "failed"
    assert world.writes_since(start) == []
    said = " ".join(world.api.log(DAG_ID, run_id, "plan").split())
    assert "aws organizations enable-aws-service-access" in said
    assert "clear the run with only failed tasks selected" in said
    world.api.clear(DAG_ID, run_id, only_failed=only_failed)
    assert world.finish(run_id) == "success"
    assert all(world.member_contact(account) == contact for account in world.targets)


@pytest.mark.long
def test_cleared_run_with_a_failing_plan_is_red(world: "World") -> None:
    """A finished run that is cleared, and whose plan then fails, does not report its earlier success again."""
    run_id, state = world.change(world.new_contact())
    assert state == "success"
    world.control("PUT", "trusted-access", {"enabled": False})
    try:
        world.api.clear(DAG_ID, run_id)
        assert world.finish(run_id) == "failed"
    finally:
        world.control("PUT", "trusted-access", {"enabled": True})

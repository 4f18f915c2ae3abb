"""Who is told what of a run: Airflow's callbacks, the bus, the function, and people's inboxes."""

from typing import TYPE_CHECKING, Any

import pytest

from contactsync.bus.events import AccountsWritten
from contactsync.cli.local.local_system import DAG_ID
from contactsync.operations.operation import sync_id_of
from tests.e2e.accidents import begin, broken_configuration, configured, fault, kill, wait_for, wait_for_strike

if TYPE_CHECKING:
    from tests.e2e.conftest import World

HOUSEKEEPING = "contact_housekeeping"
EVERY_CHANNEL = {"user_notifications_config": {"delivery_channels": ["EMAIL", "SMS", "SLACK"]}}
MAIL, PHONE, CHAT = ("email", "operators@example.com"), ("sms", "+12065550100"), ("chat", "contactsync-local")


def notices(world: "World", run_id: str) -> list[dict[str, Any]]:
    """Return a run's notices as they are stored, in the order of their scenarios."""
    return list(world.system.services.notice_store.of_operation(sync_id_of(run_id)))


def notified(world: "World", run_id: str, last: str = "EMAIL") -> dict[str, set[tuple[str, str]]]:
    """Return who was told what of a run, by scenario, when the last channel has been served."""

    def delivered() -> bool:
        stored = notices(world, run_id)
        return bool(stored) and all(f"delivery_{last}" in item for item in stored)

    wait_for(world, delivered, "all deliveries")
    found: dict[str, set[tuple[str, str]]] = {}
    for item in notices(world, run_id):
        messages = [m for m in inbox(world) if item["notice_id"] in m["text"] or _is_short(m, run_id)]
        found[item["sk"]] = {(message["channel"], message["recipient"]) for message in messages}
    return found


def inbox(world: "World") -> list[dict[str, Any]]:
    """Return what people have received."""
    messages: list[dict[str, Any]] = world.control("GET", "inbox")["messages"]
    return messages


def _is_short(message: dict[str, Any], run_id: str) -> bool:
    """Tell whether it is a text or chat message, which show the operation or the run only, about a run."""
    named = sync_id_of(run_id) in message["text"] or run_id in message["text"]
    return named and message["channel"] in {"sms", "chat"}


def mails(world: "World", run_id: str) -> list[dict[str, Any]]:
    """Return the mails about a run."""
    return [m for m in inbox(world) if m["channel"] == "email" and f"correlation id {run_id}" in m["text"]]


def test_partial_failure(faults: "World") -> None:
    """One account that AWS finds invalid is a partial failure: one mail, which names the account and what to do."""
    world = faults
    account = world.targets[0]
    fault(world, "PutAlternateContact", account=account, error="ValidationException")
    with configured(world, notification_settings=EVERY_CHANNEL):
        run_id, state = world.change(world.new_contact())
    assert state == "failed"
    assert notified(world, run_id, "SLACK") == {"partial_failure": {MAIL, CHAT}}
    (mail,) = mails(world, run_id)
    assert mail["subject"].startswith("[MEDIUM] contactsync local: ")
    assert account in mail["text"]
    assert f"contactsync operations show {sync_id_of(run_id)}" in mail["text"]


def test_permission_errors(faults: "World") -> None:
    """Denied accounts are a notice of high severity, on every channel; cleared without success it is not repeated."""
    world = faults
    for account in world.targets[:2]:
        fault(world, "GetAlternateContact", account=account, error="AccessDeniedException")
    with configured(world, notification_settings=EVERY_CHANNEL):
        run_id, state = world.change(world.new_contact())
    assert state == "failed"
    assert notified(world, run_id, "SLACK") == {"permission_errors": {MAIL, PHONE, CHAT}}
    world.api.clear(DAG_ID, run_id)
    assert world.finish(run_id) == "failed"
    assert len(mails(world, run_id)) == 1


def test_complete_failure(faults: "World") -> None:
    """When every account fails there is one notice, however many causes; by default it is a mail."""
    world = faults
    denied, *invalid = world.targets
    fault(world, "GetAlternateContact", account=denied, error="AccessDeniedException")
    for account in invalid:
        fault(world, "PutAlternateContact", account=account, error="ValidationException")
    run_id, state = world.change(world.new_contact())
    assert state == "failed"
    assert notified(world, run_id) == {"complete_failure": {MAIL}}


def test_configuration_error(world: "World") -> None:
    """A configuration that is broken before the plan is told with its problem, on every channel for its severity."""
    with broken_configuration(world, world.new_contact()) as run_id:
        assert world.finish(run_id) == "failed"
        assert notified(world, run_id, "TEAMS") == {"configuration_errors": {MAIL, CHAT}}
    (mail,) = mails(world, run_id)
    assert "excluded_acounts: unknown key" in mail["text"]


def test_success(world: "World") -> None:
    """Success is told to those who want to know; the audit trail has everything that a change led to, under its id."""
    run_id, _ = world.change(world.new_contact())
    trail = world.system.services.audit_trail
    wanted = {
        "contactsync.sync_operation.started.v1",
        "contactsync.accounts.written.v1",
        "contactsync.sync_operation.completed.v1",
    }
    wait_for(world, lambda: {entry.event_type for entry in trail.correlated(run_id)} == wanted, "the audit trail")
    assert notices(world, run_id) == []
    with configured(world, notification_settings={"notify_on_success": True, **EVERY_CHANNEL}):
        run_id, state = world.change(world.new_contact())
    assert state == "success"
    assert notified(world, run_id, "SLACK") == {"success_completion": {MAIL, CHAT}}
    (mail,) = mails(world, run_id)
    assert mail["subject"].startswith("[LOW] ")


@pytest.mark.long
def test_bus_down(faults: "World") -> None:
    """SNS is down during a whole run: the run ends as it would, and housekeeping sends what was left, each once."""
    world = faults
    fault(world, "PublishBatch", service="sns", error="InternalError", status=500)
    fault(world, "PutAlternateContact", account=world.targets[0], error="ValidationException")
    run_id, state = world.change(world.new_contact())
    assert state == "failed"
    trail, outbox = world.system.services.audit_trail, world.system.services.outbox
    assert list(trail.correlated(run_id)) == []
    entries = [entry.announcement for entry in outbox.entries(world.system.services.clock.now())]
    left = [one for one in entries if one.correlation_id == run_id]
    writes = [one.data for one in left if isinstance(one.data, AccountsWritten)]
    assert sorted(name for data in writes for name in data.account_ids) == sorted(world.targets[1:])
    types = sorted(one.data.event_type for one in left if not isinstance(one.data, AccountsWritten))
    assert types == [
        "contactsync.account.failed.v1",
        "contactsync.notice.requested.v1",
        "contactsync.sync_operation.failed.v1",
        "contactsync.sync_operation.started.v1",
    ]
    world.control("DELETE", "faults")
    wait_for(world, lambda: housekept(world) and len(list(trail.correlated(run_id))) == len(left), "events", 240)
    assert notified(world, run_id) == {"partial_failure": {MAIL}}


def housekept(world: "World") -> bool:
    """Run the housekeeping once more, unless it runs, and tell whether it has ended well."""
    run = world.api.trigger(HOUSEKEEPING, {})["dag_run_id"]
    return str(world.api.wait_for_run(HOUSEKEEPING, run, seconds=120)["state"]) == "success"


@pytest.mark.long
def test_killed_before_publishing(faults: "World") -> None:
    """A plan that is killed between its commit and its publishing loses no event: what it stored goes out later."""
    world = faults
    slow = fault(world, "PublishBatch", service="sns", delay=20.0, count=1)
    run_id = begin(world, world.new_contact())
    wait_for_strike(world, slow)
    kill(world, run_id, "plan")
    assert world.finish(run_id) == "success"
    trail = world.system.services.audit_trail

    def started() -> int:
        return sum("started" in entry.event_type for entry in trail.correlated(run_id))

    wait_for(world, lambda: housekept(world) and started() == 2, "both starts", 240)

"""Contact values stay where they belong: a search of everything that runs on a real Airflow leave behind."""

import base64
import json
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import boto3
import pytest
from typer.testing import CliRunner

from contactsync.cli.app import app
from contactsync.cli.local.local_system import DAG_ID
from contactsync.operations.operation import OutcomeDetail
from tests.e2e.accidents import begin
from tests.support.leaks import LeakSearch

if TYPE_CHECKING:
    from tests.e2e.conftest import World

# The values hold words and numbers that stand nowhere else; a country code is too short for that.
ALTERNATE: Final = {
    "Name": "Zyxquill Märquetrous",
    "Title": "Vombatide Overseer",
    "EmailAddress": "plumquartz.zenithal@leakmark.example",
    "PhoneNumber": "+1 (555) 731-90264",
}
PRIMARY: Final = {
    "FullName": "Brindlewick Quandorø",
    "AddressLine1": "91736 Skarnforth Mews",
    "AddressLine2": "Tolvanesuite 7",
    "AddressLine3": "Oxbrydeannex",
    "City": "Grélmarshton",
    "StateOrRegion": "Yonderwickshire",
    "DistrictOrCounty": "Pellowdistrict",
    "PostalCode": "QZX7749KV",
    "CountryCode": "GB",
    "PhoneNumber": "+44 207 946 83517",
    "CompanyName": "Wrenthold Cogworks",
    "WebsiteUrl": "https://vellumgrove.example/about-us",
}
OBSERVED: Final = {
    "Name": "Quibbleford Ängströmsen",
    "Title": "Marrowgate Steward",
    "EmailAddress": "hollowmere@thistledrum.example",
    "PhoneNumber": "+31 20 884 71925",
}
"""What a member account has before a dry run looks at it."""

SEARCH: Final = LeakSearch(ALTERNATE, {k: v for k, v in PRIMARY.items() if k != "CountryCode"}, OBSERVED)
ECHO: Final = json.dumps([ALTERNATE, PRIMARY], ensure_ascii=False)
"""AWS's messages repeat what they were given."""


@pytest.fixture
def clear_events(faults: "World") -> Iterator["World"]:
    """Let CloudTrail record contact values as they are, which it may, and script faults."""
    world = faults
    before = world.control("GET", "event-settings")
    world.control("PUT", "event-settings", {"redacted": False})
    yield world
    world.control("PUT", "event-settings", before)


@pytest.mark.long
def test_nothing_leaks(clear_events: "World") -> None:
    """No contact value is in Airflow's database, logs and XComs, the function's log, a report, an export or a table.

    Except the table of desired contacts. The runs met refusals whose messages repeat the values, failures, a dry run.
    """
    world = clear_events
    run_ids = [failing_run(world), primary_run(world), dry_run(world)]

    kept = tables(world)
    desired = kept.pop(world.system.environment["CONTACTSYNC_DESIRED_CONTACTS_TABLE"])
    values = {**PRIMARY, **ALTERNATE}.values()
    assert SEARCH.in_value(desired) >= set(values) - {PRIMARY["CountryCode"]}

    home = world.system.airflow.home
    assert SEARCH.in_database(database(world)) == {}
    assert SEARCH.in_files(home, without="postgres") == {}
    for name, found in {**kept, **printed(run_ids), **asked(world, run_ids)}.items():
        assert found, f"{name}: there is something to search"
        assert SEARCH.in_value(found) == set(), name

    assert_planted_is_found(world, run_ids[0])


def database(world: "World") -> str:
    """Return the address of Airflow's database."""
    return world.system.airflow.environment()["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("+psycopg2", "")


def failing_run(world: "World") -> str:
    """Change a contact while accounts are forbidden, refused as invalid and failing, and clear the failed ones."""
    denied, invalid, failing = world.targets[:3]
    for account, error, operation in (
        (denied, "AccessDeniedException", "GetAlternateContact"),
        (invalid, "ValidationException", "PutAlternateContact"),
        (failing, "InternalServerException", "PutAlternateContact"),
    ):
        world.control(
            "POST", "faults", {"operation": operation, "account": account, "error": error, "message": f"Value {ECHO}"}
        )
    run_id = begin(world, dict(ALTERNATE))
    assert world.finish(run_id) == "failed"
    details = {account: world.outcomes(run_id)[account].detail for account in (denied, invalid, failing)}
    assert details == {
        denied: OutcomeDetail.PERMISSION_DENIED,
        invalid: OutcomeDetail.INVALID,
        failing: OutcomeDetail.UNAVAILABLE,
    }
    world.control("DELETE", "faults")
    world.api.clear(DAG_ID, run_id, only_failed=True)
    assert world.finish(run_id) == "success"
    assert all(world.member_contact(account) == ALTERNATE for account in world.targets)
    return run_id


def primary_run(world: "World") -> str:
    """Change the primary contact."""
    before = world.run_ids()
    world.management.put_contact_information(ContactInformation=PRIMARY)
    run_id = world.wait_for_new_run(before)
    assert world.finish(run_id) == "success"
    return run_id


def dry_run(world: "World") -> str:
    """Look what a run would change in an account that has other values."""
    account = world.targets[3]
    world.management.put_alternate_contact(AccountId=account, AlternateContactType="SECURITY", **OBSERVED)
    run_id, state = world.trigger(contact_types=["security"], dry_run=True, reason="what would change?")
    assert state == "success"
    assert world.outcomes(run_id)[account].changed_fields == ("EmailAddress", "Name", "PhoneNumber", "Title")
    return run_id


def tables(world: "World") -> dict[str, Any]:
    """Return all items of all tables."""
    dynamodb: Any = boto3.client("dynamodb")
    names = [value for name, value in world.system.environment.items() if name.endswith("_TABLE")]
    scan = dynamodb.get_paginator("scan")
    return {name: [page["Items"] for page in scan.paginate(TableName=name, ConsistentRead=True)] for name in names}


def printed(run_ids: list[str]) -> dict[str, str]:
    """Return what the command line says of the runs."""
    commands = [["operations", "list"], *(["report", run_id] for run_id in run_ids)]
    commands += [["export", "--format", form, run_id] for form in ("json", "csv") for run_id in run_ids]
    found = {}
    for command in commands:
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 0, result.output
        found[" ".join(command)] = result.output
    return found


def asked(world: "World", run_ids: list[str]) -> dict[str, Any]:
    """Return what Airflow's API and the function's log say."""
    found: dict[str, Any] = {}
    for run_id in run_ids:
        found[f"run {run_id}"] = world.api.run(DAG_ID, run_id)
        found[f"XComs of {run_id}"] = world.api.xcoms(DAG_ID, run_id)
        found[f"log of {run_id}"] = world.api.log(DAG_ID, run_id, "report")
    for name in world.control("GET", "functions")["functions"]:
        found[f"log of {name}"] = world.control("GET", f"functions/{name}/logs")["invocations"]
    found["what people received"] = world.control("GET", "inbox")["messages"]
    return found


def assert_planted_is_found(world: "World", run_id: str) -> None:
    """Assert that the search finds what is there: in the database, in a log, in a table."""
    home, note = world.system.airflow.home, json.dumps(ALTERNATE)
    path = f"/dags/{DAG_ID}/dagRuns/{run_id}"
    world.api.call("PATCH", path, {"note": note})
    log = home / "logs" / "planted.log"
    log.write_bytes(b'{"event": "' + base64.b64encode(zlib.compress(ECHO.encode())) + b'"}')
    try:
        assert SEARCH.in_database(database(world))["dag_run_note.content"] == set(ALTERNATE.values())
        assert SEARCH.in_files(home, without="postgres")["logs/planted.log"] >= set(ALTERNATE.values())
        assert SEARCH.in_value(world.api.run(DAG_ID, run_id)) == set(ALTERNATE.values())
    finally:
        log.unlink()
        world.api.call("PATCH", path, {"note": None})

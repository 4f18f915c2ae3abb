"""`contactsync accounts state` on a sandbox: what accounts carry, as a table, as JSON and CSV, with a digest."""

import csv
import hashlib
import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contactsync.configuration.schema import Configuration
from contactsync.sandbox.server import Sandbox
from contactsync.services.services import Services
from tests.integration.conftest import Command, misused, refused
from tests.support.builders import request


@pytest.fixture
def carried(deployment: Sandbox) -> Services:
    """Bring one of two accounts to the security contact; the other one is excluded."""
    del deployment
    services = Services.from_environment()
    members = [a.account_id for a in services.organization.accounts()]
    excluded = next(a for a in members if a != services.settings.management.account)
    settings = Configuration.model_validate({"contact_types": ["security"], "excluded_accounts": [excluded]})
    services.configuration_changes.store(settings, after_version=0, changed_by="a test", reason=None)
    for account_id in services.steps.planner.plan(request(), map_limit=10):
        services.steps.account_sync.sync(*services.steps.account_sync.open(request().dag_run_id), account_id, 1)
    return services


@pytest.mark.usefixtures("carried")
def test_table(contactsync: Command) -> None:
    """The table names every account with its standing; the counts and the version stand below it."""
    answer = contactsync("accounts", "state")
    assert answer.code == 0
    for standing in ("carries", "excluded", "management_account"):
        assert standing in answer.out
    assert "version 1: 1 carries, 1 excluded, 1 management_account" in answer.err


@pytest.mark.usefixtures("carried")
@pytest.mark.parametrize("form", ["json", "csv"])
def test_export(contactsync: Command, tmp_path: Path, form: str) -> None:
    """An export holds every account with the moment and the version, and its digest is told."""
    path = tmp_path / "state"
    answer = contactsync("accounts", "state", "-o", form, "--file", path)
    assert (answer.code, answer.out) == (0, "")
    text = path.read_bytes()
    assert f"SHA-256 {hashlib.sha256(text).hexdigest()}" in answer.err
    rows = json.loads(text) if form == "json" else list(csv.DictReader(io.StringIO(text.decode())))
    assert {row["standing"] for row in rows} == {"carries", "excluded", "management_account"}
    (carrying,) = (row for row in rows if row["standing"] == "carries")
    assert {str(row["config_version"]) for row in rows} == {"1"}
    assert len({row["as_of"] for row in rows}) == 1
    assert carrying["verified_at"]
    assert carrying["since"]
    assert str(carrying["generation"]) == str(carrying["desired_generation"])


def test_as_of_an_earlier_time(carried: Services, contactsync: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """What operations had recorded by a moment is told without the organization and the table of desired contacts."""
    before = datetime.now(UTC)
    newer = Configuration.model_validate({"contact_types": ["security"]})
    carried.configuration_changes.store(newer, after_version=1, changed_by="a test", reason=None)
    for account_id in carried.steps.planner.plan(request(dag_run_id="later"), map_limit=10):
        carried.steps.account_sync.sync(*carried.steps.account_sync.open("later"), account_id, 1)
    for name in ("CONTACTSYNC_MANAGEMENT_ACCOUNT_ID", "CONTACTSYNC_DESIRED_CONTACTS_TABLE"):
        monkeypatch.delenv(name)
    then = contactsync("accounts", "state", "--at", before.isoformat(), "-o", "json")
    assert (then.code, "may be missing" in then.err) == (0, False)
    rows = {row["standing"]: row for row in json.loads(then.out)}
    assert set(rows) == {"carries", "excluded"}
    assert rows["carries"]["config_version"] == 1
    now = json.loads(contactsync("accounts", "state", "--at", "0m", "-o", "json").out)
    after = rows["carries"]["generation"] + 1  # the tests of a module share its counters
    assert {(row["standing"], row["generation"], row["config_version"]) for row in now} == {("carries", after, 2)}


@pytest.mark.usefixtures("carried")
def test_before_the_first_version(contactsync: Command) -> None:
    """Of a time without a configuration there is nothing to state, and of the future neither."""
    refused(contactsync("accounts", "state", "--at", "2020-01-01"), "no configuration")
    misused(contactsync("accounts", "state", "--at", "2199-01-01"), "future")


def test_misused(contactsync: Command) -> None:
    """A table is not written to a file."""
    misused(contactsync("accounts", "state", "--file", "x"), "JSON or CSV")


def test_without_configuration(deployment: Sandbox, contactsync: Command) -> None:
    """Without a configuration there is no scope to state."""
    del deployment
    refused(contactsync("accounts", "state"), "no configuration")

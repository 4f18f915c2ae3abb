"""`contactsync config` on a sandbox: validate, store, compare and roll back versions of the configuration."""

import csv
import getpass
import io
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from contactsync.aws.tables.config_table import DynamoDbConfigurations
from contactsync.configuration.schema import Configuration
from contactsync.configuration.versions import StoredVersion
from contactsync.sandbox.server import Sandbox
from contactsync.services.services import Services
from tests.integration.conftest import Answer, Command, misused, refused

SETTINGS: dict[str, Any] = {"contact_types": ["security"], "notification_settings": {"failure_threshold": 2}}
ONE, TWO, THREE = "200000000001", "200000000002", "200000000003"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Write a valid configuration."""
    path = tmp_path / "configuration.json"
    path.write_text(json.dumps(SETTINGS))
    return path


@pytest.fixture
def stored(deployment: object, contactsync: Command, file: Path) -> Command:
    """Store a first version, and give the group `config`."""
    del deployment
    assert contactsync("config", "put", file, "--reason", "the first").code == 0
    return lambda *arguments: contactsync("config", *arguments)


def in_force(config: Command) -> dict[str, Any]:
    """Return the settings in force."""
    settings: dict[str, Any] = json.loads(config("show").out)
    return settings


@pytest.mark.usefixtures("deployment")
def test_put_and_show(contactsync: Command, file: Path) -> None:
    """What is stored is shown with its defaults, and its version goes to stderr so that the output can be stored."""
    assert contactsync("config", "put", file) == Answer(0, "Stored as version 1.\n", "")
    shown = contactsync("config", "show")
    assert shown.code == 0
    assert shown.err.startswith("version 1 stored ")
    assert json.loads(shown.out) == Configuration.model_validate(SETTINGS).model_dump(mode="json")
    file.write_text(shown.out)
    assert contactsync("config", "put", file).out == "Stored as version 2.\n"
    assert contactsync("config", "show").out == shown.out


def test_outbox_only(deployment: Sandbox, contactsync: Command, file: Path) -> None:
    """Storing a configuration touches the outbox of the state table and nothing else there, as the permissions say."""
    table, last = "contactsync-local-state", len(deployment.call_log.query())
    assert contactsync("config", "put", file).code == 0
    made = [call for call in deployment.call_log.query()[last:] if table in json.dumps(call.parameters, default=str)]
    assert {call.operation for call in made} == {"TransactWriteItems", "BatchWriteItem"}
    keys = re.findall(r'"pk": {"S": "([^"#]*#)', json.dumps([call.parameters for call in made], default=str))
    assert set(keys) == {"outbox#"}


@pytest.mark.usefixtures("deployment")
def test_after_version(contactsync: Command, file: Path) -> None:
    """A change of another version than the one in force is refused, and the sentence says what to do."""
    assert contactsync("config", "put", file, "--after-version", 0).code == 0
    for stale in (0, 2, 77):
        refused(contactsync("config", "put", file, "--after-version", stale), "config show")
    assert contactsync("config", "put", file, "--after-version", 1).out == "Stored as version 2.\n"


@pytest.mark.usefixtures("deployment")
def test_replaces_an_invalid_one(contactsync: Command, file: Path) -> None:
    """A configuration in force that is invalid is named by its version, and can be replaced."""
    services = Services.from_environment()
    client: Any = services._dynamodb
    item = {"config_key": {"S": services.settings.configuration.key}, "version": {"N": "4"}, "contact_types": {"L": []}}
    client.put_item(TableName=services.settings.configuration.table, Item=item)
    refused(contactsync("config", "show"), "version 4")
    stored = 'Stored as version 5: contact_types.\n  contact_types: [] -> ["security"]\n'
    assert contactsync("config", "put", file).out == stored
    assert contactsync("config", "show").code == 0


@pytest.mark.usefixtures("deployment")
def test_nothing_stored(contactsync: Command) -> None:
    """Without a configuration the sentence says how to store one."""
    refused(contactsync("config", "show"), "contactsync config put")


def test_validate(contactsync: Command, file: Path) -> None:
    """A file can be checked without any deployment."""
    assert not [name for name in os.environ if name.startswith("CONTACTSYNC_")]
    assert contactsync("config", "validate", file) == Answer(0, "The configuration is valid.\n", "")


@pytest.mark.parametrize("command", ["validate", "put"])
@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b'{"contact_types": []}', "contact_types"),
        (b'{"excluded": []}', "excluded"),
        (b"[]", "configuration"),
        (b"{", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        ("{}".encode("utf-16"), "save the file as UTF-8"),
        ("{}".encode("utf-16-be"), "save the file as UTF-8"),
        ("{}".encode("utf-32"), "save the file as UTF-8"),
        (b'{"contact_types": ["caf\xe9"]}', "save the file as UTF-8"),
        (b'{"excluded_accounts": [123456789012]}', "write it in quotes: an account id is text"),
        (b'{"scope": {"exclude": {"accounts": [12345678901]}}}', "as a number it loses leading zeros"),
        (b'{"excluded_accounts": [012345678901]}', "begins with 0 at line 1 column 25; write account ids in quotes"),
        (b'{"excluded_accounts": ["12345678901"]}', "account id of 12 digits; leading zeros may have been lost"),
        (b'{"scope": {"exclude": {"tags": {"cost": [1]}}}}', "is a number; write it in quotes"),
        (b'{"scope": {"exclude": {"tags": {"managed": [false]}}}}', "is true or false; write it in quotes"),
        (json.dumps({"excluded_accounts": [f"{n:012}" for n in range(40_000)]}).encode(), "DynamoDB's limit"),
        (b"", "is not JSON"),
    ],
)
@pytest.mark.usefixtures("deployment")
def test_invalid_file(contactsync: Command, file: Path, command: str, content: bytes, problem: str) -> None:
    """A file that is no valid configuration is refused with its problems, and nothing is stored."""
    file.write_bytes(content)
    refused(contactsync("config", command, file), problem)
    assert contactsync("config", "show").code == 1


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b'{"excluded_accounts": ["200000000001"], "excluded_accounts": []}', "'excluded_accounts' is there twice"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"retry_config": {"max_attempts": ' + b"9" * 5000 + b"}}", "is not JSON"),
        (b'{"deletion": {"policy": "\\ud800"}}', "deletion.policy"),
        (b'{"rates": {"clock_skew": 1e-300}}', "rates.clock_skew"),
    ],
)
@pytest.mark.usefixtures("_deep_nesting")
def test_odd_file(contactsync: Command, file: Path, content: bytes, problem: str) -> None:
    """What JSON readers take without a word, or fail on, is refused too."""
    file.write_bytes(content)
    refused(contactsync("config", "validate", file), problem)


def test_show_version(stored: Command) -> None:
    """An earlier version is shown as it was, with who stored it, when and why."""
    stored("set", "deletion.policy=ignore")
    shown = stored("show", "--version", 1)
    assert json.loads(shown.out) == Configuration.model_validate(SETTINGS).model_dump(mode="json")
    assert shown.err.startswith("version 1 stored 2")
    assert "arn:aws:" in shown.err
    assert "(the first)" in shown.err
    assert ("deletion.policy", "ignore") in {
        (row["field"], row["value"]) for row in csv_rows(stored("show", "--output", "csv"))
    }
    refused(stored("show", "--version", 3), "version 3")


def csv_rows(answer: Answer) -> list[dict[str, str]]:
    """Return the rows of CSV output."""
    return list(csv.DictReader(io.StringIO(answer.out)))


def test_set(stored: Command) -> None:
    """Single fields are changed, in sections too; the rest stays, and the answer names what changed."""
    answer = stored("set", "retry_config.base_delay=0.5", f'excluded_accounts=["{ONE}"]', "deletion.policy=ignore")
    assert answer.code == 0
    assert answer.out.splitlines() == [
        "Stored as version 2: excluded_accounts, retry_config.base_delay, deletion.policy.",
        f'  excluded_accounts: [] -> ["{ONE}"]',
        "  retry_config.base_delay: 2.0 -> 0.5",
        '  deletion.policy: "approve" -> "ignore"',
    ]
    assert answer.err == (
        f"Warning: excluded_accounts: the organization has no account {ONE}, so this protects no account.\n"
    )
    settings = in_force(stored)
    assert settings["excluded_accounts"] == [ONE]
    assert settings["retry_config"] == {"max_attempts": 3, "base_delay": 0.5, "max_delay": 60}
    assert settings["notification_settings"]["failure_threshold"] == 2
    assert stored("set", 'scope.contact_types.billing={"include": {"accounts": []}}').code == 0
    assert "billing" in in_force(stored)["scope"]["contact_types"]


def test_set_nothing(stored: Command) -> None:
    """A value that is there already stores no version."""
    assert stored("set", "retry_config.max_attempts=3").out == "Nothing changes: version 1 stays the current one.\n"
    assert [row["version"] for row in json.loads(stored("history", "--output", "json").out)] == [1]


@pytest.mark.parametrize(
    ("assignment", "problem"),
    [
        ("retry_confg.max_attempts=2", "retry_confg: unknown key; did you mean retry_config?"),
        ("retry_config.max_attempts=99", "retry_config.max_attempts"),
        ("deletion.policy=propagated", "did you mean 'propagate'?"),
        ("contact_types.first=primary", "contact_types: holds no keys"),
        ("retry_config..max_attempts=2", "unknown key"),
        ("scope.contact_types.bill={}", "scope.contact_types.bill: unknown key; did you mean billing?"),
    ],
)
def test_set_refused(stored: Command, assignment: str, problem: str) -> None:
    """What is not valid is refused with its field and problem, and nothing is stored."""
    refused(stored("set", assignment, "notification_settings.failure_threshold=5"), problem)
    assert stored("show").err.startswith("version 1 ")


@pytest.mark.parametrize(
    "assignments",
    [("policy",), ("=3",), ("excluded_accounts=[1",), ("deletion.policy=ignore", "deletion.policy=approve"), ()],
)
def test_set_misused(stored: Command, assignments: tuple[str, ...]) -> None:
    """What is no KEY=VALUE is wrong usage."""
    misused(stored("set", *assignments))


def test_set_mends(stored: Command) -> None:
    """A configuration in force that somebody's hand made invalid can be fixed field by field."""
    store_by_hand(2, {"deletion": {"M": {"policy": {"S": "never"}}}})
    refused(stored("show"), "version 2")
    assert stored("set", "deletion.policy=approve").code == 0
    assert in_force(stored)["deletion"]["policy"] == "approve"


def store_by_hand(version: int, attributes: dict[str, Any]) -> None:
    """Store an item as nobody but an administrator can."""
    services = Services.from_environment()
    client: Any = services._dynamodb
    item = {"config_key": {"S": services.settings.configuration.key}, "version": {"N": str(version)}, **attributes}
    client.put_item(TableName=services.settings.configuration.table, Item=item)


def test_history(stored: Command) -> None:
    """The history tells newest first which fields each version changed, who stored it, when and why."""
    stored("set", "deletion.policy=ignore", "--reason", "ticket 7")
    stored("set", f'excluded_accounts=["{ONE}"]')
    newest, middle, first = json.loads(stored("history", "--output", "json").out)
    assert [row["version"] for row in (newest, middle, first)] == [3, 2, 1]
    assert (middle["changed_fields"], middle["reason"]) == (["deletion.policy"], "ticket 7")
    assert (newest["changed_fields"], newest["reason"]) == (["excluded_accounts"], None)
    assert (first["changed_fields"], first["reason"]) == ([], "the first")
    assert all(row["changed_by"].startswith("arn:aws:") and row["changed_at"].endswith("Z") for row in (newest, first))
    assert getpass.getuser() in newest["changed_by"]
    assert "ticket 7" in stored("history").out
    (only,) = json.loads(stored("history", "--limit", 1, "--output", "json").out)
    assert only == newest


def test_history_of_invalid_versions(stored: Command) -> None:
    """Versions that are invalid, or were stored without author and time, are listed like the others."""
    store_by_hand(2, {"contact_types": {"L": []}, "changed_at": {"S": "yesterday"}})
    rows = json.loads(stored("history", "--output", "json").out)
    assert [(row["version"], row["changed_at"] is None) for row in rows] == [(2, True), (1, False)]


def test_diff(stored: Command) -> None:
    """Versions are compared field by field; exit code 3 says that they differ."""
    stored("set", f'excluded_accounts=["{ONE}", "{TWO}"]')
    stored("set", f'excluded_accounts=["{TWO}", "{THREE}"]', "deletion.policy=ignore")
    answer = stored("diff", 2)
    assert answer.code == 3
    assert answer.err == ""
    for listed in ([ONE, TWO], [TWO, THREE]):  # an entry that both have is shown, so that nothing looks empty
        assert json.dumps(listed) in answer.out
    assert answer == stored("diff", 2, 3)
    found = json.loads(stored("diff", 2, 3, "--output", "json").out)
    assert found == [
        {"field": "excluded_accounts", "before": [ONE, TWO], "after": [TWO, THREE]},
        {"field": "deletion.policy", "before": "approve", "after": "ignore"},
    ]
    assert csv_rows(stored("diff", 3, 2, "--output", "csv"))[0] == {
        "field": "excluded_accounts",
        "version 3": f'["{TWO}", "{THREE}"]',
        "version 2": f'["{ONE}", "{TWO}"]',
    }


def test_diff_of_a_long_list(stored: Command) -> None:
    """Of more than ten entries the table shows how many there are, and those that only one side has."""
    many = [f"{number:012}" for number in range(700_000_000_001, 700_000_000_012)]
    stored("set", f"excluded_accounts={json.dumps([*many, ONE])}")
    stored("set", f"excluded_accounts={json.dumps([*many, TWO])}", "--yes")
    (row,) = csv_rows(stored("diff", 2, 3, "--output", "csv"))
    assert row["version 2"] == f'12 entries, among them ["{ONE}"]'
    assert row["version 3"] == f'12 entries, among them ["{TWO}"]'
    stored("set", f"excluded_accounts={json.dumps(many)}", "--yes")
    (row,) = csv_rows(stored("diff", 3, 4, "--output", "csv"))
    assert row["version 4"] == "11 entries"


def test_diff_equal(stored: Command) -> None:
    """Equal versions end with 0."""
    assert stored("diff", 1) == Answer(0, "", "Versions 1 and 1 are equal.\n")
    assert stored("diff", 1, 1, "--output", "json").out.split() == ["[", "]"]
    refused(stored("diff", 1, 2), "version 2")
    misused(stored("diff"))


def test_diff_with_an_older_release(stored: Command) -> None:
    """A version that lacks keys of today is compared by what they default to, an invalid one by what is stored."""
    store_by_hand(2, {"contact_types": {"L": [{"S": "security"}]}})
    (found,) = json.loads(stored("diff", 1, "--output", "json").out)
    assert found == {"field": "notification_settings.failure_threshold", "before": 2, "after": 1}
    store_by_hand(3, {"contact_types": {"L": []}})
    found = json.loads(stored("diff", 2, "--output", "json").out)
    assert {"field": "contact_types", "before": ["security"], "after": []} in found
    assert {"field": "excluded_accounts", "before": [], "after": None} in found


def test_rollback(stored: Command) -> None:
    """A rollback stores the old settings as a new version, with where they come from."""
    before = in_force(stored)
    stored("set", "deletion.policy=ignore")
    assert stored("rollback", 1, "--reason", "too early").out == (
        'Stored as version 3: deletion.policy.\n  deletion.policy: "ignore" -> "approve"\n'
    )
    assert in_force(stored) == before
    assert "(rollback to version 1: too early)" in stored("show").err
    assert stored("rollback", 1).out == "Nothing changes: version 3 stays the current one.\n"
    refused(stored("rollback", 9), "version 9")
    misused(stored("rollback", 0))


def test_rollback_to_an_invalid_one(stored: Command) -> None:
    """A version that is not valid any more is refused with its problems, and nothing is stored."""
    store_by_hand(2, {"retry_config": {"M": {"max_attempts": {"N": "99"}}}})
    store_by_hand(3, {"contact_types": {"L": [{"S": "security"}]}})
    refused(stored("rollback", 2), "version 2) is invalid: retry_config.max_attempts")
    assert stored("show").err.startswith("version 3")


@pytest.mark.parametrize("command", [("set", "deletion.policy=ignore"), ("rollback", "1")])
def test_lock(stored: Command, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]) -> None:
    """When somebody else stores a version after it was read, nothing is stored."""
    stored("set", "deletion.policy=propagate", "--yes")
    plain = DynamoDbConfigurations.newest

    def overtaken(self: DynamoDbConfigurations) -> StoredVersion:
        found = plain(self)
        monkeypatch.setattr(DynamoDbConfigurations, "newest", plain)
        assert stored("set", f'excluded_accounts=["{ONE}"]').code == 0
        return found

    monkeypatch.setattr(DynamoDbConfigurations, "newest", overtaken)
    refused(stored(*command), "no longer at version 2")
    assert stored("show").err.startswith("version 3 ")


@pytest.mark.parametrize("reason", ["x" * 1001, "one\ntwo", "\x1b[31m"])
def test_reason(stored: Command, reason: str) -> None:
    """A reason is one line with a limit."""
    misused(stored("set", "deletion.policy=ignore", "--reason", reason), "1000 characters")

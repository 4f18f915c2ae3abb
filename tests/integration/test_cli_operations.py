"""`contactsync operations`, `accounts` and `export` on a sandbox: listings, one operation, history, files."""

import csv
import hashlib
import io
import json
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer

from contactsync.aws.operations.operation_queries import DynamoDbOperationQueries
from contactsync.bus.events import NoticeRequested, Severity
from contactsync.cli.export import write_file
from contactsync.cli.local.local_system import product_environment
from contactsync.cli.screen.periods import end_of, start_of
from contactsync.contacts import ContactType
from contactsync.errors import FileNotWrittenError, ServiceUnavailableError
from contactsync.operations.desired import DesiredContact
from contactsync.operations.operation import (
    AccountOutcome,
    Attempt,
    OperationStatus,
    OutcomeDetail,
    OutcomeStatus,
    sync_id_of,
)
from contactsync.sandbox.server import Sandbox
from contactsync.services.services import Services
from tests.integration.conftest import Answer, Command, misused, refused
from tests.support.builders import account, alternate_values, contact_of, operation
from tests.support.fakes.surroundings import START

SECURITY = ContactType.SECURITY
RUNS = ("run-a", "run-b", "run-c")
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def stored(sandbox: Sandbox) -> None:
    """Store three operations, a day apart, the second one failed, with two outcomes each."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in product_environment(sandbox).items():
            patch.setenv(name, value)
        services = Services.from_environment()
        operations = services.operations
        for number, run in enumerate(RUNS):
            moment = START + number * DAY
            status = OperationStatus.FAILED if number == 1 else OperationStatus.COMPLETED
            counts = {"failed": 1, "success": 1}
            one = operation(SECURITY, run=run, timestamp=moment, planned=moment, status=status, counts=counts)
            operations.store_plan(one, [DesiredContact(SECURITY, number + 1, one.sync_id, contact_of(SECURITY))])
            operations.store_outcomes(one, outcomes(moment))
        store_notices(services)


def outcomes(moment: datetime) -> list[AccountOutcome]:
    """Return a success and a failure that were settled at a moment."""
    ends = [(OutcomeStatus.SUCCESS, OutcomeDetail.UPDATED), (OutcomeStatus.FAILED, OutcomeDetail.UNAVAILABLE)]
    return [
        AccountOutcome(account(number).account_id, "=a name", SECURITY).settled(
            Attempt(2, moment, moment, status, detail, "InternalServerException" if number else None)
        )
        for number, (status, detail) in enumerate(ends)
    ]


def store_notices(services: Services) -> None:
    """Store two notices of the second operation: one that two channels had, and one that waits."""
    sync_id, requests = sync_id_of("run-b"), services.notice_store
    for scenario in ("complete_failure", "overdue"):
        requests.store(sync_id, notice(scenario), [])
    requests.store_delivery(sync_id, "complete_failure", "EMAIL", {"status": "sent", "at": START})
    requests.store_delivery(sync_id, "complete_failure", "SMS", {"status": "failed", "code": "Throttled", "at": START})


def notice(scenario: str) -> NoticeRequested:
    """Return the request for a notice about the second operation."""
    return NoticeRequested(notice_id=f"n-{scenario}", scenario=scenario, priority=Severity.HIGH, dag_id="contact_sync")


@pytest.fixture
def command(deployment: Sandbox, stored: None, contactsync: Command) -> Command:
    """Give the command line of a deployment with three operations."""
    del deployment, stored
    return contactsync


def listed(answer: Answer) -> list[dict[str, Any]]:
    """Return what a command printed as JSON."""
    assert (answer.code, answer.err) == (0, "")
    found: list[dict[str, Any]] = json.loads(answer.out)
    return found


def rows(text: str) -> list[dict[str, str]]:
    """Return the rows of CSV."""
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.mark.parametrize(
    ("options", "runs"),
    [
        ((), ["run-c", "run-b", "run-a"]),
        (("--limit", 2), ["run-c", "run-b"]),
        (("--status", "failed"), ["run-b"]),
        (("--since", "2026-01-15"), ["run-c", "run-b"]),
        (("--until", "2026-01-15"), ["run-b", "run-a"]),
        (("--since", "2026-01-15", "--until", "2026-01-15"), ["run-b"]),
        (("--since", "2026-01-15T10:00:00+01:00", "--until", "2026-01-16T09:00:00Z"), ["run-b"]),
        (("--since", "1h"), []),
    ],
)
def test_list(command: Command, options: tuple[object, ...], runs: list[str]) -> None:
    """Operations are listed newest first, by status and period."""
    found = listed(command("operations", "list", *options, "--output", "json"))
    assert [one["dag_run_id"] for one in found] == runs


def test_list_forms(command: Command) -> None:
    """A listing is a table for people, and JSON or CSV for programs."""
    table = command("operations", "list")
    assert table.out.index("run-c") < table.out.index("run-a")
    assert "failed 1, success 1" in table.out
    newest = listed(command("operations", "list", "--output", "json"))[0]
    assert (newest["contact_types"], newest["counts"], newest["timestamp"]) == (
        ["security"],
        {"failed": 1, "success": 1},
        "2026-01-16T09:00:00Z",
    )
    assert newest["plans"]["security"]["generation"] == 1
    assert [row["dag_run_id"] for row in rows(command("operations", "list", "-o", "csv").out)] == list(RUNS[::-1])
    nothing = command("operations", "list", "--status", "pending")
    assert nothing == Answer(0, "", "Nothing was found.\n")


@pytest.mark.parametrize("name", ["run-b", sync_id_of("run-b")])
def test_show(command: Command, name: str) -> None:
    """An operation is found by its run id and its own id, and shown with all outcomes; JSON and CSV are its export."""
    shown = command("operations", "show", name)
    assert (shown.code, shown.err) == (0, "")
    assert all(text in shown.out for text in ("run-b", "airflow:admin", account(0).account_id, account(1).account_id))
    (found,) = listed(command("operations", "show", name, "--output", "json"))
    assert (found["sync_id"], list(found["results"])) == (
        sync_id_of("run-b"),
        [account(0).account_id, account(1).account_id],
    )
    assert command("export", name).out == command("operations", "show", name, "--output", "json").out
    assert len(rows(command("operations", "show", name, "--output", "csv").out)) == 2


def test_show_notices(command: Command) -> None:
    """An operation is shown with its notices, and how each channel ended."""
    shown = [
        " ".join(line.replace("│", " ").split()) for line in command("operations", "show", "run-b").out.splitlines()
    ]
    assert "notices.complete_failure.EMAIL sent 2026-01-14T09:00:00Z" in shown
    assert "notices.complete_failure.SMS failed Throttled 2026-01-14T09:00:00Z" in shown
    assert "notices.overdue not delivered yet" in shown


@pytest.mark.parametrize("name", ["run-b", sync_id_of("run-b")])
def test_deliveries(command: Command, name: str) -> None:
    """Notices are listed a row per channel, by the run id or the operation's own."""
    found = listed(command("notices", "deliveries", name, "--output", "json"))
    assert [(one["scenario"], one.get("channel"), one.get("status")) for one in found] == [
        ("complete_failure", "EMAIL", "sent"),
        ("complete_failure", "SMS", "failed"),
        ("overdue", None, None),
    ]
    assert found[1]["code"] == "Throttled"
    assert command("notices", "deliveries", "run-c") == Answer(0, "", "Nothing was found.\n")


@pytest.mark.parametrize("arguments", [("operations", "show"), ("export",), ("report",), ("notices", "deliveries")])
def test_unknown(command: Command, arguments: tuple[str, ...]) -> None:
    """A name that no operation has is refused, with what lists the others."""
    refused(command(*arguments, "run-z"), "contactsync operations list")


def test_account_history(command: Command) -> None:
    """What was done to an account is listed newest first, with the operation that did it."""
    found = listed(command("accounts", "history", account(1).account_id, "--output", "json"))
    assert [one["sync_id"] for one in found] == [sync_id_of(run) for run in RUNS[::-1]]
    assert (found[0]["status"], found[0]["retry_count"]) == ("failed", 1)
    limited = command("accounts", "history", account(1).account_id, "--limit", 1)
    assert sync_id_of("run-c") in limited.out
    assert sync_id_of("run-b") not in limited.out
    assert listed(command("accounts", "history", account(1).account_id, "--until", "2026-01-01", "-o", "json")) == []


def test_desired(command: Command) -> None:
    """The contact in force is named by generation and operation; none of its values is shown."""
    assert listed(command("operations", "desired", "--output", "json")) == [
        {"contact_type": "security", "generation": 3, "sync_id": sync_id_of("run-c")}
    ]
    out = command("operations", "desired").out
    assert not [value for value in alternate_values().values() if value in out]


def test_export(command: Command, tmp_path: Path) -> None:
    """All operations of a period are exported, to the standard output or a file, as JSON or CSV."""
    found = json.loads(command("export").out)
    assert [one["sync_id"] for one in found] == [sync_id_of(run) for run in RUNS[::-1]]
    file = tmp_path / "export.csv"
    answer = command("export", "--since", "2026-01-15", "-o", "csv", "--file", file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert (answer.code, answer.out) == (0, "")
    assert answer.err.splitlines()[-1] == f"2 operations, 4 outcomes, SHA-256 {digest}"
    written = rows(file.read_bytes().decode())
    assert [row["dag_run_id"] for row in written] == ["run-c", "run-c", "run-b", "run-b"]
    assert {row["account_name"] for row in written} == {"'=a name"}
    assert list(tmp_path.iterdir()) == [file]


def test_export_beyond_what_is_kept(command: Command) -> None:
    """A period that begins before the retention is warned of, and one within it is not."""
    old = command("export", "--since", "2020-01-01")
    assert (old.code, "400 days after their latest plan" in old.err) == (0, True)
    assert "expire" not in command("export", "--since", "30d").err


def test_kept_as_the_deployment_keeps(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """How long operations last is read from the newest one: the auditor's shell has another setting, or none."""
    monkeypatch.setenv("CONTACTSYNC_RETENTION_DAYS", "90")
    assert "expire" not in command("export", "--since", "100d").err
    assert "400 days after" in command("export", "--since", "2020-01-01").err


@pytest.mark.parametrize("before", [None, "what was there"])
def test_interrupted(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str | None) -> None:
    """An export that fails halfway leaves the file as it was, and no other."""
    file = tmp_path / "export.json"
    if before:
        file.write_text(before)
    plain = DynamoDbOperationQueries.recent

    def broken(self: DynamoDbOperationQueries, **options: Any) -> Iterator[Any]:
        yield next(plain(self, **options))
        raise ServiceUnavailableError(api_operation="Query", aws_code="InternalServerError")

    monkeypatch.setattr(DynamoDbOperationQueries, "recent", broken)
    refused(command("export", "--file", file), "InternalServerError")
    assert [path.read_text() for path in tmp_path.iterdir()] == ([before] if before else [])


def test_file_not_written(command: Command, tmp_path: Path) -> None:
    """A file that cannot be written is one sentence."""
    refused(command("export", "--file", tmp_path / "no" / "such" / "file.json"), "No such file or directory")


@pytest.mark.parametrize("error", [KeyboardInterrupt, FileNotWrittenError(path="x", reason="y")])
def test_partial_file(tmp_path: Path, error: Any) -> None:
    """Whatever interrupts the writing of a file, nothing of it stays."""

    def parts() -> Iterator[str]:
        yield "[" * 100_000
        raise error

    with pytest.raises((KeyboardInterrupt, FileNotWrittenError)):
        write_file(tmp_path / "file", parts())
    assert list(tmp_path.iterdir()) == []


def test_link(tmp_path: Path) -> None:
    """A link keeps pointing to the file, which is replaced; a device is written to."""
    file, link = tmp_path / "file", tmp_path / "link"
    link.symlink_to(file)
    write_file(link, ["new"])
    assert link.is_symlink()
    assert file.read_text() == "new"
    write_file(Path("/dev/null"), ["nothing"])
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


@pytest.mark.parametrize(
    "arguments",
    [
        ("operations", "list", "--since", "yesterday"),
        ("operations", "list", "--since", "2026-01-15T09:00:00"),
        ("operations", "list", "--since", "2026-02-30"),
        ("operations", "list", "--since", "99999999999d"),
        ("operations", "list", "--until", "9999-12-31"),
        ("operations", "list", "--since", "2026-01-15", "--until", "2026-01-14"),
        ("operations", "list", "--status", "red"),
        ("operations", "list", "--limit", "0"),
        ("operations", "list", "--output", "xml"),
        ("operations", "show"),
        ("accounts", "history"),
        ("accounts", "history", "12345678901"),
        ("accounts", "history", "member-1"),
        ("export", "run-a", "--since", "7d"),
        ("export", "--format", "table"),
        ("export", "--output", "table"),
        ("export", "--file", "/"),
    ],
)
def test_misused(contactsync: Command, arguments: tuple[str, ...]) -> None:
    """Wrong usage ends with 2 before anything is asked of AWS."""
    misused(contactsync(*arguments))


def test_times() -> None:
    """Times are written with a zone, as a date in UTC, or as how long ago."""
    assert start_of("2026-01-14T08:40:12+01:00") == datetime(2026, 1, 14, 7, 40, 12, tzinfo=UTC)
    assert (start_of("2026-01-14"), end_of("2026-01-14")) == (
        datetime(2026, 1, 14, tzinfo=UTC),
        datetime(2026, 1, 15, tzinfo=UTC),
    )
    for text, length in (("90m", 90), ("2h", 120), ("7d", 7 * 1440), ("1w", 7 * 1440)):
        assert abs(datetime.now(UTC) - timedelta(minutes=length) - start_of(text)) < timedelta(minutes=1)
    with pytest.raises(typer.BadParameter, match="zone"):
        start_of("2026-01-14T08:40:12")

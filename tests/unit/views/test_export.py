"""Exports of sync operations: the documented schema as JSON, CSV without formulas, and bounded memory."""

import csv
import io
import json
import tracemalloc
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from contactsync.contacts import ContactType
from contactsync.operations.operation import (
    AccountOutcome,
    Attempt,
    Decision,
    Halt,
    OutcomeDetail,
    OutcomeStatus,
    SyncOperation,
    TypePlan,
    Verdict,
)
from contactsync.views.export import operations_csv, operations_json
from contactsync.views.rows import defused
from tests.support.builders import MANAGEMENT_ACCOUNT, account, operation
from tests.support.fakes.surroundings import START

SECURITY, BILLING = ContactType.SECURITY, ContactType.BILLING
LATER = START + timedelta(seconds=2)
START_TEXT, LATER_TEXT = "2026-01-14T09:00:00Z", "2026-01-14T09:00:02Z"


def outcome(number: int, contact_type: ContactType = SECURITY, **attempt: Any) -> AccountOutcome:
    """Return the outcome of a member; pending unless a try is described."""
    member = account(number)
    pending = AccountOutcome(member.account_id, member.name, contact_type)
    if not attempt:
        return pending
    values = {"try_number": 1, "started": START, "ended": LATER, **attempt}
    return pending.settled(Attempt(**values))


UPDATED = {"status": OutcomeStatus.SUCCESS, "detail": OutcomeDetail.UPDATED}
FAILED = {"status": OutcomeStatus.FAILED, "detail": OutcomeDetail.UNAVAILABLE, "error_code": "InternalServerException"}


def exported(operations: SyncOperation, outcomes: Iterable[AccountOutcome]) -> list[dict[str, Any]]:
    """Return what the JSON export of one operation holds."""
    kept = list(outcomes)
    found: list[dict[str, Any]] = json.loads("".join(operations_json([operations], lambda _: kept)))
    return found


def rows(operations: Iterable[SyncOperation], outcomes: Iterable[AccountOutcome]) -> list[dict[str, str]]:
    """Return the rows of the CSV export."""
    kept = list(outcomes)
    return list(csv.DictReader(io.StringIO("".join(operations_csv(operations, lambda _: kept)), newline="")))


def test_document() -> None:
    """An operation reads like the documented schema."""
    (found,) = exported(
        operation(SECURITY, timestamp=START), [outcome(1, **UPDATED), outcome(2, **FAILED, try_number=3)]
    )
    one, two = account(1).account_id, account(2).account_id
    document = {
        "sync_id": operation().sync_id,
        "timestamp": START_TEXT,
        "initiating_user": "airflow:admin",
        "contact_type": "security",
        "source_account": MANAGEMENT_ACCOUNT,
        "target_accounts": [one, two],
        "status": "in_progress",
    }
    assert {key: found[key] for key in document} == document
    results = {key: {name: entry[name] for name in names} for (key, entry), names in _named(found["results"])}
    assert results == {
        one: {"status": "success", "timestamp": LATER_TEXT},
        two: {"status": "failed", "error": "InternalServerException", "retry_count": 2},
    }


def _named(results: dict[str, Any]) -> Iterator[tuple[tuple[str, Any], tuple[str, ...]]]:
    """Pair the results with the keys that the schema shows for each."""
    return zip(results.items(), [("status", "timestamp"), ("status", "error", "retry_count")], strict=True)


def test_more_than_the_document() -> None:
    """What the operation intended and met is there too, the fingerprints are not."""
    plan = TypePlan(
        4,
        absent=True,
        approved=False,
        fingerprints={"Name": "f00d"},
        needs_approval=True,
        decision=Decision(Verdict.REJECTED, "wanda", LATER),
    )
    given = operation(
        plans={SECURITY: plan},
        halt=Halt("TrustedAccessOff", "Switch it on.", LATER),
        follow_up=1,
        followed_by="another run",
        reason="a test",
        dry_run=True,
    )
    (found,) = exported(given, [outcome(1, **UPDATED)])
    assert found["halt"] == {"code": "TrustedAccessOff", "message": "Switch it on.", "at": LATER_TEXT}
    assert found["decision"] == {"verdict": "rejected", "by": "wanda", "at": LATER_TEXT}
    assert (found["generation"], found["absent"], found["needs_approval"], found["approved"]) == (4, True, True, False)
    assert (found["follow_up"], found["followed_by"], found["reason"], found["dry_run"]) == (
        1,
        "another run",
        "a test",
        True,
    )
    assert (found["dag_run_id"], found["config_version"]) == (given.dag_run_id, 1)
    assert "f00d" not in json.dumps(found)


def test_attempts() -> None:
    """Every try of an account is there with its times."""
    first = outcome(1, **FAILED)
    second = first.settled(
        Attempt(2, LATER, LATER, OutcomeStatus.SUCCESS, OutcomeDetail.UPDATED, None, ("Name",)),
        changed_fields=("Name", "Title"),
        generation=1,
    )
    (found,) = exported(operation(SECURITY), [second])
    (entry,) = found["results"].values()
    assert [(one["try_number"], one["status"], one["error_code"]) for one in entry["attempts"]] == [
        (1, "failed", "InternalServerException"),
        (2, "success", None),
    ]
    assert entry["attempts"][0]["started"] == START_TEXT
    assert entry["attempts"][1]["written_fields"] == ["Name"]
    assert (entry["detail"], entry["retry_count"], entry["error"]) == ("updated", 1, None)
    assert entry["changed_fields"] == found["changed_fields"] == ["Name", "Title"]


def test_pending() -> None:
    """What nothing has settled yet is exported as pending, also when it pauses."""
    (found,) = exported(operation(SECURITY), [outcome(1), outcome(2, **UPDATED)])
    assert [entry["status"] for entry in found["results"].values()] == ["pending", "success"]
    assert found["results"][account(1).account_id]["timestamp"] is None
    assert found["counts"] == {"pending": 1, "success": 1}


def test_contact_types() -> None:
    """Each contact type of an operation is an object of its own, one that a later plan dropped too."""
    outcomes = [outcome(1, BILLING, **UPDATED), outcome(1, SECURITY), outcome(2, SECURITY)]
    billing, security = exported(operation(BILLING, SECURITY), outcomes)
    assert (billing["contact_type"], billing["counts"]) == ("billing", {"success": 1})
    assert (security["contact_type"], len(security["results"])) == ("security", 2)
    assert [found["contact_type"] for found in exported(operation(SECURITY), outcomes)] == ["billing", "security"]


def test_no_contact_type() -> None:
    """An operation about nothing is exported, so that the record has no gap."""
    (found,) = exported(operation(note="Nothing to do."), [])
    assert (found["contact_type"], found["target_accounts"], found["results"]) == (None, [], {})
    assert found["note"] == "Nothing to do."


def test_nothing() -> None:
    """Without operations the export is an empty array, or a header."""
    assert json.loads("".join(operations_json([], lambda _: []))) == []
    assert rows([], []) == []


def test_csv() -> None:
    """CSV has a row for every outcome with what matters of its operation."""
    given = operation(SECURITY, timestamp=START, reason="a test, with a comma")
    one, two = rows([given], [outcome(1, **UPDATED), outcome(2)])
    assert (one["sync_id"], one["operation_timestamp"], one["operation_status"]) == (
        given.sync_id,
        START_TEXT,
        "in_progress",
    )
    assert (one["account_id"], one["contact_type"], one["status"], one["timestamp"]) == (
        account(1).account_id,
        "security",
        "success",
        LATER_TEXT,
    )
    assert (one["reason"], one["dry_run"], one["error"]) == ("a test, with a comma", "false", "")
    assert (two["status"], two["timestamp"], two["first_attempt"]) == ("pending", "", "")


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", "  =1", "＝1", '=HYPERLINK("x")', "\u22121", "\ufeff=1", '"=1', '" "+1'],  # noqa: RUF001 -- the full-width form
)
def test_formulas(text: str) -> None:
    """A text that a spreadsheet would calculate is shown instead."""
    (row,) = rows([operation(SECURITY, reason=text)], [outcome(1)])
    assert row["reason"] == f"'{text}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("x;=1+1;y", "x;'=1+1;y"),
        ("x; =1", "x; '=1"),
        ("x;;+1", "x;;'+1"),
        ('x;"=1"', 'x;"\'=1"'),
        ('x;"" @A1', 'x;"" \'@A1'),
        ("x;＝1;＋1;－1;＠a", "x;'＝1;'＋1;'－1;'＠a"),  # noqa: RUF001 -- the full-width forms
        ("x\t=1", "x\t'=1"),
        ("x\n=1", "x\n'=1"),
        ("x\r\n-1", "x\r\n'-1"),
        ("x|=1", "x|'=1"),
        ("\t=1", "'\t'=1"),
        ("\r=1", "'\r'=1"),
        ("\n=1", "'\n'=1"),
        ("=1;=2", "'=1;'=2"),
    ],
)
def test_formulas_inside(text: str, shown: str) -> None:
    """Nor is it calculated where a spreadsheet's list separator is another one, or a line end begins another row."""
    (row,) = rows([operation(SECURITY, reason=text)], [outcome(1)])
    assert row["reason"] == shown


@pytest.mark.parametrize(
    "text", ["", "arn:aws:iam::1:user/a=b", "a-b", "1-2", "'", "wanda@example.com", "a;b=c; d-e", "a, -b", "x;'=1"]
)
def test_no_formulas(text: str) -> None:
    """Any other text is left as it is."""
    assert defused(text) == text


def many(number: int) -> Iterator[AccountOutcome]:
    """Make outcomes one by one, as a query gives them."""
    attempts = outcome(1, **FAILED).attempts
    for index in range(number):
        yield AccountOutcome(
            f"{index:012}", "a member", SECURITY, OutcomeStatus.FAILED, attempts=attempts, timestamp=LATER
        )


@pytest.mark.parametrize("write", [operations_json, operations_csv])
def test_one_pass(write: Any) -> None:
    """However many contact types an operation has, its outcomes are read once, and each object has its own."""
    asked = []

    def outcomes_of(sync_id: str) -> Iterable[AccountOutcome]:
        asked.append(sync_id)
        return (outcome(number, kind, **UPDATED) for number in range(1, 200) for kind in ContactType)

    text = "".join(write([operation(*ContactType)], outcomes_of))
    assert asked == [operation().sync_id]
    if write is operations_json:
        objects = json.loads(text)
        assert [one["contact_type"] for one in objects] == list(ContactType)
        assert all(one["target_accounts"] == list(one["results"]) for one in objects)
        assert all(one["counts"] == {"success": 199} for one in objects)


@pytest.mark.parametrize("write", [operations_json, operations_csv])
def test_memory(write: Any) -> None:
    """Ten thousand outcomes are written without holding them."""
    assert list(write([operation(SECURITY)], lambda _: many(1)))  # so that nothing is loaded while it counts
    size = 0
    tracemalloc.start()
    try:
        for part in write([operation(SECURITY)], lambda _: many(10_000)):
            size += len(part)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size > 2_000_000
    assert peak < 200_000

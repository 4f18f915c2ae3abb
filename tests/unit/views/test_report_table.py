"""The report's parts: each fits a log record, and together they have every row."""

from collections.abc import Iterable
from datetime import timedelta

import pytest

from contactsync.contacts import ContactType, PrimaryContact
from contactsync.operations.operation import AccountOutcome, Attempt, OperationStatus, OutcomeDetail, OutcomeStatus
from contactsync.sync.report import Report, stored_report
from contactsync.views.report_table import ROWS_PER_PART, report_parts, report_text
from tests.support.builders import account, operation
from tests.support.fakes.surroundings import START

PRIMARY = ContactType.PRIMARY
RECORD_LIMIT = 256 * 1024
"""What CloudWatch Logs takes, in bytes."""


def rows(number: int, name: str = "member") -> list[AccountOutcome]:
    """Return so many outcomes, the last one failed, with every column as long as it gets."""
    fields = tuple(str(info.alias) for info in PrimaryContact.model_fields.values())
    made = []
    for index in range(1, number + 1):
        status = OutcomeStatus.FAILED if index == number else OutcomeStatus.SUCCESS
        detail = OutcomeDetail.THROTTLED if index == number else OutcomeDetail.UPDATED
        attempt = Attempt(1, START, START + timedelta(seconds=1), status, detail, "ProvisionedThroughputExceeded")
        outcome = AccountOutcome(account(index).account_id, name, PRIMARY)
        made.append(outcome.settled(attempt, changed_fields=fields))
    return made


def report_of(outcomes: Iterable[AccountOutcome], note: str | None = None) -> Report:
    """Return the report of some outcomes."""
    done = operation(PRIMARY, status=OperationStatus.FAILED, finished=START + timedelta(minutes=1), note=note)
    return stored_report(done, outcomes, 1)


def ids_in(text: str) -> list[str]:
    """Return the account ids in a text, in order."""
    return [word for word in text.split() if word.isdecimal() and len(word) == 12]


@pytest.mark.parametrize(
    ("number", "tables"),
    [(0, []), (1, [1]), (200, [199, 1]), (201, [200, 1]), (202, [200, 1, 1]), (450, [200, 200, 49, 1])],
)
def test_parts(number: int, tables: list[int]) -> None:
    """The first part is the headline, then come tables of at most 200 rows; those that failed have one of their own."""
    outcomes = rows(number)
    headline, *parts = report_parts(report_of(outcomes), outcomes)
    assert ROWS_PER_PART == 200
    assert headline.startswith("Sync operation ")
    assert ids_in(headline) == []
    assert [len(ids_in(part)) for part in parts] == tables


def test_every_row() -> None:
    """Every outcome is in one part, and the failed one at the end, where a log is opened."""
    outcomes = rows(450)
    _, *parts = report_parts(report_of(outcomes), outcomes)
    found = [account_id for part in parts for account_id in ids_in(part)]
    assert found[-1] == account(450).account_id
    assert "These accounts failed:" in parts[-1]
    assert sorted(found) == [outcome.account_id for outcome in outcomes]


def test_every_part_has_the_columns() -> None:
    """Each table says what its columns are, because log records are read one by one."""
    outcomes = rows(401)
    _, *parts = report_parts(report_of(outcomes), outcomes)
    assert all("account" in part and "outcome" in part for part in parts)


@pytest.mark.parametrize(
    "name", ["m" * 50, "山" * 50, "🦩" * 50, "e\N{COMBINING ACUTE ACCENT}" * 25, "team [prod] " * 4]
)
def test_fits_a_record(name: str) -> None:
    """A part of 200 rows, each as long as AWS allows, is smaller than a record of CloudWatch Logs."""
    outcomes = rows(400, name)
    for part in report_parts(report_of(outcomes), outcomes):
        assert len(part.encode()) < RECORD_LIMIT


def test_note() -> None:
    """The operation's note is with the headline."""
    (only,) = report_parts(report_of([], note="Nothing is to be done."), [])
    assert only.splitlines()[1] == "Nothing is to be done."


def test_text_is_the_parts() -> None:
    """The text of the command is the same parts, one after the other."""
    outcomes = rows(201)
    report = report_of(outcomes)
    assert report_text(report, outcomes) == "\n".join(report_parts(report, outcomes))

"""The row of an account outcome, from which every output chooses its columns."""

from dataclasses import fields
from typing import Any

import pytest

from contactsync.cli.operations import HISTORY, HISTORY_COLUMNS, HISTORY_JSON, OUTCOME, OUTCOME_COLUMNS
from contactsync.contacts import ContactType
from contactsync.notices.failures import EXPORT_COLUMNS
from contactsync.operations.operation import AccountOutcome, Attempt, OutcomeDetail, OutcomeStatus
from contactsync.views.export import CSV_COLUMNS, OPERATION_COLUMNS
from contactsync.views.export import OUTCOME_COLUMNS as EXPORTED
from contactsync.views.outcome_row import RESULT, Chosen, choose, outcome_row
from contactsync.views.report_table import COLUMNS, SHOWN
from tests.support.fakes.surroundings import START

DENIED = Attempt(3, START, START, OutcomeStatus.SKIPPED, OutcomeDetail.PERMISSION_DENIED, "AccessDenied", first_try=2)
OUTCOME_ONE = AccountOutcome("200000000001", "a name", ContactType.SECURITY, outside=True)
SETTLED = OUTCOME_ONE.settled(DENIED, error_message="A sentence.")

OUTPUTS: dict[str, tuple[Chosen, str]] = {
    "report": (SHOWN, "account id contact outcome detail fields retries error"),
    "CSV": (
        EXPORTED,
        (
            "account_id account_name status counts_as detail timestamp generation changed_fields error_code error "
            "retry_count first_attempt paused_since"
        ),
    ),
    "JSON": (
        RESULT,
        (
            "status counts_as timestamp error retry_count error_code account_name detail changed_fields generation "
            "paused_since attempts"
        ),
    ),
    "notice": (
        EXPORT_COLUMNS,
        "account_id account_name contact_type status detail error_code error retry_count timestamp",
    ),
    "outcomes": (
        OUTCOME,
        "account_id account_name contact_type status detail timestamp changed_fields retry_count error_code",
    ),
    "history": (
        HISTORY,
        "timestamp contact_type status detail generation changed_fields retry_count error_code",
    ),
    "history as JSON": (
        HISTORY_JSON,
        (
            "account_id contact_type status counts_as timestamp error retry_count error_code account_name detail "
            "changed_fields generation paused_since attempts"
        ),
    ),
}


@pytest.mark.parametrize("output", OUTPUTS)
def test_columns(output: str) -> None:
    """Every output has the columns that people and programs know, in their order."""
    columns, names = OUTPUTS[output]
    assert " ".join(choose(columns, SETTLED)) == names


def test_listings() -> None:
    """What a listing shows, or leaves out where there is no room, are columns that it has."""
    for columns, chosen in ((COLUMNS, SHOWN), (OUTCOME_COLUMNS, OUTCOME), (HISTORY_COLUMNS, HISTORY)):
        assert [name for name in columns.names if name != "sync_id"] == list(chosen)
        assert {*columns.drop, *columns.prose} <= set(columns.names)


def test_csv_columns() -> None:
    """A line of CSV says of the operation first, and no column of an outcome takes the place of one of these."""
    assert (*OPERATION_COLUMNS, *EXPORTED) == CSV_COLUMNS
    assert len(set(CSV_COLUMNS)) == len(CSV_COLUMNS)


def test_every_field() -> None:
    """The row has every field of an outcome, so that one that is added can be chosen at once."""
    assert {field.name for field in fields(AccountOutcome)} <= outcome_row(SETTLED).keys()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("counted_as", "denied"),
        ("counts_as", "failed"),
        ("listed_as", "denied"),
        ("status", "skipped"),
        ("error", "A sentence."),
        ("retry_count", 1),
        ("first_attempt", START),
        ("attempts", [vars(DENIED)]),
    ],
)
def test_derived(name: str, value: Any) -> None:
    """What follows from the fields is in the row as well."""
    assert outcome_row(SETTLED)[name] == value


def test_words() -> None:
    """A word that people count under takes the place of the status in listings only where AWS denied the account."""
    compared = Attempt(1, START, START, OutcomeStatus.SKIPPED, OutcomeDetail.WOULD_UPDATE)
    row = outcome_row(OUTCOME_ONE.settled(compared))
    assert (row["counted_as"], row["listed_as"], row["counts_as"]) == ("would_change", "skipped", "skipped")

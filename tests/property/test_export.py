"""Exports of any operation and outcomes."""

import csv
import io
import json

from hypothesis import given
from hypothesis import strategies as st

from contactsync.operations.operation import AccountOutcome, SyncOperation
from contactsync.plain_text import file_text
from contactsync.views.export import CSV_COLUMNS, operations_csv, operations_json
from contactsync.views.rows import FORMULA_STARTS, csv_lines
from tests.support.strategies import operations, outcomes

histories = st.lists(
    st.tuples(operations(), st.lists(outcomes, max_size=3, unique_by=lambda outcome: outcome.key)),
    max_size=2,
    unique_by=lambda pair: pair[0].sync_id,
)
History = list[tuple[SyncOperation, list[AccountOutcome]]]


@given(histories)
def test_json(history: History) -> None:
    """Every outcome is in the export once, with the status that it has.

    Feature: aws-contact-sync, Property 5: all required audit information of any sync operation is there.
    """
    stored = {operation.sync_id: kept for operation, kept in history}
    exported = json.loads("".join(operations_json([operation for operation, _ in history], stored.__getitem__)))
    found = [
        (entry["sync_id"], account_id, entry["contact_type"], result["status"], result["retry_count"])
        for entry in exported
        for account_id, result in entry["results"].items()
    ]
    assert sorted(found) == sorted(
        (sync_id, outcome.account_id, outcome.contact_type, outcome.status, outcome.retry_count)
        for sync_id, kept in stored.items()
        for outcome in kept
    )
    assert {entry["sync_id"] for entry in exported} == set(stored)
    assert all(list(entry["results"]) == entry["target_accounts"] for entry in exported)


@given(histories)
def test_csv(history: History) -> None:
    """Every outcome is a row, and no cell starts like a formula."""
    stored = {operation.sync_id: kept for operation, kept in history}
    text = "".join(operations_csv([operation for operation, _ in history], stored.__getitem__))
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    assert tuple(header) == CSV_COLUMNS
    assert len(rows) == sum(map(len, stored.values()))
    assert all(not cell.lstrip().startswith(FORMULA_STARTS) for row in rows for cell in row)
    names = [outcome.account_name for kept in stored.values() for outcome in kept]
    # Apostrophes keep formulas from starting; what would steer a terminal is replaced.
    assert [row[header.index("account_name")].replace("'", "") for row in rows] == [
        file_text(name).replace("'", "") for name in names
    ]


PIECES = st.text(alphabet="=+-@;,|\t\r\n\"' ax1\u2028\ufeff\uff1d\uff20", max_size=12)


@given(st.lists(st.tuples(PIECES, PIECES, PIECES), min_size=1, max_size=3), st.sampled_from(",;|\t"))
def test_separators(cells: list[tuple[str, str, str]], separator: str) -> None:
    """Property: whatever a spreadsheet takes for the separator, no cell that it then has begins like a formula."""
    text = "".join(csv_lines(("a", "b", "c"), [dict(zip("abc", row, strict=True)) for row in cells]))
    for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator):
        assert not [cell for cell in row if cell.lstrip().startswith(("=", "+", "-", "@", "\uff1d", "\uff20"))]

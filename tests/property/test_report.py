"""Counting outcomes in any order."""

from hypothesis import given
from hypothesis import strategies as st

from contactsync.operations.counting import is_failure
from contactsync.operations.operation import AccountOutcome
from contactsync.operations.outcome_counts import OutcomeCounts
from contactsync.sync.report import stored_report
from contactsync.views.report_table import report_text
from tests.support.builders import operation
from tests.support.strategies import outcomes


def outcome_counts(counted: list[AccountOutcome]) -> OutcomeCounts:
    """Count outcomes in the order given."""
    result = OutcomeCounts()
    for outcome in counted:
        result.add(outcome)
    return result


@given(st.lists(outcomes, max_size=15).flatmap(lambda found: st.tuples(st.just(found), st.permutations(found))))
def test_order(case: tuple[list[AccountOutcome], list[AccountOutcome]]) -> None:
    """Outcomes in any order give the same summary, and each is counted once.

    Feature: aws-contact-sync, Property 8: Status Reporting Completeness
    """
    found, shuffled = case
    assert outcome_counts(found) == outcome_counts(shuffled)
    assert outcome_counts(found).counts.total() == len(found)
    assert outcome_counts(found).failures == sum(map(is_failure, found))


@given(st.lists(outcomes, max_size=6, unique_by=lambda outcome: outcome.key))
def test_text(found: list[AccountOutcome]) -> None:
    """A report of any outcomes can be printed, and names every account."""
    text = report_text(stored_report(operation(), found, 1), found)
    assert all(outcome.account_id in text for outcome in found)

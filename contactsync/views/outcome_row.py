"""One row per account outcome in plain values; every output of outcomes chooses its columns from it."""

from collections.abc import Mapping
from typing import Any, Final

from contactsync.operations.counting import DENIED, counted_as, is_failure
from contactsync.operations.operation import AccountOutcome, OutcomeStatus

Chosen = Mapping[str, str]
"""The columns of an output: its own names in their order, each with the name in the row."""


def as_named(*names: str) -> Chosen:
    """Return columns with the same names in the output as in the row."""
    return {name: name for name in names}


RESULT: Final = as_named(
    "status",
    "counts_as",
    "timestamp",
    "error",
    "retry_count",
    "error_code",
    "account_name",
    "detail",
    "changed_fields",
    "generation",
    "paused_since",
    "attempts",
)
"""The columns of an outcome in JSON: the documented keys, then further ones."""


def outcome_row(outcome: AccountOutcome) -> dict[str, Any]:
    """Return all fields of an outcome, and values that follow from them."""
    word = counted_as(outcome)
    return {
        **vars(outcome),
        "attempts": [vars(attempt) for attempt in outcome.attempts],
        "counted_as": word,
        "counts_as": OutcomeStatus.FAILED if is_failure(outcome) else outcome.status,
        # People look for "denied", where the status would be "skipped".
        "listed_as": word if word == DENIED else outcome.status,
        "error": outcome.error_message or outcome.error_code,
        "retry_count": outcome.retry_count,
        "first_attempt": outcome.attempts[0].started if outcome.attempts else None,
    }


def choose(columns: Chosen, outcome: AccountOutcome) -> dict[str, Any]:
    """Return an output's columns of one outcome."""
    row = outcome_row(outcome)
    return {heading: row[name] for heading, name in columns.items()}

"""What a notice says about an operation's outcomes, collected in one pass that keeps no outcome in memory."""

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from contactsync.contacts import ContactType
from contactsync.errors.remedies import RemedyStep
from contactsync.notices.plain_text import one_line
from contactsync.notices.remedies import OUTCOMES_MISSING, remedy_of_outcome
from contactsync.notices.scenarios import UNTOUCHED
from contactsync.operations.counting import is_failure
from contactsync.operations.operation import AccountOutcome, OutcomeStatus, SyncOperation
from contactsync.operations.outcome_counts import OutcomeCounts
from contactsync.views.outcome_row import as_named, choose
from contactsync.views.rows import csv_lines

LISTED: Final = 50
"""Number of failed outcomes that a notice lists; the export has all of them."""

CAUSES_LISTED: Final = 10
"""Number of kinds of failure that a notice explains."""

NAME_LENGTH: Final = 64
"""Characters of a name or code that a notice shows at most; AWS allows 50 for the name of an account."""

EXPORT_COLUMNS: Final = {
    **as_named("account_id", "account_name", "contact_type"),
    "status": "counted_as",
    **as_named("detail", "error_code"),
    "error": "error_message",
    **as_named("retry_count", "timestamp"),
}
"""The columns of the full list, with the part of an outcome's row that each shows."""


@dataclass(frozen=True, order=True)
class FailedOutcome:
    """One failed outcome; notices sort them by the account's name."""

    account_name: str
    account_id: str
    contact_type: ContactType
    detail: str
    error_code: str
    """Empty when there is none."""
    retry_count: int
    """Number of tries after the first one."""


@dataclass(frozen=True)
class Cause:
    """One kind of failure: what it means, how many accounts have it, and what fixes it."""

    name: str
    code: str
    """Empty when there is none, or when it is equal to the name."""
    accounts: int
    """Number of accounts; 0 when the failure is not about single accounts."""
    meaning: str
    steps: tuple[RemedyStep, ...]


@dataclass
class NoticeFigures:
    """The numbers from one pass over the outcomes; in memory it needs little more than the accounts' ids."""

    outcome_counts: OutcomeCounts = field(default_factory=OutcomeCounts)
    """The counts, as in the report: missing outcomes count as failed."""
    tried: int = 0
    """Number of outcomes that no rule or decision kept from being tried."""
    touched: set[str] = field(default_factory=set)
    """The accounts of these outcomes."""
    pending: Counter[str] = field(default_factory=Counter)
    """Number of outcomes that are not settled yet, by contact type."""
    failed: defaultdict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    """Accounts that failed, by detail and code."""
    listed: tuple[FailedOutcome, ...] = ()

    def accounts(self, details: Iterable[str] | None = None) -> int:
        """Return how many different accounts failed, with any detail or with certain ones."""
        wanted = None if details is None else set(details)
        hit = [ids for (detail, _), ids in self.failed.items() if wanted is None or detail in wanted]
        return len(set().union(*hit))

    @property
    def missing(self) -> int:
        """Number of outcomes that the plan stored and that no longer exist; it is not known which."""
        return sum(self.outcome_counts.missing.values())

    def causes(self) -> tuple[Cause, ...]:
        """Return the kinds of failure, the most frequent first; those after CAUSES_LISTED are put together as one."""
        ranked = sorted(self.failed.items(), key=lambda entry: (-len(entry[1]), entry[0]))
        named = [_cause(detail, code, accounts) for (detail, code), accounts in ranked[:CAUSES_LISTED]]
        rest = set().union(*(accounts for _, accounts in ranked[CAUSES_LISTED:]))
        named += [_MISSING] if self.missing else []
        return (*named, Cause("other", "", len(rest), "Other kinds of failure.", ())) if rest else tuple(named)


def figures_of(outcomes: Iterable[AccountOutcome], operation: SyncOperation | None = None) -> NoticeFigures:
    """Collect what a notice says; the order of the outcomes makes no difference.

    Outcomes that the plan stored and that no longer exist count as failed, as in the report.
    """
    figures = NoticeFigures()
    figures.listed = tuple(heapq.nsmallest(LISTED, _counted(outcomes, figures)))
    if operation and operation.is_planned:
        figures.outcome_counts.complete(operation)
        figures.tried += figures.missing
    return figures


def failure_rows(outcomes: Iterable[AccountOutcome]) -> Iterator[dict[str, Any]]:
    """Yield a row per failed outcome, in the order of the outcomes: the list is too long for a notice's text."""
    return (choose(EXPORT_COLUMNS, outcome) for outcome in filter(is_failure, outcomes))


def failures_csv(outcomes: Iterable[AccountOutcome]) -> Iterator[str]:
    """Yield the full list as CSV lines, header first; no cell can be taken for a formula by a spreadsheet."""
    return csv_lines(tuple(EXPORT_COLUMNS), failure_rows(outcomes))


def _counted(outcomes: Iterable[AccountOutcome], figures: NoticeFigures) -> Iterator[FailedOutcome]:
    for outcome in outcomes:
        figures.outcome_counts.add(outcome)
        figures.pending[outcome.contact_type] += outcome.status is OutcomeStatus.PENDING
        if is_failure(outcome) or outcome.detail not in UNTOUCHED:
            figures.tried += 1
            figures.touched.add(outcome.account_id)
        if is_failure(outcome):
            failure = _failure(outcome)
            figures.failed[failure.detail, failure.error_code].add(outcome.account_id)
            yield failure


def _failure(outcome: AccountOutcome) -> FailedOutcome:
    return FailedOutcome(
        account_name=one_line(outcome.account_name, NAME_LENGTH),
        account_id=one_line(outcome.account_id, NAME_LENGTH),
        contact_type=outcome.contact_type,
        detail=str(outcome.detail or outcome.status),
        error_code=one_line(outcome.error_code or "", NAME_LENGTH),
        retry_count=outcome.retry_count,
    )


_MISSING: Final = Cause("outcomes_missing", "", 0, OUTCOMES_MISSING.meaning, OUTCOMES_MISSING.steps)


def _cause(detail: str, code: str, accounts: set[str]) -> Cause:
    remedy = remedy_of_outcome(detail, code, min(accounts))
    return Cause(detail, code, len(accounts), remedy.meaning, remedy.steps)

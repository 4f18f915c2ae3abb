"""The outcomes of an operation in numbers, for the report, listings, notices and housekeeping."""

import heapq
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from contactsync.contacts import ContactType
from contactsync.operations.counting import Comparison, counted_as, is_failure, ordered
from contactsync.operations.operation import AccountOutcome, OutcomeDetail, OutcomeStatus, SyncOperation, TypePlan
from contactsync.plain_text import one_line

NAMED: Final = 5
"""Number of failed accounts that the error at the end of a run names."""

NAME_LENGTH: Final = 50
"""Characters of an account's name in that error; AWS allows as many."""


@dataclass
class OutcomeCounts:
    """The outcomes of an operation, counted by the words for people and by detail; their order does not matter."""

    counts: Counter[str] = field(default_factory=Counter)
    """Number of outcomes by the words of contactsync.operations.counting."""
    details: Counter[str] = field(default_factory=Counter)
    failures: int = 0
    """Number of outcomes that count as failed, with the missing ones."""
    first_failures: list[str] = field(default_factory=list)
    """The first NAMED failures by the account's name, each in a few words."""
    comparison: Comparison = field(default_factory=Comparison)
    of_plan: Counter[tuple[ContactType, str]] = field(default_factory=Counter)
    """Number of outcomes by contact type and detail, without those that only an earlier plan left."""
    missing: dict[ContactType, int] = field(default_factory=dict)
    """Number of outcomes that the plan stored and that no longer exist, by contact type."""
    other_forms: Counter[str] = field(default_factory=Counter)
    """Number of outcomes by field, in which the account has that field in another form of the same value."""

    def add(self, outcome: AccountOutcome) -> None:
        """Count one outcome."""
        detail = outcome.detail or outcome.status
        self.counts[counted_as(outcome)] += 1
        self.details[detail] += 1
        self.comparison.add(outcome)
        if is_failure(outcome):
            self.failures += 1
            self.first_failures = heapq.nsmallest(NAMED, [*self.first_failures, _named(outcome)])
        self.other_forms.update(outcome.other_form)
        if not outcome.outside:
            self.of_plan[outcome.contact_type, detail] += 1

    def complete(self, operation: SyncOperation) -> None:
        """Count every outcome that the plan stored and that no longer exists as failed."""
        for contact_type, plan in operation.plans.items():
            if missing := missing_of(plan, self.of_type(contact_type)):
                self.missing[contact_type] = missing
                self.counts[OutcomeStatus.FAILED] += missing
                self.details[OutcomeDetail.NO_OUTCOME] += missing
                self.failures += missing

    def of_end(self) -> dict[str, dict[str, int]]:
        """Return the numbers that an operation stores at its end."""
        would_change = {str(contact_type): number for contact_type, number in self.comparison.per_type.items()}
        return {"counts": ordered(self.counts), "would_change": would_change}

    def of_type(self, contact_type: ContactType) -> int:
        """Return the number of the plan's outcomes for a contact type."""
        return sum(number for (counted, _), number in self.of_plan.items() if counted is contact_type)


def missing_of(plan: TypePlan, there: int) -> int:
    """Return how many of the outcomes that the plan stored no longer exist."""
    return max((plan.expected or 0) - there, 0)


def _named(outcome: AccountOutcome) -> str:
    """Return a failure in a few words for one line of a log, whatever characters are in the account's name."""
    why = ", ".join(filter(None, [outcome.detail, outcome.error_code]))
    return f"{one_line(outcome.account_name, NAME_LENGTH)} ({outcome.account_id}) {outcome.contact_type}: {why}"

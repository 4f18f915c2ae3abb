"""How outcomes are counted wherever a number is shown: the report, notices, listings and exports."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from contactsync.contacts import ContactType
from contactsync.operations.operation import AccountOutcome, OutcomeDetail, OutcomeStatus

DENIED: Final = "denied"
"""The word for what AWS denies: stored as skipped, counted as failed, and shown as a number of its own."""
WOULD_CHANGE: Final = "would_change"
WOULD_NOT_CHANGE: Final = "would_not_change"

ORDER: Final = (
    OutcomeStatus.SUCCESS,
    OutcomeStatus.FAILED,
    DENIED,
    WOULD_CHANGE,
    WOULD_NOT_CHANGE,
    OutcomeStatus.SKIPPED,
    OutcomeStatus.PENDING,
)
"""The words that `counted_as` returns, in the order in which people see their numbers."""

_APART: Final = {
    OutcomeDetail.PERMISSION_DENIED: DENIED,
    OutcomeDetail.WOULD_UPDATE: WOULD_CHANGE,
    OutcomeDetail.WOULD_DELETE: WOULD_CHANGE,
    OutcomeDetail.WOULD_NOT_CHANGE: WOULD_NOT_CHANGE,
}


def is_failure(outcome: AccountOutcome) -> bool:
    """Return whether an outcome counts against the threshold: failed, or forbidden by AWS."""
    return outcome.status is OutcomeStatus.FAILED or outcome.detail is OutcomeDetail.PERMISSION_DENIED


def counted_as(outcome: AccountOutcome) -> str:
    """Return the word under which an outcome is counted; each outcome is counted under one word only."""
    if outcome.detail is OutcomeDetail.DRY_RUN:  # stored by an earlier version
        return WOULD_CHANGE if outcome.changed_fields else WOULD_NOT_CHANGE
    return _APART.get(outcome.detail, outcome.status) if outcome.detail else outcome.status


def ordered(counts: Mapping[str, int], always: Iterable[str] = ()) -> dict[str, int]:
    """Return the counts in the order for people; the words in `always` are kept although their count is 0."""
    shown = {*always, *(word for word, number in counts.items() if number)}
    return {str(word): counts.get(word, 0) for word in ORDER if word in shown}


@dataclass
class Comparison:
    """What a dry run found; in memory it needs only the ids of the accounts."""

    compared: set[str] = field(default_factory=set)
    changing: set[str] = field(default_factory=set)
    per_type: Counter[ContactType] = field(default_factory=Counter)
    """Number of accounts in which each contact type would change."""

    def add(self, outcome: AccountOutcome) -> None:
        """Count an outcome; outcomes that are not of a dry run are ignored."""
        word = counted_as(outcome)
        if word not in {WOULD_CHANGE, WOULD_NOT_CHANGE}:
            return
        self.compared.add(outcome.account_id)
        if word == WOULD_CHANGE:
            self.changing.add(outcome.account_id)
            self.per_type[outcome.contact_type] += 1

    @property
    def sentence(self) -> str:
        """The answer to "which accounts differ?" in a few words; empty when nothing was compared."""
        if not self.compared:
            return ""
        types = ", ".join(f"{t} {self.per_type[t]}" for t in ContactType if self.per_type[t])
        accounts = "account" if len(self.compared) == 1 else "accounts"
        numbers = f"{len(self.changing)} of {len(self.compared)} {accounts} would change"
        return f"{numbers} ({types})" if types else numbers

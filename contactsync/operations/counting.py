"""How outcomes are counted, for everybody who shows a number: the report, notices, listings and exports."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from contactsync.contacts import ContactType
from contactsync.operations.operation import AccountOutcome, OutcomeDetail, OutcomeStatus

DENIED: Final = "denied"
"""What AWS denies is stored as skipped and counts as failed; everywhere it has this number of its own."""
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
"""The words of `counted_as`, in the order in which people are shown their numbers."""

_APART: Final = {
    OutcomeDetail.PERMISSION_DENIED: DENIED,
    OutcomeDetail.WOULD_UPDATE: WOULD_CHANGE,
    OutcomeDetail.WOULD_DELETE: WOULD_CHANGE,
    OutcomeDetail.WOULD_NOT_CHANGE: WOULD_NOT_CHANGE,
}


def is_failure(outcome: AccountOutcome) -> bool:
    """Tell whether an outcome counts against the threshold: failed, or forbidden by AWS."""
    return outcome.status is OutcomeStatus.FAILED or outcome.detail is OutcomeDetail.PERMISSION_DENIED


def counted_as(outcome: AccountOutcome) -> str:
    """Return the word under which people find an outcome in a number; an outcome is in one number only."""
    if outcome.detail is OutcomeDetail.DRY_RUN:  # stored by an earlier version
        return WOULD_CHANGE if outcome.changed_fields else WOULD_NOT_CHANGE
    return _APART.get(outcome.detail, outcome.status) if outcome.detail else outcome.status


def ordered(counts: Mapping[str, int], always: Iterable[str] = ()) -> dict[str, int]:
    """Return numbers in the order for people, of `always` also those that are 0."""
    shown = {*always, *(word for word, number in counts.items() if number)}
    return {str(word): counts.get(word, 0) for word in ORDER if word in shown}


@dataclass
class Comparison:
    """What a dry run found: its size grows with the number of accounts by their ids only."""

    compared: set[str] = field(default_factory=set)
    changing: set[str] = field(default_factory=set)
    per_type: Counter[ContactType] = field(default_factory=Counter)
    """In how many accounts each contact type would change."""

    def add(self, outcome: AccountOutcome) -> None:
        """Take an outcome in; those of other operations are none of a comparison."""
        word = counted_as(outcome)
        if word not in {WOULD_CHANGE, WOULD_NOT_CHANGE}:
            return
        self.compared.add(outcome.account_id)
        if word == WOULD_CHANGE:
            self.changing.add(outcome.account_id)
            self.per_type[outcome.contact_type] += 1

    @property
    def sentence(self) -> str:
        """The answer to "who differs?" in a few words; empty when nothing was compared."""
        if not self.compared:
            return ""
        types = ", ".join(f"{t} {self.per_type[t]}" for t in ContactType if self.per_type[t])
        accounts = "account" if len(self.compared) == 1 else "accounts"
        numbers = f"{len(self.changing)} of {len(self.compared)} {accounts} would change"
        return f"{numbers} ({types})" if types else numbers

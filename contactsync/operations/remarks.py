"""Remarks: sentences about an operation that a report or a notice adds to its numbers."""

from collections.abc import Iterator
from typing import Final

from contactsync.errors.clearing import clear_task
from contactsync.operations.operation import OutcomeDetail, SyncOperation
from contactsync.operations.outcome_counts import OutcomeCounts

_UNDECIDED: Final = (OutcomeDetail.NOT_APPROVED, OutcomeDetail.NO_OUTCOME)


def remarks_of(operation: SyncOperation, outcome_counts: OutcomeCounts | None = None) -> Iterator[str]:
    """Yield what a reader should know about the operation in addition to its numbers, as sentences."""
    outcome_counts = outcome_counts or OutcomeCounts()
    if operation.note:
        yield operation.note
    yield from operation.warnings
    yield from operation.unmatched
    undecided = [t for t, plan in operation.plans.items() if plan.needs_approval and plan.decision is None]
    if names := ", ".join(t for t in undecided if any(outcome_counts.of_plan[t, detail] for detail in _UNDECIDED)):
        yield (
            f"Nobody decided about the deletion of the {names} contact, so it was not deleted in any account: the "
            f"task approve_deletions failed or was marked by hand. To be asked, {clear_task('approve_deletions')}."
        )
    allowed = [t for t, plan in operation.plans.items() if plan.absent and plan.approved]
    if names := ", ".join(t for t in allowed if outcome_counts.of_plan[t, OutcomeDetail.NOT_APPROVED]):
        yield (
            f"The deletion of the {names} contact was first allowed and later not allowed, because deletion.policy "
            "was changed or the approval was asked for again: some accounts keep the contact (not_approved). To "
            "decide again, start a run by hand."
        )
    if outcome_counts.missing:
        numbers = ", ".join(f"{contact_type} {number}" for contact_type, number in outcome_counts.missing.items())
        yield (
            f"Outcomes that the plan stored are missing ({numbers}) and count as failed: they expired or were removed. "
            f"To plan them again, {clear_task('plan', 'of this run')}."
        )
    if outcome_counts.other_forms:
        numbers = ", ".join(f"{name} in {number}" for name, number in sorted(outcome_counts.other_forms.items()))
        yield (
            f"Accounts have a value in another form than the management account; it counts as equal: {numbers}. Only "
            "capital letters, blanks or a number's punctuation differ."
        )
    if operation.halt:
        yield f"HALTED at {operation.halt.at:%Y-%m-%d %H:%M:%S} UTC: {operation.halt.message}"
    if operation.follow_up:
        yield (
            f"This is follow-up number {operation.follow_up}: the management account's contacts changed while an "
            "earlier operation ran."
        )
    if operation.followed_by:
        yield (
            f"The management account's contacts are no longer as this run found them; run {operation.followed_by} "
            "follows up."
        )

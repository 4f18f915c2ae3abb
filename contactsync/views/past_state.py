"""A statement of state at an earlier time, from what operations had recorded by then."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from contactsync.accounts import Placement
from contactsync.configuration.schema import Configuration
from contactsync.configuration.versions import StoredVersion
from contactsync.contacts import ContactType
from contactsync.operations.operation import (
    AccountOutcome,
    Attempt,
    OutcomeDetail,
    OutcomeStatus,
    SyncOperation,
    TypePlan,
)
from contactsync.scope.rules import Admission, rules_of
from contactsync.views.statement import Key, Standing, StatedContact

_LEFT_ALONE: Final = {
    OutcomeDetail.EXCLUDED: Standing.EXCLUDED,
    OutcomeDetail.NOT_ACTIVE: Standing.NOT_ACTIVE,
}
_BY_IDS: Final = {Admission.EXCLUDED: Standing.EXCLUDED, Admission.OUTSIDE: Standing.OUTSIDE}
_WROTE: Final = (OutcomeDetail.UPDATED, OutcomeDetail.DELETED)


@dataclass(frozen=True)
class _Event:
    """What one try said about one contact type of one account."""

    at: datetime
    standing: Standing
    generation: int | None = None
    writer: str | None = None


@dataclass
class PastState:
    """What accounts had at `moment`; operations are added in any order.

    Only accounts that were in an operation by then are known. If a run was planned again after `moment`, only the later
    plan is stored; the earlier desired contact is known from the accounts that had it by then.
    """

    moment: datetime
    configuration: Configuration
    """The version of the configuration that was in force at that time."""
    _names: dict[str, tuple[datetime, str]] = field(default_factory=dict)
    _events: dict[Key, list[_Event]] = field(default_factory=dict)
    _desired: dict[ContactType, int] = field(default_factory=dict)

    def concerns(self, operation: SyncOperation) -> bool:
        """Return whether an operation's outcomes say anything about that time."""
        return operation.timestamp <= self.moment and not operation.dry_run and bool(operation.plans)

    def add(self, operation: SyncOperation, outcomes: Iterable[AccountOutcome]) -> None:
        """Add what an operation's outcomes say."""
        if not self.concerns(operation):
            return
        for contact_type, plan in operation.plans.items():
            if operation.planned <= self.moment and _is_desired(plan, self.moment):
                self._desire(contact_type, plan.generation)
        for outcome in outcomes:
            self._name(operation, outcome)
            relevant = list(_events(operation, outcome, self.moment))
            self._events.setdefault(outcome.key, []).extend(relevant)
            for event in relevant:  # nothing else is left of a plan that was replaced after that time
                self._desire(outcome.contact_type, event.generation)

    def contacts(self) -> Iterator[StatedContact]:
        """Yield each known account with each contact type of the configuration, sorted by account id."""
        for account_id in sorted(self._names):
            for contact_type in self.configuration.contact_types:
                yield self._stated(account_id, contact_type)

    def _desire(self, contact_type: ContactType, generation: int | None) -> None:
        if generation is not None:
            self._desired[contact_type] = max(generation, self._desired.get(contact_type, 0))

    def _name(self, operation: SyncOperation, outcome: AccountOutcome) -> None:
        known = self._names.get(outcome.account_id)
        if known is None or (operation.timestamp > known[0] and outcome.account_name):
            self._names[outcome.account_id] = operation.timestamp, outcome.account_name

    def _stated(self, account_id: str, contact_type: ContactType) -> StatedContact:
        desired = self._desired.get(contact_type)
        admission = rules_of(self.configuration, contact_type).admission(account_id, Placement())
        # An exclusion by an earlier version counts only if the ids alone do not decide for this version.
        ignored = Standing.EXCLUDED if admission is Admission.ADMITTED else None
        relevant = (
            event for event in self._events.get((account_id, contact_type), []) if event.standing is not ignored
        )
        events = sorted(relevant, key=lambda event: event.at)
        carried = [event for event in events if event.standing is Standing.CARRIES]
        generation = carried[-1].generation if carried else None
        return StatedContact(
            account_id,
            self._names[account_id][1],
            contact_type,
            (_BY_IDS.get(admission) if admission else None) or _standing(events, generation, desired),
            generation=generation,
            desired_generation=desired,
            since=next((event.at for event in carried if event.generation == generation), None),
            verified_at=carried[-1].at if carried else None,
            written_by=next((event.writer for event in reversed(carried) if event.writer), None),
        )


def _standing(events: list[_Event], generation: int | None, desired: int | None) -> Standing:
    if events and events[-1].standing is not Standing.CARRIES:
        return events[-1].standing
    if desired is None:
        return Standing.NOTHING_DESIRED
    if generation is None:
        return Standing.NEVER_SEEN
    return Standing.CARRIES if generation >= desired else Standing.BEHIND


def _is_desired(plan: TypePlan, moment: datetime) -> bool:
    return plan.approved and (plan.decision is None or plan.decision.at <= moment)


def _events(operation: SyncOperation, outcome: AccountOutcome, moment: datetime) -> Iterator[_Event]:
    """Yield what the tries until that time said; a try that neither wrote nor found anything says nothing."""
    plan = operation.plans.get(outcome.contact_type)
    for attempt in outcome.attempts:
        if attempt.ended > moment:
            continue
        generation = attempt.generation
        if generation is None:  # an earlier version of contactsync did not store it
            of_outcome = plan is None or attempt is outcome.attempts[-1] or attempt.detail is OutcomeDetail.SUPERSEDED
            generation = outcome.generation if of_outcome or plan is None else plan.generation
        yield from _event(operation, attempt, generation)


def _event(operation: SyncOperation, attempt: Attempt, generation: int | None) -> Iterator[_Event]:
    writer = operation.sync_id if attempt.written_fields or attempt.detail in _WROTE else None
    if attempt.detail in _LEFT_ALONE:
        yield _Event(attempt.ended, _LEFT_ALONE[attempt.detail])
    elif attempt.status is OutcomeStatus.SUCCESS or (
        # Without a generation, the try left a deletion to another operation, and read nothing.
        attempt.detail is OutcomeDetail.SUPERSEDED and generation is not None
    ):
        yield _Event(attempt.ended, Standing.CARRIES, generation, writer)
    elif attempt.written_fields:
        yield _Event(attempt.ended, Standing.UNSETTLED)


def in_force(versions: Iterable[StoredVersion], moment: datetime) -> StoredVersion | None:
    """Return the version that was in force, from versions with the newest first; None when none was stored by then."""
    return next((version for version in versions if version.changed_at and version.changed_at <= moment), None)

"""The plan of a sync operation: what is to be done, decided and stored before any account is written to.

What can be refused is refused first. Then the generation is raised, the source is read, and the operation and its
desired contacts are stored together.
"""

import logging
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_attempt, wait_exponential

from contactsync.account_management.api_operations import read_of
from contactsync.accounts import Account, AccountState
from contactsync.clock import Clock
from contactsync.configuration.ports import Configurations
from contactsync.configuration.schema import DeletionPolicy, StoredConfiguration
from contactsync.contacts import Contact, ContactType, doubtful_fields
from contactsync.errors import (
    MappingLimitError,
    ScopeEmptyError,
    SourceContactMissingError,
)
from contactsync.fingerprints import field_fingerprints, fingerprint
from contactsync.intake.request import RunRequest
from contactsync.operations.announcements import started
from contactsync.operations.counting import is_failure
from contactsync.operations.desired import DesiredContact
from contactsync.operations.operation import (
    PLAN_ITSELF,
    AccountOutcome,
    Attempt,
    OperationStatus,
    OutcomeDetail,
    OutcomeStatus,
    SyncOperation,
    TypePlan,
    sync_id_of,
)
from contactsync.operations.ports import Announcer, Operations
from contactsync.pacing.guarded_calls import CallGuard, GuardedCalls
from contactsync.pacing.rates import LARGEST_SKEW
from contactsync.scope.kept_tags import KeptTags
from contactsync.scope.ports import Lookups, Organization
from contactsync.scope.rules import Admission
from contactsync.scope.selection import Scope, Selection
from contactsync.sync.access import AccessCheck
from contactsync.sync.ports import AccountContacts

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Planner:
    """The step of the task `plan`: it reads the source and stores what the run has to do."""

    organization: Organization
    contacts: AccountContacts
    configurations: Configurations
    operations: Operations
    access: AccessCheck
    call_guard: CallGuard
    announcer: Announcer
    clock: Clock
    lookups: Lookups
    management_account: str
    fingerprint_key: bytes = field(repr=False)
    source_reads: int
    """How many times the source is read at most while it contradicts the recorded change."""
    source_wait: float
    """Seconds before the second of these reads; each later wait is twice as long."""
    plan_lasts: float
    """Seconds for which another try of the plan uses the tags that an earlier try has read."""

    def plan(self, request: RunRequest, *, map_limit: int) -> tuple[str, ...]:
        """Store the operation; return the ids of the accounts that may be written to, in the organization's order.

        Repeated for the same run, it works on the same operation. It raises before anything is stored when the caller,
        the configuration, the request or the number of accounts (`map_limit`) is wrong.
        """
        # Read the clock before anything else. If a try that Airflow gave up is still running and stores last, its
        # earlier time loses.
        planned = self._begun(request)
        self.access.confirm()
        stored = self.configurations.latest()
        contact_types = request.types_among(stored.configuration.contact_types)
        scope = self._scope(request, stored, contact_types)
        if len(scope.targets) > map_limit:
            raise MappingLimitError(accounts=len(scope.targets), limit=map_limit)
        concerned = tuple(t for t in contact_types if any(scope.concerned(t)))
        operation, desired = self._read_source(request, stored, concerned, planned)
        operation = replace(operation, unmatched=scope.unmatched)
        operation = replace(operation, plans={t: _counted(plan, scope, t) for t, plan in operation.plans.items()})
        announced = [started(operation)]
        self.operations.store_plan(operation, desired)
        self._remember_deletions(operation)
        self._expect_outcomes(scope, operation)
        self.operations.update(replace(operation, status=OperationStatus.IN_PROGRESS), announced)
        self.announcer.send(announced)
        concerned_ids = {one.account.account_id for t in operation.contact_types for one, _ in scope.concerned(t)}
        return tuple(account.account_id for account in scope.targets if account.account_id in concerned_ids)

    def _begun(self, request: RunRequest) -> datetime:
        """Return when this try began; always later than a plan that an earlier try stored.

        The earlier try may have run on a worker whose clock is ahead, by at most LARGEST_SKEW seconds.
        """
        now = self.clock.now()
        earlier = self.operations.get(sync_id_of(request.dag_run_id))
        if earlier and now <= earlier.planned <= now + timedelta(seconds=LARGEST_SKEW):
            return earlier.planned + timedelta(microseconds=1)
        return now

    def _remember_deletions(self, operation: SyncOperation) -> None:
        """Store that this operation found a deletion, so that reports of other operations do not start a run for it."""
        for contact_type, plan in operation.plans.items():
            if plan.absent and plan.generation is not None:
                self.operations.found_deletion(contact_type, plan.generation)

    def _scope(self, request: RunRequest, stored: StoredConfiguration, contact_types: tuple[ContactType, ...]) -> Scope:
        if not contact_types:
            return Scope()
        sync_id = sync_id_of(request.dag_run_id)
        kept = KeptTags(self.organization, self.lookups, self.clock, sync_id, self.plan_lasts)
        selection = Selection(self.organization, self.management_account, kept)
        scope = selection.select(stored, contact_types, request.run_filter)
        _warn(scope.unmatched)
        if request.by_hand and not scope.members:
            raise ScopeEmptyError(contact_types=contact_types, version=stored.version)
        return scope

    def _read_source(
        self,
        request: RunRequest,
        stored: StoredConfiguration,
        contact_types: tuple[ContactType, ...],
        planned: datetime,
    ) -> tuple[SyncOperation, list[DesiredContact]]:
        sync_id = sync_id_of(request.dag_run_id)
        plans: dict[ContactType, TypePlan] = {}
        desired: list[DesiredContact] = []
        warnings: list[str] = []
        with self.call_guard.guarded_calls(stored.configuration) as guarded:
            guarded.reset()
            for contact_type in contact_types:
                # Raise it before the source is read, so that the highest generation belongs to the latest read.
                generation = None if request.dry_run else self.operations.raise_generation(contact_type)
                deleted = bool(request.change and request.change.action == "delete")
                contact = self._source(contact_type, guarded, absent=deleted)
                if contact is None and request.change and request.change.unclear and not deleted:
                    # Another of the three alternate contacts was put, so there is nothing to do for this one.
                    continue
                warnings.extend(_doubts(contact_type, contact))
                policy = _deletion_policy(request, stored.configuration.deletion.policy)
                plans[contact_type] = self._type_plan(contact_type, generation, contact, policy)
                if generation is not None and plans[contact_type].approved:
                    desired.append(DesiredContact(contact_type, generation, sync_id, contact))
        _warn(warnings)
        return replace(self._operation(request, stored, plans, planned), warnings=tuple(warnings)), desired

    def _source(self, contact_type: ContactType, guarded: GuardedCalls, *, absent: bool) -> Contact | None:
        """Read the source; while that contradicts what is expected, read it again, `source_reads` times at most.

        Reads are eventually consistent, and a contact that only seems to be absent must not be deleted everywhere. The
        last read counts: a put may have been followed by a delete.
        """
        until_agreed = Retrying(
            retry=retry_if_result(lambda found: (found is None) is not absent),
            stop=stop_after_attempt(self.source_reads),
            wait=wait_exponential(multiplier=self.source_wait),
            sleep=self.clock.sleep,
            retry_error_callback=_last_result,
        )
        contact: Contact | None = until_agreed(
            guarded.call, read_of(contact_type), lambda: self.contacts.read(contact_type, None)
        )
        if contact is None and contact_type is ContactType.PRIMARY:
            raise SourceContactMissingError
        return contact

    def _type_plan(
        self, contact_type: ContactType, generation: int | None, contact: Contact | None, policy: DeletionPolicy
    ) -> TypePlan:
        key = self.fingerprint_key
        dry_run = generation is None
        return TypePlan(
            generation=generation,
            absent=contact is None,
            approved=contact is not None or policy is DeletionPolicy.PROPAGATE,
            fingerprint=None if dry_run else fingerprint(contact_type, contact, key),
            fingerprints=field_fingerprints(contact_type, contact, key) if dry_run else {},
            needs_approval=contact is None and policy is DeletionPolicy.APPROVE and not dry_run,
        )

    def _operation(
        self,
        request: RunRequest,
        stored: StoredConfiguration,
        plans: dict[ContactType, TypePlan],
        planned: datetime,
    ) -> SyncOperation:
        sync_id = sync_id_of(request.dag_run_id)
        earlier = self.operations.get(sync_id)
        return SyncOperation(
            sync_id=sync_id,
            dag_run_id=request.dag_run_id,
            timestamp=earlier.timestamp if earlier else planned,
            initiating_user=request.initiating_user,
            source_account=self.management_account,
            plans=plans,
            config_version=stored.version,
            rules_digest=stored.configuration.rules_digest,
            status=OperationStatus.PENDING,
            planned=planned,
            dry_run=request.dry_run,
            reason=request.reason,
            event_id=request.change.event_id if request.change else None,
            follow_up=request.follow_up,
            correlation_id=request.correlation_id,
            triggered_by=request.triggered_by,
            note=_note(request, stored.configuration.contact_types, plans),
        )

    def _expect_outcomes(self, scope: Scope, operation: SyncOperation) -> None:
        """Store the outcomes to be settled; for a repeated plan only what has changed since the earlier one.

        Accounts that are not in this plan, but were written to under an earlier one, keep their outcome, marked as
        outside.
        """
        stored = {outcome.key: outcome for outcome in self.operations.outcomes(operation.sync_id)}
        expected = {outcome.key: outcome for outcome in self._expected(scope, operation)}
        new = {key: _replacing(outcome, stored.get(key)) for key, outcome in expected.items()}
        left = [outcome for key, outcome in stored.items() if key not in expected]
        done = [_history(operation, outcome) for outcome in left if _is_done(outcome)]
        self.operations.store_outcomes(operation, [*filter(None, new.values()), *done])
        self.operations.keep_outcomes(operation, [stored[key] for key, outcome in new.items() if outcome is None])
        self.operations.remove_outcomes(operation, [outcome for outcome in left if not _is_done(outcome)])

    def _expected(self, scope: Scope, operation: SyncOperation) -> Iterator[AccountOutcome]:
        """Yield an outcome for each account and contact type in scope; those that may not be written to are settled.

        Accounts that no include or request names have none.
        """
        for contact_type in operation.contact_types:
            for member, admission in scope.concerned(contact_type):
                outcome = AccountOutcome.expected(member, contact_type)
                detail = _untouchable(member.account, admission)
                yield outcome.settled(_by_plan(operation, detail)) if detail else outcome


def _warn(sentences: Iterable[str]) -> None:
    for sentence in sentences:
        log.warning("%s", sentence)


def _last_result(state: RetryCallState) -> Contact | None:
    return state.outcome.result() if state.outcome else None


def _doubts(contact_type: ContactType, contact: Contact | None) -> Iterator[str]:
    """Yield a warning for values that AWS may refuse. AWS decides: our copy of its limits may be outdated."""
    fields = doubtful_fields(contact_type, contact) if contact else ()
    if fields:
        yield (
            f"The management account's {contact_type} contact is outside the limits that AWS documents in "
            f"{', '.join(fields)}. It is copied as it is. If accounts refuse it (invalid), correct it in the "
            "management account: that starts a new run."
        )


def _replacing(expected: AccountOutcome, stored: AccountOutcome | None) -> AccountOutcome | None:
    """Return what a repeated plan stores in place of an outcome, with its history; None leaves it to a task."""
    if stored is None or stored.is_substitute:
        return expected
    if stored.outside:
        stored = replace(stored, outside=False)
        return stored if expected.status is OutcomeStatus.PENDING else stored.settled(expected.attempts[-1])
    return None if expected.status is OutcomeStatus.PENDING else stored.settled(expected.attempts[-1])


def _is_done(outcome: AccountOutcome) -> bool:
    """Return whether the run has written, or may have written, or found the contact as desired: this is kept."""
    return outcome.status is OutcomeStatus.SUCCESS or bool(outcome.written_fields)


def _history(operation: SyncOperation, outcome: AccountOutcome) -> AccountOutcome:
    """Return what is kept of an account that is not in this plan; nobody has to act on its failure any more."""
    if is_failure(outcome) or outcome.status is OutcomeStatus.PENDING:
        outcome = outcome.settled(_by_plan(operation, OutcomeDetail.EXCLUDED))
    return replace(outcome, outside=True)


def _counted(plan: TypePlan, scope: Scope, contact_type: ContactType) -> TypePlan:
    return replace(plan, expected=sum(1 for _ in scope.concerned(contact_type)))


def _untouchable(account: Account, admission: Admission) -> OutcomeDetail | None:
    """Return why an account may not be touched; excluded wins over every other reason."""
    if admission is Admission.EXCLUDED:
        return OutcomeDetail.EXCLUDED
    return None if account.state is AccountState.ACTIVE else OutcomeDetail.NOT_ACTIVE


def _by_plan(operation: SyncOperation, detail: OutcomeDetail) -> Attempt:
    return Attempt(PLAN_ITSELF, operation.planned, operation.planned, OutcomeStatus.SKIPPED, detail)


def _deletion_policy(request: RunRequest, configured: DeletionPolicy) -> DeletionPolicy:
    """Return the policy for an absent contact; where it is not known which one was deleted, a person decides."""
    unclear = request.change is not None and request.change.unclear
    return DeletionPolicy.APPROVE if unclear and configured is DeletionPolicy.PROPAGATE else configured


def _note(
    request: RunRequest, configured: tuple[ContactType, ...], planned_types: Collection[ContactType]
) -> str | None:
    """Return a sentence that says for which contact types there is nothing to do, and why."""
    if request.change and not request.types_among(configured):
        return f"The configuration does not synchronize the {request.change.contact_type} contact."
    idle = [contact_type for contact_type in request.types_among(configured) if contact_type not in planned_types]
    if request.change and request.change.unclear:
        return (
            "CloudTrail did not say which alternate contact was changed, so all of them were read; there is nothing "
            f"to do for: {', '.join(idle) or 'none of them'}."
        )
    return f"No account is in the scope of these contacts: {', '.join(idle)}." if idle else None

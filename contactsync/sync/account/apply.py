"""One account's part of a sync operation: compare, write only a difference, verify, record."""

import logging
from dataclasses import dataclass, field, replace
from datetime import timedelta

from contactsync.account_management.api_operations import read_of
from contactsync.accounts import AccountState
from contactsync.clock import Clock
from contactsync.configuration.ports import Configurations
from contactsync.configuration.schema import Configuration, DeletionPolicy
from contactsync.contacts import ContactType
from contactsync.errors import (
    AccessDeniedError,
    AccountsFailedError,
    AwsCallError,
    AwsSetupError,
    CallerMismatchError,
    ContactSyncError,
    CredentialsError,
    HaltedError,
    NotInOrganizationError,
    OperationMissingError,
    OutageError,
    OutcomesMissingError,
    ThrottledError,
    TrustedAccessOffError,
    WaitingError,
    bounded,
)
from contactsync.fingerprints import changed_fingerprints
from contactsync.operations.operation import (
    AccountOutcome,
    Halt,
    OutcomeDetail,
    OutcomeStatus,
    SyncOperation,
    TypePlan,
    sync_id_of,
)
from contactsync.operations.ports import Announcer, Operations
from contactsync.pacing.guarded_calls import CallGuard
from contactsync.scope.ports import Organization
from contactsync.sync.access import AccessCheck
from contactsync.sync.account.account_task import (
    AccountTask,
    attempt_of,
    attempts_before,
    begun,
    brought,
    final_error,
    is_cleared,
    is_settled,
    meant,
    written_before,
)
from contactsync.sync.account.exclusions import Exclusions
from contactsync.sync.account.write import ContactWriter, ForbiddenMeanwhileError, WriteResult, WriteTarget
from contactsync.sync.outcome_announcements import announce_late
from contactsync.sync.ports import AccountContacts

log = logging.getLogger(__name__)

_NOT_ACTIVE = WriteResult(OutcomeStatus.SKIPPED, OutcomeDetail.NOT_ACTIVE)


@dataclass(frozen=True)
class AccountSync:
    """The step of the task `sync_account`: it brings one account to the desired contacts."""

    contacts: AccountContacts
    contact_writer: ContactWriter
    configurations: Configurations
    operations: Operations
    organization: Organization
    exclusions: Exclusions
    access: AccessCheck
    call_guard: CallGuard
    announcer: Announcer
    clock: Clock
    fingerprint_keys: tuple[bytes, ...] = field(repr=False)
    """The present key, then earlier ones: an earlier one may have been the present one when a dry run was planned."""
    plan_lasts: float
    """Seconds after the plan for which its knowledge of an account's units and tags is used without asking again.

    Before a deletion they are always asked again.
    """

    def open(self, dag_run_id: str) -> tuple[SyncOperation, Configuration]:
        """Return the run's operation and the configuration that it was planned with."""
        operation = self.operations.get(sync_id_of(dag_run_id))
        if operation is None:
            raise OperationMissingError(dag_run_id=dag_run_id)
        return operation, self.configurations.version(operation.config_version).configuration

    def sync(
        self,
        operation: SyncOperation,
        configuration: Configuration,
        account_id: str,
        try_number: int,
        *,
        first_try: int = 1,
    ) -> list[AccountOutcome]:
        """Settle every contact type of one account and return the outcomes, which hold no contact value.

        If one type fails, the others are settled all the same. Raises WaitingError when calls have to wait: the same
        try continues later. Raises AccountsFailedError when any type failed, after everything is recorded. A type whose
        write AWS forbids has the status skipped and raises too, so that its task fails and can be cleared. `first_try`
        is the number of the first try since the task was cleared: a failure that a try since then found to be final is
        not tried again.
        """
        guarded = self.call_guard.guarded_calls(configuration)
        expected = self._expected(operation, account_id)
        started = begun(self.clock.now(), try_number, expected.values())
        task = AccountTask(operation, configuration, account_id, try_number, first_try, started, guarded)
        halted = self._heed_halt(task, list(expected.values()))
        outcomes, errors = [], []
        try:
            for contact_type, plan in operation.plans.items():
                if contact_type not in expected:  # out of this type's scope
                    continue
                outcome, error = self._settle(task, plan, expected[contact_type], halted)
                halted = halted or (error if isinstance(error, HaltedError) else None)
                outcomes.append(outcome)
                errors += [error] if error else []
        finally:
            guarded.finish()
        if halted:
            outcomes = [self._halted_too(task, outcome, halted) for outcome in outcomes]
        _raise_for(account_id, errors)
        return outcomes

    def _expected(self, operation: SyncOperation, account_id: str) -> dict[ContactType, AccountOutcome]:
        """Return the outcomes that the plan stored for this account; raise OutcomesMissingError when it has none.

        An outcome that the report stored in place of a lost one does not count: the plan may have excluded the account,
        or the question about a deletion may not have counted it.
        """
        stored = self.operations.outcomes_of(operation.sync_id, account_id)
        expected = {kind: outcome for kind, outcome in stored.items() if not (outcome.outside or outcome.is_substitute)}
        if not expected:
            raise OutcomesMissingError(account_id=account_id, dag_run_id=operation.dag_run_id)
        return expected

    def _heed_halt(self, task: AccountTask, outcomes: list[AccountOutcome]) -> HaltedError | None:
        """Return the error of a halt; the first try since the task was cleared checks whether its cause is fixed."""
        halt = task.operation.halt
        if halt is None:
            return None
        patience = timedelta(seconds=task.configuration.breaker.check_interval)
        if not is_cleared(task, outcomes) or task.started - halt.at < patience:
            return HaltedError(halt.code, halt.message)
        try:
            self.access.confirm()
        except (AccessDeniedError, AwsSetupError, CallerMismatchError, TrustedAccessOffError) as cause:
            return self._halt(task, cause)
        task.guarded.reset()
        self.operations.lift_halt(task.operation)
        return None

    def _halt(self, task: AccountTask, cause: ContactSyncError) -> HaltedError:
        halt = Halt(cause.known_as, bounded(str(cause)), self.clock.now())
        self.operations.halt(task.operation, halt)
        return HaltedError(halt.code, halt.message)

    def _settle(
        self, task: AccountTask, plan: TypePlan, outcome: AccountOutcome, halted: HaltedError | None
    ) -> tuple[AccountOutcome, ContactSyncError | None]:
        final = final_error(task, outcome)
        if final or is_settled(task, outcome, since=task.first_try if halted else task.try_number):
            return outcome, final
        written = written_before(task, outcome)
        error: ContactSyncError | None = halted
        try:
            result = _halted(written) if halted else self._result_of(task, plan, outcome, written)
        except WaitingError as wait:
            if not self._has_waited_too_long(task, outcome, wait):
                return self._store_wait(task, outcome, wait, written), wait
            error = ThrottledError(api_operation="Account Management", aws_code=wait.cause, account_id=task.account_id)
            result = WriteResult(*_verdict(error), tuple(written))
        except ContactSyncError as caught:
            result, error = WriteResult(*_verdict(caught), tuple(written)), caught
        attempt = attempt_of(task, self.clock.now(), result.status, result.detail, error, written)
        settled = outcome.settled(
            brought(attempt, result) if result.generation is not None else meant(attempt, plan),
            changed_fields=result.changed_fields,
            other_form=result.other_form,
            generation=result.generation,
            error_message=bounded(str(error)) if error else None,
        )
        self.operations.settle_outcome(task.operation, settled)
        if written:
            self._announce_late(task, settled)
        return settled, error

    def _announce_late(self, task: AccountTask, settled: AccountOutcome) -> None:
        """Announce a write that no report may announce: the task was cleared alone, or ran longer than its run."""
        try:
            operation = self.operations.get(task.operation.sync_id)
            if operation and operation.finished:
                announce_late(self.operations, self.announcer, operation, settled.key)
        except ContactSyncError as error:  # the account is settled; the next report announces it
            log.warning("The write to account %s could not be announced: %s", settled.account_id, error)

    def _halted_too(self, task: AccountTask, outcome: AccountOutcome, halted: HaltedError) -> AccountOutcome:
        """Settle a waiting type as halted: a later type of the account was halted, so the task ends here."""
        if outcome.status is not OutcomeStatus.PENDING:
            return outcome
        return self._settle(task, task.operation.plans[outcome.contact_type], outcome, halted)[0]

    def _has_waited_too_long(self, task: AccountTask, outcome: AccountOutcome, wait: WaitingError) -> bool:
        """Return whether the account was throttled longer than calls may wait; waiting in a queue does not count."""
        since, limit = outcome.paused_since, timedelta(seconds=task.configuration.breaker.max_pause)
        throttled = isinstance(wait.__cause__, ThrottledError)
        return throttled and since is not None and self.clock.now() - since > limit

    def _store_wait(
        self, task: AccountTask, outcome: AccountOutcome, wait: WaitingError, written: list[str]
    ) -> AccountOutcome:
        """Store that the account waits, so that people see it, and what this try may have written already."""
        stored = replace(
            outcome,
            status=OutcomeStatus.PENDING,
            detail=OutcomeDetail.PAUSED,
            error_code=wait.code,
            error_message=None,
            paused_since=outcome.paused_since or task.started,
        )
        if written:
            attempt = attempt_of(task, self.clock.now(), stored.status, OutcomeDetail.PAUSED, wait, written)
            attempt = meant(attempt, task.operation.plans[outcome.contact_type])
            stored = replace(stored, attempts=(*attempts_before(task, outcome), attempt))
        if stored != outcome:
            self.operations.settle_outcome(task.operation, stored)
        return stored

    def _result_of(self, task: AccountTask, plan: TypePlan, outcome: AccountOutcome, written: list[str]) -> WriteResult:
        if not (plan.approved or _is_asked_later(task)):
            return WriteResult(OutcomeStatus.SKIPPED, OutcomeDetail.NOT_APPROVED)
        try:
            return self._compare_or_bring(task, plan, outcome, written)
        except ForbiddenMeanwhileError as forbidden:
            return WriteResult(OutcomeStatus.SKIPPED, forbidden.detail)
        except NotInOrganizationError:
            if self.organization.state(task.account_id) is AccountState.ACTIVE:
                raise  # it was moved, or its unit was removed, during the call
            return _NOT_ACTIVE
        except (CredentialsError, AwsSetupError, OutageError) as cause:  # the cause concerns every account
            raise self._halt(task, cause) from None
        except AccessDeniedError as denied:
            return self._denied(task, denied)

    def _compare_or_bring(
        self, task: AccountTask, plan: TypePlan, outcome: AccountOutcome, written: list[str]
    ) -> WriteResult:
        self._check_exclusions(task, outcome.contact_type)
        if task.operation.dry_run or plan.generation is None:
            return self._compare_only(task, plan, outcome.contact_type)
        result = _credited(self._bring(task, plan, plan.generation, outcome, written), outcome, written)
        if result.generation is not None and result.generation > plan.generation:
            return replace(result, status=OutcomeStatus.SKIPPED, detail=OutcomeDetail.SUPERSEDED)
        return result

    def _check_exclusions(self, task: AccountTask, contact_type: ContactType, *, deletes: bool = False) -> None:
        if self.exclusions.excludes(
            task.operation, task.configuration, task.account_id, contact_type, again=deletes or self._is_old(task)
        ):
            raise ForbiddenMeanwhileError(OutcomeDetail.EXCLUDED)

    def _is_old(self, task: AccountTask) -> bool:
        """Return whether the plan is so old that the account's units and tags have to be asked again."""
        return task.started - task.operation.planned > timedelta(seconds=self.plan_lasts)

    def _compare_only(self, task: AccountTask, plan: TypePlan, contact_type: ContactType) -> WriteResult:
        observed = task.guarded.call(read_of(contact_type), lambda: self.contacts.read(contact_type, task.account_id))
        fields = changed_fingerprints(plan.fingerprints, contact_type, observed, self.fingerprint_keys)
        changing = OutcomeDetail.WOULD_DELETE if plan.absent else OutcomeDetail.WOULD_UPDATE
        return WriteResult(OutcomeStatus.SKIPPED, changing if fields else OutcomeDetail.WOULD_NOT_CHANGE, fields)

    def _bring(
        self, task: AccountTask, plan: TypePlan, generation: int, outcome: AccountOutcome, written: list[str]
    ) -> WriteResult:
        def allow(deletes: bool) -> None:  # noqa: FBT001 -- a callback's only argument
            self._check_exclusions(task, outcome.contact_type, deletes=deletes)
            if deletes and not self._is_deletion_allowed(task, outcome.contact_type):
                raise ForbiddenMeanwhileError(OutcomeDetail.NOT_APPROVED)

        target = WriteTarget(
            account_id=task.account_id,
            contact_type=outcome.contact_type,
            sync_id=task.operation.sync_id,
            guarded=task.guarded,
            generation=generation,
            may_delete=plan.absent and plan.approved,
            phones=task.configuration.phone_comparison,
            allow=allow,
            written_before=outcome.written_fields,
            recorded_tries=frozenset(a.try_number for a in outcome.attempts if a.written_fields),
            try_number=task.try_number,
            written=written,
        )
        return self.contact_writer.write_newest(target)

    def _is_deletion_allowed(self, task: AccountTask, contact_type: ContactType) -> bool:
        """Return whether a deletion that was approved or propagated is still allowed by plan and policy.

        The operation is read again, because this process may be one that Airflow has given up: the run may have been
        planned again since, or its approval asked for again.
        """
        operation = self.operations.get(task.operation.sync_id)
        if operation is None or operation.planned != task.operation.planned:
            return False
        plan = operation.plans[contact_type]
        policy = self.configurations.latest().configuration.deletion.policy
        if not plan.approved or policy is DeletionPolicy.IGNORE:
            return False
        return plan.decision is not None or policy is DeletionPolicy.PROPAGATE

    def _denied(self, task: AccountTask, denied: AccessDeniedError) -> WriteResult:
        """Halt for a cause that concerns all accounts; skip a closed account; otherwise raise this account's denial."""
        if denied.account_id is None and denied.api_operation != "AssumeRole":  # one of our own tables
            raise denied
        try:
            # Without the role no account can be called, so an earlier check does not count.
            self.access.confirm_recent(task.configuration.breaker.check_interval if denied.account_id else 0)
        except (AccessDeniedError, CallerMismatchError, TrustedAccessOffError) as cause:
            raise self._halt(task, cause) from None
        if self.organization.state(task.account_id) is not AccountState.ACTIVE:
            return _NOT_ACTIVE
        raise denied


def _is_asked_later(task: AccountTask) -> bool:
    """Return whether this dry run has deletions that a real run would ask about: it shows what they would change."""
    return task.operation.dry_run and task.configuration.deletion.policy is DeletionPolicy.APPROVE


def _raise_for(account_id: str, errors: list[ContactSyncError]) -> None:
    """Raise the error that the task ends with: first a halt, then a wait, then the failures."""
    for kind in (HaltedError, WaitingError):
        if result := next((error for error in errors if isinstance(error, kind)), None):
            raise result
    if errors:
        raise AccountsFailedError(account_id=account_id, errors=errors)


def _halted(written: list[str]) -> WriteResult:
    return WriteResult(OutcomeStatus.FAILED, OutcomeDetail.HALTED, tuple(written))


def _verdict(error: ContactSyncError) -> tuple[OutcomeStatus, OutcomeDetail]:
    """Return what an error means for the account; an error of our own tables or of the role is not the account's."""
    if isinstance(error, HaltedError):
        return OutcomeStatus.FAILED, OutcomeDetail.HALTED
    about_account = isinstance(error, AwsCallError) and error.account_id is not None
    detail = OutcomeDetail(error.outcome_detail) if about_account else OutcomeDetail.ERROR
    return OutcomeStatus.SKIPPED if detail is OutcomeDetail.PERMISSION_DENIED else OutcomeStatus.FAILED, detail


def _credited(result: WriteResult, outcome: AccountOutcome, written: list[str]) -> WriteResult:
    """Return the result with what earlier tries of this operation, or earlier reads of this try, may have written."""
    fields = {*result.changed_fields, *written, *outcome.written_fields}
    if not fields:
        return result
    detail = result.written_detail if result.detail is OutcomeDetail.UNCHANGED else result.detail
    return replace(result, detail=detail, changed_fields=tuple(sorted(fields)))

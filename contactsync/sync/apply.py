"""One account's part of a sync operation: compare, write only a difference, verify, record."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from tenacity import RetryError, Retrying, retry_if_result, stop_after_attempt, wait_exponential

from contactsync.contacts import ContactType, changed_fields, changed_fingerprints, field_fingerprints
from contactsync.errors import (
    AccessDeniedError,
    AccountsFailedError,
    AwsCallError,
    ContactSyncError,
    DesiredContactMissingError,
    FinalInEarlierTryError,
    OperationMissingError,
    RequestInvalidError,
    ServiceUnavailableError,
    ThrottledError,
    UnexpectedAwsError,
    WriteNotSeenError,
)
from contactsync.sync.config import RetryConfig
from contactsync.sync.desired import DesiredContact
from contactsync.sync.operation import (
    AccountOutcome,
    Attempt,
    OutcomeDetail,
    OutcomeStatus,
    SyncOperation,
    TypePlan,
    sync_id_of,
)
from contactsync.sync.ports import AccountContacts, Clock, Configurations, DesiredContacts, Operations

_FAILURES: dict[type[ContactSyncError], OutcomeDetail] = {
    AccessDeniedError: OutcomeDetail.PERMISSION_DENIED,
    ThrottledError: OutcomeDetail.THROTTLED,
    ServiceUnavailableError: OutcomeDetail.UNAVAILABLE,
    RequestInvalidError: OutcomeDetail.INVALID,
}

_FINAL = frozenset({OutcomeDetail.PERMISSION_DENIED, OutcomeDetail.INVALID})
"""What trying again cannot mend."""


@dataclass(frozen=True)
class Finding:
    """What was found and done for one contact type of one account."""

    status: OutcomeStatus
    detail: OutcomeDetail
    changed_fields: tuple[str, ...] = ()
    generation: int | None = None


@dataclass(frozen=True)
class AccountTask:
    """One try of one account: what its steps share."""

    operation: SyncOperation
    account_id: str
    try_number: int
    started: datetime
    excluded: bool = False
    refusal: ContactSyncError | None = None
    """Why nothing may be read or written."""


@dataclass(frozen=True)
class AccountSync:
    """Brings accounts to the desired contacts; holds the ports that this needs."""

    contacts: AccountContacts
    configurations: Configurations
    desired: DesiredContacts
    operations: Operations
    clock: Clock
    fingerprint_key: bytes = field(repr=False)
    verify_reads: int
    verify_wait: float

    def open(self, dag_run_id: str) -> tuple[SyncOperation, RetryConfig]:
        """Return the run's operation, and how its pinned configuration wants failures retried."""
        operation = self.operations.get(sync_id_of(dag_run_id))
        if operation is None:
            raise OperationMissingError(dag_run_id=dag_run_id)
        return operation, self.configurations.version(operation.config_version).settings.retry_config

    def sync(
        self, operation: SyncOperation, account_id: str, try_number: int, *, first_try: int = 1
    ) -> list[AccountOutcome]:
        """Settle every contact type of one account and return the outcomes, which hold no contact value.

        One type's failure does not keep the others from being settled. Raises AccountsFailedError after recording when
        any failed; the outcome of a type that AWS forbids is skipped, and raises too, so that it can be cleared. What a
        try since `first_try`, the first one since the task was cleared, found to be final is not tried again.
        """
        task = self._task(operation, account_id, try_number)
        expected = self.operations.outcomes_of(operation.sync_id, account_id)
        outcomes, errors = [], []
        for contact_type, plan in operation.plans.items():
            outcome = expected.get(contact_type) or AccountOutcome(account_id, "", contact_type)
            error: ContactSyncError | None = _final_error(operation, outcome, first_try)
            if error is None:
                outcome, error = self._settle(task, plan, outcome)
                self.operations.settle_outcome(operation, outcome)
            outcomes.append(outcome)
            errors += [error] if error else []
        if errors:
            raise AccountsFailedError(account_id=account_id, errors=errors)
        return outcomes

    def _task(self, operation: SyncOperation, account_id: str, try_number: int) -> AccountTask:
        """Begin a try; an unreadable configuration becomes the refusal of every write, and so of every outcome."""
        started = self.clock.now()
        try:
            excluded = self._is_excluded(operation, account_id)
        except ContactSyncError as error:
            return AccountTask(operation, account_id, try_number, started, refusal=error)
        return AccountTask(operation, account_id, try_number, started, excluded=excluded)

    def _is_excluded(self, operation: SyncOperation, account_id: str) -> bool:
        """Ask the pinned and the current configuration."""
        pinned = self.configurations.version(operation.config_version).settings
        current = self.configurations.latest().settings
        return account_id in pinned.excluded_accounts or account_id in current.excluded_accounts

    def _settle(
        self, task: AccountTask, plan: TypePlan, outcome: AccountOutcome
    ) -> tuple[AccountOutcome, ContactSyncError | None]:
        written: list[str] = []
        try:
            found, error = self._find(task, plan, outcome, written), None
        except ContactSyncError as caught:
            found, error = Finding(*_verdict(caught), tuple(written)), caught
        attempt = Attempt(
            try_number=task.try_number,
            started=task.started,
            ended=self.clock.now(),
            status=found.status,
            detail=found.detail,
            error_code=error.code if error else None,
            written_fields=tuple(written),
        )
        settled = outcome.settled(
            attempt,
            changed_fields=found.changed_fields,
            generation=found.generation,
            error_message=str(error) if error else None,
        )
        return settled, error

    def _find(self, task: AccountTask, plan: TypePlan, outcome: AccountOutcome, written: list[str]) -> Finding:
        contact_type = outcome.contact_type
        if task.refusal:
            raise task.refusal
        if task.excluded:
            return Finding(OutcomeStatus.SKIPPED, OutcomeDetail.EXCLUDED)
        if not plan.approved:
            return Finding(OutcomeStatus.SKIPPED, OutcomeDetail.NOT_APPROVED)
        if task.operation.dry_run:
            return self._compare_only(task, plan, contact_type)
        desired = self.desired.latest(contact_type)
        if desired is None:
            raise DesiredContactMissingError(contact_type=contact_type)
        found = _credited(self._bring(task.account_id, desired, written), desired, outcome)
        if plan.generation is not None and desired.generation > plan.generation:
            return replace(found, status=OutcomeStatus.SKIPPED, detail=OutcomeDetail.SUPERSEDED)
        return found

    def _compare_only(self, task: AccountTask, plan: TypePlan, contact_type: ContactType) -> Finding:
        observed = field_fingerprints(self.contacts.read(contact_type, task.account_id), self.fingerprint_key)
        fields = changed_fingerprints(plan.fingerprints, observed)
        return Finding(OutcomeStatus.SKIPPED, OutcomeDetail.DRY_RUN, fields)

    def _bring(self, account_id: str, desired: DesiredContact, written: list[str]) -> Finding:
        """Write the desired contact when the account has another one, and see it there; `written` gets the fields."""
        observed = self.contacts.read(desired.contact_type, account_id)
        fields = changed_fields(desired.contact, observed)
        if not fields:
            return Finding(OutcomeStatus.SUCCESS, OutcomeDetail.UNCHANGED, generation=desired.generation)
        try:
            self._write(account_id, desired)
        except (ServiceUnavailableError, UnexpectedAwsError):
            written += fields  # the call may have been carried out; the next look tells
            raise
        written += fields
        self._verify(account_id, desired)
        return Finding(OutcomeStatus.SUCCESS, _written_detail(desired), fields, desired.generation)

    def _write(self, account_id: str, desired: DesiredContact) -> None:
        if desired.contact is None:
            self.contacts.delete(desired.contact_type, account_id)
        else:
            self.contacts.write(desired.contact_type, account_id, desired.contact)

    def _verify(self, account_id: str, desired: DesiredContact) -> None:
        """Read back until the written contact shows: AWS's reads are eventually consistent."""

        def is_seen() -> bool:
            try:
                return not changed_fields(desired.contact, self.contacts.read(desired.contact_type, account_id))
            except AwsCallError:  # the write was accepted; that it cannot be seen now is no failure of it
                return False

        looks = Retrying(
            retry=retry_if_result(lambda seen: not seen),
            stop=stop_after_attempt(self.verify_reads),
            wait=wait_exponential(multiplier=self.verify_wait),
            sleep=self.clock.sleep,
        )
        try:
            looks(is_seen)
        except RetryError:
            raise WriteNotSeenError(account_id=account_id, contact_type=desired.contact_type) from None


def _final_error(operation: SyncOperation, outcome: AccountOutcome, first_try: int) -> FinalInEarlierTryError | None:
    last = outcome.attempts[-1] if outcome.attempts else None
    if last is None or last.try_number < first_try or last.started < operation.planned or last.detail not in _FINAL:
        return None
    return FinalInEarlierTryError(outcome.account_id, outcome.contact_type, last.error_code or "")


def _verdict(error: ContactSyncError) -> tuple[OutcomeStatus, OutcomeDetail]:
    """Return what an error means for the account; one of our own tables or of the role is not the account's."""
    about_account = isinstance(error, AwsCallError) and error.account_id is not None
    detail = _FAILURES.get(type(error)) if about_account else None
    if detail is OutcomeDetail.PERMISSION_DENIED:
        return OutcomeStatus.SKIPPED, detail
    return OutcomeStatus.FAILED, detail or OutcomeDetail.ERROR


def _written_detail(desired: DesiredContact) -> OutcomeDetail:
    return OutcomeDetail.UPDATED if desired.contact else OutcomeDetail.DELETED


def _credited(found: Finding, desired: DesiredContact, outcome: AccountOutcome) -> Finding:
    """Return what the operation did: an earlier try may have written what this one found unchanged."""
    fields = {name for attempt in outcome.attempts for name in attempt.written_fields}
    if found.detail is not OutcomeDetail.UNCHANGED or not fields:
        return found
    return replace(found, detail=_written_detail(desired), changed_fields=tuple(sorted(fields)))

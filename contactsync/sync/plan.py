"""The plan of a sync operation: what is to be done, decided and stored before anything is written to an account.

The order is DESIGN 3.3: whatever can be refused is refused first; only then is the generation raised, the source read,
and operation and desired contacts stored together.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_attempt, wait_exponential

from contactsync.accounts import Account, Scope, select
from contactsync.contacts import Contact, ContactType, check_valid, field_fingerprints
from contactsync.errors import (
    CallerMismatchError,
    MappingLimitError,
    RunRequestError,
    SourceContactMissingError,
    TrustedAccessOffError,
)
from contactsync.sync.config import Configuration, DeletionPolicy, StoredConfiguration
from contactsync.sync.desired import DesiredContact
from contactsync.sync.operation import (
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
from contactsync.sync.ports import AccountContacts, Clock, Configurations, Operations, Organization
from contactsync.sync.request import RunRequest


@dataclass(frozen=True)
class Planner:
    """Plans runs; holds the ports that a plan needs."""

    organization: Organization
    contacts: AccountContacts
    configurations: Configurations
    operations: Operations
    clock: Clock
    management_account: str
    fingerprint_key: bytes = field(repr=False)
    source_reads: int
    source_wait: float

    def plan(self, request: RunRequest, *, map_limit: int) -> tuple[str, ...]:
        """Store the operation and return the ids of the accounts that may be touched, in the organization's order.

        Repeating it for the same run works on the same operation. Raises before anything is stored when the caller, the
        configuration, the request or the mapping limit is wrong.
        """
        configuration = self._check()
        contact_types = request.types_among(configuration.settings.contact_types)
        scope = self._scope(request, configuration.settings) if contact_types else Scope()
        if len(scope.targets) > map_limit:
            raise MappingLimitError(accounts=len(scope.targets), limit=map_limit)
        operation, desired = self._read_source(request, configuration, contact_types)
        self.operations.store_plan(operation, desired)
        self._expect_outcomes(scope, operation)
        self.operations.update(replace(operation, status=OperationStatus.IN_PROGRESS))
        return tuple(account.account_id for account in scope.targets)

    def _check(self) -> StoredConfiguration:
        caller = self.organization.caller_account()
        if caller != self.management_account:
            raise CallerMismatchError(expected_account=self.management_account, actual_account=caller)
        configuration = self.configurations.latest()
        if not self.organization.trusted_access():
            raise TrustedAccessOffError
        return configuration

    def _scope(self, request: RunRequest, settings: Configuration) -> Scope:
        accounts = list(self.organization.accounts())
        _check_requested(request, accounts, self.management_account)
        return select(
            accounts,
            management_account=self.management_account,
            excluded=frozenset(settings.excluded_accounts),
            wanted=frozenset(request.accounts),
        )

    def _read_source(
        self, request: RunRequest, configuration: StoredConfiguration, contact_types: tuple[ContactType, ...]
    ) -> tuple[SyncOperation, list[DesiredContact]]:
        sync_id = sync_id_of(request.dag_run_id)
        plans: dict[ContactType, TypePlan] = {}
        desired: list[DesiredContact] = []
        for contact_type in contact_types:
            # The generation is raised before the source is read, so that the greatest one goes with the latest read.
            generation = None if request.dry_run else self.operations.raise_generation(contact_type)
            contact = self._source(contact_type, absent=bool(request.change and request.change.action == "delete"))
            plans[contact_type] = self._type_plan(generation, contact, configuration.settings.deletion.policy)
            if generation is not None and plans[contact_type].approved:
                desired.append(DesiredContact(contact_type, generation, sync_id, contact))
        return self._operation(request, configuration, sync_id, plans), desired

    def _source(self, contact_type: ContactType, *, absent: bool) -> Contact | None:
        """Read the source, again and for a bounded time while it is not, or still is, there against expectation.

        Reads are eventually consistent (FACTS 2.1), and a contact that only seems to be absent must not be deleted
        everywhere. What the last read says counts: a put may have been followed by a delete.
        """
        looks = Retrying(
            retry=retry_if_result(lambda found: (found is None) is not absent),
            stop=stop_after_attempt(self.source_reads),
            wait=wait_exponential(multiplier=self.source_wait),
            sleep=self.clock.sleep,
            retry_error_callback=_last_result,
        )
        contact: Contact | None = looks(self.contacts.read, contact_type, None)
        if contact is not None:
            check_valid(contact_type, contact)
        elif contact_type is ContactType.PRIMARY:
            raise SourceContactMissingError
        return contact

    def _type_plan(self, generation: int | None, contact: Contact | None, policy: DeletionPolicy) -> TypePlan:
        return TypePlan(
            generation=generation,
            absent=contact is None,
            approved=contact is not None or policy is DeletionPolicy.PROPAGATE,
            fingerprints=field_fingerprints(contact, self.fingerprint_key),
        )

    def _operation(
        self,
        request: RunRequest,
        configuration: StoredConfiguration,
        sync_id: str,
        plans: dict[ContactType, TypePlan],
    ) -> SyncOperation:
        now, earlier = self.clock.now(), self.operations.get(sync_id)
        ignored = request.change.contact_type if request.change and not plans else None
        return SyncOperation(
            sync_id=sync_id,
            dag_run_id=request.dag_run_id,
            timestamp=earlier.timestamp if earlier else now,
            initiating_user=request.initiating_user,
            source_account=self.management_account,
            plans=plans,
            config_version=configuration.version,
            status=OperationStatus.PENDING,
            planned=now,
            dry_run=request.dry_run,
            reason=request.reason,
            event_id=request.change.event_id if request.change else None,
            note=f"The configuration does not synchronize the {ignored} contact." if ignored else None,
        )

    def _expect_outcomes(self, scope: Scope, operation: SyncOperation) -> None:
        """Store what is to be settled; of a plan that is repeated, only what has changed since the earlier one."""
        stored = {outcome.key: outcome for outcome in self.operations.outcomes(operation.sync_id)}
        expected = {outcome.key: outcome for outcome in self._expected(scope, operation)}
        self.operations.store_outcomes(
            operation, [outcome for key, outcome in expected.items() if _replaces(outcome, stored.get(key))]
        )
        self.operations.remove_outcomes(
            operation, [o for key, o in stored.items() if key not in expected and o.status is not OutcomeStatus.SUCCESS]
        )

    def _expected(self, scope: Scope, operation: SyncOperation) -> Iterator[AccountOutcome]:
        """Yield an outcome for every account and contact type: settled already where nothing may be touched."""
        settled = {OutcomeDetail.EXCLUDED: scope.excluded, OutcomeDetail.NOT_ACTIVE: scope.not_active}
        for contact_type in operation.contact_types:
            for account in scope.targets:
                yield AccountOutcome(account.account_id, account.name, contact_type)
            for detail, accounts in settled.items():
                attempt = Attempt(PLAN_ITSELF, operation.timestamp, operation.timestamp, OutcomeStatus.SKIPPED, detail)
                for account in accounts:
                    yield AccountOutcome(account.account_id, account.name, contact_type).settled(attempt)


def _last_result(state: RetryCallState) -> Contact | None:
    return state.outcome.result() if state.outcome else None


def _replaces(expected: AccountOutcome, stored: AccountOutcome | None) -> bool:
    """Tell whether a plan's outcome replaces a stored one: never what was achieved, and no history for nothing."""
    if stored is None:
        return True
    settled_by_plan = expected.status is not OutcomeStatus.PENDING
    return settled_by_plan and stored.status is not OutcomeStatus.SUCCESS


def _check_requested(request: RunRequest, accounts: list[Account], management_account: str) -> None:
    members = {account.account_id for account in accounts} - {management_account}
    unknown = [account_id for account_id in request.accounts if account_id not in members]
    if unknown:
        raise RunRequestError(problems=[f"accounts: not member accounts of the organization: {', '.join(unknown)}"])

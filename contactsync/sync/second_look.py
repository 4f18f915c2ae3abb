"""The second look at the source: is it still what was planned, and which run follows if it is not."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_exponential

from contactsync.account_management.api_operations import read_of
from contactsync.clock import Clock
from contactsync.configuration.schema import Configuration
from contactsync.contacts import Contact, ContactType, changed_fields
from contactsync.errors import ContactSyncError
from contactsync.fingerprints import changed_fingerprints, is_fingerprint_of
from contactsync.operations.operation import SYNC_ID_NAMESPACE, SyncOperation, TypePlan
from contactsync.operations.ports import DesiredContacts, Operations
from contactsync.pacing.guarded_calls import CallGuard, GuardedCalls
from contactsync.sync.ports import AccountContacts


@dataclass(frozen=True)
class FollowUp:
    """The run that follows when the source is no longer what the operation found."""

    run_id: str
    conf: dict[str, Any]


@dataclass(frozen=True)
class SecondLook:
    """The second read of the source at the end of a run."""

    contacts: AccountContacts
    desired: DesiredContacts
    operations: Operations
    call_guard: CallGuard
    clock: Clock
    fingerprint_keys: tuple[bytes, ...] = field(repr=False)
    """The present key, then earlier ones: an earlier one may have been the present one when the run was planned."""
    source_reads: int
    """How many times the source is read at most while it seems to have changed."""
    source_wait: float
    """Seconds before the second of these reads; each later wait is twice as long."""
    follow_ups: int
    """How many follow-up runs there may be in a row."""

    def look(
        self, operation: SyncOperation, configuration: Configuration, run_filter: Mapping[str, Sequence[str]]
    ) -> tuple[FollowUp | None, str | None]:
        """Read the source once more: the first read may have been an old one, or an event may have been lost."""
        if operation.dry_run or operation.halt:
            return None, None
        guarded = self.call_guard.guarded_calls(configuration)
        try:
            moved = [t for t in operation.contact_types if self._has_moved(operation, t, guarded)]
            # The run id stays the same until something new is planned, so that repeating this starts no second run.
            generation = max((self.operations.generation(contact_type) for contact_type in moved), default=0)
        except ContactSyncError as error:  # the report is stored all the same
            return None, (
                f"The management account's contacts could not be read again ({error.code}); start a run by hand to be "
                "sure."
            )
        finally:
            guarded.finish()
        if not moved:
            return None, None
        names = ", ".join(moved)
        if operation.follow_up >= self.follow_ups:
            return (
                None,
                f"The {names} contact changed again, after {operation.follow_up} follow-up runs; start a run by hand.",
            )
        return _follow_up(operation, moved, generation, run_filter), None

    def _has_moved(self, operation: SyncOperation, contact_type: ContactType, guarded: GuardedCalls) -> bool:
        """Return whether the source has changed, other than by a deletion that was found and not approved.

        A source that seems to have changed is read again, `source_reads` times at most: this read may be an old one.
        """
        until_agreed = Retrying(
            retry=retry_if_result(bool),
            stop=stop_after_attempt(self.source_reads),
            wait=wait_exponential(multiplier=self.source_wait),
            sleep=self.clock.sleep,
            retry_error_callback=lambda _: True,
        )
        moved: bool = until_agreed(self._seems_moved, operation, contact_type, guarded)
        return moved

    def _seems_moved(self, operation: SyncOperation, contact_type: ContactType, guarded: GuardedCalls) -> bool:
        source = guarded.call(read_of(contact_type), lambda: self.contacts.read(contact_type, None))
        plan = operation.plans[contact_type]
        latest = self.desired.latest(contact_type)
        if latest and not changed_fields(latest.contact, source):
            return False
        stored = max(plan.generation or 0, latest.generation if latest else 0)
        if source is None and self.operations.last_deletion(contact_type) > stored:
            return False  # a later operation has found the deletion too, and asks for its approval
        # What this operation found counts until a later one has stored another contact.
        is_overtaken = latest is not None and latest.generation > (plan.generation or 0)
        return is_overtaken or not self._is_unchanged(plan, contact_type, source)

    def _is_unchanged(self, plan: TypePlan, contact_type: ContactType, source: Contact | None) -> bool:
        if plan.fingerprint is None:  # planned by a version of contactsync that stored none
            return not changed_fingerprints(plan.fingerprints, contact_type, source, self.fingerprint_keys)
        return is_fingerprint_of(plan.fingerprint, contact_type, source, self.fingerprint_keys)


def _follow_up(
    operation: SyncOperation, moved: list[ContactType], generation: int, run_filter: Mapping[str, Sequence[str]]
) -> FollowUp:
    return FollowUp(
        run_id=str(uuid.uuid5(SYNC_ID_NAMESPACE, f"{operation.sync_id}#{generation}")),
        conf={
            "contact_types": [str(contact_type) for contact_type in moved],
            **{name: list(ids) for name, ids in run_filter.items() if ids},
            "reason": f"The management account's contacts had changed when sync operation {operation.sync_id} ended",
            "follow_up": operation.follow_up + 1,
            "correlation_id": operation.correlation,
        },
    )

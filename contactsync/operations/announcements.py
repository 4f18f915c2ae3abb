"""The events of contact synchronization, made from the state that is stored in the same transaction."""

from collections.abc import Sequence
from datetime import datetime

from contactsync.bus.envelope import Announcement, announcement
from contactsync.bus.events import (
    TEXT_LENGTH,
    AccountFailed,
    AccountsWritten,
    SyncOperationCompleted,
    SyncOperationFailed,
    SyncOperationHalted,
    SyncOperationStarted,
)
from contactsync.operations.operation import AccountOutcome, OperationStatus, OutcomeDetail, SyncOperation
from contactsync.operations.writes import Write


def started(operation: SyncOperation) -> Announcement:
    """Return the event that an operation was planned; each new plan of the run has an event of its own."""
    data = SyncOperationStarted(
        **_about(operation),
        initiating_user=operation.initiating_user,
        triggered_by=operation.triggered_by,
        planned=operation.planned,
    )
    return announcement(
        data,
        about=f"{operation.sync_id}#{operation.planned.isoformat()}",
        subject=operation.sync_id,
        correlation_id=operation.correlation,
        time=operation.planned,
    )


def ended(operation: SyncOperation) -> Announcement:
    """Return the event of an operation's stored end; the same end, reported again, is the same event."""
    data = _ended(operation)
    return announcement(
        data,
        about=f"{operation.sync_id}#{operation.planned.isoformat()}#{operation.ends}",
        subject=operation.sync_id,
        correlation_id=operation.correlation,
        time=data.finished,
    )


def _ended(operation: SyncOperation) -> SyncOperationCompleted | SyncOperationFailed | SyncOperationHalted:
    facts = {
        **_about(operation),
        "started": operation.timestamp,
        "finished": operation.finished or operation.planned,
        "counts": operation.counts,
        "followed_by": operation.followed_by,
    }
    if operation.halt:
        return SyncOperationHalted(**facts, code=operation.halt.code, message=operation.halt.message[:TEXT_LENGTH])
    if operation.status is OperationStatus.FAILED:
        return SyncOperationFailed(**facts, note=operation.note)
    return SyncOperationCompleted(**facts)


def account_failed(operation: SyncOperation, outcome: AccountOutcome) -> Announcement | None:
    """Return the event that an account failed for good; None when the operation's own event says so for all accounts.

    It says so for a halt, but not for an account that was written to before: that account has its own event.
    """
    if outcome.detail is OutcomeDetail.HALTED and not outcome.written_fields:
        return None
    data = AccountFailed(
        sync_id=operation.sync_id,
        dag_run_id=operation.dag_run_id,
        account_id=outcome.account_id,
        contact_type=outcome.contact_type,
        detail=outcome.detail or outcome.status,
        error_code=outcome.error_code,
        error_message=outcome.error_message,
        retry_count=outcome.retry_count,
        written_fields=outcome.written_fields,
    )
    tried = outcome.attempts[-1].started.isoformat() if outcome.attempts else ""
    return announcement(
        data,
        about=f"{operation.sync_id}#{outcome.account_id}#{outcome.contact_type}#{data.detail}#{tried}",
        subject=outcome.account_id,
        correlation_id=operation.correlation,
        time=outcome.timestamp or operation.planned,
    )


def accounts_written(operation: SyncOperation, write: Write, outcomes: Sequence[AccountOutcome]) -> Announcement:
    """Return the event of one write to some accounts, 1 to ACCOUNTS_AT_MOST; each outcome is marked as announced."""
    settled = sorted(_settled(outcome) or operation.planned for outcome in outcomes)
    data = AccountsWritten(
        sync_id=operation.sync_id,
        dag_run_id=operation.dag_run_id,
        contact_type=write.contact_type,
        detail=write.detail,
        generation=write.generation,
        written_fields=write.fields,
        account_ids=tuple(outcome.account_id for outcome in outcomes),
        first_settled=settled[0],
        last_settled=settled[-1],
    )
    tries = ",".join(f"{outcome.account_id}@{outcome.written_announced}" for outcome in outcomes)
    return announcement(
        data,
        about=f"{operation.sync_id}#{write.contact_type}#{write.detail}#{tries}",
        subject=operation.sync_id,
        correlation_id=operation.correlation,
        time=settled[-1],
    )


def _settled(outcome: AccountOutcome) -> datetime | None:
    """Return when the try ended whose write is announced."""
    ends = (attempt.ended for attempt in outcome.attempts if attempt.started == outcome.written_announced)
    return next(ends, outcome.timestamp)


def _about(operation: SyncOperation) -> dict[str, object]:
    return {
        "sync_id": operation.sync_id,
        "dag_run_id": operation.dag_run_id,
        "contact_types": operation.contact_types,
        "source_account": operation.source_account,
        "config_version": operation.config_version,
        "dry_run": operation.dry_run,
    }

"""What contact synchronization announces on the bus, made from the state that it stores in the same transaction."""

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
    """Announce that an operation was planned; planned again it starts again."""
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
    """Announce an operation's stored end; a report that is repeated and finds the same announces the same event."""
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
    """Announce that an account failed for good; None when the operation's own event says so for all of them.

    That one does not say which of them were written before.
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
    """Announce a write to some accounts, at most ACCOUNTS_AT_MOST and at least one; each outcome has the mark of it."""
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
    """Return when the try ended that the mark is of."""
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

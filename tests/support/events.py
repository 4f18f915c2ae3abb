"""Events, as tests of the bus need them."""

from datetime import datetime, timedelta
from typing import Any

from contactsync.bus.envelope import Event
from contactsync.bus.events import (
    AccountFailed,
    AccountsWritten,
    ConfigurationChanged,
    EventData,
    ExternalEventReported,
    NoticeRequested,
    Severity,
    SyncOperationCompleted,
    SyncOperationFailed,
    SyncOperationHalted,
    SyncOperationStarted,
)
from contactsync.contacts import ContactType
from tests.support.fakes.surroundings import START
from tests.support.recorded import MANAGEMENT_ACCOUNT, MEMBER_ACCOUNT

SYNC_ID = "2f6d7f5e-0000-5000-8000-000000000001"
CORRELATION_ID = "5f0d5c0e-1111-4222-8333-444455556666"
_OPERATION = {
    "sync_id": SYNC_ID,
    "dag_run_id": CORRELATION_ID,
    "contact_types": (ContactType.SECURITY,),
    "source_account": MANAGEMENT_ACCOUNT,
    "config_version": 3,
}
_ENDED = {**_OPERATION, "started": START, "finished": START + timedelta(minutes=2), "counts": {"success": 3}}

DATA: dict[type[EventData], dict[str, Any]] = {
    SyncOperationStarted: {**_OPERATION, "initiating_user": "airflow:admin", "planned": START},
    SyncOperationCompleted: _ENDED,
    SyncOperationFailed: {**_ENDED, "note": "one failed"},
    SyncOperationHalted: {**_ENDED, "code": "TrustedAccessOff", "message": "Trusted access is off."},
    AccountFailed: {
        "sync_id": SYNC_ID,
        "dag_run_id": CORRELATION_ID,
        "account_id": MEMBER_ACCOUNT,
        "contact_type": ContactType.SECURITY,
        "detail": "unavailable",
        "retry_count": 3,
    },
    AccountsWritten: {
        "sync_id": SYNC_ID,
        "dag_run_id": CORRELATION_ID,
        "contact_type": ContactType.SECURITY,
        "detail": "updated",
        "written_fields": ("EmailAddress",),
        "account_ids": (MEMBER_ACCOUNT,),
        "first_settled": START,
        "last_settled": START,
    },
    ConfigurationChanged: {"config_key": "default", "version": 4, "changed_by": "airflow:admin"},
    NoticeRequested: {"notice_id": "n-1", "scenario": "partial_failure", "priority": Severity.MEDIUM},
    ExternalEventReported: {
        "system": "ticketing",
        "kind": "ticket.opened",
        "title": "A ticket",
        "priority": Severity.INFO,
        "details": {},
        "reported_by": "arn:aws:iam::111122223333:role/ticketing",
    },
}
"""The least data of every event type."""


def data_of(kind: type[EventData], **changes: Any) -> EventData:
    """Return valid data of an event type."""
    return kind.model_validate({**DATA[kind], **changes})


def event_of(
    kind: type[EventData] = AccountFailed,
    *,
    event_id: str = "e-1",
    time: datetime = START,
    correlation_id: str = CORRELATION_ID,
    **changes: Any,
) -> Event:
    """Return a valid event."""
    data = data_of(kind, **changes)
    return Event(
        specversion="1.0",
        id=event_id,
        source="/contactsync/test",
        type=data.event_type,
        time=time,
        subject="a subject",
        correlationid=correlation_id,
        severity=data.severity,
        environment="test",
        data=data,
    )

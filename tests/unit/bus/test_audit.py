"""The audit trail: what is kept of an event, and under which names it is found."""

import json
from datetime import timedelta

import pytest

from contactsync.bus.audit import DATA_LIMIT, AuditEntry, entry_of, recorder
from contactsync.bus.events import (
    EVENT_TYPES,
    AccountFailed,
    AccountsWritten,
    ConfigurationChanged,
    EventData,
    NoticeRequested,
    SyncOperationCompleted,
    SyncOperationStarted,
)
from contactsync.errors import ServiceUnavailableError
from tests.support.events import CORRELATION_ID, SYNC_ID, event_of
from tests.support.fakes.bus import FakeAudit
from tests.support.fakes.surroundings import START
from tests.support.recorded import MEMBER_ACCOUNT

OTHER = "444455556666"


@pytest.mark.parametrize(
    ("kind", "changes", "entities"),
    [
        (SyncOperationStarted, {}, (f"operation#{SYNC_ID}",)),
        (AccountFailed, {}, (f"account#{MEMBER_ACCOUNT}", f"operation#{SYNC_ID}")),
        (
            AccountsWritten,
            {"account_ids": (MEMBER_ACCOUNT, OTHER)},
            (f"operation#{SYNC_ID}", f"account#{MEMBER_ACCOUNT}", f"account#{OTHER}"),
        ),
        (ConfigurationChanged, {}, ("configuration#default",)),
        (NoticeRequested, {}, ("notice#n-1",)),
        (NoticeRequested, {"sync_id": SYNC_ID}, ("notice#n-1", f"operation#{SYNC_ID}")),
    ],
)
def test_entities(kind: type[EventData], changes: dict[str, str], entities: tuple[str, ...]) -> None:
    """An event is found under everything that it is about."""
    assert entry_of(event_of(kind, **changes)).entities == entities


@pytest.mark.parametrize("kind", EVENT_TYPES.values())
def test_entry(kind: type[EventData]) -> None:
    """The entry has the envelope, and the data as JSON from which the event can be made again."""
    event = event_of(kind)
    entry = entry_of(event)
    assert (entry.event_id, entry.event_type, entry.correlation_id) == ("e-1", kind.event_type, CORRELATION_ID)
    assert (entry.time, entry.severity, entry.source) == (START, kind.severity, "/contactsync/test")
    assert kind.model_validate_json(entry.data) == event.data
    assert entry.entities


def test_unknown_field_kept_out() -> None:
    """An event about nothing that has a name is found by its subject."""

    class Other(EventData):
        """Data without any of the names."""

    event = event_of().model_copy(update={"data": Other()})
    assert entry_of(event).entities == ("subject#a subject",)


def test_large_data() -> None:
    """Data that no item can hold leaves its size behind, and the row is not lost."""
    entry = entry_of(event_of(error_message="x" * DATA_LIMIT))
    assert json.loads(entry.data)["omitted_bytes"] > DATA_LIMIT
    assert entry_of(event_of(error_message="x" * (DATA_LIMIT // 2))).data.count("x") >= DATA_LIMIT // 2


def test_recorder() -> None:
    """The subscriber adds a row per entity, once however often it is told, and raises when it cannot."""
    trail = FakeAudit()
    record = recorder(trail)
    for _ in range(3):
        record(event_of())
    assert len(trail.rows) == 2
    trail.error = ServiceUnavailableError("PutItem", "InternalServerError")
    with pytest.raises(ServiceUnavailableError):
        record(event_of(event_id="e-2"))


def test_fake_order() -> None:
    """The fake lists as the table does: the newest first, a period without its end."""
    trail = FakeAudit()
    for number in range(3):
        moment = START + timedelta(minutes=number)
        trail.add(entry_of(event_of(SyncOperationCompleted, event_id=f"e-{number}", time=moment)))
    found: list[AuditEntry] = list(trail.during(START, START + timedelta(minutes=2)))
    assert [entry.event_id for entry in found] == ["e-1", "e-0"]

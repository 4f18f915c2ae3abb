"""The port AuditTrail: append-only, found by entity, by correlation id and by day."""

import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from contactsync.aws.tables.audit_table import DynamoDbAuditTrail
from contactsync.bus.audit import DATA_LIMIT, AuditEntry, AuditTrail, entry_of
from contactsync.bus.events import ACCOUNTS_AT_MOST, AccountFailed, AccountsWritten, ConfigurationChanged
from tests.contract.conftest import Adapters
from tests.support.events import event_of
from tests.support.fakes.bus import FakeAudit
from tests.support.fakes.surroundings import START

MINUTE = timedelta(minutes=1)


@pytest.fixture(params=["fake", "sandbox"])
def trail(request: pytest.FixtureRequest) -> AuditTrail:
    """Give the fake, then the adapter."""
    if request.param == "fake":
        return FakeAudit()
    adapters: Adapters = request.getfixturevalue("adapters")
    return adapters.services.audit_trail


@pytest.fixture
def key() -> str:
    """Give a name that no other test uses."""
    return str(uuid.uuid4())


def change(key: str, number: int, start: datetime = START) -> AuditEntry:
    """Return one of several entries about a configuration."""
    event = event_of(
        ConfigurationChanged,
        event_id=f"{key}-{number}",
        correlation_id=key,
        time=start + number * MINUTE,
        config_key=key,
    )
    return entry_of(event)


def ids(entries: Iterator[AuditEntry]) -> list[int]:
    """Return the numbers of entries."""
    return [int(entry.event_id.rpartition("-")[2]) for entry in entries]


def test_by_entity(trail: AuditTrail, key: str) -> None:
    """An entity's entries come whole, the newest first."""
    added = [change(key, number) for number in range(3)]
    for entry in added:
        trail.add(entry)
    assert list(trail.about(f"configuration#{key}")) == added[::-1]
    assert ids(trail.about(f"configuration#{key}", limit=2)) == [2, 1]
    assert list(trail.about(f"configuration#{key}x")) == []


@pytest.mark.parametrize("count", [0, 1, 20, 47])
def test_add_all(trail: AuditTrail, key: str, count: int) -> None:
    """Many entries are added together; those that are there already are left as they are, and hold up no other."""
    added = [change(key, number) for number in range(count)]
    for entry in added[3:5]:
        trail.add(replace(entry, data='{"the": "first"}'))
    trail.add_all(added)
    trail.add_all(added)
    found = list(trail.about(f"configuration#{key}"))
    assert [entry.event_id for entry in found] == [entry.event_id for entry in added[::-1]]
    assert [entry.data for entry in found[::-1][3:5]] == ['{"the": "first"}'] * len(added[3:5])


@pytest.mark.parametrize(
    ("since", "until", "found"),
    [(None, None, [2, 1, 0]), (1, None, [2, 1]), (None, 1, [0]), (1, 2, [1]), (3, None, []), (None, 0, [])],
)
def test_period(trail: AuditTrail, key: str, since: int | None, until: int | None, found: list[int]) -> None:
    """A period has its first moment and not its last."""
    for number in range(3):
        trail.add(change(key, number))
    begin, end = (None if edge is None else START + edge * MINUTE for edge in (since, until))
    assert ids(trail.about(f"configuration#{key}", since=begin, until=end)) == found


def test_append_only(trail: AuditTrail, key: str) -> None:
    """An entry that is there is left as it is, whatever comes with its id and time."""
    trail.add(change(key, 0))
    trail.add(change(key, 0))
    trail.add(replace(change(key, 0), data='{"another": "story"}'))
    assert list(trail.about(f"configuration#{key}")) == [change(key, 0)]


def test_several_entities(trail: AuditTrail, key: str) -> None:
    """An event about several things is found under each, and once by what brought it about."""
    event = event_of(AccountFailed, event_id=f"{key}-0", correlation_id=key, sync_id=key)
    entry = entry_of(event)
    trail.add(entry)
    assert entry in list(trail.about(entry.entities[0]))
    assert list(trail.about(f"operation#{key}")) == [entry]
    assert list(trail.correlated(key)) == [entry]


def test_half_added(trail: AuditTrail, key: str) -> None:
    """An entry that was stored under some of its names only is completed by the next try."""
    entry = entry_of(event_of(AccountFailed, event_id=f"{key}-0", correlation_id=key, sync_id=key))
    trail.add(replace(entry, entities=entry.entities[:1]))
    trail.add(entry)
    assert [found.event_id for found in trail.about(f"operation#{key}")] == [entry.event_id]
    assert len(list(trail.correlated(key))) == 1


def test_many_entities(trail: AuditTrail, key: str) -> None:
    """A row of each of ninety accounts names that account and the operation; half of them stored is completed."""
    account_ids = tuple(f"{uuid.UUID(key).int % 10**9:09}{number:03}" for number in range(ACCOUNTS_AT_MOST))
    event = event_of(AccountsWritten, event_id=f"{key}-0", correlation_id=key, sync_id=key, account_ids=account_ids)
    entry = entry_of(event)
    assert len(entry.entities) == ACCOUNTS_AT_MOST + 1
    trail.add(replace(entry, entities=entry.entities[:7]))
    for _ in range(2):
        trail.add(entry)
    for account_id in account_ids[10:]:
        (row,) = trail.about(f"account#{account_id}")
        assert row == replace(entry, entities=(f"operation#{key}", f"account#{account_id}"))
    assert len(list(trail.about(f"account#{account_ids[0]}"))) == 1
    assert len(list(trail.about(f"operation#{key}"))) == 1
    assert len(list(trail.correlated(key))) == 1


def test_correlated(trail: AuditTrail, key: str) -> None:
    """What one cause brought about is listed in its order, over all days."""
    for number in range(3):
        trail.add(change(key, number * 1440))
    trail.add(change(f"{key}x", 1))
    assert ids(trail.correlated(key)) == [2880, 1440, 0]
    assert ids(trail.correlated(key, limit=1)) == [2880]


def test_during(trail: AuditTrail, key: str) -> None:
    """A period is listed over its days, each entry once."""
    day = datetime(2026, 3, 1, tzinfo=UTC)
    for number in (0, 719, 1439, 1440, 2000, 2880):
        trail.add(change(key, number, day))
    trail.add(entry_of(event_of(AccountFailed, event_id=f"{key}-5000", time=day + MINUTE, sync_id=key)))

    def listed(since: float, until: float, limit: int | None = None) -> list[int]:
        found = trail.during(day + since * MINUTE, day + until * MINUTE, limit=limit)
        return ids(entry for entry in found if entry.event_id.startswith(key))

    assert listed(0, 1440) == [1439, 719, 5000, 0]
    assert listed(719, 2881) == [2880, 2000, 1440, 1439, 719]
    assert listed(0.5, 719) == [5000]
    assert len(list(trail.during(day, day + 2 * timedelta(days=1), limit=2))) == 2


@pytest.mark.parametrize("hours", [0, 1, 30])
def test_period_that_ends_before_it_begins(trail: AuditTrail, key: str, hours: int) -> None:
    """No entry lies in such a period, such as one that begins tomorrow, and AWS is not asked for it."""
    trail.add(change(key, 1))
    until = START + timedelta(hours=2)
    assert list(trail.during(until + timedelta(hours=hours), until)) == []
    assert list(trail.about(f"configuration#{key}", since=until + timedelta(hours=hours), until=until)) == []


def test_pages(trail: AuditTrail, key: str) -> None:
    """More than a page of entries is listed to its end."""
    for number in range(12):
        event = event_of(
            AccountFailed, event_id=f"{key}-{number}", correlation_id=key, sync_id=key, error_message="x" * 200_000
        )
        trail.add(entry_of(event))
    assert sorted(ids(trail.correlated(key))) == list(range(12))


@pytest.mark.parametrize(
    "changes",
    [
        {"sync_id": "\u20ac" * 2000},
        {"event_id": "\u20ac" * 256},
        {"correlation_id": "\U0001f600" * 256},
        {"error_message": "\u20ac" * DATA_LIMIT},
        {"error_message": "\x00 control \u2028"},
    ],
)
def test_any_event(trail: AuditTrail, key: str, changes: dict[str, str]) -> None:
    """Every valid event has its row, however long its names are and whatever its text holds."""
    account = f"{uuid.UUID(key).int % 10**12:012}"
    entry = entry_of(event_of(AccountFailed, **{"event_id": key, "sync_id": key, "account_id": account, **changes}))
    trail.add(entry)
    assert list(trail.about(f"account#{account}")) == [entry]
    assert entry in list(trail.about(entry.entities[1]))
    assert entry in list(trail.correlated(entry.correlation_id))


def test_expiry(adapters: Adapters, key: str) -> None:
    """A row expires after the retention, counted from the event's time."""
    services = adapters.services
    table = services.settings.audit.table
    DynamoDbAuditTrail(services._dynamodb, table, retention_days=400).add(change(key, 0))
    item = services._dynamodb.get_item(
        TableName=table,
        Key={"pk": {"S": f"configuration#{key}"}, "sk": {"S": f"2026-01-14T09:00:00.000000Z#{key}-0"}},
    )["Item"]
    assert int(item["expires_at"]["N"]) == int((START + timedelta(days=400)).timestamp())

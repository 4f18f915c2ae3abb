"""The listings of operations and outcomes, by the DynamoDB adapter on the sandbox: queries and reads, never a scan."""

import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from contactsync.aws.operations.operation_queries import DynamoDbOperationQueries
from contactsync.contacts import ContactType
from contactsync.operations.desired import DesiredContact
from contactsync.operations.operation import (
    AccountOutcome,
    Attempt,
    OperationStatus,
    OutcomeDetail,
    OutcomeStatus,
    SyncOperation,
)
from contactsync.operations.queries import DesiredVersion, Period
from tests.contract.conftest import Adapters
from tests.support import builders
from tests.support.builders import contact_of
from tests.support.fakes.surroundings import START

SECURITY, BILLING = ContactType.SECURITY, ContactType.BILLING
HOUR = timedelta(hours=1)
NUMBER = 7


@pytest.fixture
def queries(adapters: Adapters) -> Iterator[DynamoDbOperationQueries]:
    """Give the adapter, and see that nothing was scanned."""
    yield adapters.services.operation_queries
    assert adapters.sandbox.call_log.query(operation="Scan") == []


@pytest.fixture(scope="module")
def listed(adapters: Adapters) -> list[SyncOperation]:
    """Store operations an hour apart, every third of them failed; newest first."""
    stored = [operation_at(START + number * HOUR) for number in range(NUMBER)]
    failed = [
        replace(one, status=OperationStatus.FAILED, finished=one.timestamp) if number % 3 == 0 else one
        for number, one in enumerate(stored)
    ]
    for one, end in zip(stored, failed, strict=True):
        adapters.services.operations.store_plan(one, [])
        adapters.services.operations.update(end)
    return failed[::-1]


def operation_at(moment: datetime) -> SyncOperation:
    """Return an operation that was planned at a moment."""
    return builders.operation(SECURITY, run=str(uuid.uuid4()), timestamp=moment, planned=moment)


def test_newest_first(queries: DynamoDbOperationQueries, listed: list[SyncOperation]) -> None:
    """All operations are listed, the newest first, or so many of them."""
    assert list(queries.recent()) == listed
    assert list(queries.recent(limit=2)) == listed[:2]


def test_status(queries: DynamoDbOperationQueries, listed: list[SyncOperation]) -> None:
    """The operations of one status are listed alone."""
    for status in OperationStatus:
        assert list(queries.recent(status=status)) == [one for one in listed if one.status is status]


@pytest.mark.parametrize("status", [None, OperationStatus.FAILED])
@pytest.mark.parametrize(
    "period",
    [
        Period(START + 2 * HOUR, START + 4 * HOUR),
        Period(START + 2 * HOUR),
        Period(until=START + 2 * HOUR),
        Period(START + 2 * HOUR - timedelta(microseconds=1), START + 2 * HOUR + timedelta(microseconds=1)),
        Period(START - 9 * HOUR, START),
        Period(START + HOUR, START + HOUR),
        Period(START + 2 * HOUR, START + HOUR),
        Period(),
    ],
)
def test_period(
    queries: DynamoDbOperationQueries, listed: list[SyncOperation], status: OperationStatus | None, period: Period
) -> None:
    """A period has its first moment and not its last; one without a moment has no operations."""
    since, until = period.since or START - 99 * HOUR, period.until or START + 99 * HOUR
    expected = [one for one in listed if since <= one.timestamp < until and status in {None, one.status}]
    assert list(queries.recent(status=status, period=period)) == expected


def test_pages(
    adapters: Adapters,
    queries: DynamoDbOperationQueries,
    listed: list[SyncOperation],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A listing goes on over pages, and reads no more of them than it needs."""
    monkeypatch.setattr("contactsync.aws.dynamodb.items.LARGEST_PAGE", 2)
    before = len(adapters.sandbox.call_log.query(operation="Query"))
    assert list(queries.recent(limit=5)) == listed[:5]
    assert len(adapters.sandbox.call_log.query(operation="Query")) == before + 3
    assert next(queries.recent(limit=5)) == listed[0]
    assert len(adapters.sandbox.call_log.query(operation="Query")) == before + 4


def outcome(account_id: str, contact_type: ContactType, moment: datetime) -> AccountOutcome:
    """Return an account's outcome that was settled at a moment."""
    attempt = Attempt(1, moment, moment, OutcomeStatus.SUCCESS, OutcomeDetail.UPDATED)
    return AccountOutcome(account_id, "an account", contact_type).settled(attempt, generation=1)


def test_account_history(adapters: Adapters, queries: DynamoDbOperationQueries) -> None:
    """One account's settled outcomes of all operations are listed newest first; others and pending ones are not."""
    account_id, other = "987654321012", "987654321022"
    stored = []
    for number in range(4):
        one = operation_at(START + number * HOUR)
        outcomes = [
            outcome(account_id, kind, one.timestamp + n * HOUR / 4) for n, kind in enumerate((BILLING, SECURITY))
        ]
        pending = AccountOutcome(account_id, "an account", ContactType.PRIMARY)
        adapters.services.operations.store_outcomes(one, [*outcomes, pending, outcome(other, SECURITY, one.timestamp)])
        stored += [(one.sync_id, outcome) for outcome in outcomes]
    found = [(past.sync_id, past.outcome) for past in queries.account_history(account_id)]
    assert found == stored[::-1]
    assert [past.outcome for past in queries.account_history(account_id, limit=3)] == [o for _, o in found[:3]]
    period = Period(START + HOUR, START + 2 * HOUR)
    assert [past.outcome for past in queries.account_history(account_id, period=period)] == [o for _, o in stored[2:4]][
        ::-1
    ]
    assert list(queries.account_history("987654321099")) == []


def test_desired(adapters: Adapters) -> None:
    """Of a desired contact only generation and operation are read, of a deletion too."""
    versions = adapters.services.desired_versions
    assert versions.of(ContactType.OPERATIONS) is None
    for generation, contact in enumerate((contact_of(ContactType.OPERATIONS), None), start=1):
        one = operation_at(START)
        adapters.services.operations.store_plan(
            one, [DesiredContact(ContactType.OPERATIONS, generation, one.sync_id, contact)]
        )
        assert versions.of(ContactType.OPERATIONS) == DesiredVersion(ContactType.OPERATIONS, generation, one.sync_id)

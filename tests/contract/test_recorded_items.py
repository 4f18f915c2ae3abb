"""Items as an earlier version stored them are read as before, and the same values are stored as the same items."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from contactsync.account_management.api_operations import ApiOperation
from contactsync.aws.tables.failures_table import DynamoDbFailures
from contactsync.bus.audit import AuditEntry
from contactsync.bus.consume import MessageFailure
from contactsync.bus.events import NoticeRequested, Severity
from contactsync.contacts import ContactType
from contactsync.operations.account_record import AccountRecord, Mark
from contactsync.operations.desired import DesiredContact
from contactsync.operations.operation import (
    AccountOutcome,
    Attempt,
    Decision,
    Halt,
    OperationStatus,
    OutcomeDetail,
    OutcomeStatus,
    SyncOperation,
    TypePlan,
    Verdict,
    sync_id_of,
)
from contactsync.operations.queries import DesiredVersion
from contactsync.pacing.breaker import BreakerState, Bucket, CallCounts, Phase, Transition
from contactsync.services.services import Services
from tests.contract.conftest import Adapters
from tests.support.builders import account, contact_of, operation
from tests.support.fakes.surroundings import START, FakeClock

ITEMS: Final = Path(__file__).parents[1] / "data" / "items.json"
"""In DynamoDB's form, as the version of 28 November 2026 stored them, without the tokens that differ each time."""

BY_THE_CLOCK: Final = frozenset({"token", "requested_at", "expiration"})

BILLING, SECURITY = ContactType.BILLING, ContactType.SECURITY
PUT, GET = ApiOperation.PUT_ALTERNATE_CONTACT, ApiOperation.GET_ALTERNATE_CONTACT
RUN, SMALL_RUN, FIRST_RUN = "recorded", "recorded small", "recorded first"
SYNC_ID, SMALL_ID, FIRST_ID = map(sync_id_of, (RUN, SMALL_RUN, FIRST_RUN))
ONE, TWO, THREE, FOUR = (account(number).account_id for number in range(101, 105))
LATER: Final = START + timedelta(seconds=2, microseconds=345_000)

SMALL: Final = operation(SECURITY, run=SMALL_RUN)
FIRST: Final = operation(SECURITY, run=FIRST_RUN)
WHOLE: Final = replace(
    operation(run=RUN),
    plans={
        BILLING: TypePlan(
            generation=7,
            absent=True,
            approved=True,
            needs_approval=True,
            decision=Decision(Verdict.APPROVED, "airflow:admin", START),
            fingerprint="0f",
            expected=3,
        ),
        SECURITY: TypePlan(generation=None, absent=False, approved=True, fingerprints={"Name": "0f", "Title": "1e"}),
    },
    config_version=4,
    status=OperationStatus.FAILED,
    planned=LATER,
    dry_run=True,
    reason="ticket 7",
    event_id="an event",
    note="A note.",
    counts={"success": 1, "failed": 2},
    would_change={"security": 1},
    finished=LATER,
    halt=Halt("TrustedAccessOff", "It is off.", START),
    follow_up=1,
    followed_by="a run",
    correlation_id="a cause",
    triggered_by="airflow:wanda",
    rules_digest="0f",
    ends=2,
    warnings=("One warning.", "Another."),
    unmatched=("One rule.",),
)

PENDING: Final = AccountOutcome(ONE, "a name", SECURITY)
SETTLED: Final = AccountOutcome(
    TWO,
    "a name",
    SECURITY,
    OutcomeStatus.FAILED,
    OutcomeDetail.THROTTLED,
    changed_fields=("Name", "Title"),
    generation=7,
    error_code="TooManyRequestsException",
    error_message="A sentence.",
    attempts=(
        Attempt(
            1, START, LATER, OutcomeStatus.SUCCESS, OutcomeDetail.DELETED, None, ("Name",), generation=6, deleted=True
        ),
        Attempt(4, START, LATER, OutcomeStatus.FAILED, OutcomeDetail.THROTTLED, "TooManyRequestsException", (), 3, 7),
    ),
    timestamp=LATER,
    paused_since=START,
    announced="an event",
    written_announced=START,
    other_form=("PhoneNumber",),
)
OUTSIDE: Final = AccountOutcome(THREE, "", SECURITY, OutcomeStatus.SKIPPED, OutcomeDetail.EXCLUDED, outside=True)
OLD_OUTCOME: Final = replace(SETTLED, account_id=FOUR, other_form=(), written_announced=None, announced=None)

MARKED: Final = AccountRecord(
    ONE,
    BILLING,
    version=3,
    generation=7,
    fingerprint="0f",
    form="1e",
    writer=SYNC_ID,
    writer_try=2,
    written_fields=("Name",),
    verified_at=LATER,
    mark=Mark("a token", SYNC_ID, 8, START),
)
UNWRITTEN: Final = AccountRecord(TWO, BILLING, version=1)

PROBED: Final = BreakerState(
    PUT,
    version=5,
    phase=Phase.HALF_OPEN,
    episode=2,
    since=START,
    tried=LATER,
    cause="InternalServerException",
    probe="a token",
    transitions=(
        Transition(PUT, START, Phase.CLOSED, Phase.OPEN, "InternalServerException"),
        Transition(PUT, LATER, Phase.OPEN, Phase.HALF_OPEN, "Probe"),
    ),
)
CLOSED: Final = BreakerState(GET, version=1)
BUCKET: Final = Bucket(3, 1_767_000, 5)

DESIRED: Final = DesiredContact(SECURITY, 7, SYNC_ID, contact_of(SECURITY))
DELETION: Final = DesiredContact(BILLING, 8, SYNC_ID, None)

ENTRY: Final = AuditEntry(
    "an event",
    "contactsync.account.failed.v1",
    LATER,
    Severity.HIGH,
    "contactsync",
    "a cause",
    ("operation#recorded", "account#recorded"),
    '{"sync_id": "recorded"}',
    "recorded",
)
FAILURE: Final = MessageFailure("Code", "A sentence.", 3)
REQUEST: Final = NoticeRequested(notice_id="n-1", scenario="halted", priority=Severity.HIGH, code="TrustedAccessOff")
END: Final = {"status": "failed", "code": "Throttling", "at": LATER}


@dataclass(frozen=True)
class Shape:
    """A kind of items: how its value is stored and read by the product's own adapters."""

    table: Callable[[Services], str]
    key: dict[str, str]
    store: Callable[[Services], object] | None
    """None of items that only an earlier version stored."""
    read: Callable[[Services], object]
    value: object


def _state(services: Services) -> str:
    return services.settings.state.table


def _desired(services: Services) -> str:
    return services.settings.desired.table


def _failures(services: Services) -> DynamoDbFailures:
    return DynamoDbFailures(services._dynamodb, services.settings.dead_letters.idempotency_table, FakeClock())


def _operation(value: SyncOperation, *, stored: bool = True) -> Shape:
    return Shape(
        _state,
        {"pk": f"OPERATION#{value.sync_id}", "sk": "OPERATION"},
        (lambda services: services.operations.store_plan(value, [])) if stored else None,
        lambda services: services.operations.get(value.sync_id),
        value,
    )


def _outcome(value: AccountOutcome, *, stored: bool = True) -> Shape:
    def store(services: Services) -> None:
        services.operations.store_plan(SMALL, [])
        services.operations.store_outcomes(SMALL, [value])

    return Shape(
        _state,
        {"pk": f"OUTCOMES#{SMALL_ID}#{value.account_id[-1]}", "sk": f"{value.account_id}#{value.contact_type}"},
        store if stored else None,
        lambda services: services.operations.outcomes_of(SMALL_ID, value.account_id)[value.contact_type],
        value,
    )


def _record(value: AccountRecord) -> Shape:
    before = replace(value, version=value.version - 1)
    return Shape(
        _state,
        {"pk": f"RECORD#{value.account_id}", "sk": str(value.contact_type)},
        lambda services: services.records.replace(before),
        lambda services: services.records.get(value.account_id, value.contact_type),
        value,
    )


def _breaker(value: BreakerState) -> Shape:
    return Shape(
        _state,
        {"pk": "BREAKER#000000000000", "sk": value.api_operation},
        lambda services: services.breakers.change(value.api_operation, lambda _: value),
        lambda services: services.breakers.get(value.api_operation),
        value,
    )


def _desired_contact(value: DesiredContact) -> Shape:
    return Shape(
        _desired,
        {"contact_type": str(value.contact_type)},
        lambda services: services.operations.store_plan(WHOLE, [value]),
        lambda services: services.desired_contacts.latest(value.contact_type),
        value,
    )


def _store_notice(services: Services) -> None:
    services.notice_store.store(SYNC_ID, REQUEST, [])
    services.notice_store.store_delivery(SYNC_ID, "halted", "EMAIL", END)


SHAPES: Final = {
    "operation": _operation(WHOLE),
    "small operation": _operation(SMALL),
    "first operation": _operation(FIRST, stored=False),
    "pending outcome": _outcome(PENDING),
    "settled outcome": _outcome(SETTLED),
    "outcome outside": _outcome(OUTSIDE),
    "old outcome": _outcome(OLD_OUTCOME, stored=False),
    "marked record": _record(MARKED),
    "unwritten record": _record(UNWRITTEN),
    "breaker": _breaker(PROBED),
    "closed breaker": _breaker(CLOSED),
    "breaker's counters": Shape(
        _state,
        {"pk": f"BREAKER#000000000000#{PUT}", "sk": f"3#{BUCKET.number:015}"},
        lambda services: services.breakers.count(PUT, BUCKET, CallCounts(2, 5)),
        lambda services: services.breakers.call_counts(PUT, BUCKET),
        [CallCounts(2, 5)],
    ),
    "desired contact": _desired_contact(DESIRED),
    "desired deletion": _desired_contact(DELETION),
    "desired version": replace(
        _desired_contact(DESIRED),
        read=lambda services: services.desired_versions.of(SECURITY),
        value=DesiredVersion(SECURITY, 7, SYNC_ID),
    ),
    "notice": Shape(
        _state,
        {"pk": f"NOTICES#{SYNC_ID}", "sk": "halted"},
        _store_notice,
        lambda services: list(services.notice_store.deliveries(SYNC_ID)),
        [
            {
                "scenario": "halted",
                "priority": Severity.HIGH,
                "notice_id": "n-1",
                "requested_at": "2026-01-14T09:00:00.000000Z",
                "channel": "EMAIL",
                "status": "failed",
                "code": "Throttling",
                "at": "2026-01-14T09:00:02.345000Z",
            }
        ],
    ),
    "audit row": Shape(
        lambda services: services.settings.audit.table,
        {"pk": "operation#recorded", "sk": "2026-01-14T09:00:02.345000Z#an event"},
        lambda services: services.audit_trail.add(ENTRY),
        lambda services: _only(services.audit_trail.about("operation#recorded")),
        ENTRY,
    ),
    "failure": Shape(
        lambda services: services.settings.dead_letters.idempotency_table,
        {"id": "failure#notices#recorded"},
        lambda services: _failures(services).remember("notices", "recorded", FAILURE),
        lambda services: _failures(services).find("notices", "recorded"),
        FAILURE,
    ),
}


def _only(found: Iterable[Any]) -> Any:
    (one,) = found
    return one


@pytest.fixture(scope="module")
def services(adapters: Adapters) -> Services:
    """Give the services, whose breakers are those of no account that there is."""
    services = adapters.services
    services.breakers._partition = "BREAKER#000000000000"
    return services


def stored_by(shape: Shape, services: Services) -> dict[str, Any]:
    """Store a value where nothing is, and return its item."""
    key: Any = {name: {"S": value} for name, value in shape.key.items()}
    services._dynamodb.delete_item(TableName=shape.table(services), Key=key)
    assert shape.store
    shape.store(services)
    answer = services._dynamodb.get_item(TableName=shape.table(services), Key=key, ConsistentRead=True)
    return dict(answer["Item"])


RECORDED: Final[dict[str, dict[str, Any]]] = json.loads(ITEMS.read_text())


@pytest.mark.parametrize("name", SHAPES)
def test_read(name: str, services: Services) -> None:
    """A recorded item is read as the value that was stored."""
    shape = SHAPES[name]
    services._dynamodb.put_item(TableName=shape.table(services), Item=RECORDED[name])
    assert shape.read(services) == shape.value


def beside(found: Any, recorded: Any) -> Any:
    """Return what is found, without attributes that the recorded value does not have."""
    if isinstance(found, dict) and isinstance(recorded, dict):
        return {name: beside(found[name], recorded[name]) for name in found.keys() & recorded.keys()}
    if isinstance(found, list) and isinstance(recorded, list) and len(found) == len(recorded):
        return [beside(*pair) for pair in zip(found, recorded, strict=True)]
    return found


@pytest.mark.parametrize("name", [name for name, shape in SHAPES.items() if shape.store])
def test_stored(name: str, services: Services) -> None:
    """A value is stored as the recorded item, so that an earlier version can read it; attributes may be added."""
    found, recorded = stored_by(SHAPES[name], services), RECORDED[name]
    for key in BY_THE_CLOCK | ({"expires_at"} if name == "notice" else set()):
        assert (key in found) or (key not in recorded)
        recorded, found = ({k: v for k, v in item.items() if k != key} for item in (recorded, found))
    assert beside(found, recorded) == recorded

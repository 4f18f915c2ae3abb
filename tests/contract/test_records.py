"""The port Records: the fake and the DynamoDB adapter behave alike."""

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier, Lock
from typing import Any

import pytest

from contactsync.aws.operations.records_table import DynamoDbAccountRecords
from contactsync.contacts import ContactType
from contactsync.errors import ServiceUnavailableError, StateConflictError, ThrottledError
from contactsync.operations.account_record import AccountRecord, Mark
from contactsync.operations.ports import AccountRecords
from contactsync.sandbox.requests.faults import CONNECTION_DROPPED, FaultSettings
from tests.contract.conftest import Adapters
from tests.support.builders import account
from tests.support.fakes.state import FakeRecords, FakeState
from tests.support.fakes.surroundings import START, FakeClock

SECURITY, PRIMARY = ContactType.SECURITY, ContactType.PRIMARY
THREADS = 20


class LockedRecords(FakeRecords):
    """The fake, for threads: each call is one step, as a table's is."""

    def __init__(self, state: FakeState) -> None:
        """Begin unlocked."""
        super().__init__(state)
        self._lock = Lock()

    def replace(self, record: AccountRecord, **changes: Any) -> AccountRecord | None:
        """Replace alone."""
        with self._lock:
            return super().replace(record, **changes)


@pytest.fixture(params=["fake", "sandbox"])
def port(request: pytest.FixtureRequest) -> AccountRecords:
    """Give the fake, then the adapter."""
    if request.param == "fake":
        return LockedRecords(FakeState())
    adapters: Adapters = request.getfixturevalue("adapters")
    return adapters.services.records


def adapter(adapters: Adapters, client: Any = None) -> DynamoDbAccountRecords:
    """Return the adapter, with a client of the test's own when one is given."""
    table, own = adapters.services.settings.state.table, adapters.services._dynamodb
    return DynamoDbAccountRecords(client or own, table, conflict_tries=3, clock=FakeClock())


_numbers = iter(range(1, 10**9))


def fresh() -> str:
    """Return the id of an account that no other test has a record of."""
    return f"{300000000000 + next(_numbers):012}"


def mark(seconds: float = 0.25) -> Mark:
    """Return a mark of nobody else's."""
    return Mark(uuid.uuid4().hex, str(uuid.uuid4()), 7, START + timedelta(seconds=seconds))


def stored(port: AccountRecords, account_id: str, **changes: Any) -> AccountRecord:
    """Store the next version of a record."""
    found = port.replace(port.get(account_id, SECURITY), **changes)
    assert found
    return found


def test_unknown(port: AccountRecords) -> None:
    """A record that nobody stored has version 0 and tells nothing."""
    account_id = fresh()
    assert port.get(account_id, SECURITY) == AccountRecord(account_id, SECURITY)


def test_life(port: AccountRecords) -> None:
    """Every state of a record comes back as it was stored, under the next version."""
    account_id = fresh()
    changes: list[dict[str, Any]] = [
        {"mark": mark()},
        {"mark": None, "generation": 3, "fingerprint": "0a" * 32},
        {"verified_at": START + timedelta(microseconds=250)},
        {"mark": mark(9)},
        {"mark": None, "fingerprint": "unknown"},
        {"generation": 4, "fingerprint": "0b" * 32, "verified_at": None},
        {"form": "0c" * 8, "writer": "an operation", "writer_try": 2, "written_fields": ("Name", "Title")},
        {"form": None, "written_fields": ()},
    ]
    expected = AccountRecord(account_id, SECURITY)
    for version, change in enumerate(changes, start=1):
        expected = replace(expected, version=version, **change)
        assert port.replace(port.get(account_id, SECURITY), **change) == expected
        assert port.get(account_id, SECURITY) == expected


def test_types_and_accounts_are_apart(port: AccountRecords) -> None:
    """Contact types and accounts have records of their own."""
    one, other = fresh(), fresh()
    stored(port, one, generation=1)
    assert port.get(one, PRIMARY).version == 0
    assert port.get(other, SECURITY).version == 0


def test_stale(port: AccountRecords) -> None:
    """A change of a version that is not the latest is refused, and changes nothing."""
    account_id = fresh()
    first = stored(port, account_id, generation=1)
    second = stored(port, account_id, generation=2)
    for stale in (AccountRecord(account_id, SECURITY), first):
        assert port.replace(stale, generation=9) is None
    assert port.get(account_id, SECURITY) == second


def test_equal_change(port: AccountRecords) -> None:
    """A change that changes nothing is a new version all the same: somebody was here."""
    account_id = fresh()
    first = stored(port, account_id, generation=1)
    assert stored(port, account_id, generation=1) == replace(first, version=2)


def race(port: AccountRecords, account_id: str, change: Callable[[int], dict[str, Any]]) -> list[AccountRecord]:
    """Let many threads change the same version at once, and return what the winners stored."""
    seen, start = port.get(account_id, SECURITY), Barrier(THREADS)

    def step(number: int) -> AccountRecord | None:
        start.wait(10)
        return port.replace(seen, **change(number))

    with ThreadPoolExecutor(THREADS) as threads:
        return [found for found in threads.map(step, range(THREADS)) if found]


def test_race(port: AccountRecords) -> None:
    """Of many threads that mark the same version at once, the first and any later one, exactly one wins."""
    account_id = fresh()
    for version in (1, 2, 3):
        (winner,) = race(port, account_id, lambda _: {"mark": mark()})
        assert winner.version == version
        assert port.get(account_id, SECURITY) == winner


def test_race_of_equals(port: AccountRecords) -> None:
    """Threads that want the very same change are no exception."""
    same = mark()
    assert len(race(port, fresh(), lambda _: {"mark": same})) == 1


def test_long_race(port: AccountRecords) -> None:
    """However many threads go on until each has won, no version is won twice and none is left out."""
    account_id, wins = fresh(), 3

    def go_on(number: int) -> list[int]:
        won: list[int] = []
        while len(won) < wins:
            if found := port.replace(port.get(account_id, SECURITY), generation=number):
                won.append(found.version)
        return won

    with ThreadPoolExecutor(THREADS) as threads:
        versions = sorted(version for won in threads.map(go_on, range(THREADS)) for version in won)
    assert versions == list(range(1, THREADS * wins + 1))
    assert port.get(account_id, SECURITY).version == THREADS * wins


@pytest.mark.parametrize("count", [0, 1, 100, 101, 250])
def test_many(port: AccountRecords, count: int) -> None:
    """Any number of records is read, those that are there each once, whatever is asked for beside them."""
    ids = [fresh() for _ in range(count)]
    expected = {account_id: stored(port, account_id, generation=1) for account_id in ids[::5]}
    keys = [(account_id, kind) for account_id in ids for kind in (SECURITY, PRIMARY)]
    found = list(port.many(iter(keys)))
    assert len(found) == len(expected)
    assert {record.account_id: record for record in found} == expected


class Client:
    """A DynamoDB client, one operation of which is done by the test."""

    def __init__(self, real: Any, **operations: Callable[[Any, dict[str, Any]], Any]) -> None:
        """Take the real one, and what is done instead of its operations."""
        self._real = real
        self._operations = operations

    def __getattr__(self, name: str) -> Any:
        """Be the real one in everything else."""
        real = getattr(self._real, name)
        if name not in self._operations:
            return real
        return lambda **parameters: self._operations[name](real, parameters)


def test_lost_answer(adapters: Adapters) -> None:
    """A write that the SDK repeats because its answer was lost is a success: the first one and any later one."""

    def twice(real: Any, parameters: dict[str, Any]) -> Any:
        real(**parameters)
        return real(**parameters)

    port, account_id = adapter(adapters, Client(adapters.services._dynamodb, put_item=twice)), fresh()
    for version in (1, 2):
        assert stored(port, account_id, mark=mark()).version == version
        assert port.get(account_id, SECURITY).version == version


def test_lost_answer_and_overtaken(adapters: Adapters) -> None:
    """Not so when somebody else has stored another version since."""
    other, account_id = adapter(adapters), fresh()

    def overtaken(real: Any, parameters: dict[str, Any]) -> Any:
        real(**parameters)
        stored(other, account_id, generation=2)
        return real(**parameters)

    port = adapter(adapters, Client(adapters.services._dynamodb, put_item=overtaken))
    assert port.replace(port.get(account_id, SECURITY), generation=1) is None
    assert other.get(account_id, SECURITY).generation == 2


def test_lost_to_an_equal_write(adapters: Adapters) -> None:
    """Nor when somebody else has stored exactly the same: whose write it is, its random token says."""
    other, account_id, same = adapter(adapters), fresh(), mark()

    def beaten(real: Any, parameters: dict[str, Any]) -> Any:
        stored(other, account_id, mark=same)
        return real(**parameters)

    port = adapter(adapters, Client(adapters.services._dynamodb, put_item=beaten))
    assert port.replace(AccountRecord(account_id, SECURITY), mark=same) is None


@pytest.fixture
def connection_dropped(adapters: Adapters) -> Iterator[Callable[..., None]]:
    """Give what lets DynamoDB drop the connection of some calls; afterwards it drops none."""
    faults, added = adapters.sandbox.conditions.faults, []

    def drop(**settings: Any) -> None:
        added.append(faults.add(FaultSettings(service="dynamodb", error=CONNECTION_DROPPED, **settings)).id)

    yield drop
    for fault in added:
        faults.remove(fault)


@pytest.mark.parametrize("stage", ["before", "after"])
def test_dropped_connection(adapters: Adapters, connection_dropped: Callable[..., None], stage: str) -> None:
    """A write whose connection is dropped, before it arrives or after, is repeated by the SDK and succeeds once."""
    account_id, port = fresh(), adapter(adapters)
    connection_dropped(operation="PutItem", stage=stage, count=1)
    assert stored(port, account_id, generation=1).version == 1
    assert port.get(account_id, SECURITY).generation == 1


def test_no_answer_at_all(adapters: Adapters, connection_dropped: Callable[..., None]) -> None:
    """When no answer comes at all nobody knows, and that is what is raised; the record tells afterwards."""
    account_id, port = fresh(), adapter(adapters)
    connection_dropped(operation="PutItem", stage="after")
    with pytest.raises(ServiceUnavailableError) as caught:
        port.replace(AccountRecord(account_id, SECURITY), generation=1)
    assert not caught.value.answered
    assert caught.value.retryable
    assert port.get(account_id, SECURITY).version == 1


def test_unprocessed(adapters: Adapters) -> None:
    """What DynamoDB leaves over of a batch is asked for again, and consistently."""
    port, asked = adapter(adapters), []
    expected = [stored(port, fresh(), generation=1) for _ in range(7)]

    def some(real: Any, parameters: dict[str, Any]) -> Any:
        ((table, request),) = parameters["RequestItems"].items()
        asked.append(request["ConsistentRead"])
        now, later = request["Keys"][:3], request["Keys"][3:]
        answer = real(RequestItems={table: {**request, "Keys": now}})
        return {**answer, "UnprocessedKeys": {table: {**request, "Keys": later}} if later else {}}

    slow = adapter(adapters, Client(adapters.services._dynamodb, batch_get_item=some))
    found = list(slow.many((record.account_id, SECURITY) for record in expected))
    assert sorted(found, key=lambda record: record.account_id) == expected
    assert asked == [True] * 3


def test_never_processed(adapters: Adapters) -> None:
    """A batch that DynamoDB never finishes is an error: a record that was not read is not one without a mark."""

    def none(_: Any, parameters: dict[str, Any]) -> Any:
        return {"Responses": {}, "UnprocessedKeys": parameters["RequestItems"]}

    port = adapter(adapters, Client(adapters.services._dynamodb, batch_get_item=none))
    with pytest.raises(StateConflictError) as caught:
        list(port.many([(account(1).account_id, SECURITY)]))
    assert caught.value.retryable


@pytest.mark.parametrize(
    ("operation", "act"),
    [
        ("GetItem", lambda port: port.get(account(1).account_id, SECURITY)),
        ("PutItem", lambda port: port.replace(AccountRecord(account(1).account_id, SECURITY), generation=1)),
        ("BatchGetItem", lambda port: list(port.many([(account(1).account_id, SECURITY)]))),
    ],
)
def test_throttled(adapters: Adapters, operation: str, act: Callable[[AccountRecords], object]) -> None:
    """An error of the table is ours, and about no account."""
    faults = adapters.sandbox.conditions.faults
    added = faults.add(
        FaultSettings(service="dynamodb", operation=operation, error="ProvisionedThroughputExceededException")
    )
    try:
        with pytest.raises(ThrottledError) as caught:
            act(adapter(adapters))
    finally:
        faults.remove(added.id)
    assert (caught.value.api_operation, caught.value.account_id) == (operation, None)


def test_never_expires(adapters: Adapters) -> None:
    """A record has no expiry, is in no index, and shares its partition with its account's other records only."""
    account_id = fresh()
    stored(adapter(adapters), account_id, mark=mark(), generation=1, fingerprint="0a" * 32, verified_at=START)
    client, table = adapters.services._dynamodb, adapters.services.settings.state.table
    key = {"pk": {"S": f"RECORD#{account_id}"}, "sk": {"S": "security"}}
    item = client.get_item(TableName=table, Key=key)["Item"]
    indexes = client.describe_table(TableName=table)["Table"].get("GlobalSecondaryIndexes", [])
    hashes = {part["AttributeName"] for index in indexes for part in index["KeySchema"] if part["KeyType"] == "HASH"}
    assert not {"expires_at", *hashes} & item.keys()

"""The port Breakers: the fake and the DynamoDB adapter behave alike."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest

from contactsync.account_management.api_operations import ApiOperation
from contactsync.aws.tables.breaker_table import DynamoDbBreakers
from contactsync.errors import StateConflictError
from contactsync.pacing.breaker import BUCKETS, BreakerConfig, BreakerState, Bucket, CallCounts, Phase
from contactsync.pacing.ports import Breakers
from tests.contract.conftest import Adapters
from tests.support.fakes.pacing import FakeBreakers
from tests.support.fakes.surroundings import START, FakeClock

GET, PUT = ApiOperation.GET_ALTERNATE_CONTACT, ApiOperation.PUT_ALTERNATE_CONTACT
CODE = "InternalServerException"
CONFIG = BreakerConfig()

Step = Callable[[BreakerState], BreakerState]


def adapter_for(adapters: Adapters, caller: str, client: Any = None) -> DynamoDbBreakers:
    """Return the adapter for one caller account."""
    table, own = adapters.services.settings.state.table, adapters.services._dynamodb
    return DynamoDbBreakers(client or own, table, caller_account=caller, conflict_tries=5, clock=FakeClock())


@pytest.fixture(params=["fake", "sandbox"])
def port(request: pytest.FixtureRequest) -> Breakers:
    """Give the fake, then the adapter for a caller account that nobody used yet."""
    if request.param == "fake":
        return FakeBreakers()
    return adapter_for(request.getfixturevalue("adapters"), str(uuid.uuid4()))


def after(seconds: float) -> datetime:
    """Return the time so many seconds after the start."""
    return START + timedelta(seconds=seconds)


def trip(seconds: float = 0, episode: int = 0) -> Step:
    """Return the step that opens."""
    return lambda state: state.tripped(after(seconds), CODE, episode)


def claim(token: str, seconds: float = 15) -> Step:
    """Return the step that begins a probe."""
    return lambda state: state.claimed(token, after(seconds), CONFIG)


def test_unknown(port: Breakers) -> None:
    """A breaker that nobody stored is closed."""
    assert port.get(PUT) == BreakerState(PUT)


def test_life(port: Breakers) -> None:
    """Every state of an outage comes back as it was stored."""
    steps: list[Step] = [
        trip(),
        claim("me"),
        lambda state: state.failed("me", after(20.5), "ReadTimeoutError"),
        claim("other", 40),
        lambda state: state.released("other"),
        claim("me", 41),
        lambda state: state.succeeded("me", after(42)),
        trip(50, episode=1),
    ]
    for number, step in enumerate(steps, start=1):
        state = port.change(PUT, step)
        assert port.get(PUT) == state
        assert state.version == number
    assert port.get(GET) == BreakerState(GET)


def test_no_change(port: Breakers) -> None:
    """A step that changes nothing writes nothing."""
    assert port.change(PUT, lambda state: state).version == 0
    port.change(PUT, trip())
    assert port.change(PUT, trip()).version == 1


def test_race(port: Breakers) -> None:
    """When somebody else was faster the step is asked again, about what that one stored."""
    seen: list[Phase] = []

    def slow(state: BreakerState) -> BreakerState:
        seen.append(state.phase)
        if len(seen) == 1:
            port.change(PUT, trip())
        return state.tripped(after(1), "ReadTimeoutError", 0)

    assert port.change(PUT, slow).cause == CODE
    assert seen == [Phase.CLOSED, Phase.OPEN]


def test_endless_race(port: Breakers) -> None:
    """A step that always loses gives up; the task tries again."""

    def unlucky(state: BreakerState) -> BreakerState:
        episode = port.get(PUT).episode
        port.change(PUT, trip(episode=episode))
        port.change(PUT, claim("other"))
        port.change(PUT, lambda found: found.succeeded("other", after(16)))
        return state.tripped(after(1), CODE, state.episode)

    with pytest.raises(StateConflictError, match="The breaker of PutAlternateContact"):
        port.change(PUT, unlucky)


def test_one_probe(port: Breakers) -> None:
    """Of many workers that want to probe at the same moment, one does."""
    port.change(PUT, trip())
    tokens = [uuid.uuid4().hex for _ in range(24)]
    with ThreadPoolExecutor(24) as threads:
        states = list(threads.map(lambda token: port.change(PUT, claim(token)), tokens))
    winners = [token for token, state in zip(tokens, states, strict=True) if state.is_probed_by(token)]
    assert len(winners) == 1
    assert {state.probe for state in states} == set(winners)


def test_one_opening(port: Breakers) -> None:
    """Many workers that find an outage at the same moment open the breaker once."""
    with ThreadPoolExecutor(24) as threads:
        states = list(threads.map(lambda number: port.change(PUT, trip(number / 100)), range(24)))
    assert {state.version for state in states} == {1}
    assert len(port.transitions(START)) == 1


def test_counters(port: Breakers) -> None:
    """Calls of many workers add up in their bucket; a window's buckets come newest first, whatever their numbers."""
    bucket = Bucket(episode=2, number=100, seconds=5)
    with ThreadPoolExecutor(24) as threads:
        list(threads.map(lambda _: port.count(PUT, bucket, CallCounts(failures=1, answers=2)), range(24)))
    port.count(PUT, bucket.earlier(1), CallCounts(answers=5))
    port.count(PUT, bucket.earlier(BUCKETS), CallCounts(failures=3))
    port.count(PUT, bucket.earlier(BUCKETS + 1), CallCounts(failures=100))
    assert port.call_counts(PUT, bucket) == [
        CallCounts(failures=24, answers=48),
        CallCounts(answers=5),
        CallCounts(failures=3),
    ]
    assert port.call_counts(PUT, bucket.earlier(1)) == [
        CallCounts(answers=5),
        CallCounts(failures=3),
        CallCounts(failures=100),
    ]


def test_other_counters(port: Breakers) -> None:
    """Other operations and episodes count for themselves, and what nobody counted is nothing."""
    bucket = Bucket(episode=2, number=100, seconds=5)
    port.count(PUT, bucket, CallCounts(failures=1))
    assert port.call_counts(GET, bucket) == []
    assert port.call_counts(PUT, Bucket(1, 100, 5)) == []
    assert port.call_counts(PUT, Bucket(20, 100, 5)) == []
    assert port.call_counts(PUT, Bucket(2, 99, 5)) == []
    assert port.call_counts(PUT, Bucket(2, 101 + BUCKETS, 5)) == []


def test_transitions(port: Breakers) -> None:
    """All operations' transitions are told in the order of time, from a time on."""
    port.change(PUT, trip(1))
    port.change(GET, trip(2))
    port.change(PUT, claim("me", 20))
    port.store_access_check(START)
    found = [(change.api_operation, change.before, change.after, change.time) for change in port.transitions(after(2))]
    assert found == [
        (GET, Phase.CLOSED, Phase.OPEN, after(2)),
        (PUT, Phase.OPEN, Phase.HALF_OPEN, after(20)),
    ]
    assert len(port.transitions(START)) == 3
    assert port.transitions(after(21)) == []


def test_access_check(port: Breakers) -> None:
    """The time of the last good check is what was stored last."""
    assert port.access_checked() is None
    for seconds in (0, 5.25):
        port.store_access_check(after(seconds))
        assert port.access_checked() == after(seconds)


class RepeatingClient:
    """A client whose SDK repeats a write that had arrived, because the answer was lost."""

    def __init__(self, client: Any) -> None:
        """Take the real one."""
        self._client = client

    def __getattr__(self, name: str) -> Any:
        """Be the real one in everything else."""
        return getattr(self._client, name)

    def put_item(self, **parameters: Any) -> Any:
        """Write twice."""
        self._client.put_item(**parameters)
        return self._client.put_item(**parameters)


def test_lost_answer(adapters: Adapters) -> None:
    """A write whose first answer was lost is recognized by its token, also when the breaker is new."""
    port = adapter_for(adapters, str(uuid.uuid4()), RepeatingClient(adapters.services._dynamodb))
    assert port.change(PUT, trip()).version == 1
    assert port.change(PUT, claim("me")).is_probed_by("me")
    assert port.get(PUT).version == 2


def test_callers(adapters: Adapters) -> None:
    """Each caller account has breakers of its own."""
    one, other = (adapter_for(adapters, str(uuid.uuid4())) for _ in range(2))
    one.change(PUT, trip())
    one.store_access_check(START)
    assert other.get(PUT).phase is Phase.CLOSED
    assert other.access_checked() is None
    assert other.transitions(START) == []


def test_expiry(adapters: Adapters) -> None:
    """Counters expire some windows later; a breaker never does."""
    caller = str(uuid.uuid4())
    port = adapter_for(adapters, caller)
    bucket = CONFIG.bucket_at(START, 0)
    port.count(PUT, bucket, CallCounts(failures=1))
    port.change(PUT, trip())
    client, table = adapters.services._dynamodb, adapters.services.settings.state.table
    (counter,) = client.query(
        TableName=table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": f"BREAKER#{caller}#{PUT}"}},
    )["Items"]
    assert int(counter["expires_at"]["N"]) == bucket.end + 10 * CONFIG.window
    breaker = client.get_item(TableName=table, Key={"pk": {"S": f"BREAKER#{caller}"}, "sk": {"S": PUT}})["Item"]
    assert "expires_at" not in breaker

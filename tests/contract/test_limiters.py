"""The port Limiter: the fake and the DynamoDB adapter behave alike."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from contactsync.account_management.api_operations import ApiOperation
from contactsync.account_management.quotas import RatesConfig
from contactsync.aws.dynamodb.items import to_item
from contactsync.aws.tables.limiter_table import DynamoDbLimiter
from contactsync.clock import Clock
from contactsync.errors import WaitingError
from contactsync.pacing.ports import Limiter
from contactsync.pacing.rates import Rate
from contactsync.sandbox.requests.faults import FaultSettings
from tests.contract.conftest import Adapters
from tests.support.fakes.pacing import FakeLimiter, FakeLimiterItems
from tests.support.fakes.surroundings import START, FakeClock

GET, PUT = ApiOperation.GET_ALTERNATE_CONTACT, ApiOperation.PUT_ALTERNATE_CONTACT
RATES = RatesConfig(operations={PUT: Rate(rate=10, burst=4)}, clock_skew=0, max_wait=5)

PacerOf = Callable[[Clock], Limiter]


@dataclass
class Worker:
    """A worker, whose clock may be wrong by some seconds."""

    make: PacerOf
    wrong: float = 0

    def reserve(self, api: ApiOperation = PUT, *, at: float = 0, rates: RatesConfig = RATES) -> float:
        """Reserve a turn so many seconds after the start, and return how much later it is."""
        clock = FakeClock(START + timedelta(seconds=at + self.wrong))
        wait = self.make(clock).reserve(api, rates)
        return round(wait + sum(clock.slept), 6)


@pytest.fixture(params=["fake", "sandbox"])
def make(request: pytest.FixtureRequest) -> PacerOf:
    """Give what makes a worker's limiter: the fake's, then the adapter's, of a caller account that nobody used yet."""
    if request.param == "fake":
        limiters = FakeLimiterItems()
        return lambda clock: FakeLimiter(clock, limiters)
    adapters: Adapters = request.getfixturevalue("adapters")
    return adapter_for(adapters, str(uuid.uuid4()))


def adapter_for(adapters: Adapters, caller: str) -> PacerOf:
    """Return what makes adapters for one caller account."""
    table, client = adapters.services.settings.state.table, adapters.services._dynamodb
    return lambda clock: DynamoDbLimiter(client, table, caller_account=caller, conflict_tries=5, clock=clock)


@pytest.fixture
def worker(make: PacerOf) -> Worker:
    """Give a worker whose clock is right."""
    return Worker(make)


def test_burst(worker: Worker) -> None:
    """After a pause a burst goes at once; further calls queue, one interval apart."""
    assert [worker.reserve() for _ in range(7)] == [0, 0, 0, 0, 0.1, 0.2, 0.3]


def test_steady(worker: Worker) -> None:
    """Calls at the allowed rate never wait."""
    assert [worker.reserve(at=number / 10) for number in range(20)] == [0] * 20


def test_burst_again(worker: Worker) -> None:
    """A pause fills the burst again, and never beyond."""
    for _ in range(6):
        worker.reserve()
    assert [worker.reserve(at=100) for _ in range(5)] == [0, 0, 0, 0, 0.1]


def test_partly_full(worker: Worker) -> None:
    """A short pause gives back as many calls as the rate allows in it."""
    for _ in range(4):
        worker.reserve()
    assert [worker.reserve(at=0.2) for _ in range(3)] == [0, 0, 0.1]


def test_operations(worker: Worker) -> None:
    """Every API operation has a queue of its own."""
    for _ in range(6):
        worker.reserve(PUT)
    assert worker.reserve(GET) == 0


def test_full(worker: Worker) -> None:
    """Nobody queues for longer than the configuration allows: the task pauses for about as long as the queue."""
    rates = RATES.model_copy(update={"max_wait": 0.3})
    assert [worker.reserve(rates=rates) for _ in range(7)] == [0, 0, 0, 0, 0.1, 0.2, 0.3]
    for _ in range(3):
        with pytest.raises(WaitingError) as caught:
            worker.reserve(rates=rates)
        assert caught.value.code == "Backlog"
        assert 0.4 <= caught.value.resume_in <= 0.5


def test_full_reserves_nothing(worker: Worker) -> None:
    """Whoever pauses holds no turn: the queue is as long as without."""
    rates = RATES.model_copy(update={"max_wait": 0.3})
    for _ in range(7):
        worker.reserve(rates=rates)
    with pytest.raises(WaitingError):
        worker.reserve(rates=rates)
    assert worker.reserve(at=0.2, rates=rates) == 0.2


def test_clocks(make: PacerOf) -> None:
    """A clock that is behind waits for the one ahead; together they get no more than the difference is worth."""
    ahead, behind = Worker(make, wrong=1), Worker(make)
    assert [behind.reserve() for _ in range(4)] == [0] * 4
    assert [ahead.reserve() for _ in range(4)] == [0] * 4
    assert behind.reserve() == 1.1
    assert ahead.reserve() == 0.2


def test_wrong_clock(make: PacerOf) -> None:
    """A worker whose clock was a day ahead blocks nobody once it is gone."""
    Worker(make, wrong=86_400).reserve()
    assert [Worker(make).reserve() for _ in range(5)] == [0, 0, 0, 0, 0.1]


def test_late_clock(make: PacerOf) -> None:
    """A worker whose clock is far behind pauses, and changes nothing for the others."""
    Worker(make).reserve()
    with pytest.raises(WaitingError):
        Worker(make, wrong=-3600).reserve()
    assert [Worker(make).reserve() for _ in range(4)] == [0, 0, 0, 0.1]


def test_many_at_once(worker: Worker) -> None:
    """Of many workers at the same moment every one gets a turn of its own, and no turn is lost."""
    with ThreadPoolExecutor(24) as threads:
        waits = sorted(threads.map(lambda _: worker.reserve(), range(48)))
    assert max(waits[:4]) < 0.1  # whoever lost the race to begin has slept a moment
    assert waits[4:] == [number / 10 for number in range(1, 45)]


def test_callers(adapters: Adapters) -> None:
    """Each caller account has quotas of its own."""
    one, other = (Worker(adapter_for(adapters, str(uuid.uuid4()))) for _ in range(2))
    for _ in range(6):
        one.reserve()
    assert other.reserve() == 0


class SlowClient:
    """A client whose first answers come late."""

    def __init__(self, client: Any, clock: FakeClock, delays: list[float]) -> None:
        """Take the real one, and how many seconds each answer takes."""
        self._client, self._clock, self._delays = client, clock, delays

    def __getattr__(self, name: str) -> Any:
        """Be the real one in everything else."""
        return getattr(self._client, name)

    def update_item(self, **parameters: Any) -> Any:
        """Answer late."""
        try:
            return self._client.update_item(**parameters)
        finally:
            self._clock.time += timedelta(seconds=self._delays.pop(0) if self._delays else 0)


def item_of(adapters: Adapters, caller: str) -> Any:
    """Return the limiter's item as it is stored."""
    return adapters.services._dynamodb.get_item(
        TableName=adapters.services.settings.state.table,
        Key={"pk": {"S": f"PACE#{caller}"}, "sk": {"S": PUT}},
    )["Item"]


def after(seconds: float) -> int:
    """Return the microseconds since 1970, so many seconds after the start."""
    return int((START.timestamp() + seconds) * 1_000_000)


@pytest.mark.parametrize(("delay", "arrival"), [(0.4, 0.1), (0.6, 0.7)])
def test_missed(adapters: Adapters, delay: float, arrival: float) -> None:
    """A turn that has passed when the table answers is not used late, together with the next ones."""
    caller, clock = str(uuid.uuid4()), FakeClock()
    table, client = adapters.services.settings.state.table, adapters.services._dynamodb
    # The first answer says that there is no queue, the second that the turn is reserved.
    slow = SlowClient(client, clock, [0, delay])
    limiter = DynamoDbLimiter(slow, table, caller_account=caller, conflict_tries=5, clock=clock)  # type: ignore[arg-type]
    assert limiter.reserve(PUT, RATES) == 0
    assert 0 <= int(item_of(adapters, caller)["arrival"]["N"]) - after(arrival) < 100_000


def test_never_in_time(adapters: Adapters) -> None:
    """When every answer is late the last turn is used all the same: nobody waits for ever."""
    clock = FakeClock()
    table, client = adapters.services.settings.state.table, adapters.services._dynamodb
    slow = SlowClient(client, clock, [10.0] * 30)
    limiter = DynamoDbLimiter(
        slow,  # type: ignore[arg-type]
        table,
        caller_account=str(uuid.uuid4()),
        conflict_tries=3,
        clock=clock,
    )
    assert limiter.reserve(PUT, RATES) == 0


def test_outrun(adapters: Adapters) -> None:
    """A call that others are always faster than comes back soon, which is no failure."""
    caller = str(uuid.uuid4())
    faults = adapters.sandbox.conditions.faults
    fault = faults.add(
        FaultSettings(service="dynamodb", containing=f"PACE#{caller}", error="ConditionalCheckFailedException")
    )
    worker = Worker(adapter_for(adapters, caller))
    try:
        with pytest.raises(WaitingError) as paused:
            worker.reserve()
    finally:
        faults.remove(fault.id)
    assert 1 <= paused.value.resume_in <= 2


def test_item(adapters: Adapters) -> None:
    """The item holds one number, and never expires."""
    caller = str(uuid.uuid4())
    Worker(adapter_for(adapters, caller)).reserve()
    expected = {"pk": {"S": f"PACE#{caller}"}, "sk": {"S": PUT}, "arrival": {"N": str(after(0.1))}}
    assert item_of(adapters, caller) == expected


@pytest.mark.parametrize("arrival", ["soon", True, None, [1], {"at": 1}, "1e99", 1.5])
def test_unreadable_item(adapters: Adapters, arrival: object) -> None:
    """Whatever stands in the place of a time, or a fraction of one, the limiter gives turns and counts on."""
    caller, client = str(uuid.uuid4()), adapters.services._dynamodb
    table = adapters.services.settings.state.table
    client.put_item(TableName=table, Item={**_key(caller), "arrival": to_value(arrival)})
    worker = Worker(adapter_for(adapters, caller))
    assert [worker.reserve() for _ in range(5)] == [0, 0, 0, 0, 0.1]
    assert "N" in client.get_item(TableName=table, Key=_key(caller))["Item"]["arrival"]


def _key(caller: str) -> dict[str, Any]:
    return {"pk": {"S": f"PACE#{caller}"}, "sk": {"S": str(PUT)}}


def to_value(value: object) -> Any:
    """Return DynamoDB's form, also of what the product never stores."""
    return {"NULL": True} if value is None else to_item({"value": value})["value"]

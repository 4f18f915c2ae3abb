"""The guard with its adapters, against the sandbox's quotas and faults: the call log is the judge."""

import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contactsync.account_management.api_operations import ApiOperation
from contactsync.aws.tables.breaker_table import DynamoDbBreakers
from contactsync.aws.tables.limiter_table import DynamoDbLimiter
from contactsync.clock import SystemClock
from contactsync.contacts import ContactType
from contactsync.errors import ServiceUnavailableError, WaitingError
from contactsync.pacing.breaker import BreakerConfig, Phase
from contactsync.pacing.guarded_calls import CallGuard
from contactsync.pacing.rates import Pace, Rate
from contactsync.sandbox.contacts.defaults import MANAGEMENT_ACCOUNT, member_account_id
from contactsync.sandbox.requests.call_log import ApiCall
from contactsync.sandbox.requests.faults import FaultSettings
from contactsync.sandbox.requests.quotas import QuotaSettings
from tests.contract.conftest import Adapters
from tests.support.builders import configuration

SECURITY = ContactType.SECURITY
GET = ApiOperation.GET_ALTERNATE_CONTACT
ACCOUNT = member_account_id(2)
WORKERS = 8


class WrongClock(SystemClock):
    """A worker's clock that is ahead by some seconds."""

    def __init__(self, ahead: float) -> None:
        """Take how far."""
        self._ahead = timedelta(seconds=ahead)

    def now(self) -> datetime:
        """Return the wrong time."""
        return super().now() + self._ahead


@pytest.fixture
def world(adapters: Adapters) -> Iterator[Adapters]:
    """Give the sandbox with AWS's quotas in force and an empty call log."""
    adapters.sandbox.conditions.quotas.settings = QuotaSettings()
    adapters.sandbox.call_log.clear()
    yield adapters
    adapters.sandbox.conditions.quotas.settings = QuotaSettings(enabled=False)
    adapters.sandbox.conditions.faults.clear()


def call_guard(world: Adapters, ahead: float, caller: str = MANAGEMENT_ACCOUNT) -> CallGuard:
    """Return the guard of a worker whose clock is ahead."""
    clock = WrongClock(ahead)
    parts: Any = {"caller_account": caller, "conflict_tries": 5, "clock": clock}
    client, table = world.services._dynamodb, world.services.settings.state.table
    limiter, breakers = DynamoDbLimiter(client, table, **parts), DynamoDbBreakers(client, table, **parts)
    return CallGuard(limiter, breakers, clock, throttle_tries=1, throttle_wait=1)


def read_by_many(world: Adapters, calls: int, caller: str = MANAGEMENT_ACCOUNT, **settings: Any) -> list[ApiCall]:
    """Let workers with different clocks read at once, and return their calls as the sandbox saw them."""
    pinned = configuration(**settings)
    before = len(reads(world))

    def read(number: int) -> None:
        guarded = call_guard(world, ahead=number % WORKERS / WORKERS, caller=caller).guarded_calls(pinned)
        with suppress(WaitingError, ServiceUnavailableError):
            guarded.call(GET, lambda: world.services.contacts.read(SECURITY, ACCOUNT))
        guarded.finish()

    with ThreadPoolExecutor(WORKERS) as threads:
        list(threads.map(read, range(calls)))
    return reads(world)[before:]


def reads(world: Adapters) -> list[ApiCall]:
    """Return the reads that reached the sandbox."""
    return world.sandbox.call_log.query(operation=GET)


def test_no_throttling(world: Adapters) -> None:
    """Workers whose clocks differ by nearly a second are never throttled."""
    calls = read_by_many(world, 45)
    assert [call.error_code for call in calls] == [None] * 45


def test_throttling_without_limiter(world: Adapters) -> None:
    """Without the limiter the same calls are."""
    calls = read_by_many(world, 45, rates={"enabled": False})
    assert len([call for call in calls if call.error_code == "TooManyRequestsException"]) > 5


def test_outage(world: Adapters) -> None:
    """Of many calls of a failing service few reach AWS, and one probe brings everybody back."""
    caller = str(uuid.uuid4())
    quick: Any = {"rates": {"enabled": False}, "breaker": {"threshold": 5, "open_for": 1.5}}
    world.sandbox.conditions.faults.add(FaultSettings(operation=GET, error="InternalServerException"))
    assert 5 <= len(read_by_many(world, 60, caller, **quick)) <= 10 + WORKERS
    breakers = call_guard(world, 0, caller).breakers
    assert breakers.get(GET).phase is Phase.OPEN
    world.sandbox.conditions.faults.clear()
    world.sandbox.conditions.quotas.settings = QuotaSettings(enabled=False)
    wait_until(lambda: bool(read_by_many(world, 1, caller, **quick)))
    assert len(read_by_many(world, 20, caller, **quick)) == 20
    started = datetime.now(UTC) - timedelta(minutes=1)
    changes = [change.after for change in breakers.transitions(started)]
    assert (changes[0], changes[-2:]) == (Phase.OPEN, [Phase.HALF_OPEN, Phase.CLOSED])


@dataclass
class Mails:
    """Another service's quota: one mail in ten seconds, two at once."""

    enabled: bool = True
    api_operations: tuple[str, ...] = ("SendEmail",)

    def pace(self, api: str) -> Pace:
        """Return the rate of any of its calls."""
        assert api == "SendEmail"
        return Pace.of(Rate(rate=0.1, burst=2), max_wait=5)


@dataclass
class MailPacing:
    """What a capability beside contact synchronization says about its calls."""

    rates: Mails = field(default_factory=Mails)
    breaker: BreakerConfig = field(default_factory=lambda: BreakerConfig(threshold=2, open_for=600))


def test_another_service(world: Adapters) -> None:
    """Calls of any service are paced and guarded for each caller account; the guard knows no service by name."""
    caller, other = str(uuid.uuid4()), str(uuid.uuid4())
    sent: list[str] = []

    def send(account: str) -> None:
        guarded = call_guard(world, ahead=0, caller=account).guarded_calls(MailPacing())
        guarded.call("SendEmail", lambda: sent.append(account))

    send(caller)
    send(caller)
    with pytest.raises(WaitingError):
        send(caller)
    send(other)
    assert sent[-1] == other


def test_another_service_fails(world: Adapters) -> None:
    """An outage of another service opens the breaker of its operation, and a new operation lets one call through."""
    caller = str(uuid.uuid4())
    keeper = call_guard(world, ahead=0, caller=caller)

    def fail() -> None:
        raise ServiceUnavailableError("SendEmail", "InternalFailure")

    for error in (ServiceUnavailableError, WaitingError):
        with pytest.raises(error):
            keeper.guarded_calls(MailPacing()).call("SendEmail", fail)
    breakers = keeper.breakers
    assert breakers.get("SendEmail").phase is Phase.OPEN
    assert [change.api_operation for change in breakers.transitions(datetime.now(UTC) - timedelta(minutes=1))] == [
        "SendEmail"
    ]
    keeper.guarded_calls(MailPacing(breaker=BreakerConfig(max_pause=1e-9))).reset()
    assert breakers.get("SendEmail").phase is Phase.HALF_OPEN


def wait_until(condition: Callable[[], bool], seconds: float = 120) -> None:
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)

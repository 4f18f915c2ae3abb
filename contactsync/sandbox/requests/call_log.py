"""The log of requests to the sandbox, kept in memory for tests, for people and for CloudTrail events."""

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

CAPACITY = 200_000  # calls
ANY_ERROR = "*"
_CONTACT_TYPES = frozenset({"BILLING", "OPERATIONS", "SECURITY"})

Subscriber = Callable[["ApiCall"], None]


@dataclass(frozen=True)
class ApiCall:
    """One request that reached the sandbox; `parameters` may hold contact values and never leaves the process."""

    sequence: int
    time: datetime
    service: str
    operation: str
    caller_account: str
    caller_arn: str
    source_ip: str
    user_agent: str
    region: str
    target_account: str | None
    parameters: Mapping[str, object]
    status: int
    error_code: str | None
    error_message: str | None
    duration: float
    """In seconds."""
    request_id: str
    applied: bool = False
    """Whether the service carried out the call, also when its client got an error."""

    @property
    def account(self) -> str:
        """The account that the call is about: the one that the request names, or else the caller's own."""
        return self.target_account or self.caller_account

    def as_json(self) -> dict[str, object]:
        """Describe the call without its parameters and its error message, which can both hold contact values."""
        return {
            "sequence": self.sequence,
            "time": self.time.isoformat(),
            "service": self.service,
            "operation": self.operation,
            "account": self.account,
            "caller_account": self.caller_account,
            "caller_arn": self.caller_arn,
            "target_account": self.target_account,
            "contact_type": self._contact_type(),
            "region": self.region,
            "source_ip": self.source_ip,
            "user_agent": self.user_agent,
            "status": self.status,
            "error_code": self.error_code,
            "duration": round(self.duration, 4),
            "request_id": self.request_id,
        }

    def _contact_type(self) -> str | None:
        given = self.parameters.get("AlternateContactType")
        return given if isinstance(given, str) and given in _CONTACT_TYPES else None  # other text is the client's own


class CallLog:
    """A log of at most `capacity` calls, written by many threads; the oldest calls are dropped first."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._lock = threading.Lock()
        self._calls: deque[ApiCall] = deque(maxlen=capacity)
        self._last_sequence = 0
        self._subscribers: list[Subscriber] = []

    def append(self, call: ApiCall) -> ApiCall:
        """Store the call with the next sequence number, pass it to the subscribers, and return the stored call."""
        with self._lock:
            self._last_sequence += 1
            kept = replace(call, sequence=self._last_sequence)
            self._calls.append(kept)
            subscribers = tuple(self._subscribers)
        for subscriber in subscribers:
            subscriber(kept)
        return kept

    def query(
        self,
        *,
        service: str | None = None,
        operation: str | None = None,
        account: str | None = None,
        caller: str | None = None,
        since: int | datetime | None = None,
        error: str | None = None,
    ) -> list[ApiCall]:
        """List the calls that pass all filters, oldest first.

        `account` is the account acted on, `caller` the calling account or a part of its ARN, `since` a sequence number
        or a time after which calls are wanted, and `error` an error code, or "*" for every failed call.
        """
        with self._lock:
            calls = list(self._calls)
        return [
            call
            for call in calls
            if service in (None, call.service)
            and operation in (None, call.operation)
            and account in (None, call.account)
            and (caller is None or caller == call.caller_account or caller in call.caller_arn)
            and _is_after(call, since)
            and _has_error(call, error)
        ]

    def clear(self) -> None:
        """Forget all calls; sequence numbers continue."""
        with self._lock:
            self._calls.clear()

    def subscribe(self, subscriber: Subscriber) -> None:
        """Call a function with every call from now on, in the thread of the request; it must return at once."""
        with self._lock:
            self._subscribers.append(subscriber)

    def __len__(self) -> int:
        """Count the calls that are kept."""
        return len(self._calls)


def _is_after(call: ApiCall, since: int | datetime | None) -> bool:
    if since is None:
        return True
    return call.time > since if isinstance(since, datetime) else call.sequence > since


def _has_error(call: ApiCall, error: str | None) -> bool:
    return error is None or (call.error_code is not None if error == ANY_ERROR else call.error_code == error)

"""Calls of AWS Organizations at the rates that AWS documents, repeated while AWS throttles them all the same.

Other processes call too, so keeping to the rates is not enough; and a listing of 10,000 accounts that started again
after every throttled page would never end.
https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final, TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from contactsync.aws.sdk.error_codes import translated
from contactsync.clock import Clock
from contactsync.errors import ThrottledError

Answer = TypeVar("Answer")

RATES: Final = {
    "DescribeAccount": (20, 30),
    "DescribeOrganizationalUnit": (2, 2),
    "ListAccounts": (8, 12),
    "ListAccountsForParent": (5, 8),
    "ListAWSServiceAccessForOrganization": (1, 3),
    "ListOrganizationalUnitsForParent": (5, 8),
    "ListParents": (5, 8),
    "ListRoots": (1, 2),
    "ListTagsForResource": (10, 15),
}
"""Calls per second for one account, and the number of calls that may come at once, as AWS documents them."""


class OrganizationCalls:
    """The calls of one client, at the rates of RATES."""

    def __init__(self, client: Any, clock: Clock, *, tries: int, longest: float) -> None:  # noqa: ANN401 -- boto3's client, whose methods are called by name
        """Take the number of tries of a throttled call, and the longest wait between two tries, in seconds."""
        self._client = client
        self._clock = clock
        self._tries = tries
        self._longest = longest
        self._next: dict[str, float] = {}
        """For each operation, the monotonic time in seconds at which the next call would come if none were early."""

    def call(self, operation: str, account_id: str | None = None, **parameters: Any) -> Any:  # noqa: ANN401 -- boto3's shapes
        """Return AWS's answer; raise our errors, and ThrottledError after the last try."""
        tries = Retrying(
            retry=retry_if_exception_type(ThrottledError),
            stop=stop_after_attempt(self._tries),
            wait=wait_random_exponential(multiplier=0.5, max=self._longest),
            sleep=self._clock.sleep,
            reraise=True,
        )
        return tries(partial(self._once, operation, account_id, parameters))

    def pages(self, operation: str, key: str, account_id: str | None = None, **parameters: Any) -> Iterator[Any]:  # noqa: ANN401 -- boto3's shapes
        """Yield the elements under `key` of all pages; a page may be empty and still have a token."""
        token: dict[str, str] = {}
        while True:
            answer = self.call(operation, account_id, **parameters, **token)
            yield from answer[key]
            if not answer.get("NextToken"):
                return
            token = {"NextToken": answer["NextToken"]}

    def _once(self, operation: str, account_id: str | None, parameters: dict[str, Any]) -> Any:  # noqa: ANN401 -- boto3's shapes
        self._wait_for_turn(operation)
        with translated(operation, account_id):
            return self._method(operation)(**parameters)

    def _wait_for_turn(self, operation: str) -> None:
        rate, burst = RATES[operation]
        now = self._clock.monotonic()
        self._next[operation] = max(now, self._next.get(operation, now)) + 1 / rate
        ahead = self._next[operation] - burst / rate - now
        if ahead > 0:
            self._clock.sleep(ahead)

    def _method(self, operation: str) -> Callable[..., Any]:
        names = {api: method for method, api in self._client.meta.method_to_api_mapping.items()}
        method: Callable[..., Any] = getattr(self._client, names[operation])
        return method

"""The limiter in the state table: one item per caller account and API operation, shared by all workers."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_attempt, wait_random_exponential

from contactsync.aws.dynamodb.items import from_item, to_item
from contactsync.aws.sdk.error_codes import translated
from contactsync.clock import Clock
from contactsync.errors import WaitingError
from contactsync.pacing.rates import MICROSECONDS, Pace, Rates, jitter

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

BACKLOG: Final = "Backlog"

QUEUE_IS_OPEN: Final = "attribute_type(arrival, :number) AND arrival BETWEEN :now AND :last"
NO_QUEUE: Final = (
    "attribute_not_exists(arrival) OR NOT attribute_type(arrival, :number) OR arrival < :now OR arrival > :impossible"
)
"""A stored value that is not a number is replaced."""

MISSED_AFTER: Final = 500_000
"""Microseconds: a turn this late would collide with later turns; smaller delays fit into the burst."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class DynamoDbLimiter:
    """The limiter: one atomic addition reserves a turn; only the first call after a pause needs a second write."""

    def __init__(
        self, client: "DynamoDBClient", table: str, *, caller_account: str, conflict_tries: int, clock: Clock
    ) -> None:
        """Take the account whose quotas these are, and how many times a turn is tried for that others take."""
        self._client = client
        self._table = table
        self._caller = caller_account
        self._tries = conflict_tries
        self._clock = clock

    def reserve(self, api: str, rates: Rates) -> float:
        """Reserve the next turn and return the seconds until then; WaitingError when the queue is too long.

        A turn that has passed by the time the table answers is not used, and another one is reserved.
        """
        pace = rates.pace(api)
        tries = Retrying(
            retry=retry_if_result(lambda turn: turn is None or self._now() - turn > MISSED_AFTER),
            stop=stop_after_attempt(self._tries),
            wait=wait_random_exponential(multiplier=0.02, max=1),
            sleep=self._clock.sleep,
            retry_error_callback=_last_turn,
        )
        turn = tries(self._try, api, pace)
        if turn is None:  # others were always faster; no retry of the account may be used up for this
            raise WaitingError(cause=BACKLOG, resume_in=1 + jitter(1))
        return max(0, turn - self._now()) / MICROSECONDS

    def _try(self, api: str, pace: Pace) -> int | None:
        """Return the time of the reserved turn in microseconds; None when others were faster."""
        now = self._now()
        arrival = self._queue(api, pace, now) or self._begin(api, pace, now)
        return None if arrival is None else now + pace.wait(arrival, now)

    def _queue(self, api: str, pace: Pace, now: int) -> int | None:
        """Reserve a turn behind others, and return its arrival time; None when there is no queue."""
        values = {":interval": pace.interval, ":now": now, ":last": pace.last_arrival(now)}
        stored, arrival = self._update(api, "ADD arrival :interval", QUEUE_IS_OPEN, values)
        if stored and arrival is not None:
            return arrival - pace.interval
        if arrival is not None and pace.last_arrival(now) < arrival <= pace.impossible_arrival(now):
            queue = pace.wait(arrival, now) / MICROSECONDS
            raise WaitingError(cause=BACKLOG, resume_in=queue + jitter(queue / 4))
        return None

    def _begin(self, api: str, pace: Pace, now: int) -> int | None:
        """Reserve the first turn after a pause; None when another worker has begun."""
        values = {":next": now + pace.interval, ":now": now, ":impossible": pace.impossible_arrival(now)}
        stored, _ = self._update(api, "SET arrival = :next", NO_QUEUE, values)
        return now if stored else None

    def _update(self, api: str, update: str, condition: str, values: dict[str, int]) -> tuple[bool, int | None]:
        """Return whether the condition held, and the arrival time that is stored now."""
        with translated("UpdateItem"):
            try:
                answer = self._client.update_item(
                    TableName=self._table,
                    Key=to_item({"pk": f"PACE#{self._caller}", "sk": api}),
                    UpdateExpression=update,
                    ConditionExpression=condition,
                    ExpressionAttributeValues=to_item({**values, ":number": "N"}),
                    ReturnValues="UPDATED_NEW",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except self._client.exceptions.ConditionalCheckFailedException as error:
                found: Any = error.response
                arrival = from_item(found.get("Item", {})).get("arrival")
                return False, arrival if isinstance(arrival, int) else None
        return True, int(from_item(answer["Attributes"])["arrival"])

    def _now(self) -> int:
        return (self._clock.now() - _EPOCH) // timedelta(microseconds=1)


def _last_turn(tries: RetryCallState) -> int | None:
    return tries.outcome.result() if tries.outcome else None

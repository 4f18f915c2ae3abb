"""The breakers in the state table: one item for each caller account and API operation, and counters beside them."""

import logging
import secrets
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from tenacity import RetryError, Retrying, retry_if_result, stop_after_attempt, wait_random_exponential

from contactsync.aws.error_codes import translated
from contactsync.aws.items import from_item, query, read_one, readable, to_item, to_moment
from contactsync.errors import ItemUnreadableError, StateConflictError
from contactsync.sync.breaker import BUCKETS, BreakerState, Bucket, Phase, Tally, Transition
from contactsync.sync.calls import ApiOperation
from contactsync.sync.ports import Clock

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

log = logging.getLogger(__name__)

ACCESS: Final = "ACCESS"
SAME_VERSION: Final = "version = :version"
NOT_STORED: Final = "attribute_not_exists(pk)"

KEPT_BUCKETS: Final = 10 * BUCKETS
"""So many buckets, ten windows, after its end a counter expires."""


class DynamoDbBreakers:
    """States under optimistic locking, and counters that are raised atomically."""

    def __init__(
        self, client: "DynamoDBClient", table: str, *, caller_account: str, conflict_tries: int, clock: Clock
    ) -> None:
        """Take the account whose calls these are."""
        self._client = client
        self._table = table
        self._partition = f"BREAKER#{caller_account}"
        self._tries = conflict_tries
        self._clock = clock

    def get(self, api: ApiOperation) -> BreakerState:
        """Return a breaker, read consistently; one that cannot be read counts as closed, and is replaced."""
        item = self._read(self._key(api))
        if not item:
            return BreakerState(api)
        try:
            return read_one(item, state_from, self._table)
        except ItemUnreadableError as error:
            log.warning("%s The breaker counts as closed, and is stored again.", error)
        return self._replaced(api, item.get("version"))

    def _replaced(self, api: ApiOperation, unreadable: object) -> BreakerState:
        """Store a closed breaker in place of the item with this version; whoever is faster is right."""
        state = BreakerState(api, version=1)
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(version)"}
        if unreadable is not None:
            values = to_item({":version": unreadable})
            condition = {"ConditionExpression": SAME_VERSION, "ExpressionAttributeValues": values}
        item = to_item({**self._key(api), **state_item(state)})
        with translated("PutItem"), suppress(self._client.exceptions.ConditionalCheckFailedException):
            self._client.put_item(TableName=self._table, Item=item, **condition)
        return state

    def change(self, api: ApiOperation, step: Callable[[BreakerState], BreakerState]) -> BreakerState:
        """Store what `step` makes of the stored state; many workers that want the same write it once."""
        tries = Retrying(
            retry=retry_if_result(lambda state: state is None),
            stop=stop_after_attempt(self._tries),
            wait=wait_random_exponential(multiplier=0.05, max=2),
            sleep=self._clock.sleep,
        )
        try:
            state = tries(self._try, api, step)
        except RetryError:
            raise StateConflictError(item=f"The breaker of {api}", tries=self._tries) from None
        return state or BreakerState(api)

    def _try(self, api: ApiOperation, step: Callable[[BreakerState], BreakerState]) -> BreakerState | None:
        stored = self.get(api)
        state = step(stored)
        return state if state == stored or self._store(state, stored.version) else None

    def _store(self, state: BreakerState, after_version: int) -> bool:
        """Store a state, and tell whether it is there: the SDK may have repeated a write that had arrived."""
        token = secrets.token_hex(16)
        condition: dict[str, Any] = {"ConditionExpression": NOT_STORED}
        if after_version:
            values = to_item({":version": after_version})
            condition = {"ConditionExpression": SAME_VERSION, "ExpressionAttributeValues": values}
        with translated("PutItem"):
            try:
                self._client.put_item(
                    TableName=self._table,
                    Item=to_item({**self._key(state.operation), **state_item(state), "token": token}),
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                    **condition,
                )
            except self._client.exceptions.ConditionalCheckFailedException as error:
                found: Any = error.response
                return bool(from_item(found.get("Item", {})).get("token") == token)
        return True

    def count(self, api: ApiOperation, bucket: Bucket, tally: Tally) -> None:
        """Add to a bucket's counters; a repeated write counts twice, which does no harm."""
        with translated("UpdateItem"):
            self._client.update_item(
                TableName=self._table,
                Key=to_item(self._bucket_key(api, bucket)),
                UpdateExpression="ADD failures :failures, answers :answers SET expires_at = :expiry",
                ExpressionAttributeValues=to_item(
                    {
                        ":failures": tally.failures,
                        ":answers": tally.answers,
                        ":expiry": int(bucket.end + KEPT_BUCKETS * bucket.seconds),
                    }
                ),
            )

    def tallies(self, api: ApiOperation, newest: Bucket) -> list[Tally]:
        """Return the calls of a window's buckets, newest first."""
        first, last = self._bucket_key(api, newest.earlier(BUCKETS)), self._bucket_key(api, newest)
        items = query(
            self._client,
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues=to_item({":pk": last["pk"], ":first": first["sk"], ":last": last["sk"]}),
            ScanIndexForward=False,
            ConsistentRead=True,
        )
        return list(readable(items, lambda item: Tally(int(item["failures"]), int(item["answers"])), self._table))

    def transitions(self, since: datetime) -> list[Transition]:
        """Return what the five items keep, oldest first."""
        items = query(
            self._client,
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=to_item({":pk": self._partition}),
            ConsistentRead=True,
        )
        states = readable((item for item in items if item["sk"] != ACCESS), state_from, self._table)
        found = (change for state in states for change in state.transitions if change.time >= since)
        return sorted(found, key=lambda change: change.time)

    def access_checked(self) -> datetime | None:
        """Return when any worker has last found that it may call."""
        item = self._read(self._key(ACCESS))
        # One that cannot be read is no check, and the next one replaces it.
        found = readable([item] if item else [], lambda stored: to_moment(stored["checked"]), self._table)
        return next(found, None)

    def store_access_check(self, moment: datetime) -> None:
        """Store that a worker found so; the last one to say it is recent enough."""
        with translated("PutItem"):
            self._client.put_item(TableName=self._table, Item=to_item({**self._key(ACCESS), "checked": moment}))

    def _read(self, key: dict[str, str]) -> dict[str, Any]:
        with translated("GetItem"):
            answer = self._client.get_item(TableName=self._table, Key=to_item(key), ConsistentRead=True)
        return from_item(answer.get("Item", {}))

    def _key(self, name: str) -> dict[str, str]:
        return {"pk": self._partition, "sk": name}

    def _bucket_key(self, api: ApiOperation, bucket: Bucket) -> dict[str, str]:
        """Keep a breaker's counters together, their numbers of one width, so that text order is time order."""
        return {"pk": f"{self._partition}#{api}", "sk": f"{bucket.episode}#{bucket.number:015}"}


def state_item(state: BreakerState) -> dict[str, Any]:
    """Return what a breaker's item holds beside its key."""
    return {
        "version": state.version,
        "phase": state.phase,
        "episode": state.episode,
        "since": state.since,
        "tried": state.tried,
        "cause": state.cause,
        "probe": state.probe,
        "transitions": [_transition_map(transition) for transition in state.transitions],
    }


def _transition_map(transition: Transition) -> dict[str, Any]:
    return {
        "time": transition.time,
        "before": transition.before,
        "after": transition.after,
        "cause": transition.cause,
    }


def state_from(item: dict[str, Any]) -> BreakerState:
    """Read what `state_item` wrote, with the item's key."""
    operation = ApiOperation(item["sk"])
    return BreakerState(
        operation=operation,
        version=_number(item["version"]),
        phase=Phase(item["phase"]),
        episode=_number(item["episode"]),
        since=_moment(item.get("since")),
        tried=_moment(item.get("tried")),
        cause=item.get("cause"),
        probe=item.get("probe"),
        transitions=tuple(_transition_from(operation, transition) for transition in item["transitions"]),
    )


def _transition_from(operation: ApiOperation, item: dict[str, Any]) -> Transition:
    return Transition(
        operation=operation,
        time=to_moment(item["time"]),
        before=Phase(item["before"]),
        after=Phase(item["after"]),
        cause=item["cause"],
    )


def _number(value: object) -> int:
    if not isinstance(value, int):
        problem = f"{type(value).__name__} where a number belongs"
        raise TypeError(problem)
    return value


def _moment(text: str | None) -> datetime | None:
    return to_moment(text) if text else None

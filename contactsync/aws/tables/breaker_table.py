"""The circuit breakers in the state table: one item per caller account and API operation, and counters beside them."""

import logging
import secrets
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from tenacity import RetryError, Retrying, retry_if_result, stop_after_attempt, wait_random_exponential

from contactsync.aws.dynamodb.attributes import Attributes, filled, listed, moment, ordinal, part
from contactsync.aws.dynamodb.codec import Codec
from contactsync.aws.dynamodb.items import from_item, query, read_one, readable, to_item
from contactsync.aws.sdk.error_codes import translated
from contactsync.clock import Clock
from contactsync.errors import AwsCallError, ItemUnreadableError, StateConflictError
from contactsync.pacing.breaker import BUCKETS, BreakerState, Bucket, CallCounts, Transition

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

log = logging.getLogger(__name__)

ACCESS: Final = "ACCESS"
SAME_VERSION: Final = "version = :version"
NOT_STORED: Final = "attribute_not_exists(pk)"
NO_COUNTERS: Final = (
    "attribute_exists(pk) AND NOT (attribute_type(failures, :number) AND attribute_type(answers, :number))"
)

KEPT_BUCKETS: Final = 10 * BUCKETS
"""Number of buckets (ten windows) after its end for which a counter is kept."""

STATE: Final = Codec(
    BreakerState,
    reads={"version": ordinal},
    required=["version", "phase", "episode"],
    apart=["api_operation", "transitions"],
)
TRANSITION: Final = Codec(Transition, apart=["api_operation"])
CALL_COUNTS: Final = Codec(CallCounts, required=["failures", "answers"])


class DynamoDbBreakers:
    """The breakers, with optimistic locking, and their counters, which are raised atomically."""

    def __init__(
        self, client: "DynamoDBClient", table: str, *, caller_account: str, conflict_tries: int, clock: Clock
    ) -> None:
        """Take the account whose calls these are, and how many times a change is tried that others overtake."""
        self._client = client
        self._table = table
        self._partition = f"BREAKER#{caller_account}"
        self._tries = conflict_tries
        self._clock = clock

    def get(self, api: str) -> BreakerState:
        """Return a breaker, read consistently; one that cannot be read counts as closed, and is replaced."""
        item = self._read(self._key(api))
        if not item:
            return BreakerState(api)
        try:
            return read_one(from_item(item), state_from, self._table)
        except ItemUnreadableError as error:
            log.warning("%s The breaker is stored again, as closed.", error)
        return self._replaced(api, item)

    def _replaced(self, api: str, unreadable: dict[str, Any]) -> BreakerState:
        """Store a closed breaker in place of an unreadable item, unless another process has changed it since."""
        state = BreakerState(api, version=1)
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(version)"}
        if "version" in unreadable:  # as it is stored: Python cannot hold every number of DynamoDB
            values = {":version": unreadable["version"]}
            condition = {"ConditionExpression": SAME_VERSION, "ExpressionAttributeValues": values}
        item = to_item({**self._key(api), **state_item(state)})
        with translated("PutItem"), suppress(self._client.exceptions.ConditionalCheckFailedException):
            self._client.put_item(TableName=self._table, Item=item, **condition)
        return state

    def change(self, api: str, step: Callable[[BreakerState], BreakerState]) -> BreakerState:
        """Store what `step` makes of the stored state; if many workers want the same change, it is written once."""
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

    def _try(self, api: str, step: Callable[[BreakerState], BreakerState]) -> BreakerState | None:
        stored = self.get(api)
        state = step(stored)
        return state if state == stored or self._store(state, stored.version) else None

    def _store(self, state: BreakerState, after_version: int) -> bool:
        """Store a state, and return whether it is stored; the SDK may have repeated a successful write."""
        token = secrets.token_hex(16)
        condition: dict[str, Any] = {"ConditionExpression": NOT_STORED}
        if after_version:
            values = to_item({":version": after_version})
            condition = {"ConditionExpression": SAME_VERSION, "ExpressionAttributeValues": values}
        with translated("PutItem"):
            try:
                self._client.put_item(
                    TableName=self._table,
                    Item=to_item({**self._key(state.api_operation), **state_item(state), "token": token}),
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                    **condition,
                )
            except self._client.exceptions.ConditionalCheckFailedException as error:
                found: Any = error.response
                return bool(from_item(found.get("Item", {})).get("token") == token)
        return True

    def count(self, api: str, bucket: Bucket, counts: CallCounts) -> None:
        """Add to a bucket's counters; a repeated write counts twice, which is harmless.

        Counters that are not numbers start again at 0: they would keep the breaker closed until the bucket ends.
        """
        values = {
            ":failures": counts.failures,
            ":answers": counts.answers,
            ":expiry": int(bucket.end + KEPT_BUCKETS * bucket.seconds),
        }
        update: Any = {"TableName": self._table, "Key": to_item(self._bucket_key(api, bucket))}
        try:
            with translated("UpdateItem"):
                self._client.update_item(
                    **update,
                    UpdateExpression="ADD failures :failures, answers :answers SET expires_at = :expiry",
                    ExpressionAttributeValues=to_item(values),
                )
        except AwsCallError:
            if not self._begun_again(update, values):
                raise

    def _begun_again(self, update: Any, values: dict[str, Any]) -> bool:  # noqa: ANN401 -- boto3's own keywords
        with translated("UpdateItem"):
            try:
                self._client.update_item(
                    **update,
                    UpdateExpression="SET failures = :failures, answers = :answers, expires_at = :expiry",
                    ConditionExpression=NO_COUNTERS,
                    ExpressionAttributeValues=to_item({**values, ":number": "N"}),
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                return False
        log.warning(
            "The counters %s of table %s were not numbers; they start again from zero.", update["Key"], self._table
        )
        return True

    def call_counts(self, api: str, newest: Bucket) -> list[CallCounts]:
        """Return the counts of a window's buckets, newest first."""
        first, last = self._bucket_key(api, newest.earlier(BUCKETS)), self._bucket_key(api, newest)
        items = query(
            self._client,
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues=to_item({":pk": last["pk"], ":first": first["sk"], ":last": last["sk"]}),
            ScanIndexForward=False,
            ConsistentRead=True,
        )
        return list(readable(items, CALL_COUNTS.from_map, self._table))

    def transitions(self, since: datetime) -> list[Transition]:
        """Return the transitions in the items, oldest first."""
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
        """Return when any worker last confirmed that it may call."""
        item = self._read(self._key(ACCESS))
        # A time that cannot be read counts as none, and the next check replaces it.
        items = [from_item(item)] if item else []
        return next(readable(items, lambda found: Attributes(found).required("checked", moment), self._table), None)

    def store_access_check(self, moment: datetime) -> None:
        """Remember when access was last confirmed.

        Concurrent writers may overwrite each other: any of the times is recent enough.
        """
        with translated("PutItem"):
            self._client.put_item(TableName=self._table, Item=to_item({**self._key(ACCESS), "checked": moment}))

    def _read(self, key: dict[str, str]) -> dict[str, Any]:
        with translated("GetItem"):
            answer = self._client.get_item(TableName=self._table, Key=to_item(key), ConsistentRead=True)
        return dict(answer.get("Item", {}))

    def _key(self, name: str) -> dict[str, str]:
        return {"pk": self._partition, "sk": name}

    def _bucket_key(self, api: str, bucket: Bucket) -> dict[str, str]:
        """Return the key of a counter: a breaker's counters share a partition, and fixed width sorts them by time."""
        return {"pk": f"{self._partition}#{api}", "sk": f"{bucket.episode}#{bucket.number:015}"}


def state_item(state: BreakerState) -> dict[str, Any]:
    """Return the attributes of a breaker's item, without its key."""
    return {**STATE.to_map(state), "transitions": [TRANSITION.to_map(one) for one in state.transitions]}


def state_from(item: dict[str, Any]) -> BreakerState:
    """Read what `state_item` wrote, with the item's key, which has the name of the API operation."""
    stored = Attributes(item)
    api = stored.required("sk", filled)
    transitions = listed(part(lambda transition: TRANSITION.read(transition, api_operation=api)))
    return STATE.read(stored, api_operation=api, transitions=stored.required("transitions", transitions))

"""The notices of the state table: what was requested once, and how its deliveries ended."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from contactsync.aws.dynamodb.attributes import Attributes, moment, one_of, part, text
from contactsync.aws.dynamodb.items import query, read_one, readable, to_item
from contactsync.aws.sdk.error_codes import translated
from contactsync.aws.tables.outbox_transactions import OutboxTransactions
from contactsync.bus.envelope import Announcement
from contactsync.bus.events import NoticeRequested, Severity
from contactsync.clock import Clock
from contactsync.errors import ItemUnreadableError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

log = logging.getLogger(__name__)

TOLD: Final = MappingProxyType({f":told_{one}": one for one in Severity if one is not Severity.INFO})

NOT_REQUESTED: Final = (
    f"attribute_not_exists(pk) OR (attribute_exists(#priority) AND NOT #priority IN ({', '.join(TOLD)}))"
)
"""A notice of which nobody was to be told, or whose priority is none, is requested again: rather twice than never."""

DELIVERY: Final = "delivery_"
"""What the attributes begin with that tell how a channel ended."""

UNREADABLE: Final = MappingProxyType({"status": "unreadable"})
"""What is shown of a channel whose end this version cannot read."""


class DynamoDbNoticeRequests:
    """One item for each scenario of an operation; it expires as operations do."""

    def __init__(
        self, client: "DynamoDBClient", table: str, *, retention_days: int, conflict_tries: int, clock: Clock
    ) -> None:
        """Take the state table's name; items expire after `retention_days`."""
        self._client = client
        self._table = table
        self._retention = timedelta(days=retention_days)
        self._clock = clock
        self._transactions = OutboxTransactions(client, table, conflict_tries=conflict_tries, clock=clock)

    def store(self, sync_id: str, request: NoticeRequested, announced: Sequence[Announcement]) -> bool:
        """Store the request on the condition that there is none, or one that nobody was to be told."""
        now = self._clock.now()
        values = {
            "notice_id": request.notice_id,
            "priority": request.priority,
            "requested_at": now,
            "code": request.code,
            "expires_at": int((now + self._retention).timestamp()),
        }
        given = {name: value for name, value in values.items() if value is not None}
        update = {
            "TableName": self._table,
            "Key": to_item(_key(sync_id, request.scenario)),
            "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in given),
            "ConditionExpression": NOT_REQUESTED,
            "ExpressionAttributeNames": {f"#{name}": name for name in given},
            "ExpressionAttributeValues": to_item({**TOLD, **{f":{name}": value for name, value in given.items()}}),
        }
        return self._transactions.store(update, announced)

    def record_delivery(self, sync_id: str, scenario: str, channel: str, result: Mapping[str, Any]) -> None:
        """Record how a channel ended; the latest result of a channel replaces an earlier one.

        The request itself may be missing: it was published while this table was out of reach.
        """
        expiry = int((self._clock.now() + self._retention).timestamp())
        with translated("UpdateItem"):
            self._client.update_item(
                TableName=self._table,
                Key=to_item(_key(sync_id, scenario)),
                UpdateExpression="SET #delivery = :result, expires_at = if_not_exists(expires_at, :expiry)",
                ExpressionAttributeNames={"#delivery": f"{DELIVERY}{channel}"},
                ExpressionAttributeValues=to_item({":result": result, ":expiry": expiry}),
            )

    def deliveries(self, sync_id: str) -> Iterator[dict[str, Any]]:
        """Yield how each channel of an operation's notices ended; one that waits has no channel yet."""
        for item in self.of_operation(sync_id):
            for facts in readable([item], _facts_from, self._table):
                ends = [name for name in sorted(item) if name.startswith(DELIVERY)]
                for name in ends:
                    yield {**facts, "channel": name.removeprefix(DELIVERY), **self._end(item, name)}
                if not ends:
                    yield facts

    def _end(self, item: dict[str, Any], name: str) -> Mapping[str, Any]:
        try:
            return read_one(item, lambda found: Attributes(found).required(name, part(_end_from)), self._table)
        except ItemUnreadableError as error:
            log.error("%s This channel is shown as unreadable.", error)  # noqa: TRY400 -- the sentence says all
            return UNREADABLE

    def requested(self, sync_id: str) -> list[str]:
        """Return the scenarios of an operation's notices, read consistently."""
        return [item["sk"] for item in self.of_operation(sync_id)]

    def of_operation(self, sync_id: str) -> Iterator[dict[str, Any]]:
        """Yield an operation's notices with their deliveries, read consistently."""
        return query(
            self._client,
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=to_item({":pk": _key(sync_id, "")["pk"]}),
            ConsistentRead=True,
        )


def _facts_from(item: Mapping[str, Any]) -> dict[str, Any]:
    """Read what is known of a notice; one whose request was not stored has its deliveries only."""
    stored = Attributes(item)
    return {
        "scenario": stored.required("sk", text),
        "priority": stored.optional("priority", one_of(Severity)),
        "notice_id": stored.optional("notice_id", text),
        "requested_at": stored.optional("requested_at", _time),
    }


def _end_from(stored: Attributes) -> dict[str, Any]:
    found = {
        "status": stored.required("status", text),
        "code": stored.optional("code", text),
        "at": stored.optional("at", _time),
    }
    return {name: value for name, value in found.items() if value is not None}


def _time(value: object) -> str:
    """Read a time, and return it as it is stored."""
    moment(value)
    return text(value)


def _key(sync_id: str, scenario: str) -> dict[str, str]:
    return {"pk": f"NOTICES#{sync_id}", "sk": scenario}

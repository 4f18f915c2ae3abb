"""The notices in the state table: what was requested, each once, and the results of the deliveries."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from contactsync.aws.dynamodb.attributes import Attributes, moment, part, text
from contactsync.aws.dynamodb.codec import Codec
from contactsync.aws.dynamodb.items import query, read_one, readable, to_item, to_text
from contactsync.aws.sdk.error_codes import translated
from contactsync.aws.tables.outbox_transactions import OutboxTransactions
from contactsync.bus.envelope import Announcement
from contactsync.bus.events import NoticeRequested, Severity
from contactsync.clock import Clock
from contactsync.errors import ItemUnreadableError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

log = logging.getLogger(__name__)

SENT_SEVERITIES: Final = MappingProxyType({f":told_{one}": one for one in Severity if one is not Severity.INFO})

NOT_REQUESTED: Final = (
    f"attribute_not_exists(pk) OR (attribute_exists(#priority) AND NOT #priority IN ({', '.join(SENT_SEVERITIES)}))"
)
"""A request of severity info, or with an unknown priority, is replaced: a second notice is better than none."""

DELIVERY: Final = "delivery_"
"""How the attributes start that hold the result of a channel."""

UNREADABLE: Final = MappingProxyType({"status": "unreadable"})
"""What is shown for a channel whose result this version cannot read."""


def _time(value: object) -> str:
    """Read a time, and return it as it is stored."""
    moment(value)
    return text(value)


@dataclass(frozen=True)
class StoredRequest:
    """What is stored of a request; a notice whose request could not be stored has only its deliveries."""

    scenario: str
    priority: Severity | None = None
    notice_id: str | None = None
    requested_at: str | None = None


@dataclass(frozen=True)
class StoredEnd:
    """The result of a channel, as `store_delivery` stores it."""

    status: str
    code: str | None = None
    at: str | None = None


REQUEST: Final = Codec(StoredRequest, reads={"requested_at": _time}, apart=["scenario"])
END: Final = Codec(StoredEnd, reads={"at": _time})


class DynamoDbNoticeStore:
    """One item for each scenario of an operation; it expires like operations."""

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
        """Store the request, unless one is stored already that was not of severity info."""
        now = self._clock.now()
        stored = StoredRequest(request.scenario, request.priority, request.notice_id, to_text(now))
        values = {
            **REQUEST.to_map(stored),
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
            "ExpressionAttributeValues": to_item(
                {**SENT_SEVERITIES, **{f":{name}": value for name, value in given.items()}}
            ),
        }
        return self._transactions.store(update, announced)

    def store_delivery(self, sync_id: str, scenario: str, channel: str, result: Mapping[str, Any]) -> None:
        """Store the result of a channel; the latest result replaces an earlier one.

        There may be no request: it was published while this table could not be reached.
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
        """Yield the result of each channel of an operation's notices; a waiting notice has no channel yet."""
        for item in self.of_operation(sync_id):
            for facts in readable([item], _facts_from, self._table):
                ends = [name for name in sorted(item) if name.startswith(DELIVERY)]
                for name in ends:
                    yield {**facts, "channel": name.removeprefix(DELIVERY), **self._end(item, name)}
                if not ends:
                    yield facts

    def _end(self, item: dict[str, Any], name: str) -> Mapping[str, Any]:
        try:
            end = read_one(item, lambda found: Attributes(found).required(name, part(END.read)), self._table)
        except ItemUnreadableError as error:
            log.error("%s This channel is shown as unreadable.", error)  # noqa: TRY400 -- the sentence says all
            return UNREADABLE
        return {name: value for name, value in vars(end).items() if value is not None}

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
    stored = Attributes(item)
    return vars(REQUEST.read(stored, scenario=stored.required("sk", text)))


def _key(sync_id: str, scenario: str) -> dict[str, str]:
    return {"pk": f"NOTICES#{sync_id}", "sk": scenario}

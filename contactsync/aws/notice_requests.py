"""The notices of the state table: what was requested once, and how its deliveries ended."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from contactsync.aws.error_codes import translated
from contactsync.aws.items import query, to_item
from contactsync.aws.outbox_transactions import OutboxTransactions
from contactsync.bus.envelope import Announcement
from contactsync.bus.events import NoticeRequested, Severity
from contactsync.sync.ports import Clock

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NOT_REQUESTED: Final = "attribute_not_exists(pk) OR #priority = :untold"

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
            "ExpressionAttributeValues": to_item(
                {":untold": Severity.INFO, **{f":{name}": value for name, value in given.items()}}
            ),
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
            known = {name: item.get(name) for name in ("priority", "notice_id", "requested_at")}
            facts = {"scenario": item["sk"], **known}
            ends = {name: item[name] for name in sorted(item) if name.startswith(DELIVERY)}
            for name, end in ends.items():
                yield {
                    **facts,
                    "channel": name.removeprefix(DELIVERY),
                    **(end if isinstance(end, dict) else UNREADABLE),
                }
            if not ends:
                yield facts

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


def _key(sync_id: str, scenario: str) -> dict[str, str]:
    return {"pk": f"NOTICES#{sync_id}", "sk": scenario}

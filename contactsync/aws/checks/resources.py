"""The state of the stacks' resources, at the services that have them."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final

from contactsync.aws.checks.calls import Calls
from contactsync.checks.health_ports import AlarmState, FunctionState, Subscription, TableState

CONFIRMED: Final = "arn:"
"""How the ARN of a subscription begins; one that waits has the words PendingConfirmation in its place."""

NAMES: Final = 100
"""Names of alarms that CloudWatch accepts in one call."""

_COUNTS: Final = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")


class AwsResources:
    """Lambda, DynamoDB, EventBridge, SNS, SQS and CloudWatch."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def function(self, region: str, name: str) -> FunctionState:
        """Return a function's state; old functions and the sandbox's do not say it, and are active."""
        found = self._calls.call("lambda", region, "GetFunctionConfiguration", FunctionName=name)
        reason = found.get("StateReason") or found.get("LastUpdateStatusReason") or ""
        return FunctionState(found.get("State") or "Active", reason, found.get("LastUpdateStatus") or "Successful")

    def mapping_state(self, region: str, mapping_id: str) -> str:
        """Return the state of a mapping between a queue and a function."""
        return str(self._calls.call("lambda", region, "GetEventSourceMapping", UUID=mapping_id)["State"])

    def table(self, region: str, name: str) -> TableState:
        """Return a table's settings, which are three calls."""
        found = self._calls.call("dynamodb", region, "DescribeTable", TableName=name)["Table"]
        backups = self._calls.call("dynamodb", region, "DescribeContinuousBackups", TableName=name)
        ttl = self._calls.call("dynamodb", region, "DescribeTimeToLive", TableName=name)["TimeToLiveDescription"]
        recovery: Any = backups["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription") or {}
        expires = ttl.get("TimeToLiveStatus") in {"ENABLED", "ENABLING"}
        return TableState(
            found["TableStatus"],
            (found.get("SSEDescription") or {}).get("Status") in {"ENABLED", "ENABLING", "UPDATING"},
            recovery.get("PointInTimeRecoveryStatus") == "ENABLED",
            ttl.get("AttributeName") if expires else None,
        )

    def is_rule_enabled(self, region: str, name: str) -> bool:
        """Return whether a rule of the default bus is enabled."""
        return str(self._calls.call("events", region, "DescribeRule", Name=name)["State"]).startswith("ENABLED")

    def targets(self, region: str, rule: str) -> int:
        """Count a rule's targets."""
        return sum(1 for _ in self._calls.pages("events", region, "ListTargetsByRule", "Targets", Rule=rule))

    def subscriptions(self, region: str, topic: str) -> list[Subscription]:
        """Return a topic's subscriptions."""
        found = self._calls.pages("sns", region, "ListSubscriptionsByTopic", "Subscriptions", TopicArn=topic)
        return [
            Subscription(one["Protocol"], one.get("Endpoint", ""), one["SubscriptionArn"].startswith(CONFIRMED))
            for one in found
        ]

    def messages(self, region: str, queue: str) -> int:
        """Count a queue's messages; SQS's own counts are right within about a minute."""
        answer = self._calls.call("sqs", region, "GetQueueAttributes", QueueUrl=queue, AttributeNames=list(_COUNTS))
        return sum(int(answer["Attributes"].get(name, 0)) for name in _COUNTS)

    def alarms(self, region: str, names: Sequence[str]) -> list[AlarmState]:
        """Return alarms, those made of several others too."""
        return [alarm for group in _groups(names) for alarm in self._alarms(region, group)]

    def _alarms(self, region: str, names: list[str]) -> Iterator[AlarmState]:
        for one in self._calls.pages("cloudwatch", region, "DescribeAlarms", "MetricAlarms", AlarmNames=names):
            yield AlarmState(one["AlarmName"], one["StateValue"], one.get("StateReason") or "")


def _groups(names: Sequence[str]) -> Iterator[list[str]]:
    left = iter(names)
    while group := list(islice(left, NAMES)):
        yield group

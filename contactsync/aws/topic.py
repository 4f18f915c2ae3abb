"""The SNS topic of the bus: the only code that calls sns:Publish or sns:PublishBatch."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from contactsync.aws.sdk.error_codes import ERRORS, translated
from contactsync.bus.ports import ATTRIBUTE_TYPE, Message, Refusal

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import PublishBatchRequestEntryTypeDef


class SnsTopic:
    """The topic of the bus; subscriptions filter by message attributes."""

    def __init__(self, client: "SNSClient", topic_arn: str) -> None:
        self._client = client
        self._topic_arn = topic_arn

    def send(self, messages: Sequence[Message]) -> list[Refusal]:
        """Send a batch; its entries are numbered, because SNS accepts no entry id of more than 80 characters."""
        with translated("PublishBatch"):
            answer = self._client.publish_batch(
                TopicArn=self._topic_arn,
                PublishBatchRequestEntries=[_entry(number, message) for number, message in enumerate(messages)],
            )
        return [
            Refusal(messages[int(failed["Id"])].id, failed["Code"], may_pass=_may_pass(failed))
            for failed in answer.get("Failed", [])
        ]


def subscriptions(client: "SNSClient", topic_arn: str) -> int:
    """Count the topic's subscriptions."""
    with translated("ListSubscriptionsByTopic"):
        pages = client.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn)
        return sum(len(page["Subscriptions"]) for page in pages)


def _may_pass(failed: Any) -> bool:  # noqa: ANN401 -- boto3's entry of a batch
    """Return whether a refused entry may be accepted later: by its code if that is known, else by SNS's SenderFault.

    SNS does not always set SenderFault well: a denied key is no fault of the sender to it, and throttling is one.
    """
    known = ERRORS.get(failed["Code"])
    return not failed["SenderFault"] if known is None else known.transient


def _entry(number: int, message: Message) -> "PublishBatchRequestEntryTypeDef":
    return {
        "Id": str(number),
        "Message": message.body,
        "MessageAttributes": {
            name: {"DataType": ATTRIBUTE_TYPE, "StringValue": value} for name, value in message.attributes.items()
        },
    }

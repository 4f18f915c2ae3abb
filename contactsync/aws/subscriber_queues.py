"""The queues of subscribers, found by the redrive policies that name their dead-letter queues."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from contactsync.aws.dead_letter_queues import SqsDeadLetterQueues
from contactsync.aws.sdk.error_codes import translated
from contactsync.bus.dead_letters.letters import RULE, TRIGGER
from contactsync.bus.ports import ATTRIBUTE_TYPE, Message
from contactsync.bus.publish import batches

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient


class SqsSubscriberQueues:
    """The subscribers' queues; messages are put into one in the form in which SNS delivers raw messages."""

    def __init__(self, dead_letters: SqsDeadLetterQueues, sns: "SNSClient", topic_arn: str) -> None:
        """Take the dead-letter queues, one for each subscriber, and the topic of the bus."""
        self._dead_letters, self._sns, self._topic_arn = dead_letters, sns, topic_arn

    @property
    def subscribers(self) -> Sequence[str]:
        """The names of the dead-letter queues that belong to subscribers."""
        return tuple(name for name in self._dead_letters.names if name not in {RULE, TRIGGER})

    def deliver(self, subscriber: str, messages: Sequence[Message]) -> Mapping[str, str]:
        """Send messages in batches; a message that fits into no batch is sent alone."""
        url, client = self._dead_letters.source(subscriber), self._dead_letters.client(subscriber)
        refused: dict[str, str] = {}
        for batch in batches(messages):
            entries: Any = [_entry(number, message) for number, message in enumerate(batch)]
            with translated("SendMessageBatch"):
                answer = client.send_message_batch(QueueUrl=url, Entries=entries)
            refused |= {batch[int(failed["Id"])].id: failed["Code"] for failed in answer.get("Failed", [])}
        return refused

    def filter_policies(self, subscriber: str) -> Sequence[str]:
        """Return the filter policies of the queue's subscriptions, where there are any."""
        queue = self._dead_letters.source(subscriber).split("/")[-2:]  # account and name, as at an ARN's end
        with translated("ListSubscriptionsByTopic"):
            pages = self._sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=self._topic_arn)
            listed = [one for page in pages for one in page["Subscriptions"]]
        policies = []
        for one in listed:
            if one["Endpoint"].split(":")[-2:] == queue and one["SubscriptionArn"].startswith("arn:"):
                with translated("GetSubscriptionAttributes"):
                    answer = self._sns.get_subscription_attributes(SubscriptionArn=one["SubscriptionArn"])
                policies.append(answer["Attributes"].get("FilterPolicy", ""))
        return [policy for policy in policies if policy and policy != "{}"]


def _entry(number: int, message: Message) -> dict[str, Any]:
    attributes = {
        name: {"DataType": ATTRIBUTE_TYPE, "StringValue": value} for name, value in message.attributes.items()
    }
    return {"Id": str(number), "MessageBody": message.body, "MessageAttributes": attributes}

"""What SNS does with a published message that moto does not: people's inboxes, chat channels, and queues' policies.

Other than in AWS every subscription counts as confirmed, a topic's own policy and its key are not looked at, and
first-in-first-out queues are left to moto.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moto.sns.models import Subscription

from contactsync.sandbox.messages import chat
from contactsync.sandbox.messages.inbox import Channel, Inbox
from contactsync.sandbox.queues import dead_letters

SERVICE = "sns.amazonaws.com"
DEFAULT_SUBJECT = "AWS Notification Message"


@dataclass(frozen=True)
class Published:
    """A message as it was published."""

    message: str
    id: str
    subject: str | None
    attributes: Mapping[str, Mapping[str, Any]]
    structure: str | None

    def text_for(self, protocol: str) -> str:
        """Return what a subscription of this protocol receives, the default when it has no text of its own."""
        if self.structure != "json":
            return self.message
        texts = json.loads(self.message)
        chosen: str = texts.get(protocol) or texts["default"]
        return chosen


class TopicDelivery:
    """Brings published messages to the subscriptions that moto leaves alone or treats too kindly."""

    def __init__(self, inbox: Inbox, channels: chat.ChatChannels) -> None:
        """Take where people's messages go."""
        self._inbox = inbox
        self._channels = channels

    def deliver(self, subscription: Subscription, published: Published) -> bool:
        """Deliver a message that the subscription's filter let through; tell whether that was ours to do."""
        protocol, text = subscription.protocol, published.text_for(subscription.protocol)
        if protocol in ("email", "email-json"):
            self._mail(subscription, published, text)
        elif protocol == "sms":
            self._inbox.put(Channel.SMS, subscription.endpoint, text=text, origin=subscription.topic_arn)
        elif subscription.endpoint.rstrip("/") == chat.ENDPOINT:
            self._channels.deliver(subscription.topic_arn, text)
        elif protocol == "sqs" and not subscription.endpoint.endswith(".fifo"):
            self._queue(subscription, published, text)
        else:
            return False
        return True

    def text_message(self, number: str, text: str) -> None:
        """Deliver a text message that was published to a number."""
        self._inbox.put(Channel.SMS, number, text=text, origin="")

    def _mail(self, subscription: Subscription, published: Published, text: str) -> None:
        self._inbox.put(
            Channel.EMAIL,
            subscription.endpoint,
            text=_envelope(subscription, published, text) if subscription.protocol == "email-json" else text,
            subject=published.subject or DEFAULT_SUBJECT,
            origin=subscription.topic_arn,
        )

    def _queue(self, subscription: Subscription, published: Published, text: str) -> None:
        """Send to the queue; when SNS may not, to the subscription's dead letters, without a retry."""
        refusal = _send(subscription, subscription.endpoint, published, text)
        if refusal is None:
            return
        self._inbox.drop(subscription.endpoint, f"SNS could not deliver: {refusal.message}")
        policy = json.loads(subscription.attributes.get("RedrivePolicy") or "{}")
        if "deadLetterTargetArn" in policy:
            _send(subscription, policy["deadLetterTargetArn"], published, text)


def _send(
    subscription: Subscription, queue_arn: str, published: Published, text: str
) -> dead_letters.QueueRefusal | None:
    refusal = dead_letters.refusal(queue_arn, service=SERVICE, source_arn=subscription.topic_arn)
    if refusal is not None:
        return refusal
    if is_raw(subscription):
        attributes = {name: _attribute(value) for name, value in published.attributes.items()}
        return dead_letters.put(queue_arn, text, attributes)
    return dead_letters.put(queue_arn, _envelope(subscription, published, text), {})


def is_raw(subscription: Subscription) -> bool:
    """Tell whether the subscription wants the bare message; the attribute is a text when an API call set it."""
    return str(subscription.attributes.get("RawMessageDelivery")).lower() == "true"


def _envelope(subscription: Subscription, published: Published, text: str) -> str:
    document = subscription.get_post_data(text, published.id, published.subject, dict(published.attributes))
    return json.dumps(document, indent=2)


def _attribute(value: Mapping[str, Any]) -> dict[str, Any]:
    if str(value["Type"]).startswith("Binary"):
        return {"DataType": value["Type"], "BinaryValue": base64.b64decode(value["Value"])}
    return {"DataType": value["Type"], "StringValue": str(value["Value"])}

"""Deliveries of SNS that moto lacks: to people's inboxes and chat channels, and to queues under their policies.

Unlike AWS: every subscription counts as confirmed, a topic's policy and its key are ignored, and moto handles FIFO
queues.
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
        """Return the text for subscriptions of this protocol: its own text, or else the default."""
        if self.structure != "json":
            return self.message
        texts = json.loads(self.message)
        chosen: str = texts.get(protocol) or texts["default"]
        return chosen


class TopicDelivery:
    """The delivery to subscriptions that moto ignores, or serves without checking the queue's policy."""

    def __init__(self, inbox: Inbox, channels: chat.ChatChannels) -> None:
        self._inbox = inbox
        self._channels = channels

    def deliver(self, subscription: Subscription, published: Published) -> bool:
        """Deliver a message that passed the subscription's filter; return False when moto must deliver it."""
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
        """Send to the queue; if SNS cannot, send to the subscription's dead-letter queue at once, without a retry."""
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
    """Return whether the subscription gets the message without envelope; an API call sets the attribute as text."""
    return str(subscription.attributes.get("RawMessageDelivery")).lower() == "true"


def _envelope(subscription: Subscription, published: Published, text: str) -> str:
    document = subscription.get_post_data(text, published.id, published.subject, dict(published.attributes))
    return json.dumps(document, indent=2)


def _attribute(value: Mapping[str, Any]) -> dict[str, Any]:
    if str(value["Type"]).startswith("Binary"):
        return {"DataType": value["Type"], "BinaryValue": base64.b64decode(value["Value"])}
    return {"DataType": value["Type"], "StringValue": str(value["Value"])}

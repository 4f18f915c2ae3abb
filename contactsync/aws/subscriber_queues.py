"""The queues of subscribers, found by the redrive policies that name their dead-letter queues."""

from collections.abc import Mapping, Sequence
from typing import Any

from contactsync.aws.dead_letter_queues import SqsDeadLetterQueues
from contactsync.aws.error_codes import translated
from contactsync.bus.letters import RULE, TRIGGER
from contactsync.bus.ports import ATTRIBUTE_TYPE, Message
from contactsync.bus.publish import batches


class SqsSubscriberQueues:
    """Delivers to one subscriber what SNS would deliver raw."""

    def __init__(self, dead_letters: SqsDeadLetterQueues) -> None:
        """Take the dead-letter queues: each subscriber has one."""
        self._dead_letters = dead_letters

    @property
    def subscribers(self) -> Sequence[str]:
        """The names of the dead-letter queues that are subscribers'."""
        return tuple(name for name in self._dead_letters.names if name not in {RULE, TRIGGER})

    def deliver(self, subscriber: str, messages: Sequence[Message]) -> Mapping[str, str]:
        """Send messages, those that do not fit into one batch by themselves."""
        url, client = self._dead_letters.source(subscriber), self._dead_letters.client(subscriber)
        refused: dict[str, str] = {}
        for batch in batches(messages):
            entries: Any = [_entry(number, message) for number, message in enumerate(batch)]
            with translated("SendMessageBatch"):
                answer = client.send_message_batch(QueueUrl=url, Entries=entries)
            refused |= {batch[int(failed["Id"])].id: failed["Code"] for failed in answer.get("Failed", [])}
        return refused


def _entry(number: int, message: Message) -> dict[str, Any]:
    attributes = {
        name: {"DataType": ATTRIBUTE_TYPE, "StringValue": value} for name, value in message.attributes.items()
    }
    return {"Id": str(number), "MessageBody": message.body, "MessageAttributes": attributes}

"""The dead-letter queues in SQS, the ways that lead back out of them, and the quarantine that leads into them."""

import re
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, cast

from contactsync.aws.error_codes import translated
from contactsync.aws.items import from_item, readable, to_item
from contactsync.bus.consume import Failure, own_attributes
from contactsync.bus.dead_letters import RULE, TRIGGER, DeadLetter, original_event
from contactsync.bus.ports import Clock, QueueCounts
from contactsync.errors import DeadLetterQueueUnknownError, DeadLetterSourceError, SettingsError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

HOLD: Final = 300
"""Seconds for which a message that was taken is not given to anybody else."""

PAGE: Final = 10
"""Messages that SQS takes or gives in one call."""

PAGES_WITHOUT_NEW: Final = 100
"""After so many pages in a row with nothing new a queue is through.

Messages that were only looked at come back after HOLD seconds, and up to a thousand of them may stand before new ones;
without a limit a queue that takes longer than HOLD to be read would be read for ever.
"""

FAILURE_LIFE: Final = timedelta(days=20)
"""How long it is remembered why a message failed: longer than dead letters are kept."""

_REGION: Final = re.compile(r"https://(?:sqs\.([a-z0-9-]+)\.amazonaws\.|([a-z0-9-]+)\.queue\.amazonaws\.)")

ClientOf = Callable[[str, str | None], Any]
"""Makes the client of a service, in a region or in the deployment's own."""


class SqsDeadLetterQueues:
    """Queues by name, wherever they are: EventBridge's and the trigger's are in us-east-1."""

    def __init__(
        self, client_of: ClientOf, urls: Mapping[str, str], *, trigger_function: str | None, wait: int = 1
    ) -> None:
        """Take the queues' URLs; `wait` seconds without a message mean that a queue is empty.

        Without any wait SQS asks only some of its servers, and may find nothing although there is something.
        """
        self._client_of = cache(client_of)
        self._urls = urls
        self._function = trigger_function
        self._wait = wait
        self._source = cache(self._found_source)

    @property
    def names(self) -> Sequence[str]:
        """The names as the settings list them."""
        return tuple(self._urls)

    def counts(self, queue: str) -> QueueCounts:
        """Ask SQS, whose counts settle within a minute."""
        names: Any = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        with translated("GetQueueAttributes"):
            found = self._sqs(queue).get_queue_attributes(QueueUrl=self._url(queue), AttributeNames=names)
        waiting, in_flight = (int(found["Attributes"].get(name, 0)) for name in names)
        return QueueCounts(waiting, in_flight)

    def take(self, queue: str) -> Generator[DeadLetter, None, None]:
        """Receive until nothing comes, or nothing new for PAGES_WITHOUT_NEW pages."""
        seen: set[str] = set()
        pages = 0
        while pages < PAGES_WITHOUT_NEW and (letters := self._received(queue)):
            ids = {letter.message_id for letter in letters}
            pages = pages + 1 if ids <= seen else 0
            seen |= ids
            left = iter(letters)
            try:
                yield from left
            finally:  # closed half-way: what was received and not yielded is nobody's
                self.give_back(left)

    def give_back(self, letters: Iterable[DeadLetter]) -> None:
        """Make messages visible in batches; those that are gone, or were given to somebody else, do not matter."""
        remaining = iter(letters)
        while batch := list(islice(remaining, PAGE)):
            for queue in {letter.queue for letter in batch}:
                own = [letter for letter in batch if letter.queue == queue]
                entries: Any = [
                    {"Id": str(number), "ReceiptHandle": letter.receipt, "VisibilityTimeout": 0}
                    for number, letter in enumerate(own)
                ]
                with translated("ChangeMessageVisibilityBatch"):
                    self._sqs(queue).change_message_visibility_batch(QueueUrl=self._url(queue), Entries=entries)

    def send_on(self, letter: DeadLetter) -> None:
        """Send a subscriber's message to the queue that it came from; call the trigger function with other events."""
        if letter.queue in {RULE, TRIGGER}:
            self._call(letter)
        else:
            self._send(letter)

    def delete(self, letter: DeadLetter) -> None:
        """Delete a message; SQS takes this also for one that is gone."""
        with translated("DeleteMessage"):
            self._sqs(letter.queue).delete_message(QueueUrl=self._url(letter.queue), ReceiptHandle=letter.receipt)

    def _received(self, queue: str) -> list[DeadLetter]:
        with translated("ReceiveMessage"):
            answer = self._sqs(queue).receive_message(
                QueueUrl=self._url(queue),
                MaxNumberOfMessages=PAGE,
                VisibilityTimeout=HOLD,
                WaitTimeSeconds=self._wait,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["SentTimestamp"],
            )
        return [_letter(queue, message) for message in answer.get("Messages", [])]

    def _send(self, letter: DeadLetter) -> None:
        source = self._source(letter.queue)
        with translated("SendMessage"):
            self._sqs(letter.queue).send_message(
                QueueUrl=source,
                MessageBody=letter.body,
                MessageAttributes=_typed(own_attributes(letter.attributes)),
            )

    def _found_source(self, queue: str) -> str:
        with translated("ListDeadLetterSourceQueues"):
            found = self._sqs(queue).list_dead_letter_source_queues(QueueUrl=self._url(queue))
        urls = found["queueUrls"]
        if len(urls) != 1:
            raise DeadLetterSourceError(queue=queue, sources=len(urls))
        return urls[0]

    def _call(self, letter: DeadLetter) -> None:
        if self._function is None:
            raise SettingsError(variable="CONTACTSYNC_TRIGGER_FUNCTION", problem="is not set")
        payload = original_event(letter)
        client: LambdaClient = self._client_of("lambda", _region(self._url(letter.queue)))
        with translated("Invoke"):
            client.invoke(FunctionName=self._function, InvocationType="Event", Payload=payload.encode())

    def _url(self, queue: str) -> str:
        if queue not in self._urls:
            raise DeadLetterQueueUnknownError(queue=queue, known=self.names)
        return self._urls[queue]

    def _sqs(self, queue: str) -> "SQSClient":
        client: SQSClient = self._client_of("sqs", _region(self._url(queue)))
        return client


class SqsQuarantine:
    """A subscriber's own dead-letter queue, as its function writes to it."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        """Take the queue's URL."""
        self._client = client
        self._url = url

    def send(self, body: str, attributes: Mapping[str, str]) -> None:
        """Send the message; SQS takes ten attributes, and the topic's messages have five."""
        with translated("SendMessage"):
            self._client.send_message(QueueUrl=self._url, MessageBody=body, MessageAttributes=_typed(attributes))


class DynamoDbFailures:
    """Items of the idempotency table, beside those of aws-lambda-powertools."""

    def __init__(self, client: "DynamoDBClient", table: str, clock: Clock) -> None:
        """Take the idempotency table's name."""
        self._client = client
        self._table = table
        self._clock = clock

    def remember(self, subscriber: str, message_id: str, failure: Failure) -> None:
        """Put the item; the latest failure replaces the one before."""
        expiration = int((self._clock.now() + FAILURE_LIFE).timestamp())
        item = {**_failure_key(subscriber, message_id), **vars(failure), "expiration": expiration}
        with translated("PutItem"):
            self._client.put_item(TableName=self._table, Item=to_item(item))

    def find(self, subscriber: str, message_id: str) -> Failure | None:
        """Get the item."""
        with translated("GetItem"):
            answer = self._client.get_item(TableName=self._table, Key=to_item(_failure_key(subscriber, message_id)))
        item = from_item(answer.get("Item", {}))
        return next(readable([item], _failure, self._table), None) if item else None


def _failure(item: Mapping[str, Any]) -> Failure:
    return Failure(str(item["code"]), str(item["sentence"]), int(item["receive_count"]))


def _failure_key(subscriber: str, message_id: str) -> dict[str, str]:
    return {"id": f"failure#{subscriber}#{message_id}"}


def _letter(queue: str, message: "MessageTypeDef") -> DeadLetter:
    milliseconds = int(message["Attributes"]["SentTimestamp"])
    return DeadLetter(
        queue=queue,
        message_id=message["MessageId"],
        body=message["Body"],
        attributes={name: value.get("StringValue", "") for name, value in message.get("MessageAttributes", {}).items()},
        sent=datetime.fromtimestamp(milliseconds / 1000, UTC),
        receipt=message["ReceiptHandle"],
    )


def _typed(attributes: Mapping[str, str]) -> Any:  # noqa: ANN401 -- the stubs' type does not fit a comprehension
    return {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items() if value}


def _region(url: str) -> str | None:
    """Return the region that a queue's URL names; None where it names none, as in the sandbox."""
    found = _REGION.match(url)
    return cast("str | None", found and (found[1] or found[2]))

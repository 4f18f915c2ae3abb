"""The dead-letter queues in SQS, the ways back out of them, and the quarantine, which sends messages into them."""

import re
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, cast

from contactsync.aws.sdk.error_codes import translated
from contactsync.bus.consume import own_attributes
from contactsync.bus.dead_letters.letters import RULE, TRIGGER, DeadLetter, original_event
from contactsync.bus.dead_letters.ports import QueueCounts
from contactsync.errors import (
    AwsCallError,
    ContactSyncError,
    DeadLetterQueueUnknownError,
    DeadLetterSourceError,
    DeadLetterUnreadableError,
    RequestInvalidError,
    ServiceUnavailableError,
    SettingsError,
)

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

HOLD: Final = 300
"""Seconds for which SQS gives a message that was taken to nobody else."""

PAGE: Final = 10
"""Messages that SQS accepts or returns in one call."""

BATCH_BYTES: Final = 262_144
"""Bytes that SQS accepts in one batch in every region; newer quotas are higher."""

ATTRIBUTE_OVERHEAD: Final = 6
"""Bytes of the name of an attribute's type."""

ATTRIBUTES_AT_MOST: Final = 10
"""Number of attributes that SQS accepts with a message."""

PAGES_WITHOUT_NEW: Final = 100
"""Number of pages in a row with nothing new, after which a queue counts as read.

Messages that were only shown come back after HOLD seconds, and up to a thousand of them may come before new ones.
Without a limit, a queue that needs more than HOLD seconds would be read for ever.
"""

_REGION: Final = re.compile(r"https://(?:sqs\.([a-z0-9-]+)\.amazonaws\.|([a-z0-9-]+)\.queue\.amazonaws\.)")

ClientOf = Callable[[str, str | None], Any]
"""A function that returns the client of a service, in a region or in the deployment's own."""


class SqsDeadLetterQueues:
    """The dead-letter queues by name; those of EventBridge and of the trigger function are in us-east-1."""

    def __init__(
        self,
        client_of: ClientOf,
        urls: Mapping[str, str],
        *,
        trigger_function: str | None,
        wait: int = 1,
        receivers: int = 1,
    ) -> None:
        """Take the queues' URLs; a queue is empty when no message comes for `wait` seconds.

        With a wait of 0, SQS asks only some of its servers, and may miss messages. At most `receivers` pages are
        requested at the same time.
        """
        self._receivers = receivers
        self._client_of = cache(client_of)
        self._urls = urls
        self._function = trigger_function
        self._wait = wait
        self.source = cache(self._found_source)
        """Returns the queue whose redrive policy names a dead-letter queue."""

    @property
    def names(self) -> Sequence[str]:
        """The names, in the order of the settings."""
        return tuple(self._urls)

    def counts(self, queue: str) -> QueueCounts:
        """Ask SQS; its counts are right within about a minute."""
        names: Any = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        with translated("GetQueueAttributes"):
            found = self.client(queue).get_queue_attributes(QueueUrl=self._url(queue), AttributeNames=names)
        waiting, in_flight = (int(found["Attributes"].get(name, 0)) for name in names)
        return QueueCounts(waiting, in_flight)

    def take(self, queue: str, receivers: int = 1) -> Generator[DeadLetter, None, None]:
        """Receive until nothing comes, or nothing new for PAGES_WITHOUT_NEW pages."""
        seen: set[str] = set()
        pages = 0
        with closing(self._pages(queue, min(receivers, self._receivers))) as received:
            for letters in received:
                ids = {letter.message_id for letter in letters}
                pages = pages + 1 if ids <= seen else 0
                seen |= ids
                left = iter(letters)
                try:
                    yield from left
                finally:  # closed early: give back what was received and not yielded
                    self.give_back(left)
                if pages >= PAGES_WITHOUT_NEW:
                    return

    def _pages(self, queue: str, receivers: int) -> Generator[list[DeadLetter], None, None]:
        """Yield what comes, until a call returns nothing; `receivers` calls run at the same time."""
        if receivers == 1:
            while letters := self._received(queue):
                yield letters
            return
        self.client(queue)  # make it here, before several threads ask for it
        with ThreadPoolExecutor(receivers, thread_name_prefix="receive") as pool:
            waiting = deque(pool.submit(self._received, queue) for _ in range(receivers))
            try:
                is_through = False
                while waiting:
                    letters = waiting.popleft().result()
                    is_through = is_through or not letters
                    if not is_through:
                        waiting.append(pool.submit(self._received, queue))
                    if letters:
                        yield letters
            finally:  # closed early, or a call failed: give back what the other calls received
                self._give_back_of(waiting)

    def _give_back_of(self, waiting: Iterable["Future[list[DeadLetter]]"]) -> None:
        for call in waiting:
            if call.cancel() or call.exception() is not None:
                continue
            self.give_back(call.result())

    def give_back(self, letters: Iterable[DeadLetter]) -> None:
        """Make messages visible again, in batches; those that are gone, or that others have received, are ignored."""
        remaining = iter(letters)
        while batch := list(islice(remaining, PAGE)):
            for queue in {letter.queue for letter in batch}:
                own = [letter for letter in batch if letter.queue == queue]
                entries: Any = [
                    {"Id": str(number), "ReceiptHandle": letter.receipt, "VisibilityTimeout": 0}
                    for number, letter in enumerate(own)
                ]
                with translated("ChangeMessageVisibilityBatch"):
                    self.client(queue).change_message_visibility_batch(QueueUrl=self._url(queue), Entries=entries)

    def send_on(self, letter: DeadLetter) -> None:
        """Send a subscriber's message to the queue that it came from; for other queues call the trigger function."""
        if letter.queue in {RULE, TRIGGER}:
            self._call(letter)
        else:
            self._send(letter)

    def send_all(self, letters: Sequence[DeadLetter]) -> dict[str, ContactSyncError]:
        """Send subscribers' messages in batches; for other queues call the trigger function once per event."""
        if not letters:
            return {}
        if letters[0].queue in {RULE, TRIGGER}:
            return self._called(letters)
        source = self.source(letters[0].queue)
        refused: dict[str, ContactSyncError] = {}
        for number, batch in enumerate(_batches(letters)):
            try:
                refused |= self._sent(source, batch)
            except AwsCallError as error:
                if number == 0:
                    raise
                refused |= dict.fromkeys((letter.message_id for letter in batch), error)
        return refused

    def delete_all(self, letters: Sequence[DeadLetter]) -> None:
        """Delete messages in batches; what a batch could not delete is deleted one by one."""
        remaining = iter(letters)
        while batch := list(islice(remaining, PAGE)):
            entries: Any = [{"Id": str(number), "ReceiptHandle": letter.receipt} for number, letter in enumerate(batch)]
            with translated("DeleteMessageBatch"):
                answer = self.client(batch[0].queue).delete_message_batch(
                    QueueUrl=self._url(batch[0].queue), Entries=entries
                )
            for failed in answer.get("Failed", []):
                self.delete(batch[int(failed["Id"])])

    def delete(self, letter: DeadLetter) -> None:
        """Delete a message; SQS accepts this for a deleted message too."""
        with translated("DeleteMessage"):
            self.client(letter.queue).delete_message(QueueUrl=self._url(letter.queue), ReceiptHandle=letter.receipt)

    def _received(self, queue: str) -> list[DeadLetter]:
        with translated("ReceiveMessage"):
            answer = self.client(queue).receive_message(
                QueueUrl=self._url(queue),
                MaxNumberOfMessages=PAGE,
                VisibilityTimeout=HOLD,
                WaitTimeSeconds=self._wait,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["SentTimestamp"],
            )
        return [_letter(queue, message) for message in answer.get("Messages", [])]

    def _send(self, letter: DeadLetter) -> None:
        source = self.source(letter.queue)
        with translated("SendMessage"):
            self.client(letter.queue).send_message(
                QueueUrl=source,
                MessageBody=letter.body,
                MessageAttributes=_typed(own_attributes(letter.attributes)),
            )

    def _sent(self, source: str, batch: Sequence[DeadLetter]) -> dict[str, ContactSyncError]:
        entries: Any = [
            {
                "Id": str(number),
                "MessageBody": letter.body,
                "MessageAttributes": _typed(own_attributes(letter.attributes)),
            }
            for number, letter in enumerate(batch)
        ]
        with translated("SendMessageBatch"):
            answer = self.client(batch[0].queue).send_message_batch(QueueUrl=source, Entries=entries)
        return {batch[int(failed["Id"])].message_id: _entry_error(failed) for failed in answer.get("Failed", [])}

    def _called(self, letters: Sequence[DeadLetter]) -> dict[str, ContactSyncError]:
        refused: dict[str, ContactSyncError] = {}
        for letter in letters:
            try:
                self._call(letter)
            except DeadLetterUnreadableError as error:
                refused[letter.message_id] = error
            except AwsCallError as error:
                if letter is letters[0]:
                    raise
                refused[letter.message_id] = error
        return refused

    def _found_source(self, queue: str) -> str:
        with translated("ListDeadLetterSourceQueues"):
            found = self.client(queue).list_dead_letter_source_queues(QueueUrl=self._url(queue))
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

    def client(self, queue: str) -> "SQSClient":
        """Return the SQS client for the region of a queue."""
        client: SQSClient = self._client_of("sqs", _region(self._url(queue)))
        return client


class SqsQuarantine:
    """The quarantine: a subscriber's own dead-letter queue, to which its function writes."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def send(self, body: str, attributes: Mapping[str, str]) -> None:
        """Send the message with as many attributes as SQS accepts: a stranger's may have ten, ours has five."""
        kept = _as_many(body, attributes)
        with translated("SendMessage"):
            self._client.send_message(QueueUrl=self._url, MessageBody=body, MessageAttributes=_typed(kept))


def _as_many(body: str, attributes: Mapping[str, str]) -> dict[str, str]:
    """Return the attributes that fit beside a body; the reason for the quarantine comes first."""
    said = {name: value for name, value in attributes.items() if name not in own_attributes(attributes)}
    room = BATCH_BYTES - len(body.encode(errors="replace"))
    kept: dict[str, str] = {}
    for name, value in ((name, value) for name, value in {**said, **attributes}.items() if value):
        room -= len(f"{name}{value}".encode(errors="replace")) + ATTRIBUTE_OVERHEAD
        if room < 0 or len(kept) == ATTRIBUTES_AT_MOST:
            break
        kept[name] = value
    return kept


def _entry_error(failed: Mapping[str, Any]) -> AwsCallError:
    """Return our error for a message of a batch that SQS did not accept."""
    kind = RequestInvalidError if failed.get("SenderFault") else ServiceUnavailableError
    return kind("SendMessageBatch", str(failed.get("Code")))


def _batches(letters: Iterable[DeadLetter]) -> Iterator[list[DeadLetter]]:
    """Pack letters into batches within both limits of SendMessageBatch."""
    batch: list[DeadLetter] = []
    size = 0
    for letter in letters:
        parts = (letter.body, *letter.attributes, *letter.attributes.values())
        needed = sum(len(part.encode(errors="replace")) for part in parts) + ATTRIBUTE_OVERHEAD * len(letter.attributes)
        if batch and (len(batch) == PAGE or size + needed > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(letter)
        size += needed
    if batch:
        yield batch


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
    """Return the region in a queue's URL; None when the URL has none, as in the sandbox."""
    found = _REGION.match(url)
    return cast("str | None", found and (found[1] or found[2]))

"""How a subscriber's messages are handled once, and what is kept of those that failed; both on powertools."""

import os
import traceback
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType
from aws_lambda_powertools.utilities.idempotency import IdempotencyConfig, idempotent_function
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
    IdempotencyPersistenceLayerError,
)
from botocore.exceptions import BotoCoreError, ClientError

from contactsync.aws.sdk.error_codes import translated
from contactsync.bus.advice import Reader, sentence_for
from contactsync.bus.consume import REMEMBERED, Failures, failure_of, names_in
from contactsync.errors import (
    AwsCallError,
    EventUnderWayError,
    ItemUnreadableError,
    OutOfTimeError,
    ProcessEndedError,
)

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.idempotency.persistence.base import BasePersistenceLayer
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from contactsync.bus.envelope import Event

WINDOW: Final = int(REMEMBERED.total_seconds())
"""Seconds for which a handled event is remembered."""


def function_name() -> str:
    """Return the name of the function that runs, for sentences."""
    return os.environ.get("AWS_LAMBDA_FUNCTION_NAME") or Reader.function


class OnceByPowertools:
    """Remembers handled events in powertools' persistence layer, by subscriber and event id.

    A call that died is forgotten when its function's time is over, and the event is handled again.
    """

    def __init__(self, subscriber: str, persistence: "BasePersistenceLayer", logger: Logger) -> None:
        """Take the subscriber's name, which is part of the key."""
        self._subscriber = subscriber
        self._persistence = persistence
        self._logger = logger
        self._config = IdempotencyConfig(
            expires_after_seconds=WINDOW, hash_function="sha256", raise_on_no_idempotency_key=True
        )

    def begin(self, context: "LambdaContext") -> None:
        """Take the invocation's context: it knows how much time is left."""
        self._config.register_lambda_context(context)

    def run(self, event: "Event", effect: Callable[[], None]) -> None:
        """Call the effect once per event id, with what the event is in every log line."""

        def handle(*, event_id: str) -> None:  # noqa: ARG001 -- powertools finds the key by this name
            effect()

        once = idempotent_function(
            handle,
            data_keyword_argument="event_id",
            persistence_store=self._persistence,
            config=self._config,
            key_prefix=self._subscriber,
        )
        facts = {"correlation_id": event.correlationid, "event_id": event.id, "event_type": event.type}
        with self._logger.append_context_keys(**facts):
            try:
                once(event_id=event.id)
            except IdempotencyAlreadyInProgressError:
                raise EventUnderWayError(event_id=event.id) from None
            except IdempotencyPersistenceLayerError as error:
                _raise_translated(error)
                raise
            self._logger.info("event handled, now or before")


def _raise_translated(error: IdempotencyPersistenceLayerError) -> None:
    """Raise our error for what powertools wrapped: a call of DynamoDB, or an item; else nothing."""
    cause = error.__cause__
    if isinstance(cause, ItemUnreadableError):
        raise cause from None
    if isinstance(cause, (ClientError, BotoCoreError)):
        with translated(getattr(cause, "operation_name", "PutItem")):
            raise cause


class ReportedError(Exception):
    """A message failed in a process of its own, which has logged and kept why."""


class RememberingProcessor(BatchProcessor):
    """Reports the messages of a batch that failed, and keeps for each why."""

    def __init__(self, subscriber: str, failures: Failures, logger: Logger, ended: Collection[str] = ()) -> None:
        """Take the subscriber's name, by which failures are found.

        `ended` are the messages whose earlier process has ended, which is kept as the reason until there is another.
        """
        # The whole batch as failed messages and not as an error, whose text would quote all of theirs.
        super().__init__(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
        self._subscriber = subscriber
        self._failures = failures
        self._log = logger
        self._ended = ended
        self._reader = Reader(subscriber, function_name())

    def failure_handler(self, record: Any, exception: Any) -> Any:  # noqa: ANN401 -- powertools' own types
        """Log and keep the failure; where that fails the message is reported all the same."""
        _, error, trace = exception
        if isinstance(error, ReportedError):
            return super().failure_handler(record, exception)
        if isinstance(error, OutOfTimeError):  # says nothing about the message
            self._log.warning("%s", error)
            return super().failure_handler(record, exception)
        if isinstance(error, EventUnderWayError) and record.message_id in self._ended:
            # Whoever has begun with the event is the process that ended.
            error = ProcessEndedError(
                how="while it handled this event, at an earlier receive", function=function_name()
            )
        failure = failure_of(error, int(record.attributes.approximate_receive_count), self._reader)
        facts = {"message_id": record.message_id, "error": failure.code, "receive_count": failure.receive_count}
        facts |= vars(names_in(record.body))
        # Without the error's own text, which may quote what a stranger sent.
        self._log.error(failure.sentence, extra={**facts, "where": traceback.format_tb(trace)})
        try:
            self._failures.remember(self._subscriber, record.message_id, failure)
        except AwsCallError as unremembered:
            self._log.warning("Why the message failed is not kept: %s", sentence_for(unremembered, self._reader))
        return super().failure_handler(record, exception)

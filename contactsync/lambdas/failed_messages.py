"""What is stored about a subscriber's messages that failed."""

import os
import traceback
from collections.abc import Collection
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType

from contactsync.bus.advice import Reader, sentence_for
from contactsync.bus.consume import Failures, failure_of, names_in
from contactsync.errors import (
    AwsCallError,
    EventUnderWayError,
    OutOfTimeError,
    ProcessEndedError,
)


def function_name() -> str:
    """Return the name of the running function, for sentences."""
    return os.environ.get("AWS_LAMBDA_FUNCTION_NAME") or Reader.function


class ReportedError(Exception):
    """Raised for a message that failed in a process of its own, which has logged and stored why."""


class RememberingProcessor(BatchProcessor):
    """Reports the messages of a batch that failed, and stores for each why it failed."""

    def __init__(self, subscriber: str, failures: Failures, logger: Logger, ended: Collection[str] = ()) -> None:
        """Take the subscriber's name, by which failures are found.

        `ended` are the messages whose earlier process ended; that is stored as the reason until there is another one.
        """
        # If the whole batch fails, report failed messages and not an error: its text would quote the errors of all
        # messages.
        super().__init__(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
        self._subscriber = subscriber
        self._failures = failures
        self._log = logger
        self._ended = ended
        self._reader = Reader(subscriber, function_name())

    def failure_handler(self, record: Any, exception: Any) -> Any:  # noqa: ANN401 -- powertools' own types
        """Log and store the failure; if that fails, the message is reported all the same."""
        _, error, trace = exception
        if isinstance(error, ReportedError):
            return super().failure_handler(record, exception)
        if isinstance(error, OutOfTimeError):  # it says nothing about the message
            self._log.warning("%s", error)
            return super().failure_handler(record, exception)
        if isinstance(error, EventUnderWayError) and record.message_id in self._ended:
            # The process that ended is the one that has begun with the event.
            error = ProcessEndedError(
                how="while it handled this event, when the message was received earlier", function=function_name()
            )
        failure = failure_of(error, int(record.attributes.approximate_receive_count), self._reader)
        facts = {"message_id": record.message_id, "error": failure.code, "receive_count": failure.receive_count}
        facts |= vars(names_in(record.body))
        # Without the error's own text, which may quote what a stranger sent.
        self._log.error(failure.sentence, extra={**facts, "where": traceback.format_tb(trace)})
        try:
            self._failures.remember(self._subscriber, record.message_id, failure)
        except AwsCallError as unremembered:
            self._log.warning(
                "The reason why the message failed was not stored: %s", sentence_for(unremembered, self._reader)
            )
        return super().failure_handler(record, exception)

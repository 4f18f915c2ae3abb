"""What all subscribers' functions share: batches, idempotency, quarantine, stored failures, logs and metrics.

aws-lambda-powertools does the first two; a subscriber is one line: `handler = subscribed(NAME, MAKE)`.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools import Logger, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import process_partial_response

from contactsync.bus.advice import Reader, sentence_for
from contactsync.bus.consume import Consumed, failure_of
from contactsync.errors import AwsCallError, FunctionTimeoutError, OutOfTimeError, ProcessEndedError
from contactsync.lambdas.apart import run_apart
from contactsync.lambdas.failed_messages import RememberingProcessor, ReportedError, function_name
from contactsync.services.functions.subscriber import SubscriberParts, metrics_of

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from contactsync.bus.envelope import Event
    from contactsync.settings.groups import Group

LEAST_TIMEOUT: Final = 10.0
"""Seconds of a function's Timeout that are needed to handle anything."""

START: Final = 0.5
"""Seconds that may have passed before the handler begins."""

ENOUGH: Final = 8.0
"""Seconds that must be left to begin with another message; a table may answer late."""

RESERVE: Final = 2.0
"""Seconds that are kept for reporting when each message has its own process."""

LEAST_SHARE: Final = 2.0
"""Seconds that such a message gets at least."""

PROCESS_ENDED: Final = ProcessEndedError(how="").code
"""The code of a failure that ended its process."""

Handler = Callable[[dict[str, Any], "LambdaContext"], "PartialItemFailureResponse"]


class Subscription:
    """A subscriber's function: everything that is made once per process."""

    def __init__(self, name: str, make: Callable[[], Callable[["Event"], None]], needs: Iterable["Group"]) -> None:
        """Take the subscriber's name, a function that makes its handler, and the settings that this reads."""
        self._name = name
        self._reader = Reader(name, function_name())
        service = f"contactsync-{name}"
        self.logger = Logger(service=service)
        self._parts = SubscriberParts.of(name, make, needs, self.logger)
        self.metrics = metrics_of(service)
        # Outside of Lambda, as in the sandbox, nothing receives traces.
        self.tracer = Tracer(service=service, disabled="AWS_XRAY_DAEMON_ADDRESS" not in os.environ)

    def handle(self, event: dict[str, Any], context: "LambdaContext") -> "PartialItemFailureResponse":
        """Handle a batch, and report the messages that SQS has to deliver again."""
        self._parts.check()
        self.metrics.set_default_dimensions(Environment=self._parts.settings.deployment.environment)
        self._count("EventsHandled", 0)  # a share of failed messages needs both numbers, also where each message fails
        left = _seconds_left(context)
        if left < LEAST_TIMEOUT - START:
            return self._refuse(event, context, left)
        self._parts.once.begin(context)
        ended = self._ended(event)
        if ended:
            return self._handle_apart(event, context, ended)
        processor = RememberingProcessor(self._name, self._parts.failures, self.logger)
        answer = process_partial_response(
            event=event, record_handler=partial(self._consume, context), processor=processor, context=context
        )
        self._count("EventsFailed", len(processor.fail_messages))
        return answer

    def _refuse(self, event: dict[str, Any], context: "LambdaContext", left: float) -> "PartialItemFailureResponse":
        """Report every message, and store for each that the function's Timeout is too short."""
        error = FunctionTimeoutError(seconds=left, least=LEAST_TIMEOUT, function=function_name())
        self.logger.error(str(error))

        def refuse(record: "SQSRecord") -> None:  # noqa: ARG001 -- the batch processor's signature
            raise error

        processor = RememberingProcessor(self._name, self._parts.failures, self.logger)
        answer = process_partial_response(event=event, record_handler=refuse, processor=processor, context=context)
        self._count("EventsFailed", len(processor.fail_messages))
        return answer

    def _consume(self, context: "LambdaContext", record: "SQSRecord") -> None:
        """Handle one message; if the time is over, report it, so that the batch and its reasons are not lost."""
        left = _seconds_left(context)
        if left < ENOUGH:
            raise OutOfTimeError(seconds=left)
        self._take(record)

    def _take(self, record: "SQSRecord") -> None:
        attributes = {name: value.string_value or "" for name, value in record.message_attributes.items()}
        consumed = self._parts.consumer.consume(record.body, attributes)
        self._count("EventsHandled", int(consumed is Consumed.HANDLED))
        self._count("EventsQuarantined", int(consumed is Consumed.QUARANTINED))

    def _ended(self, event: Mapping[str, Any]) -> dict[str, bool]:
        """Return the messages, by id, that an earlier process had and neither handled nor reported as failed.

        The value says whether it is known that the message itself ended its process, not another one beside it.
        """
        again = {str(record.get("messageId")): _receive_count(record) for record in event.get("Records", [])}
        again = {message_id: count for message_id, count in again.items() if count > 1}
        ended: dict[str, bool] = {}
        try:
            for message_id, count in again.items():
                known = self._parts.failures.find(self._name, message_id)
                if known is None or known.receive_count < count - 1 or known.code == PROCESS_ENDED:
                    ended[message_id] = known is not None and known.code == PROCESS_ENDED
        except AwsCallError as error:
            self.logger.warning(
                "The reasons why messages failed before cannot be read: %s", sentence_for(error, self._reader)
            )
            return dict.fromkeys(again, False)
        return ended

    def _handle_apart(
        self, event: dict[str, Any], context: "LambdaContext", ended: Mapping[str, bool]
    ) -> "PartialItemFailureResponse":
        """Handle each message of a batch in its own process; those that have ended a process come last."""
        records = sorted(event["Records"], key=lambda record: ended.get(str(record.get("messageId")), False))
        self.logger.warning(
            "a process ended while it had messages of this batch; now each message gets its own process"
        )
        processor = RememberingProcessor(self._name, self._parts.failures, self.logger, ended)
        shares = _Shares(context, len(records))
        answer = process_partial_response(
            event={**event, "Records": records},
            record_handler=partial(self._consume_apart, context, shares, ended),
            processor=processor,
            context=context,
        )
        self._count("EventsFailed", len(processor.fail_messages))
        return answer

    def _consume_apart(
        self, context: "LambdaContext", shares: "_Shares", ended: Mapping[str, bool], record: "SQSRecord"
    ) -> None:
        seconds = shares.next()
        # Make them here once for all messages, not once in each process.
        _ = self._parts.consumer, self._parts.failures
        if ended.get(record.message_id) is False:
            # Store it before the try: if this process ends too, nothing else could say why the message is a dead
            # letter.
            self._expect_the_end(record)
        self._parts.close_connections()
        done = run_apart(partial(self._answer, context, ended, record), seconds)
        for name, value in done["counts"].items():
            self._count(name, value)
        if done["failed"]:
            raise ReportedError

    def _expect_the_end(self, record: "SQSRecord") -> None:
        count = int(record.attributes.approximate_receive_count)
        error = ProcessEndedError(
            how=f"at receive {count - 1}, maybe because of another message of the batch", function=function_name()
        )
        try:
            self._parts.failures.remember(self._name, record.message_id, failure_of(error, count, self._reader))
        except AwsCallError as unremembered:
            self.logger.warning(
                "The reason why the message may fail was not stored: %s", sentence_for(unremembered, self._reader)
            )

    def _answer(self, context: "LambdaContext", ended: Mapping[str, bool], record: "SQSRecord") -> dict[str, Any]:
        """Handle one message as a batch in its own process, and return what the parent process has to know."""
        processor = RememberingProcessor(self._name, self._parts.failures, self.logger, ended)
        counts: dict[str, int] = {}
        self._count = lambda name, value: counts.update({name: value})  # type: ignore[method-assign] # in this process only
        process_partial_response(
            event={"Records": [record.raw_event]}, record_handler=self._take, processor=processor, context=context
        )
        return {"failed": bool(processor.fail_messages), "counts": counts}

    def _count(self, name: str, value: int) -> None:
        self.metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)


class _Shares:
    """The rest of a function's time, divided among messages of which each may need all of it."""

    def __init__(self, context: "LambdaContext", messages: int) -> None:
        """Take the number of messages."""
        self._context = context
        self._messages = messages

    def next(self) -> float:
        """Return the seconds for the next message; raise OutOfTimeError when no time is left for it."""
        left = _seconds_left(self._context)
        share = (left - RESERVE) / max(self._messages, 1)
        self._messages -= 1
        if left < RESERVE + LEAST_SHARE:
            raise OutOfTimeError(seconds=left)
        return max(share, LEAST_SHARE)


def _seconds_left(context: "LambdaContext") -> float:
    return context.get_remaining_time_in_millis() / 1000


def _receive_count(record: Mapping[str, Any]) -> int:
    return int(record.get("attributes", {}).get("ApproximateReceiveCount", 1))


def subscribed(name: str, make: Callable[[], Callable[["Event"], None]], *, needs: Iterable["Group"] = ()) -> Handler:
    """Return the Lambda handler of a subscriber; `make` is called once, for the first batch.

    `needs` are the groups of settings that `make` reads: what is missing in them is named together with everything
    else.
    """
    subscription = Subscription(name, make, needs)

    def handler(event: dict[str, Any], context: "LambdaContext") -> "PartialItemFailureResponse":
        return subscription.handle(event, context)

    traced = subscription.tracer.capture_lambda_handler(handler, capture_response=False, capture_error=False)
    measured = subscription.metrics.log_metrics(traced)
    logged: Handler = subscription.logger.inject_lambda_context(measured, log_event=False)
    return logged

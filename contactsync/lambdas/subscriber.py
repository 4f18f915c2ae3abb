"""What every subscriber's function shares: batches, idempotency, quarantine, remembered failures, logs and metrics.

aws-lambda-powertools does the first two; a subscriber is one line: `handler = subscribed(NAME, MAKE)`.
"""

import os
import traceback
from collections.abc import Callable
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)

from contactsync.aws.claim_bucket import S3Claims
from contactsync.aws.clients import Clients
from contactsync.aws.dead_letter_queues import DynamoDbFailures, SqsQuarantine
from contactsync.aws.metrics import NAMESPACE
from contactsync.bus.consume import Consumed, Consumer, Subscriber, failure_of, names_in
from contactsync.bus.ports import Failures
from contactsync.errors import AwsCallError, OutOfTimeError, SettingsError
from contactsync.services import SystemClock

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.idempotency.persistence.base import BasePersistenceLayer
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from contactsync.bus.envelope import Event

WINDOW: Final = 35 * 86_400
"""Seconds for which a handled event is remembered: dead letters live 14 days, and once more after a redrive."""

ENOUGH: Final = 8.0
"""Seconds of a function's time without which no further message is begun; a table may answer late."""

Handler = Callable[[dict[str, Any], "LambdaContext"], "PartialItemFailureResponse"]


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
            once(event_id=event.id)
            self._logger.info("event handled, now or before")


class RememberingProcessor(BatchProcessor):
    """Reports the messages of a batch that failed, and keeps for each why."""

    def __init__(self, subscriber: str, failures: Failures, logger: Logger) -> None:
        """Take the subscriber's name, by which failures are found."""
        # The whole batch as failed messages and not as an error, whose text would quote all of theirs.
        super().__init__(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
        self._subscriber = subscriber
        self._failures = failures
        self._log = logger

    def failure_handler(self, record: Any, exception: Any) -> Any:  # noqa: ANN401 -- powertools' own types
        """Log and keep the failure; where that fails the message is reported all the same."""
        _, error, trace = exception
        if isinstance(error, OutOfTimeError):  # says nothing about the message
            self._log.warning("%s", error)
            return super().failure_handler(record, exception)
        failure = failure_of(error, int(record.attributes.approximate_receive_count))
        facts = {"message_id": record.message_id, "error": failure.code, "receive_count": failure.receive_count}
        facts |= vars(names_in(record.body))
        # Without the error's own text, which may quote what a stranger sent.
        self._log.error(failure.sentence, extra={**facts, "where": traceback.format_tb(trace)})
        try:
            self._failures.remember(self._subscriber, record.message_id, failure)
        except AwsCallError as unremembered:
            self._log.warning("Why the message failed is not kept: %s", unremembered)
        return super().failure_handler(record, exception)


class Subscription:
    """A subscriber's function: everything that is made once per process."""

    def __init__(self, name: str, make: Callable[[], Callable[["Event"], None]]) -> None:
        """Take the subscriber's name, and what makes its function from the environment."""
        self._name = name
        self._make = make
        service = f"contactsync-{name}"
        self.logger = Logger(service=service)
        self.metrics = Metrics(namespace=NAMESPACE, service=service)
        # Outside of Lambda, as in the sandbox, nobody takes traces.
        self.tracer = Tracer(service=service, disabled="AWS_XRAY_DAEMON_ADDRESS" not in os.environ)

    def handle(self, event: dict[str, Any], context: "LambdaContext") -> "PartialItemFailureResponse":
        """Consume a batch, and report the messages that are to be delivered again."""
        self.metrics.set_default_dimensions(Environment=required("CONTACTSYNC_ENVIRONMENT"))
        self._once.begin(context)
        processor = RememberingProcessor(self._name, self._failures, self.logger)
        answer = process_partial_response(
            event=event, record_handler=partial(self._consume, context), processor=processor, context=context
        )
        self._count("EventsFailed", len(processor.fail_messages))
        return answer

    def _consume(self, context: "LambdaContext", record: "SQSRecord") -> None:
        """Consume one message; when time runs out, report it, rather than lose the whole batch and its reasons."""
        left = context.get_remaining_time_in_millis() / 1000
        if left < ENOUGH:
            raise OutOfTimeError(seconds=left)
        attributes = {name: value.string_value or "" for name, value in record.message_attributes.items()}
        consumed = self._consumer.consume(record.body, attributes)
        self._count("EventsHandled", int(consumed is Consumed.HANDLED))
        self._count("EventsQuarantined", int(consumed is Consumed.QUARANTINED))

    def _count(self, name: str, value: int) -> None:
        self.metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)

    @cached_property
    def _consumer(self) -> Consumer:
        bucket = os.environ.get("CONTACTSYNC_CLAIM_BUCKET")
        return Consumer(
            subscriber=Subscriber(self._name, self._make()),
            claims=S3Claims(clients().own("s3"), bucket) if bucket else None,
            once=self._once,
            quarantine=SqsQuarantine(clients().own("sqs"), required("CONTACTSYNC_DEAD_LETTERS_URL")),
        )

    @cached_property
    def _once(self) -> OnceByPowertools:
        table = required("CONTACTSYNC_IDEMPOTENCY_TABLE")
        persistence = DynamoDBPersistenceLayer(table, boto3_client=clients().quick("dynamodb"))
        return OnceByPowertools(self._name, persistence, self.logger)

    @cached_property
    def _failures(self) -> DynamoDbFailures:
        return DynamoDbFailures(clients().quick("dynamodb"), required("CONTACTSYNC_IDEMPOTENCY_TABLE"), SystemClock())


def subscribed(name: str, make: Callable[[], Callable[["Event"], None]]) -> Handler:
    """Return the Lambda handler of a subscriber; `make` is called once, with the first batch."""
    subscription = Subscription(name, make)

    def handler(event: dict[str, Any], context: "LambdaContext") -> "PartialItemFailureResponse":
        return subscription.handle(event, context)

    traced = subscription.tracer.capture_lambda_handler(handler, capture_response=False, capture_error=False)
    measured = subscription.metrics.log_metrics(traced)
    logged: Handler = subscription.logger.inject_lambda_context(measured, log_event=False)
    return logged


@cache
def clients() -> Clients:
    """Return what makes boto3 clients, with short timeouts: a function that ends in time says what failed."""
    return Clients(management_role=None, connect_timeout=2, read_timeout=5)


def required(name: str) -> str:
    """Return a variable of the function's environment; raise SettingsError without it."""
    value = os.environ.get(name, "").strip()
    if not value:
        raise SettingsError(variable=name, problem="is not set")
    return value

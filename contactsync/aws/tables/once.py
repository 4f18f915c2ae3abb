"""The memory of handled events, kept by aws-lambda-powertools."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.idempotency import IdempotencyConfig, idempotent_function
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
    IdempotencyPersistenceLayerError,
)
from botocore.exceptions import BotoCoreError, ClientError

from contactsync.aws.sdk.error_codes import translated
from contactsync.bus.consume import REMEMBERED
from contactsync.errors import EventUnderWayError, ItemUnreadableError

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.idempotency.persistence.base import BasePersistenceLayer
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from contactsync.bus.envelope import Event

WINDOW: Final = int(REMEMBERED.total_seconds())
"""Seconds for which a handled event is remembered."""


class OnceByPowertools:
    """Handled events in powertools' persistence layer, by subscriber and event id.

    If a call dies, it counts for nothing once its function's time is over, and the event is handled again.
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
        """Take the invocation's context, which knows how much time is left."""
        self._config.register_lambda_context(context)

    def run(self, event: "Event", effect: Callable[[], None]) -> None:
        """Call the effect once per event id; log lines during the call have the event's ids."""

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
    """Raise our error for what powertools wrapped: a failed call of DynamoDB, or an unreadable item; else nothing."""
    cause = error.__cause__
    if isinstance(cause, ItemUnreadableError):
        raise cause from None
    if isinstance(cause, (ClientError, BotoCoreError)):
        with translated(getattr(cause, "operation_name", "PutItem")):
            raise cause

"""What every subscriber's function is made of."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

from aws_lambda_powertools import Logger, Metrics

from contactsync.aws.claim_bucket import S3Claims
from contactsync.aws.dead_letter_queues import SqsQuarantine
from contactsync.aws.metrics import NAMESPACE
from contactsync.aws.tables.failures_table import DynamoDbFailures
from contactsync.aws.tables.handled_events import HandledEvents
from contactsync.aws.tables.once import OnceByPowertools
from contactsync.bus.consume import Consumer, Subscriber
from contactsync.bus.envelope import Event
from contactsync.clock import SystemClock
from contactsync.errors import SettingsError
from contactsync.services.functions.environment import function_clients, function_settings
from contactsync.settings.groups import Group
from contactsync.settings.settings import Settings, variables_of

OWN = (Group.DEPLOYMENT, Group.SUBSCRIBER, Group.CLAIMS)
"""What every subscriber uses."""

REMEMBERING = (Group.DEPLOYMENT, Group.SUBSCRIBER)
"""Without these nothing can be kept of a message that fails."""


@dataclass(frozen=True)
class SubscriberParts:
    """The settings and adapters of a subscriber's function; each is made when it is first asked for."""

    name: str
    make: Callable[[], Callable[[Event], None]]
    """Makes what handles an event."""
    needs: tuple[Group, ...]
    """The groups of settings that `make` reads."""
    logger: Logger

    @classmethod
    def of(
        cls, name: str, make: Callable[[], Callable[[Event], None]], needs: Iterable[Group], logger: Logger
    ) -> "SubscriberParts":
        """Return the parts of a subscriber that reads some groups beside those that all subscribers read."""
        return cls(name, make, tuple(dict.fromkeys((*OWN, *needs))), logger)

    def check(self) -> None:
        """Raise SettingsError for all of what is missing or wrong, where nothing could be kept of messages that fail.

        With everything else missing, the messages fail for that reason, which is kept with each of them.
        """
        try:
            self.settings.demand(self.needs)
        except SettingsError as error:
            if not error.problems.keys().isdisjoint(variables_of(REMEMBERING)):
                raise

    @cached_property
    def settings(self) -> Settings:
        """The function's settings."""
        return function_settings()

    @cached_property
    def consumer(self) -> Consumer:
        """What consumes one message; raises SettingsError for all of what is missing or wrong."""
        self.settings.demand(self.needs)
        bucket, clients = self.settings.claims.bucket, function_clients()
        return Consumer(
            subscriber=Subscriber(self.name, self.make()),
            claims=S3Claims(clients.own("s3"), bucket) if bucket else None,
            once=self.once,
            quarantine=SqsQuarantine(clients.own("sqs"), self.settings.subscriber.dead_letters_url),
            environment=self.settings.deployment.environment,
        )

    @cached_property
    def once(self) -> OnceByPowertools:
        """What remembers handled events."""
        persistence = HandledEvents(
            self.settings.subscriber.idempotency_table, boto3_client=function_clients().quick("dynamodb")
        )
        return OnceByPowertools(self.name, persistence, self.logger)

    @cached_property
    def failures(self) -> DynamoDbFailures:
        """What keeps why messages failed."""
        table = self.settings.subscriber.idempotency_table
        return DynamoDbFailures(function_clients().quick("dynamodb"), table, SystemClock())

    def close_connections(self) -> None:
        """Close what two processes cannot use after a fork."""
        function_clients().close_connections()


def metrics_of(service: str) -> Metrics:
    """Return powertools' metrics in the namespace of the product."""
    return Metrics(namespace=NAMESPACE, service=service)

"""The parts of every subscriber's function."""

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
"""The groups of settings that every subscriber reads."""

REMEMBERING = (Group.DEPLOYMENT, Group.SUBSCRIBER)
"""Without these groups, nothing can be stored about a message that fails."""


@dataclass(frozen=True)
class SubscriberParts:
    """The settings and adapters of a subscriber's function; each is made when it is first asked for."""

    name: str
    make: Callable[[], Callable[[Event], None]]
    """Returns the function that handles an event."""
    needs: tuple[Group, ...]
    """The groups of settings that `make` reads."""
    logger: Logger

    @classmethod
    def of(
        cls, name: str, make: Callable[[], Callable[[Event], None]], needs: Iterable[Group], logger: Logger
    ) -> "SubscriberParts":
        """Return the parts of a subscriber that reads these groups in addition to those of all subscribers."""
        return cls(name, make, tuple(dict.fromkeys((*OWN, *needs))), logger)

    def check(self) -> None:
        """Raise SettingsError for everything missing or wrong, if nothing could be stored about failing messages.

        If only other settings are missing, the messages fail for that reason, which is stored for each of them.
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
        """The handling of one message; raises SettingsError for everything missing or wrong."""
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
        """The memory of handled events."""
        persistence = HandledEvents(
            self.settings.subscriber.idempotency_table, boto3_client=function_clients().quick("dynamodb")
        )
        return OnceByPowertools(self.name, persistence, self.logger)

    @cached_property
    def failures(self) -> DynamoDbFailures:
        """The store of why messages failed."""
        table = self.settings.subscriber.idempotency_table
        return DynamoDbFailures(function_clients().quick("dynamodb"), table, SystemClock())

    def close_connections(self) -> None:
        """Close the connections, which two processes cannot share after a fork."""
        function_clients().close_connections()


def metrics_of(service: str) -> Metrics:
    """Return powertools' metrics in contactsync's namespace."""
    return Metrics(namespace=NAMESPACE, service=service)

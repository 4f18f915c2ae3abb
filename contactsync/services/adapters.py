"""The adapters of a deployment, made from its settings."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from contactsync.airflow_server import AirflowServer, SignIn
from contactsync.aws.account_contacts import AccountManagementContacts
from contactsync.aws.backup_bucket import BucketSource, BucketTarget
from contactsync.aws.claim_bucket import S3Claims
from contactsync.aws.dead_letter_queues import SqsDeadLetterQueues
from contactsync.aws.metrics import BackgroundMetrics, CloudWatchMetrics
from contactsync.aws.mwaa_environment import MwaaEnvironment
from contactsync.aws.mwaa_web_server import MwaaWebServer
from contactsync.aws.operations.desired_contacts_table import DynamoDbDesiredContacts
from contactsync.aws.operations.operation_queries import DynamoDbDesiredVersions, DynamoDbOperationQueries
from contactsync.aws.operations.records_table import DynamoDbAccountRecords
from contactsync.aws.operations.state_table import DynamoDbOperations
from contactsync.aws.operations.stored_operations import DynamoDbStoredOperations
from contactsync.aws.organization import AwsOrganization
from contactsync.aws.sdk.caller import AwsCaller
from contactsync.aws.sdk.clients import Clients, read_models
from contactsync.aws.secret import secret_string
from contactsync.aws.subscriber_queues import SqsSubscriberQueues
from contactsync.aws.tables.audit_table import DynamoDbAuditTrail
from contactsync.aws.tables.breaker_table import DynamoDbBreakers
from contactsync.aws.tables.config_table import DynamoDbConfigurations, DynamoDbStoredConfigurations
from contactsync.aws.tables.failures_table import DynamoDbFailures
from contactsync.aws.tables.limiter_table import DynamoDbLimiter
from contactsync.aws.tables.lookups_table import DynamoDbLookups
from contactsync.aws.tables.notice_store import DynamoDbNoticeStore
from contactsync.aws.tables.outbox_table import DynamoDbOutbox
from contactsync.aws.tables.set_aside_table import DynamoDbSetAside
from contactsync.aws.tables.whole_tables import DynamoDbWholeTables
from contactsync.aws.topic import SnsTopic, subscriptions
from contactsync.backups.folder import FolderSource, FolderTarget
from contactsync.backups.kinds import Table
from contactsync.backups.ports import BackupSource, BackupTarget
from contactsync.bus.dead_letters.handling import LOOKERS
from contactsync.bus.dead_letters.places import DeadLetterPlaces
from contactsync.bus.publish import Publisher
from contactsync.bus.relay import Relay
from contactsync.clock import SystemClock
from contactsync.runs.runs import AirflowRest
from contactsync.settings.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

BUCKET: Final = "s3://"
"""How the names of places in buckets begin."""

TASK_SERVICES: Final = ("account", "dynamodb", "organizations", "secretsmanager", "sts")


@dataclass(frozen=True)
class Adapters:
    """The adapters of a deployment; each is made when it is first asked for."""

    settings: Settings

    @cached_property
    def clock(self) -> SystemClock:
        """The machine's clock."""
        return SystemClock()

    @cached_property
    def organization(self) -> AwsOrganization:
        """The organization as its management account sees it."""
        patience = self.settings.patience
        return AwsOrganization(
            self._clients.management("organizations"),
            self._clients.management("sts"),
            self.clock,
            tries=patience.organization_tries,
            longest_wait=patience.organization_wait,
        )

    @cached_property
    def airflow(self) -> AirflowRest:
        """Airflow's REST API: of the deployment's MWAA environment, or of the Airflow at an address."""
        airflow = self.settings.airflow
        if airflow.url is not None:
            return AirflowServer(airflow.url, SignIn(airflow.username, airflow.password, airflow.token))
        trigger = self.settings.trigger
        return MwaaEnvironment(self._clients.own("mwaa", trigger.mwaa_region), trigger.mwaa_environment)

    @cached_property
    def airflow_itself(self) -> AirflowRest:
        """Airflow's REST API without InvokeRestApi: at the address, or at the web server of the MWAA environment."""
        if self.settings.airflow.url is not None:
            return self.airflow
        trigger = self.settings.trigger
        return MwaaWebServer(self._clients.own("mwaa", trigger.mwaa_region), trigger.mwaa_environment)

    @cached_property
    def contacts(self) -> AccountManagementContacts:
        """The contacts of accounts, at Account Management."""
        calls = self.settings.calls
        return AccountManagementContacts(
            self._clients.management("account", single_attempt=True),
            send_within=self.settings.patience.mark_wait - calls.connect_timeout - calls.read_timeout,
        )

    @cached_property
    def configurations(self) -> DynamoDbConfigurations:
        """The stored configuration."""
        return DynamoDbConfigurations(
            self._dynamodb,
            self.settings.configuration.table,
            self.settings.configuration.key,
            outbox_table=self.settings.state.table,
            clock=self.clock,
        )

    @cached_property
    def stored_configurations(self) -> DynamoDbStoredConfigurations:
        """The stored configuration, for code that only reads it."""
        configuration = self.settings.configuration
        return DynamoDbStoredConfigurations(self._dynamodb, configuration.table, configuration.key)

    @cached_property
    def operations(self) -> DynamoDbOperations:
        """Sync operations and outcomes."""
        return DynamoDbOperations(
            self._dynamodb,
            state_table=self.settings.state.table,
            desired_contacts_table=self.settings.desired.table,
            retention_days=self.settings.state.retention_days,
            conflict_tries=self.settings.state.conflict_tries,
            clock=self.clock,
        )

    @cached_property
    def operation_queries(self) -> DynamoDbOperationQueries:
        """The queries for listings of operations and outcomes."""
        return DynamoDbOperationQueries(self._dynamodb, self.settings.state.table)

    @cached_property
    def stored_operations(self) -> DynamoDbStoredOperations:
        """Sync operations and outcomes, for code that only reads them."""
        return DynamoDbStoredOperations(self._dynamodb, self.settings.state.table)

    @cached_property
    def records(self) -> DynamoDbAccountRecords:
        """The account records."""
        return DynamoDbAccountRecords(
            self._dynamodb,
            self.settings.state.table,
            conflict_tries=self.settings.state.conflict_tries,
            clock=self.clock,
        )

    @cached_property
    def desired_contacts(self) -> DynamoDbDesiredContacts:
        """The desired contacts: the only adapter that returns stored contact values."""
        return DynamoDbDesiredContacts(self._dynamodb, self.settings.desired.table)

    @cached_property
    def desired_versions(self) -> DynamoDbDesiredVersions:
        """The operation of each desired contact, without the contact's values."""
        return DynamoDbDesiredVersions(self._dynamodb, self.settings.desired.table)

    @cached_property
    def lookups(self) -> DynamoDbLookups:
        """Earlier answers about the organization."""
        return DynamoDbLookups(self._dynamodb, self.settings.state.table)

    @cached_property
    def limiter(self) -> DynamoDbLimiter:
        """The limiter."""
        return DynamoDbLimiter(
            self._dynamodb,
            self.settings.state.table,
            caller_account=self.settings.management.account,
            conflict_tries=self.settings.state.conflict_tries,
            clock=self.clock,
        )

    @cached_property
    def breakers(self) -> DynamoDbBreakers:
        """The circuit breakers."""
        return DynamoDbBreakers(
            self._dynamodb,
            self.settings.state.table,
            caller_account=self.settings.management.account,
            conflict_tries=self.settings.state.conflict_tries,
            clock=self.clock,
        )

    @cached_property
    def notice_store(self) -> DynamoDbNoticeStore:
        """The notices that were requested, with their deliveries."""
        return DynamoDbNoticeStore(
            self._dynamodb,
            self.settings.state.table,
            retention_days=self.settings.state.retention_days,
            conflict_tries=self.settings.state.conflict_tries,
            clock=self.clock,
        )

    @cached_property
    def outbox(self) -> DynamoDbOutbox:
        """The announcements that are not known to be published."""
        return DynamoDbOutbox(
            self._dynamodb,
            self.settings.state.table,
            conflict_tries=self.settings.state.conflict_tries,
            clock=self.clock,
        )

    @cached_property
    def relay(self) -> Relay:
        """The way from the outbox to the bus."""
        return Relay(outbox=self.outbox, publisher=self.publisher, clock=self.clock)

    @property
    def announcer(self) -> Relay:
        """The publisher of what was stored a moment ago."""
        return self.relay

    @cached_property
    def publisher(self) -> Publisher:
        """The one way onto the bus."""
        bucket = self.settings.claims.bucket
        self._clients.partition.check("CONTACTSYNC_EVENTS_TOPIC_ARN", self.settings.bus.topic)
        return Publisher(
            topic=SnsTopic(self._clients.quick("sns"), self.settings.bus.topic),
            claims=S3Claims(self._clients.own("s3"), bucket) if bucket else None,
            metrics=self.metrics,
            clock=self.clock,
            environment=self.settings.deployment.environment,
        )

    def count_subscriptions(self) -> int:
        """Count the subscriptions of the bus's topic, which is a read that changes nothing."""
        return subscriptions(self._clients.own("sns"), self.settings.bus.topic)

    @cached_property
    def metrics(self) -> BackgroundMetrics:
        """The metrics in CloudWatch, for which nothing waits."""
        client = self._clients.quick("cloudwatch")
        return BackgroundMetrics(CloudWatchMetrics(client, self.settings.deployment.environment))

    @cached_property
    def audit_trail(self) -> DynamoDbAuditTrail:
        """The audit trail."""
        audit = self.settings.audit
        return DynamoDbAuditTrail(self._dynamodb, audit.table, retention_days=audit.retention_days)

    @cached_property
    def dead_letter_queues(self) -> DeadLetterPlaces:
        """The dead-letter queues, in any region, and the events that are set aside."""
        return DeadLetterPlaces([self._sqs_dead_letters, DynamoDbSetAside(self._dynamodb, self.settings.state.table)])

    @cached_property
    def subscriber_queues(self) -> SqsSubscriberQueues:
        """The subscribers' own queues."""
        return SqsSubscriberQueues(self._sqs_dead_letters, self._clients.own("sns"), self.settings.bus.topic)

    @cached_property
    def failures(self) -> DynamoDbFailures:
        """The reasons why messages failed."""
        return DynamoDbFailures(self._dynamodb, self.settings.dead_letters.idempotency_table, self.clock)

    @cached_property
    def caller(self) -> AwsCaller:
        """The caller, for the history of the configuration."""
        return AwsCaller(self._clients.own("sts"))

    @cached_property
    def fingerprint_keys(self) -> tuple[bytes, ...]:
        """The keys of contact fingerprints: the present key, then the one before it if that is still set."""
        former = self.settings.fingerprints.former_key
        return (self._fingerprint_key, *([] if former is None else [_bytes(former)]))

    @cached_property
    def whole_tables(self) -> DynamoDbWholeTables:
        """The tables as backups read and restore them."""
        return DynamoDbWholeTables(self._dynamodb, self.table_names, self.clock)

    @property
    def table_names(self) -> dict[Table, str]:
        """The names of the tables that backups are about."""
        return {
            Table.STATE: self.settings.state.table,
            Table.DESIRED_CONTACTS: self.settings.desired.table,
            Table.AUDIT: self.settings.audit.table,
            Table.CONFIGURATION: self.settings.configuration.table,
        }

    @property
    def region(self) -> str:
        """The deployment's region."""
        return self._clients.region

    def backup_target(self, place: str, kms_key_id: str | None) -> BackupTarget:
        """Return the folder or the bucket to which a backup is written."""
        if place.startswith(BUCKET):
            return BucketTarget(self._clients.own("s3"), place, kms_key_id=kms_key_id)
        return FolderTarget(place)

    def backup_source(self, place: str) -> BackupSource:
        """Return the folder or the bucket from which a backup is read."""
        return BucketSource(self._clients.own("s3"), place) if place.startswith(BUCKET) else FolderSource(place)

    @cached_property
    def _sqs_dead_letters(self) -> SqsDeadLetterQueues:
        return SqsDeadLetterQueues(
            self._clients.own,
            self.settings.dead_letters.queues,
            trigger_function=self.settings.dead_letters.trigger_function,
            receivers=LOOKERS,
        )

    @cached_property
    def _dynamodb(self) -> "DynamoDBClient":
        client: DynamoDBClient = self._clients.own("dynamodb")
        return client

    @cached_property
    def _clients(self) -> Clients:
        return Clients(
            management_role=self.settings.calls.management_role,
            connect_timeout=self.settings.calls.connect_timeout,
            read_timeout=self.settings.calls.read_timeout,
        )

    @cached_property
    def _fingerprint_key(self) -> bytes:
        key, secret = self.settings.fingerprints.key, self.settings.fingerprints.secret
        if key is None and secret is not None:
            self._clients.partition.check("CONTACTSYNC_FINGERPRINT_SECRET", secret)
            key = secret_string(self._clients.own("secretsmanager"), secret)
        return _bytes(str(key))


def read_service_models() -> None:
    """Read the models of the services that most tasks call; this makes no connection and reads no credentials."""
    read_models(TASK_SERVICES)


def _bytes(key: str) -> bytes:
    """Return a key's bytes; bytes of the environment that are not UTF-8 are returned as they were there."""
    return key.encode(errors="surrogateescape")

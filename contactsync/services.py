"""The composition root: settings become adapters, and adapters become the steps of contact synchronization."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self

from contactsync.aws.account_contacts import AccountManagementContacts
from contactsync.aws.claim_bucket import S3Claims
from contactsync.aws.dead_letter_queues import SqsDeadLetterQueues
from contactsync.aws.metrics import BackgroundMetrics, CloudWatchMetrics
from contactsync.aws.operations.desired_contacts_table import DynamoDbDesiredContacts
from contactsync.aws.operations.operation_queries import DynamoDbDesiredVersions, DynamoDbOperationQueries
from contactsync.aws.operations.records_table import DynamoDbRecords
from contactsync.aws.operations.state_table import DynamoDbOperations
from contactsync.aws.operations.stored_operations import DynamoDbStoredOperations
from contactsync.aws.organization import AwsOrganization
from contactsync.aws.sdk.caller import AwsCaller
from contactsync.aws.sdk.clients import Clients, region_problem
from contactsync.aws.secret import secret_string
from contactsync.aws.subscriber_queues import SqsSubscriberQueues
from contactsync.aws.tables.audit_table import DynamoDbAuditTrail
from contactsync.aws.tables.breaker_table import DynamoDbBreakers
from contactsync.aws.tables.config_table import DynamoDbConfigurations, DynamoDbStoredConfigurations
from contactsync.aws.tables.failures_table import DynamoDbFailures
from contactsync.aws.tables.limiter_table import DynamoDbPacer
from contactsync.aws.tables.lookups_table import DynamoDbLookups
from contactsync.aws.tables.notice_requests import DynamoDbNoticeRequests
from contactsync.aws.tables.outbox_table import DynamoDbOutbox
from contactsync.aws.tables.set_aside_table import DynamoDbSetAside
from contactsync.aws.topic import SnsTopic
from contactsync.bus.dead_letters.desk import LOOKERS, DeadLetterDesk
from contactsync.bus.dead_letters.places import DeadLetterPlaces
from contactsync.bus.envelope import source_of
from contactsync.bus.publish import Publisher
from contactsync.bus.relay import Relay
from contactsync.bus.replay import Replayer
from contactsync.clock import SystemClock
from contactsync.configuration.changes import ConfigurationChanges
from contactsync.errors import SettingsError
from contactsync.notices.requests import NoticeDesk
from contactsync.pacing.gate import Gatekeeper
from contactsync.settings import RUN, Group, Settings, read_settings
from contactsync.sync.access import AccessCheck
from contactsync.sync.account.apply import AccountSync
from contactsync.sync.account.converge import Converger
from contactsync.sync.account.exclusions import Exclusions
from contactsync.sync.approval import Approvals
from contactsync.sync.housekeeping import Housekeeper
from contactsync.sync.plan import Planner
from contactsync.sync.report import Reporter
from contactsync.sync.second_look import SecondLook

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True)
class Services:
    """Everything that DAGs, handlers and commands use; each part is made when it is first asked for."""

    settings: Settings

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ, *, needs: Iterable[Group] = RUN) -> Self:
        """Read the settings; raise SettingsError for all of what is missing or wrong in the groups that are needed."""
        try:
            return cls(read_settings(environ, (*needs, Group.CALLS)))
        except SettingsError as error:
            raise SettingsError.of(error.problems | region_problem(environ)) from None

    @cached_property
    def planner(self) -> Planner:
        """The step `plan`."""
        return Planner(
            organization=self.organization,
            contacts=self._contacts,
            configurations=self.configurations,
            operations=self.operations,
            access=self.access_check,
            gatekeeper=self.gatekeeper,
            announcer=self.relay,
            clock=self.clock,
            lookups=self.lookups,
            management_account=self.settings.management.account,
            fingerprint_key=self._fingerprint_key,
            source_reads=self.settings.patience.source_reads,
            source_wait=self.settings.patience.source_wait,
            plan_lasts=self.settings.patience.plan_lasts,
        )

    @cached_property
    def account_sync(self) -> AccountSync:
        """The step `sync_account`."""
        return AccountSync(
            contacts=self._contacts,
            converger=self._converger,
            configurations=self.configurations,
            operations=self.operations,
            organization=self.organization,
            exclusions=self.exclusions,
            access=self.access_check,
            gatekeeper=self.gatekeeper,
            announcer=self.relay,
            clock=self.clock,
            fingerprint_keys=self._fingerprint_keys,
            plan_lasts=self.settings.patience.plan_lasts,
        )

    @cached_property
    def _converger(self) -> Converger:
        return Converger(
            contacts=self._contacts,
            desired=self.desired_contacts,
            generations=self.operations,
            records=self.records,
            clock=self.clock,
            fingerprint_keys=self._fingerprint_keys,
            mark_wait=self.settings.patience.mark_wait,
            looks=self.settings.state.conflict_tries,
            verify_reads=self.settings.patience.verify_reads,
            verify_wait=self.settings.patience.verify_wait,
        )

    @cached_property
    def reporter(self) -> Reporter:
        """The step `report`."""
        return Reporter(
            configurations=self.configurations,
            operations=self.operations,
            records=self.records,
            announcer=self.relay,
            gatekeeper=self.gatekeeper,
            clock=self.clock,
            second_look=self.second_look,
        )

    @cached_property
    def second_look(self) -> SecondLook:
        """What the report sees of the source at its end."""
        return SecondLook(
            contacts=self._contacts,
            desired=self.desired_contacts,
            operations=self.operations,
            gatekeeper=self.gatekeeper,
            clock=self.clock,
            fingerprint_keys=self._fingerprint_keys,
            source_reads=self.settings.patience.source_reads,
            source_wait=self.settings.patience.source_wait,
            follow_ups=self.settings.patience.follow_ups,
        )

    @cached_property
    def approvals(self) -> Approvals:
        """The step `approve_deletions`."""
        return Approvals(
            contacts=self._contacts,
            configurations=self.configurations,
            operations=self.operations,
            gatekeeper=self.gatekeeper,
            clock=self.clock,
        )

    @cached_property
    def housekeeper(self) -> Housekeeper:
        """The step `close_abandoned` of housekeeping."""
        return Housekeeper(
            configurations=self.configurations,
            operations=self.operations,
            reporter=self.reporter,
            announcer=self.relay,
            clock=self.clock,
            overdue_after=self.settings.patience.overdue_after,
            abandoned_after=self.settings.patience.abandoned_after,
        )

    @cached_property
    def relay(self) -> Relay:
        """The way from the outbox to the bus."""
        return Relay(outbox=self.outbox, publisher=self.publisher, clock=self.clock)

    @cached_property
    def publisher(self) -> Publisher:
        """The one way onto the bus."""
        bucket = self.settings.bus.claim_bucket
        self._clients.partition.check("CONTACTSYNC_EVENTS_TOPIC_ARN", self.settings.bus.topic)
        return Publisher(
            topic=SnsTopic(self._clients.quick("sns"), self.settings.bus.topic),
            claims=S3Claims(self._clients.own("s3"), bucket) if bucket else None,
            metrics=BackgroundMetrics(
                CloudWatchMetrics(self._clients.quick("cloudwatch"), self.settings.deployment.environment)
            ),
            clock=self.clock,
            environment=self.settings.deployment.environment,
        )

    @cached_property
    def outbox(self) -> DynamoDbOutbox:
        """What was announced and is not known to be published."""
        return DynamoDbOutbox(
            self._dynamodb,
            self.settings.state.table,
            conflict_tries=self.settings.state.conflict_tries,
            clock=self.clock,
        )

    @cached_property
    def notice_desk(self) -> NoticeDesk:
        """What takes requests for notices."""
        return NoticeDesk(
            requests=self.notice_requests,
            operations=self.operations,
            configurations=self.configurations,
            announcer=self.relay,
            clock=self.clock,
        )

    @cached_property
    def notice_requests(self) -> DynamoDbNoticeRequests:
        """The notices that were requested, with their deliveries."""
        return DynamoDbNoticeRequests(
            self._dynamodb,
            self.settings.state.table,
            retention_days=self.settings.state.retention_days,
            conflict_tries=self.settings.state.conflict_tries,
            clock=self.clock,
        )

    @cached_property
    def audit_trail(self) -> DynamoDbAuditTrail:
        """Everything that happened."""
        audit = self.settings.audit
        return DynamoDbAuditTrail(self._dynamodb, audit.table, retention_days=audit.retention_days)

    @cached_property
    def dead_letters(self) -> DeadLetterDesk:
        """What looks at dead letters and is done with them."""
        failures = self.settings.dead_letters.idempotency_table
        return DeadLetterDesk(
            queues=self.dead_letter_queues,
            failures=DynamoDbFailures(self._dynamodb, failures, self.clock),
            trail=self.audit_trail,
            clock=self.clock,
            source=source_of(self.settings.deployment.environment),
        )

    @cached_property
    def dead_letter_queues(self) -> DeadLetterPlaces:
        """The queues of dead letters, in any region, and what is set aside of the outbox."""
        return DeadLetterPlaces([self._sqs_dead_letters, DynamoDbSetAside(self._dynamodb, self.settings.state.table)])

    @cached_property
    def replayer(self) -> Replayer:
        """What sends the audit trail's events once more."""
        return Replayer(
            trail=self.audit_trail,
            publisher=self.publisher,
            queues=SqsSubscriberQueues(self._sqs_dead_letters, self._clients.own("sns"), self.settings.bus.topic),
            clock=self.clock,
            source=source_of(self.settings.deployment.environment),
        )

    @cached_property
    def _sqs_dead_letters(self) -> SqsDeadLetterQueues:
        return SqsDeadLetterQueues(
            self._clients.own,
            self.settings.dead_letters.queues,
            trigger_function=self.settings.dead_letters.trigger_function,
            receivers=LOOKERS,
        )

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
    def lookups(self) -> DynamoDbLookups:
        """What was looked up in the organization a while ago."""
        return DynamoDbLookups(self._dynamodb, self.settings.state.table)

    @cached_property
    def desired_contacts(self) -> DynamoDbDesiredContacts:
        """The desired contacts: the only adapter that hands out stored contact values."""
        return DynamoDbDesiredContacts(self._dynamodb, self.settings.desired.table)

    @cached_property
    def records(self) -> DynamoDbRecords:
        """The account records."""
        return DynamoDbRecords(
            self._dynamodb,
            self.settings.state.table,
            conflict_tries=self.settings.state.conflict_tries,
            clock=self.clock,
        )

    @cached_property
    def exclusions(self) -> Exclusions:
        """What is asked immediately before every write."""
        return Exclusions(
            configurations=self.configurations,
            organization=self.organization,
            lookups=self.lookups,
            clock=self.clock,
        )

    @cached_property
    def gatekeeper(self) -> Gatekeeper:
        """What every call of Account Management passes."""
        return Gatekeeper(
            pacer=DynamoDbPacer(
                self._dynamodb,
                self.settings.state.table,
                caller_account=self.settings.management.account,
                conflict_tries=self.settings.state.conflict_tries,
                clock=self.clock,
            ),
            breakers=self.breakers,
            clock=self.clock,
            throttle_tries=self.settings.patience.throttle_tries,
            throttle_wait=self.settings.patience.throttle_wait,
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
    def access_check(self) -> AccessCheck:
        """Whether contactsync may call at all."""
        return AccessCheck(self.organization, self.breakers, self.clock, self.settings.management.account)

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
        """The stored configuration, for those who only read it."""
        configuration = self.settings.configuration
        return DynamoDbStoredConfigurations(self._dynamodb, configuration.table, configuration.key)

    @cached_property
    def configuration_changes(self) -> ConfigurationChanges:
        """What stores new versions of the configuration."""
        return ConfigurationChanges(versions=self.configurations, announcer=self.relay, clock=self.clock)

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
        """The listings of operations and outcomes."""
        return DynamoDbOperationQueries(self._dynamodb, self.settings.state.table)

    @cached_property
    def stored_operations(self) -> DynamoDbStoredOperations:
        """Sync operations and outcomes, for those who only read them."""
        return DynamoDbStoredOperations(self._dynamodb, self.settings.state.table)

    @cached_property
    def desired_versions(self) -> DynamoDbDesiredVersions:
        """Whose contact the accounts are to carry, without its values."""
        return DynamoDbDesiredVersions(self._dynamodb, self.settings.desired.table)

    @cached_property
    def caller(self) -> AwsCaller:
        """Whoever runs this, for the configuration's history."""
        return AwsCaller(self._clients.own("sts"))

    @cached_property
    def clock(self) -> SystemClock:
        """The machine's clock."""
        return SystemClock()

    @cached_property
    def _clients(self) -> Clients:
        return Clients(
            management_role=self.settings.calls.management_role,
            connect_timeout=self.settings.calls.connect_timeout,
            read_timeout=self.settings.calls.read_timeout,
        )

    @cached_property
    def _contacts(self) -> AccountManagementContacts:
        calls = self.settings.calls
        return AccountManagementContacts(
            self._clients.management("account", single_attempt=True),
            send_within=self.settings.patience.mark_wait - calls.connect_timeout - calls.read_timeout,
        )

    @cached_property
    def _dynamodb(self) -> "DynamoDBClient":
        client: DynamoDBClient = self._clients.own("dynamodb")
        return client

    @cached_property
    def _fingerprint_key(self) -> bytes:
        key, secret = self.settings.fingerprints.key, self.settings.fingerprints.secret
        if key is None and secret is not None:
            self._clients.partition.check("CONTACTSYNC_FINGERPRINT_SECRET", secret)
            key = secret_string(self._clients.own("secretsmanager"), secret)
        return _bytes(str(key))

    @property
    def _fingerprint_keys(self) -> tuple[bytes, ...]:
        """The present key, then the one before it where that is still set."""
        former = self.settings.fingerprints.former_key
        return (self._fingerprint_key, *([] if former is None else [_bytes(former)]))


def _bytes(key: str) -> bytes:
    """Return a key's bytes; those that are no UTF-8 were kept by Python as they were in the environment."""
    return key.encode(errors="surrogateescape")

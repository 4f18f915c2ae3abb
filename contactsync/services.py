"""The composition root: settings become adapters, and adapters become the steps of contact synchronization."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Self

from contactsync.aws.account_contacts import AccountManagementContacts
from contactsync.aws.clients import Clients
from contactsync.aws.config_table import DynamoDbConfigurations
from contactsync.aws.desired_contacts_table import DynamoDbDesiredContacts
from contactsync.aws.organization import AwsOrganization
from contactsync.aws.secret import secret_string
from contactsync.aws.state_table import DynamoDbOperations
from contactsync.settings import Settings, read_settings
from contactsync.sync.apply import AccountSync
from contactsync.sync.patience import PatientContacts
from contactsync.sync.plan import Planner
from contactsync.sync.report import Reporter

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the current time, in UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


@dataclass(frozen=True)
class Services:
    """Everything that DAGs, handlers and commands use; each part is made when it is first asked for."""

    settings: Settings

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read the settings; raise SettingsError when one is missing or wrong."""
        return cls(read_settings(environ))

    @cached_property
    def planner(self) -> Planner:
        """The step `plan`."""
        return Planner(
            organization=AwsOrganization(self._clients.management("organizations"), self._clients.management("sts")),
            contacts=self._contacts,
            configurations=self.configurations,
            operations=self.operations,
            clock=self.clock,
            management_account=self.settings.management_account,
            fingerprint_key=self._fingerprint_key,
            source_reads=self.settings.source_reads,
            source_wait=self.settings.source_wait,
        )

    @cached_property
    def account_sync(self) -> AccountSync:
        """The step `sync_account`."""
        return AccountSync(
            contacts=self._contacts,
            configurations=self.configurations,
            desired=DynamoDbDesiredContacts(self._dynamodb, self.settings.desired_contacts_table),
            operations=self.operations,
            clock=self.clock,
            fingerprint_key=self._fingerprint_key,
            verify_reads=self.settings.verify_reads,
            verify_wait=self.settings.verify_wait,
        )

    @cached_property
    def reporter(self) -> Reporter:
        """The step `report`."""
        return Reporter(configurations=self.configurations, operations=self.operations, clock=self.clock)

    @cached_property
    def configurations(self) -> DynamoDbConfigurations:
        """The stored configuration."""
        return DynamoDbConfigurations(self._dynamodb, self.settings.config_table, self.settings.config_key, self.clock)

    @cached_property
    def operations(self) -> DynamoDbOperations:
        """Sync operations and outcomes."""
        return DynamoDbOperations(
            self._dynamodb,
            state_table=self.settings.state_table,
            desired_contacts_table=self.settings.desired_contacts_table,
            retention_days=self.settings.retention_days,
            conflict_tries=self.settings.conflict_tries,
            clock=self.clock,
        )

    @cached_property
    def clock(self) -> SystemClock:
        """The machine's clock."""
        return SystemClock()

    @cached_property
    def _clients(self) -> Clients:
        return Clients(
            management_role=self.settings.management_role,
            connect_timeout=self.settings.connect_timeout,
            read_timeout=self.settings.read_timeout,
        )

    @cached_property
    def _contacts(self) -> PatientContacts:
        return PatientContacts(
            AccountManagementContacts(self._clients.management("account", single_attempt=True)),
            self.clock,
            tries=self.settings.throttle_tries,
            longest_wait=self.settings.throttle_wait,
        )

    @cached_property
    def _dynamodb(self) -> "DynamoDBClient":
        client: DynamoDBClient = self._clients.own("dynamodb")
        return client

    @cached_property
    def _fingerprint_key(self) -> bytes:
        key, secret = self.settings.fingerprint_key, self.settings.fingerprint_secret
        if key is None and secret is not None:
            key = secret_string(self._clients.own("secretsmanager"), secret)
        return str(key).encode()

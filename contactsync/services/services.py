"""What DAGs and commands use of contactsync."""

import importlib.metadata
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from contactsync.aws.sdk.clients import region_problem
from contactsync.backups.backup import Backup
from contactsync.backups.manifest import Identity
from contactsync.backups.restore import Restore
from contactsync.bus.dead_letters.handling import DeadLetters
from contactsync.bus.envelope import source_of
from contactsync.bus.replay import Replayer
from contactsync.configuration.changes import ConfigurationChanges
from contactsync.errors import SettingsError
from contactsync.runs.approvals import Approvals
from contactsync.runs.runs import Runs
from contactsync.services.adapters import Adapters
from contactsync.services.steps import Steps
from contactsync.settings.groups import RUN, Group
from contactsync.settings.settings import read_settings


@dataclass(frozen=True)
class Services(Adapters):
    """The adapters of a deployment, and the steps that are made from them."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ, *, needs: Iterable[Group] = RUN) -> Self:
        """Read the settings; raise SettingsError for everything missing or wrong in the groups that are needed."""
        try:
            return cls(read_settings(environ, (*needs, Group.CALLS)))
        except SettingsError as error:
            raise SettingsError.of(error.problems | region_problem(environ)) from None

    @cached_property
    def steps(self) -> Steps:
        """The steps of a run and of housekeeping."""
        return Steps(self, self.settings)

    @cached_property
    def configuration_changes(self) -> ConfigurationChanges:
        """The step that stores new versions of the configuration."""
        return ConfigurationChanges(versions=self.configurations, announcer=self.relay, clock=self.clock)

    @cached_property
    def dead_letters(self) -> DeadLetters:
        """The commands on dead letters."""
        return DeadLetters(
            queues=self.dead_letter_queues,
            failures=self.failures,
            trail=self.audit_trail,
            clock=self.clock,
            source=source_of(self.settings.deployment.environment),
        )

    @cached_property
    def replayer(self) -> Replayer:
        """The replay of events from the audit trail."""
        return Replayer(
            trail=self.audit_trail,
            publisher=self.publisher,
            queues=self.subscriber_queues,
            clock=self.clock,
            source=source_of(self.settings.deployment.environment),
        )

    @cached_property
    def approvals(self) -> Approvals:
        """The questions of runs that want to delete contacts."""
        return Approvals(self.airflow)

    @cached_property
    def answers(self) -> Approvals:
        """The same questions, with which people can also answer: on paths that InvokeRestApi does not accept."""
        return Approvals(self.airflow_itself)

    @cached_property
    def backup(self) -> Backup:
        """The step that saves the tables."""
        return Backup(self.whole_tables, self._identity, importlib.metadata.version("contactsync"), self.clock)

    @cached_property
    def restore(self) -> Restore:
        """The step that puts a backup back."""
        return Restore(self.whole_tables, self.table_names, self._identity, self.clock)

    @property
    def _identity(self) -> Identity:
        """What tells this deployment from another one; without a fingerprint key it can still be saved."""
        secret = None
        with suppress(SettingsError):
            secret = self.settings.fingerprints.secret
        return Identity(
            environment=self.settings.deployment.environment,
            region=self.region,
            management_account=self.settings.management.account,
            fingerprint_secret=secret,
        )

    @cached_property
    def runs(self) -> Runs:
        """The runs of contact_sync, for a person at the command line."""
        return Runs(self.airflow)

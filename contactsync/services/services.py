"""What DAGs and commands use of contactsync."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from contactsync.aws.sdk.clients import region_problem
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
    def runs(self) -> Runs:
        """The runs of contact_sync, for a person at the command line."""
        return Runs(self.airflow)

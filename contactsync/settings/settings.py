"""The settings, read when first asked for; everything wrong in what is read together is named at once."""

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import TypeVar

from contactsync.own_variables import own_variables
from contactsync.settings import readers
from contactsync.settings.groups import (
    RUN,
    AirflowSettings,
    AuditSettings,
    BusSettings,
    CallSettings,
    ClaimSettings,
    ConfigurationSettings,
    DeadLetterSettings,
    DeploymentSettings,
    DesiredSettings,
    FingerprintSettings,
    Group,
    ManagementSettings,
    NoticeSettings,
    PatienceSettings,
    StateSettings,
    SubscriberSettings,
    TriggerSettings,
)
from contactsync.settings.variables import Variables

T = TypeVar("T")


class Settings:
    """The settings of one deployment; docs/settings.md explains each.

    A group is read when it is first asked for; SettingsError names everything in it that is missing or wrong.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Take the environment; later changes of it have no effect here."""
        self._environ = own_variables(environ)

    def demand(self, groups: Iterable[Group]) -> None:
        """Read groups in advance; raise SettingsError for everything in any of them that is missing or wrong."""
        problems = Variables(self._environ)
        for group in groups:
            readers.READERS[group](problems)
        problems.check()

    @cached_property
    def management(self) -> ManagementSettings:
        """The management account."""
        return self._read(readers.management)

    @cached_property
    def configuration(self) -> ConfigurationSettings:
        """The stored configuration."""
        return self._read(readers.configuration)

    @cached_property
    def state(self) -> StateSettings:
        """The state table."""
        return self._read(readers.state)

    @cached_property
    def desired(self) -> DesiredSettings:
        """The table of desired contacts."""
        return self._read(readers.desired)

    @cached_property
    def deployment(self) -> DeploymentSettings:
        """The deployment's name."""
        return self._read(readers.deployment)

    @cached_property
    def bus(self) -> BusSettings:
        """The event bus."""
        return self._read(readers.bus)

    @cached_property
    def fingerprints(self) -> FingerprintSettings:
        """The HMAC keys."""
        return self._read(readers.fingerprints)

    @cached_property
    def calls(self) -> CallSettings:
        """The timeouts and the role."""
        return self._read(readers.calls)

    @cached_property
    def patience(self) -> PatienceSettings:
        """The numbers of tries and the waits."""
        return self._read(readers.patience)

    @cached_property
    def audit(self) -> AuditSettings:
        """The audit trail."""
        return self._read(readers.audit)

    @cached_property
    def dead_letters(self) -> DeadLetterSettings:
        """The dead letters."""
        return self._read(readers.dead_letters)

    @cached_property
    def claims(self) -> ClaimSettings:
        """Where large data of events is stored."""
        return self._read(readers.claims)

    @cached_property
    def subscriber(self) -> SubscriberSettings:
        """What a subscriber's function needs."""
        return self._read(readers.subscriber)

    @cached_property
    def notices(self) -> NoticeSettings:
        """Where notices are sent."""
        return self._read(readers.notices)

    @cached_property
    def trigger(self) -> TriggerSettings:
        """Where the trigger function starts runs."""
        return self._read(readers.trigger)

    @cached_property
    def airflow(self) -> AirflowSettings:
        """The Airflow whose REST API commands use."""
        return self._read(readers.airflow)

    def _read(self, reader: Callable[[Variables], T]) -> T:
        variables = Variables(self._environ)
        group = reader(variables)
        variables.check()
        return group


def read_settings(environ: Mapping[str, str], groups: Iterable[Group] = RUN) -> Settings:
    """Read variables and options; raise SettingsError for all that are missing or wrong in these groups."""
    settings = Settings(environ)
    settings.demand(groups)
    return settings


def variables_of(groups: Iterable[Group] = Group) -> tuple[str, ...]:
    """Return the variables that the groups are read from."""
    variables = Variables({})
    for group in groups:
        readers.READERS[group](variables)
    return tuple(variables.asked)

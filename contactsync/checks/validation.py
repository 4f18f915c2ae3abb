"""All checks of a deployment that is there, in the order in which one explains the next."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from contactsync.checks import access, airflow_health, resource_health, trails
from contactsync.checks.airflow_health import AVAILABLE
from contactsync.checks.findings import Finding, failed, looked_at, ok, unknown_because
from contactsync.checks.health_ports import AirflowEnvironments, AirflowState, Releases, Resources, Stacks
from contactsync.checks.ports import Identity, Organizations, Trails
from contactsync.checks.stack_health import STACKS, DriftCheck, check_stacks
from contactsync.checks.target import Found, Target
from contactsync.clock import Clock
from contactsync.configuration.ports import Configurations
from contactsync.errors import ConfigurationError, ContactSyncError, CredentialsError, Reader
from contactsync.runs.runs import AirflowRest

CREDENTIALS: Final = "credentials"
CONFIGURATION: Final = "configuration"


@dataclass(frozen=True)
class HealthPorts:
    """What the checks of a deployment use; its settings are known only when its stacks are."""

    identity: Identity
    organizations: Organizations
    trails: Trails
    stacks: Stacks
    environments: AirflowEnvironments
    resources: Resources
    releases: Releases
    airflow: Callable[[str, str], AirflowRest]
    """Returns the REST API of an environment by its region and name."""
    configurations: Callable[[Found], Configurations]
    """Returns the stored configuration of a deployment by what its stacks say."""
    clock: Clock


@dataclass(frozen=True)
class Validation:
    """The checks of one deployment."""

    target: Target
    ports: HealthPorts

    def findings(self) -> Iterator[Finding]:
        """Yield a finding for each check; nothing is changed, and nothing stays."""
        try:
            yield from self._all()
        except CredentialsError as error:
            yield failed(CREDENTIALS, error.facts, error.advice(Reader.COMMAND))

    def _all(self) -> Iterator[Finding]:
        try:
            caller = self.ports.identity.caller()
        except CredentialsError:
            raise
        except ContactSyncError as error:
            yield unknown_because(CREDENTIALS, error)
            return
        yield ok(CREDENTIALS, f"AWS accepts the credentials of {caller.arn}.")
        found = Found([])
        try:
            found = self._found()
        except CredentialsError:
            raise
        except ContactSyncError as error:
            yield unknown_because(STACKS, error)
        else:
            yield from check_stacks(self.target, list(found.stacks))
        if not found.stacks:
            return
        drift = DriftCheck(self.ports.stacks, self.ports.clock)
        drift.begin(found)
        yield from self._airflow(found)
        yield from self._resources(found)
        yield from looked_at(CONFIGURATION, lambda: _configuration(self.ports.configurations(found)))
        yield from self._account()
        yield from drift.read()

    def _found(self) -> Found:
        stacks = [
            stack
            for region in self.target.regions
            for stack in self.ports.stacks.stacks(self.target.environment, region)
        ]
        return Found(stacks, [one for stack in stacks for one in self.ports.stacks.resources(stack)])

    def _airflow(self, found: Found) -> Iterator[Finding]:
        name = found.parameter("trigger", "MwaaEnvironmentName") or self.target.full_name("airflow")
        region = found.parameter("trigger", "MwaaRegion") or self.target.region
        state: list[AirflowState | None] = []

        def environment() -> Finding:
            there = self.ports.environments.environment(region, name)
            state.append(there)
            return airflow_health.check_environment(there, name)

        yield from looked_at(airflow_health.ENVIRONMENT, environment)
        yield from looked_at(
            airflow_health.REQUIREMENTS,
            lambda: airflow_health.check_requirements(self.ports.environments, region, name),
        )
        if any(one is None or one.status != AVAILABLE for one in state):
            return  # its web server does not answer, or answers as it was before an update
        rest = self.ports.airflow(region, name)
        yield from looked_at(airflow_health.IMPORTS, lambda: airflow_health.check_imports(rest))
        yield from looked_at(airflow_health.DAGS, lambda: airflow_health.check_dags(rest))
        yield from looked_at(
            airflow_health.HOUSEKEEPING, lambda: airflow_health.check_housekeeping(rest, self.ports.clock)
        )
        for one in filter(None, state):
            version = partial(airflow_health.check_version, one, rest, self.ports.releases, region)
            yield from looked_at(airflow_health.VERSION, version)

    def _resources(self, found: Found) -> Iterator[Finding]:
        for name, check in (
            (resource_health.FUNCTIONS, resource_health.check_functions),
            (resource_health.TABLES, resource_health.check_tables),
            (resource_health.RULE, resource_health.check_rule),
            (resource_health.TOPICS, resource_health.check_topics),
            (resource_health.DEAD_LETTERS, resource_health.check_dead_letters),
            (resource_health.ALARMS, resource_health.check_alarms),
        ):
            yield from looked_at(name, partial(check, found, self.ports.resources))

    def _account(self) -> Iterator[Finding]:
        yield from looked_at(access.TRUSTED_ACCESS, lambda: access.check_trusted_access(self.ports.organizations))
        region = self.target.trigger_region
        yield from looked_at(
            trails.TRAIL,
            lambda: trails.check_trail(self.ports.trails.trails(region), region, self.target.full_name("trail")),
        )


def _configuration(configurations: Configurations) -> Finding:
    try:
        stored = configurations.latest()
    except ConfigurationError as error:
        return failed(
            CONFIGURATION, error.message, "Correct it with `contactsync config`: until then nothing is written."
        )
    return ok(CONFIGURATION, f"Version {stored.version} of the configuration is valid.")

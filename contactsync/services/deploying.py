"""What a deployment works with in the account of the credentials."""

import os
import secrets
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Self

from contactsync.aws.deployment.code_bucket import CodeBucket, CodeBuckets
from contactsync.aws.deployment.environments import MwaaEnvironments
from contactsync.aws.deployment.organization import enable_trusted_access, organization_id
from contactsync.aws.deployment.stacks import CloudFormationStacks
from contactsync.aws.mwaa_environment import MwaaEnvironment
from contactsync.aws.sdk.caller import AwsCaller
from contactsync.aws.sdk.clients import Clients
from contactsync.checks.before_deployment import after_failed_environment, before_deployment
from contactsync.checks.environments import ROLE
from contactsync.checks.findings import Finding
from contactsync.checks.wanted import EnvironmentParts, WantedDeployment
from contactsync.clock import SystemClock
from contactsync.configuration.schema import parse_configuration
from contactsync.deployment.airflow import Health
from contactsync.deployment.blueprint import Blueprint
from contactsync.deployment.deploy import AIRFLOW, ARTIFACTS, BUCKET, Deployer, Surroundings
from contactsync.deployment.lock import Holder
from contactsync.deployment.ports import Screen
from contactsync.deployment.records import Records
from contactsync.deployment.release import Release
from contactsync.deployment.target import Target
from contactsync.errors import ConfigurationMissingError
from contactsync.services.checks import deployment_ports
from contactsync.services.deployment import deployed_settings
from contactsync.services.services import Services
from contactsync.settings.groups import Group
from contactsync.settings.settings import read_settings
from contactsync.stacks.stacks import Region, stack_name

STORING: Final = (Group.CONFIGURATION, Group.STATE, Group.DEPLOYMENT, Group.BUS)
SAVING: Final = (
    Group.MANAGEMENT,
    Group.CONFIGURATION,
    Group.STATE,
    Group.DESIRED,
    Group.AUDIT,
    Group.DEPLOYMENT,
)
CREDENTIALS: Final = "AWS_"
ROLE_ID: Final = "ExecutionRole"
"""The logical id of the environment's role."""
FIRST: Final = "the first version, by contactsync deploy"


@dataclass(frozen=True)
class Deploying:
    """The account of the credentials, as a deployment uses it."""

    clients: Clients
    environ: Mapping[str, str]

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read the timeouts; raise SettingsError when no region is set."""
        calls = read_settings(environ, (Group.CALLS,)).calls
        clients = Clients(management_role=None, connect_timeout=calls.connect_timeout, read_timeout=calls.read_timeout)
        return cls(clients, environ)

    @property
    def region(self) -> str:
        """The deployment's region; raise SettingsError when none is set."""
        return self.clients.region

    @cached_property
    def organization(self) -> str:
        """The id of the organization."""
        return organization_id(self.clients.management("organizations"))

    @cached_property
    def holder(self) -> Holder:
        """Who runs this command."""
        arn = AwsCaller(self.clients.own("sts")).arn()
        now = SystemClock().now().isoformat()
        return Holder(arn, socket.gethostname(), secrets.token_hex(8), os.getpid(), now)

    def records(self, environment: str) -> Records | None:
        """Return the releases that were deployed; None when there is no bucket for them yet."""
        clock = SystemClock()
        stack = CloudFormationStacks(self.clients.own("cloudformation"), clock).find(stack_name(environment, ARTIFACTS))
        name = stack.outputs.get(BUCKET) if stack else None
        return Records(CodeBucket(self.clients.own("s3"), name)) if name else None

    def deployer(self, templates: Path, release: Release, target: Target, screen: Screen) -> Deployer:
        """Return what deploys a release; raise DeploymentFileError or ParameterRefusedError."""
        clock = SystemClock()
        blueprint = Blueprint.read(templates, target)
        regions = dict.fromkeys((target.region, Region.TRIGGER.of(target.region)))
        surroundings = Surroundings(
            {region: CloudFormationStacks(self.clients.own("cloudformation", region), clock) for region in regions},
            CodeBuckets(self.clients.own),
            MwaaEnvironments(self.clients.own("mwaa")),
            self.health(screen),
            screen,
            clock,
            self.holder,
            is_alive,
        )
        return Deployer(blueprint, release, surroundings)

    def health(self, screen: Screen) -> Health:
        """Return the questions to the Airflow of an environment."""
        return Health(lambda name: MwaaEnvironment(self.clients.own("mwaa"), name), screen, SystemClock())

    def findings(self, deployer: Deployer, *, may_enable_trusted_access: bool) -> Iterator[Finding]:
        """Yield what the checks before a deployment find; nothing is changed."""
        blueprint = deployer.blueprint
        target = blueprint.target
        parameters = {**blueprint.file.parameters, **target.given}
        wanted = WantedDeployment(
            target.environment,
            target.account,
            target.region,
            target.trigger_region,
            blueprint.listed,
            parameters,
            may_enable_trusted_access,
            creates_trail=parameters.get("CreateTrail") == "true",
            stacks=deployer.existing(),
        )
        return before_deployment(wanted, deployment_ports(self.environ))

    def why_environment_failed(self, deployer: Deployer) -> list[Finding]:
        """Return what is wrong with network, role and bucket of an environment that could not be made or updated.

        MWAA itself says only that the configuration is wrong. A role that was removed with its stack is not looked at.
        """
        stack = next(one for one in deployer.blueprint.possible if one.entry.name == AIRFLOW)
        cloudformation = CloudFormationStacks(self.clients.own("cloudformation", stack.region), SystemClock())
        live = cloudformation.find(stack.name)
        if live is None:
            return []
        role = next((name for one, _, name in cloudformation.resources(live.stack_id) if one == ROLE_ID), "")
        values = live.parameters
        parts = EnvironmentParts(
            stack.region,
            stack.name,
            _parts(values.get("SubnetIds", "")),
            _parts(values.get("SecurityGroupIds", "")),
            role,
            values.get("CodeBucket", ""),
            self.clients.partition.name,
        )
        found = after_failed_environment(parts, deployment_ports(self.environ))
        return [one for one in found if not one.is_ok and (role or one.name != ROLE)]

    def enable_trusted_access(self) -> None:
        """Let Account Management act on the member accounts of the organization."""
        enable_trusted_access(self.clients.management("organizations"))

    def store_first_configuration(self, target: Target, content: Mapping[str, Any]) -> int | None:
        """Store a configuration if there is none; return its version, or None when there is one already."""
        services = Services.from_environment(self._settings(target), needs=STORING)
        try:
            services.configurations.newest()
        except ConfigurationMissingError:
            stored = services.configuration_changes.store(
                parse_configuration(content), after_version=0, changed_by=self.holder.arn, reason=FIRST
            )
            return stored.version
        return None

    def back_up(self, target: Target, folder: Path) -> int:
        """Save the tables into a folder, without the desired contacts; return the number of items."""
        services = Services.from_environment(self._settings(target), needs=SAVING)
        return services.backup.into(services.backup_target(str(folder), None), with_contacts=False).items

    def _settings(self, target: Target) -> dict[str, str]:
        """Return the settings of the deployment, whatever else is set on this machine."""
        own = {name: value for name, value in self.environ.items() if name.startswith(CREDENTIALS)}
        settings = own | deployed_settings(target.environment, own)
        if key := target.given.get("ConfigKey"):
            settings["CONTACTSYNC_CONFIG_KEY"] = key
        return settings


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part for part in text.split(",") if part)


def is_alive(holder: Holder) -> bool:
    """Return whether the process of a holder may still run; of another machine that is not known."""
    if holder.host != socket.gethostname():
        return True
    try:
        os.kill(holder.process, 0)  # sends nothing
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True

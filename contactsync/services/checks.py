"""The checks of a deployment, over AWS."""

import os
import secrets
from collections.abc import Mapping
from typing import Final

from contactsync.aws.checks.account import AwsOrganizations, StsIdentity
from contactsync.aws.checks.airflow_state import MwaaState
from contactsync.aws.checks.calls import Calls
from contactsync.aws.checks.cloudtrail import CloudTrails
from contactsync.aws.checks.environment_parts import IamRoles, S3Buckets
from contactsync.aws.checks.mwaa import MwaaEnvironments
from contactsync.aws.checks.names import AwsNames
from contactsync.aws.checks.network import VpcNetwork
from contactsync.aws.checks.releases import S3Releases
from contactsync.aws.checks.resources import AwsResources
from contactsync.aws.checks.stacks import CloudFormationStacks
from contactsync.aws.mwaa_environment import MwaaEnvironment
from contactsync.aws.sdk.clients import Clients
from contactsync.aws.tables.config_table import DynamoDbStoredConfigurations
from contactsync.checks.deep import RUN_LIMIT, DeepChecks, DeepPorts
from contactsync.checks.ports import DeploymentPorts
from contactsync.checks.target import Found, Target
from contactsync.checks.validation import HealthPorts, Validation
from contactsync.clock import SystemClock
from contactsync.own_variables import value_of
from contactsync.services.services import Services
from contactsync.settings.groups import Group
from contactsync.settings.settings import read_settings
from contactsync.stacks.stacks import Region

DEEP: Final = (Group.TRIGGER, Group.STATE, Group.AUDIT)
CONFIG_KEY: Final = "CONTACTSYNC_CONFIG_KEY"


def deployment_ports(environ: Mapping[str, str] = os.environ) -> DeploymentPorts:
    """Return what the checks before a deployment use, in the region and with the credentials of the environment.

    Nothing is called yet: credentials that are missing are a finding. Raises SettingsError when no region is set.
    """
    clients = _clients(environ)
    asked, region, partition = Calls(clients.own), clients.region, clients.partition
    return DeploymentPorts(
        identity=StsIdentity(asked, region),
        organizations=AwsOrganizations(asked, partition.global_region),
        trails=CloudTrails(asked),
        environments=MwaaEnvironments(asked, lambda: clients.regions_of("mwaa")),
        network=VpcNetwork(asked),
        names=AwsNames(asked),
        roles=IamRoles(asked, partition.global_region),
        buckets=S3Buckets(asked),
    )


def validation(environment: str, environ: Mapping[str, str] = os.environ) -> Validation:
    """Return the checks of an environment in the region of the credentials; nothing is called yet.

    Raises SettingsError when no region is set.
    """
    clients, clock = _clients(environ), SystemClock()
    asked, region = Calls(clients.own), clients.region

    def configurations(found: Found) -> DynamoDbStoredConfigurations:
        key = value_of(CONFIG_KEY, environ) or found.parameter("bus", "ConfigKey") or "default"
        return DynamoDbStoredConfigurations(clients.own("dynamodb"), found.output("state", "ConfigTableName"), key)

    ports = HealthPorts(
        identity=StsIdentity(asked, region),
        organizations=AwsOrganizations(asked, clients.partition.global_region),
        trails=CloudTrails(asked),
        stacks=CloudFormationStacks(asked),
        environments=MwaaState(asked),
        resources=AwsResources(asked),
        releases=S3Releases(asked),
        airflow=lambda there, name: MwaaEnvironment(clients.own("mwaa", there), name),
        configurations=configurations,
        clock=clock,
    )
    return Validation(Target(environment, region, Region.TRIGGER.of(region)), ports)


def deep_checks(environ: Mapping[str, str] = os.environ, *, limit: float = RUN_LIMIT) -> DeepChecks:
    """Return the checks that try a deployment out; `limit` is in seconds. Raises SettingsError for missing settings."""
    services = Services.from_environment(environ, needs=DEEP)
    ports = DeepPorts(services.runs, services.stored_operations, services.audit_trail, services.clock)
    run_id = f"validate__{services.clock.now():%Y-%m-%dT%H:%M:%S}_{secrets.token_hex(3)}"
    return DeepChecks(ports, run_id, limit)


def _clients(environ: Mapping[str, str]) -> Clients:
    calls = read_settings(environ, (Group.CALLS,)).calls
    return Clients(management_role=None, connect_timeout=calls.connect_timeout, read_timeout=calls.read_timeout)

"""The checks of a deployment, over AWS."""

import os
from collections.abc import Mapping

from contactsync.aws.checks.account import AwsOrganizations, StsIdentity
from contactsync.aws.checks.calls import Calls
from contactsync.aws.checks.cloudtrail import CloudTrails
from contactsync.aws.checks.environment_parts import IamRoles, S3Buckets
from contactsync.aws.checks.mwaa import MwaaEnvironments
from contactsync.aws.checks.names import AwsNames
from contactsync.aws.checks.network import VpcNetwork
from contactsync.aws.sdk.clients import Clients
from contactsync.checks.ports import DeploymentPorts
from contactsync.settings.groups import Group
from contactsync.settings.settings import read_settings


def deployment_ports(environ: Mapping[str, str] = os.environ) -> DeploymentPorts:
    """Return what the checks before a deployment use, in the region and with the credentials of the environment.

    Nothing is called yet: credentials that are missing are a finding. Raises SettingsError when no region is set.
    """
    calls = read_settings(environ, (Group.CALLS,)).calls
    clients = Clients(management_role=None, connect_timeout=calls.connect_timeout, read_timeout=calls.read_timeout)
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

"""The settings of a deployment, for a machine that has none: they are found in the outputs of its stacks."""

import os
from collections.abc import Mapping

from contactsync.aws.deployed_stacks import deployed_stacks
from contactsync.aws.sdk.clients import Clients
from contactsync.errors import EnvironmentUnknownError
from contactsync.settings.groups import Group
from contactsync.settings.settings import read_settings
from contactsync.stacks.outputs import environments, settings_of
from contactsync.stacks.stacks import Region


def deployed_settings(environment: str, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the settings of an environment in the region of the credentials, and in the trigger's region.

    Raises EnvironmentUnknownError when no stack of this environment is there, and an AwsCallError.
    """
    calls = read_settings(environ, (Group.CALLS,)).calls
    clients = Clients(management_role=None, connect_timeout=calls.connect_timeout, read_timeout=calls.read_timeout)
    regions = dict.fromkeys((clients.region, Region.TRIGGER.of(clients.region)))
    stacks = [stack for region in regions for stack in deployed_stacks(clients.own("cloudformation", region))]
    if environment not in environments(stacks):
        raise EnvironmentUnknownError(environment, tuple(regions), tuple(environments(stacks)))
    return settings_of(environment, stacks)

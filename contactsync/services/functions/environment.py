"""What all functions share: the environment's settings, and AWS clients."""

import os
from functools import cache
from typing import Final

from contactsync.aws.sdk.clients import Clients
from contactsync.settings.settings import Settings

FUNCTION_SERVICES: Final = ("dynamodb", "s3", "sns", "sqs", "ssm")
"""The services that functions of this room call; the functions' zip has botocore's models of no others."""


def function_settings() -> Settings:
    """Return the settings that are in the function's environment now."""
    return Settings(os.environ)


@cache
def function_clients() -> Clients:
    """Return the boto3 clients, with short timeouts: a function that ends in time can still report what failed."""
    return Clients(management_role=None, connect_timeout=2, read_timeout=5)

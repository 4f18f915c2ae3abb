"""What all functions have: the environment's settings, and AWS clients."""

import os
from functools import cache

from contactsync.aws.sdk.clients import Clients
from contactsync.settings.settings import Settings


def function_settings() -> Settings:
    """Return the settings that the function's environment has now."""
    return Settings(os.environ)


@cache
def function_clients() -> Clients:
    """Return what makes boto3 clients, with short timeouts: a function that ends in time says what failed."""
    return Clients(management_role=None, connect_timeout=2, read_timeout=5)

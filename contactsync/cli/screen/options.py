"""What the options before a command's name do: other credentials, another region, a log of calls to AWS."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Final

OWN_CREDENTIALS: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")
"""Variables that AWS clients prefer to a profile."""

DETAILED: Final = (
    "contactsync",
    "botocore.credentials",
    "botocore.endpoint",
    "botocore.retries",
    "urllib3.connectionpool",
)
"""Loggers whose records hold no contact value, once those of botocore.endpoint are shortened."""


def choose(environ: MutableMapping[str, str], *, profile: str | None, region: str | None) -> None:
    """Set the profile and the region for AWS clients in an environment."""
    if profile is not None:
        environ["AWS_PROFILE"] = profile
        for name in OWN_CREDENTIALS:
            environ.pop(name, None)
    if region is not None:
        environ["AWS_REGION"] = environ["AWS_DEFAULT_REGION"] = region


def log_calls() -> None:
    """Log to the standard error which AWS operations are called, the answers, and where an error comes from."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
    handler.addFilter(_without_contents)
    for name in DETAILED:
        logger = logging.getLogger(name)
        logger.setLevel(logging.DEBUG)
        logger.addHandler(handler)
        logger.propagate = False


def _without_contents(record: logging.LogRecord) -> bool:
    """Keep of a request's record only the operation; drop other records of that logger, which hold what is sent."""
    if record.name != "botocore.endpoint":
        return True
    if not (isinstance(record.args, tuple) and str(record.msg).startswith("Making request for %s")):
        return False
    record.msg, record.args = "%s", record.args[:1]
    return True

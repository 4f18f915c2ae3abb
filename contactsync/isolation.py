"""What keeps a process that uses the sandbox on this machine, whatever variables the shell has that started it."""

import os
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from contactsync.own_variables import is_own

_CONFIG_FILE = Path(__file__).with_name("aws_config.ini")
_PROFILE = "sandbox"
_LOCAL = ("127.0.0.1", "localhost")
_ENDPOINT = "AWS_ENDPOINT_URL_"
_FOREIGN_PREFIXES = ("AWS_", "BOTO_", "BOTOCORE_", "BOTO3_")
_FOREIGN_SUFFIX = "_proxy"
_FOREIGN = frozenset({"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"})

# The URL of one service has precedence over AWS_ENDPOINT_URL; an empty one counts as not set.
_SERVICES = (
    "ACCOUNT",
    "API_GATEWAY",
    "CLOUDFORMATION",
    "CLOUDTRAIL",
    "CLOUDWATCH",
    "CLOUDWATCH_LOGS",
    "DYNAMODB",
    "EVENTBRIDGE",
    "IAM",
    "KMS",
    "LAMBDA",
    "MWAA",
    "NOTIFICATIONS",
    "ORGANIZATIONS",
    "S3",
    "SECRETS_MANAGER",
    "SNS",
    "SQS",
    "SSM",
    "STS",
)


_dropped: set[str] = set()
"""Variables that this process has dropped; the shells of people who use the sandbox may have them too."""


def local_environment(endpoint_url: str) -> dict[str, str]:
    """Return variables that make AWS clients use an address of this machine, whatever else is set.

    Add them to the environment of a shell; `without_foreign` is cleaner where it can be used.
    """
    of_the_shell = {*os.environ, *_dropped}
    services = {f"{_ENDPOINT}{service}" for service in _SERVICES}
    services |= {name for name in of_the_shell if name.startswith(_ENDPOINT)}
    profiles = {"AWS_PROFILE", *({"AWS_DEFAULT_PROFILE"} & of_the_shell)}
    return {
        "AWS_ENDPOINT_URL": endpoint_url,
        **dict.fromkeys(sorted(services), ""),
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
        "AWS_CONFIG_FILE": str(_CONFIG_FILE),
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        **dict.fromkeys(sorted(profiles), _PROFILE),
        "AWS_USE_FIPS_ENDPOINT": "false",
        "AWS_USE_DUALSTACK_ENDPOINT": "false",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        **{name: _with_local(os.environ.get(name, "")) for name in ("NO_PROXY", "no_proxy")},
    }


def is_foreign(name: str) -> bool:
    """Return whether a variable controls AWS clients, proxies or certificates: it could lead out of the sandbox."""
    return name.startswith(_FOREIGN_PREFIXES) or name.lower().endswith(_FOREIGN_SUFFIX) or name in _FOREIGN


def without_foreign(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without these variables."""
    return {name: value for name, value in environment.items() if not is_foreign(name)}


def isolate(environment: MutableMapping[str, str] = os.environ) -> None:
    """Remove these variables for good, in a process that only runs a sandbox; call it before moto is imported."""
    for name in [name for name in environment if is_foreign(name)]:
        del environment[name]
        _dropped.add(name)


@contextmanager
def environment_of(variables: Mapping[str, str]) -> Iterator[None]:
    """Give this process the variables in place of foreign ones, and afterwards its own environment again."""
    before = dict(os.environ)
    isolate()
    for name in [name for name in os.environ if is_own(name)]:
        del os.environ[name]
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def isolated_session() -> Any:  # noqa: ANN401 -- botocore is untyped
    """Return a botocore session that reads neither the profile nor the files of the person who started this process."""
    from botocore.config import Config  # slow to import, and every command imports this module
    from botocore.session import Session

    unread = dict.fromkeys(("profile", "ca_bundle", "data_path"), (None, None, None, None))
    files = dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None))
    session = Session(session_vars={**unread, **files})
    session.set_default_client_config(Config(proxies={}))
    return session


def _with_local(names: str) -> str:
    kept = [name for name in names.split(",") if name.strip() and name.strip() not in _LOCAL]
    return ",".join([*kept, *_LOCAL])

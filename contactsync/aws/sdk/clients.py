"""boto3 clients with contactsync's timeouts and retries; endpoints and credentials come from the environment.

What is wrong with these becomes one of contactsync's errors: `making` translates what is raised while a client is made,
and `PlacedCalls` records for each failed call where it was sent.
"""

import logging
import os
from collections.abc import Iterable, Mapping
from functools import cache, cached_property, partial
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
from botocore.exceptions import BotoCoreError, InvalidRegionError
from botocore.loaders import Loader, create_loader
from botocore.session import get_session

from contactsync.aws.sdk.call_places import note_places
from contactsync.aws.sdk.partitions import Partition, partition_of
from contactsync.aws.sdk.sdk_errors import making
from contactsync.errors import SettingsError

SESSION_NAME: Final = "contactsync"
QUICK_CONNECT: Final = 2.0
QUICK_READ: Final = 5.0
"""Timeouts in seconds for what a run must not wait for: events and metrics."""

GLOBAL_SERVICES: Final = frozenset({"account", "organizations"})
"""Services that each partition has in one region only, whatever region this runs in."""

ANY_REGION: Final = "us-east-1"
"""A region for reading service models, which are the same in all regions."""

NO_REGION: Final = "is not set, and no AWS profile names a region"


class Clients:
    """The boto3 clients: those of the deployment's own account, and those that act in the management account."""

    def __init__(self, *, management_role: str | None, connect_timeout: float, read_timeout: float) -> None:
        """Take timeouts in seconds, and the role to assume for the clients of the management account, if any."""
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._management_role = management_role
        self._made: list[Any] = []
        with making("sts"):
            self._session = _boto3_session(_botocore_session())
        _keep_requests_out_of_logs()

    @property
    def region(self) -> str:
        """The deployment's region; raise SettingsError when none is set."""
        with making("sts"):
            # MWAA sets AWS_REGION; boto3 reads AWS_DEFAULT_REGION only.
            region = self._session.region_name or os.environ.get("AWS_REGION")
            if region and not region.isprintable():  # botocore accepts a line feed at the end
                raise InvalidRegionError(region_name=region)
        if not region:
            raise SettingsError(variable="AWS_REGION", problem=NO_REGION)
        return str(region)

    @cached_property
    def partition(self) -> Partition:
        """The deployment's partition: China, GovCloud and the European Sovereign Cloud have their own."""
        return partition_of(self.region, _loader())

    def regions_of(self, service: str) -> frozenset[str]:
        """Return the regions of the deployment's partition in which the AWS SDK knows a service."""
        return frozenset(self._session.get_available_regions(service, partition_name=self.partition.name))

    @property
    def credentials_source(self) -> str:
        """Where the environment's own credentials come from, in botocore's word, such as `sso`."""
        with making("sts"):
            credentials = self._session.get_credentials()
        return str(credentials.method) if credentials else "nowhere"

    def own(self, service: str, region: str | None = None) -> Any:  # noqa: ANN401 -- callers annotate the service's own client type
        """Return a client with the environment's credentials, and botocore's standard retries.

        It is for the deployment's region, unless another one is given.
        """
        return self._client(service, self._config(attempts=4), region)

    def quick(self, service: str, region: str | None = None) -> Any:  # noqa: ANN401 -- the service's own client type
        """Return a client like `own` for calls that may fail: two attempts of a few seconds, so nothing waits long."""
        return self._client(service, _config(2, connect=QUICK_CONNECT, read=QUICK_READ), region)

    def close_connections(self) -> None:
        """Close open connections before this process forks: two processes cannot share a connection.

        The clients can still be used, and connect again.
        """
        for client in self._made:
            client.close()

    def management(self, service: str, *, single_attempt: bool = False) -> Any:  # noqa: ANN401 -- the client type of each service
        """Return a client that acts in the management account; global services are called in the partition's region.

        With `single_attempt` each call is made once: Airflow retries the task after a failure.
        """
        config = self._config(attempts=1 if single_attempt else 4)
        region = self.partition.global_region if service in GLOBAL_SERVICES else self.region
        session = self._management_session
        with making(service):
            return session.client(service, region_name=region, config=config)

    def _client(self, service: str, config: Config, region: str | None = None) -> Any:  # noqa: ANN401 -- the client type of each service
        with making(service):
            region = self.partition.region(region) if region else self.region
            client = self._session.client(service, region_name=region, config=config)
        self._made.append(client)
        return client

    @cached_property
    def _management_session(self) -> Any:  # noqa: ANN401 -- boto3's session
        role = self._management_role
        if not role:
            return self._session
        self.partition.check("CONTACTSYNC_MANAGEMENT_ROLE_ARN", role)
        with making("sts"):
            return _session_of(role, self.region, self._config(attempts=4))

    def _config(self, *, attempts: int) -> Config:
        return _config(attempts, connect=self._connect_timeout, read=self._read_timeout)


def _config(attempts: int, *, connect: float, read: float) -> Config:
    return Config(
        retries={"mode": "standard", "total_max_attempts": attempts}, connect_timeout=connect, read_timeout=read
    )


def region_problem(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the problem with AWS_REGION when nothing names a region, for an error that names other settings too."""
    if environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION"):
        return {}
    try:
        region = get_session().get_config_variable("region")
    except BotoCoreError:  # a wrong profile is reported when a client is made
        return {}
    return {} if region else {"AWS_REGION": NO_REGION}


def read_models(services: Iterable[str]) -> None:
    """Read the models of these services in advance, into the loader that all clients of this process share."""
    session = _botocore_session()
    for service in services:
        session.create_client(
            service,
            region_name=ANY_REGION,
            aws_access_key_id="none",
            aws_secret_access_key="none",  # noqa: S106 -- no credentials, and no call is made
        )


def _keep_requests_out_of_logs() -> None:
    """Keep botocore from logging requests and answers, which hold contact values, at any log level of Airflow.

    Its INFO messages, about the endpoints and credentials that it found, would hide what people look for in a task's
    log.
    """
    for name in ("botocore", "boto3", "urllib3"):
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, logging.WARNING))


@cache
def _loader() -> Loader:
    """Return the reader of service models; it remembers what it read, and forked processes get that too."""
    return create_loader()


def _botocore_session() -> Any:  # noqa: ANN401 -- botocore's session
    session = get_session()
    session.register_component("data_loader", _loader())
    note_places(session)
    return session


def _boto3_session(session: Any) -> Any:  # noqa: ANN401 -- boto3's session
    return boto3.Session(botocore_session=session)


def _session_of(role: str, region: str, config: Config) -> Any:  # noqa: ANN401 -- as Clients.own
    """Return a session that acts as a role; its credentials, which STS gives for an hour, renew themselves.

    STS is called in the deployment's region: without a region botocore would call the one of partition `aws`.
    """
    source = _botocore_session()
    fetcher = AssumeRoleCredentialFetcher(
        client_creator=partial(source.create_client, region_name=region, config=config),
        source_credentials=source.get_credentials(),
        role_arn=role,
        extra_args={"RoleSessionName": SESSION_NAME},
    )
    assumed = _botocore_session()
    assumed._credentials = DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")  # noqa: SLF001 -- botocore's own setter takes fixed keys only
    return _boto3_session(assumed)

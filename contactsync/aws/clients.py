"""boto3 clients with this product's timeouts and retries; endpoints and credentials come from the environment."""

from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
from botocore.session import get_session

SESSION_NAME: Final = "contactsync"

# Account Management and Organizations answer in us-east-1 only (FACTS 1.6), wherever this runs.
GLOBAL_REGION: Final = "us-east-1"


class Clients:
    """Makes clients: the deployment's own, and those that act in the management account."""

    def __init__(self, *, management_role: str | None, connect_timeout: float, read_timeout: float) -> None:
        """Take timeouts in seconds; `management_role` is assumed for the management account's clients when given."""
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._management_role = management_role
        self._session: Any = boto3.Session()

    def own(self, service: str) -> Any:  # noqa: ANN401 -- callers annotate the service's own client type
        """Return a client with the environment's credentials, and botocore's standard retries."""
        return self._session.client(service, config=self._config(attempts=4))

    def management(self, service: str, *, single_attempt: bool = False) -> Any:  # noqa: ANN401 -- as above
        """Return a client that acts in the management account, in us-east-1.

        With `single_attempt` a call is made once: its failures belong to the task's retries (DESIGN 3.6).
        """
        config = self._config(attempts=1 if single_attempt else 4)
        role = self._management_role
        session = _session_of(role) if role else self._session
        return session.client(service, region_name=GLOBAL_REGION, config=config)

    def _config(self, *, attempts: int) -> Config:
        return Config(
            retries={"mode": "standard", "total_max_attempts": attempts},
            connect_timeout=self._connect_timeout,
            read_timeout=self._read_timeout,
        )


def _session_of(role: str) -> Any:  # noqa: ANN401 -- as Clients.own
    """Return a session that acts as a role, with credentials that renew themselves: STS gives them for an hour."""
    source = get_session()
    credentials: Any = source.get_credentials()
    fetcher = AssumeRoleCredentialFetcher(
        client_creator=source.create_client,
        source_credentials=credentials,
        role_arn=role,
        extra_args={"RoleSessionName": SESSION_NAME},
    )
    assumed: Any = get_session()
    assumed._credentials = DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")  # noqa: SLF001 -- botocore's own setter takes fixed keys only
    return boto3.Session(botocore_session=assumed)

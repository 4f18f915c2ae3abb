"""AWS Organizations and STS: the organization's accounts and who is asking."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from contactsync.accounts import Account, AccountState
from contactsync.aws.error_codes import translated

if TYPE_CHECKING:
    from mypy_boto3_organizations import OrganizationsClient
    from mypy_boto3_sts import STSClient

ACCOUNT_MANAGEMENT: Final = "account.amazonaws.com"


class AwsOrganization:
    """The organization, asked in its management account."""

    def __init__(self, organizations: "OrganizationsClient", sts: "STSClient") -> None:
        """Take clients that act in the management account."""
        self._organizations = organizations
        self._sts = sts

    def caller_account(self) -> str:
        """Return the account of the credentials that write contacts."""
        with translated("GetCallerIdentity"):
            return self._sts.get_caller_identity()["Account"]

    def trusted_access(self) -> bool:
        """Tell whether account.amazonaws.com is among the services with access to the organization."""
        paginator = self._organizations.get_paginator("list_aws_service_access_for_organization")
        with translated("ListAWSServiceAccessForOrganization"):
            return any(
                service["ServicePrincipal"] == ACCOUNT_MANAGEMENT
                for page in paginator.paginate()
                for service in page["EnabledServicePrincipals"]
            )

    def accounts(self) -> Iterator[Account]:
        """List all pages; a page may be empty and still carry a token (FACTS 1.8)."""
        paginator = self._organizations.get_paginator("list_accounts")
        with translated("ListAccounts"):
            for page in paginator.paginate():
                for item in page["Accounts"]:
                    yield Account(item["Id"], item.get("Name", ""), _state(item))


def _state(item: Any) -> AccountState:  # noqa: ANN401 -- State is newer than the type stubs
    """Read State; Status is its older form, announced for retirement (FACTS 1.8)."""
    value = item.get("State") or item.get("Status")
    return AccountState(value) if value in set(AccountState) else AccountState.UNKNOWN

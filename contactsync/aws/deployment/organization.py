"""The organization to which a deployment belongs."""

from typing import TYPE_CHECKING, Final

from contactsync.aws.sdk.error_codes import translated

if TYPE_CHECKING:
    from mypy_boto3_organizations import OrganizationsClient

ACCOUNT_MANAGEMENT: Final = "account.amazonaws.com"


def organization_id(client: "OrganizationsClient") -> str:
    """Return the id of the organization of the client's account; raise OrganizationMissingError when it has none."""
    with translated("DescribeOrganization"):
        return client.describe_organization()["Organization"].get("Id", "")


def enable_trusted_access(client: "OrganizationsClient") -> None:
    """Let Account Management act on the member accounts; repeating it changes nothing."""
    with translated("EnableAWSServiceAccess"):
        client.enable_aws_service_access(ServicePrincipal=ACCOUNT_MANAGEMENT)

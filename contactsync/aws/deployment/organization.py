"""The organization to which a deployment belongs."""

from typing import TYPE_CHECKING

from contactsync.aws.sdk.error_codes import translated

if TYPE_CHECKING:
    from mypy_boto3_organizations import OrganizationsClient


def organization_id(client: "OrganizationsClient") -> str:
    """Return the id of the organization of the client's account; raise OrganizationMissingError when it has none."""
    with translated("DescribeOrganization"):
        return client.describe_organization()["Organization"].get("Id", "")

"""Who calls, and the organization that the account belongs to."""

from contactsync.aws.checks.calls import Calls
from contactsync.checks.ports import Caller, Organization

ACCOUNT_MANAGEMENT = "account.amazonaws.com"


class StsIdentity:
    """The caller, as STS knows it."""

    def __init__(self, calls: Calls, region: str) -> None:
        self._calls = calls
        self._region = region

    def caller(self) -> Caller:
        """Return the caller."""
        answer = self._calls.call("sts", self._region, "GetCallerIdentity")
        return Caller(answer["Account"], answer["Arn"])


class AwsOrganizations:
    """AWS Organizations; `region` is that in which the partition has it."""

    def __init__(self, calls: Calls, region: str) -> None:
        self._calls = calls
        self._region = region

    def organization(self) -> Organization:
        """Return the organization; raise OrganizationMissingError when there is none."""
        found = self._calls.call("organizations", self._region, "DescribeOrganization")["Organization"]
        return Organization(found["Id"], found["MasterAccountId"], found.get("FeatureSet") == "ALL")

    def trusted_access(self) -> bool:
        """Return whether account.amazonaws.com is among the services with access to the organization."""
        operation, key = "ListAWSServiceAccessForOrganization", "EnabledServicePrincipals"
        services = self._calls.pages("organizations", self._region, operation, key)
        return any(service["ServicePrincipal"] == ACCOUNT_MANAGEMENT for service in services)

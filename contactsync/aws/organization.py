"""AWS Organizations and STS: the organization's accounts, units and tags, and the caller's account."""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from contactsync.accounts import Account, AccountState, OrganizationalUnit, UnitPath
from contactsync.aws.organization_calls import OrganizationCalls
from contactsync.aws.sdk.error_codes import translated
from contactsync.clock import Clock
from contactsync.errors import NotInOrganizationError

if TYPE_CHECKING:
    from mypy_boto3_organizations import OrganizationsClient
    from mypy_boto3_sts import STSClient

ACCOUNT_MANAGEMENT: Final = "account.amazonaws.com"
ROOT: Final = "ROOT"
UNIT_ID: Final = re.compile(r"ou-[0-9a-z]{4,32}-[0-9a-z]{8,32}")


class AwsOrganization:
    """The organization, as its management account sees it; every listing reads all pages.

    Calls keep to AWS's documented rates, and are repeated while AWS throttles them.
    """

    def __init__(
        self,
        organizations: "OrganizationsClient",
        sts: "STSClient",
        clock: Clock,
        *,
        tries: int = 20,
        longest_wait: float = 20.0,
    ) -> None:
        """Take clients of the management account, and for throttled calls the longest wait in seconds."""
        self._organizations = OrganizationCalls(organizations, clock, tries=tries, longest=longest_wait)
        self._sts = sts

    def caller_account(self) -> str:
        """Return the account whose credentials write contacts."""
        with translated("GetCallerIdentity"):
            return self._sts.get_caller_identity()["Account"]

    def trusted_access(self) -> bool:
        """Return whether account.amazonaws.com is among the services with access to the organization."""
        services = self._organizations.pages("ListAWSServiceAccessForOrganization", "EnabledServicePrincipals")
        return any(service["ServicePrincipal"] == ACCOUNT_MANAGEMENT for service in services)

    def accounts(self) -> Iterator[Account]:
        """List every account, the management account included."""
        for item in self._organizations.pages("ListAccounts", "Accounts"):
            yield Account(item["Id"], item.get("Name", ""), _state(item))

    def state(self, account_id: str) -> AccountState | None:
        """Describe one account; AWS's AccountNotFoundException means that it is not in the organization."""
        try:
            answer = self._organizations.call("DescribeAccount", account_id, AccountId=account_id)
        except NotInOrganizationError:
            return None
        return _state(answer["Account"])

    def units(self) -> Iterator[UnitPath]:
        """Yield all units from the root down, level by level: one listing per unit."""
        level: list[UnitPath] = [(root,) for root in self._roots()]
        while level:
            yield from level
            level = [(*path, unit) for path in level for unit in self._units_in(path[-1].unit_id)]

    def accounts_in(self, unit_id: str) -> Iterator[str]:
        """List the accounts directly in a root or unit."""
        for item in self._organizations.pages("ListAccountsForParent", "Accounts", ParentId=unit_id):
            yield item["Id"]

    def units_of(self, account_id: str) -> UnitPath:
        """Go up from the account to the root: two calls per level."""
        path: UnitPath = ()
        parent = self._parent(account_id, account_id)
        while parent["Type"] != ROOT:
            path = (self._described(parent["Id"], account_id), *path)
            parent = self._parent(parent["Id"], account_id)
        # No rule uses the root's name, so it is not requested.
        return (OrganizationalUnit(parent["Id"], ""), *path)

    def has_unit(self, name: str) -> bool:
        """Find an id with one call; find a path from the root down, with one listing per level."""
        return self._has_id(name) or any(
            name == root.unit_id or self._has_path(root.unit_id, name) for root in self._roots()
        )

    def tags_of(self, account_id: str) -> Mapping[str, str]:
        """Return the tags of one account."""
        tags = self._organizations.pages("ListTagsForResource", "Tags", account_id, ResourceId=account_id)
        return {tag["Key"]: tag["Value"] for tag in tags}

    def _roots(self) -> Iterator[OrganizationalUnit]:
        for item in self._organizations.pages("ListRoots", "Roots"):
            yield OrganizationalUnit(item["Id"], "")

    def _units_in(self, unit_id: str) -> Iterator[OrganizationalUnit]:
        operation = "ListOrganizationalUnitsForParent"
        for item in self._organizations.pages(operation, "OrganizationalUnits", ParentId=unit_id):
            yield OrganizationalUnit(item["Id"], item["Name"])

    def _parent(self, child_id: str, account_id: str) -> Any:  # noqa: ANN401 -- boto3's shape
        for parent in self._organizations.pages("ListParents", "Parents", account_id, ChildId=child_id):
            return parent
        raise NotInOrganizationError("ListParents", "NoParent", account_id)

    def _described(self, unit_id: str, account_id: str) -> OrganizationalUnit:
        answer = self._organizations.call("DescribeOrganizationalUnit", account_id, OrganizationalUnitId=unit_id)
        return OrganizationalUnit(unit_id, answer["OrganizationalUnit"]["Name"])

    def _has_id(self, name: str) -> bool:
        if not UNIT_ID.fullmatch(name):
            return False
        try:
            self._organizations.call("DescribeOrganizationalUnit", OrganizationalUnitId=name)
        except NotInOrganizationError:
            return False
        return True

    def _has_path(self, parent_id: str, path: str) -> bool:
        """Follow the units whose names the path starts with; a name may itself contain a slash."""
        return any(
            path == unit.name
            or (path.startswith(f"{unit.name}/") and self._has_path(unit.unit_id, path[len(unit.name) + 1 :]))
            for unit in self._units_in(parent_id)
        )


def _state(item: Any) -> AccountState:  # noqa: ANN401 -- State is newer than the type stubs
    """Read State; Status is its older form, which AWS has announced to remove in 2026."""
    value = item.get("State") or item.get("Status")
    return AccountState(value) if value in set(AccountState) else AccountState.UNKNOWN

"""AWS Organizations and STS: the organization's accounts, units and tags, and who is asking."""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from contactsync.accounts import Account, AccountState, OrganizationalUnit, UnitPath
from contactsync.aws.error_codes import translated
from contactsync.errors import NotInOrganizationError

if TYPE_CHECKING:
    from mypy_boto3_organizations import OrganizationsClient
    from mypy_boto3_sts import STSClient

ACCOUNT_MANAGEMENT: Final = "account.amazonaws.com"
ROOT: Final = "ROOT"
UNIT_ID: Final = re.compile(r"ou-[0-9a-z]{4,32}-[0-9a-z]{8,32}")


class AwsOrganization:
    """The organization, asked in its management account; every listing reads all pages.

    A page may be empty and still carry a token (FACTS 1.8).
    """

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
        """List every account, the management account included."""
        paginator = self._organizations.get_paginator("list_accounts")
        with translated("ListAccounts"):
            for page in paginator.paginate():
                for item in page["Accounts"]:
                    yield Account(item["Id"], item.get("Name", ""), _state(item))

    def state(self, account_id: str) -> AccountState | None:
        """Describe one account; AWS's AccountNotFoundException means that it is not in the organization."""
        try:
            with translated("DescribeAccount", account_id):
                return _state(self._organizations.describe_account(AccountId=account_id)["Account"])
        except NotInOrganizationError:
            return None

    def units(self) -> Iterator[UnitPath]:
        """Walk the tree from the root, level by level: one listing per unit."""
        level: list[UnitPath] = [(root,) for root in self._roots()]
        while level:
            yield from level
            level = [(*path, unit) for path in level for unit in self._units_in(path[-1].unit_id)]

    def accounts_in(self, unit_id: str) -> Iterator[str]:
        """List the accounts right under a root or unit."""
        paginator = self._organizations.get_paginator("list_accounts_for_parent")
        with translated("ListAccountsForParent"):
            for page in paginator.paginate(ParentId=unit_id):
                for item in page["Accounts"]:
                    yield item["Id"]

    def units_of(self, account_id: str) -> UnitPath:
        """Climb from the account to the root: two calls per level."""
        path: UnitPath = ()
        parent = self._parent(account_id, account_id)
        while parent["Type"] != ROOT:
            path = (self._described(parent["Id"], account_id), *path)
            parent = self._parent(parent["Id"], account_id)
        # The root's name is of no use to a rule, so it is not asked for.
        return (OrganizationalUnit(parent["Id"], ""), *path)

    def has_unit(self, name: str) -> bool:
        """Look for an id with one call, else descend along the path, with one listing per level."""
        return self._has_id(name) or any(
            name == root.unit_id or self._has_path(root.unit_id, name) for root in self._roots()
        )

    def tags_of(self, account_id: str) -> Mapping[str, str]:
        """Return the tags of one account."""
        paginator = self._organizations.get_paginator("list_tags_for_resource")
        with translated("ListTagsForResource", account_id):
            pages = paginator.paginate(ResourceId=account_id)
            return {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}

    def _roots(self) -> Iterator[OrganizationalUnit]:
        paginator = self._organizations.get_paginator("list_roots")
        with translated("ListRoots"):
            for page in paginator.paginate():
                for item in page["Roots"]:
                    yield OrganizationalUnit(item["Id"], "")

    def _units_in(self, unit_id: str) -> Iterator[OrganizationalUnit]:
        paginator = self._organizations.get_paginator("list_organizational_units_for_parent")
        with translated("ListOrganizationalUnitsForParent"):
            for page in paginator.paginate(ParentId=unit_id):
                for item in page["OrganizationalUnits"]:
                    yield OrganizationalUnit(item["Id"], item["Name"])

    def _parent(self, child_id: str, account_id: str) -> Any:  # noqa: ANN401 -- boto3's shape
        paginator = self._organizations.get_paginator("list_parents")
        with translated("ListParents", account_id):
            for page in paginator.paginate(ChildId=child_id):
                for parent in page["Parents"]:
                    return parent
        raise NotInOrganizationError("ListParents", "NoParent", account_id)

    def _described(self, unit_id: str, account_id: str) -> OrganizationalUnit:
        with translated("DescribeOrganizationalUnit", account_id):
            answer = self._organizations.describe_organizational_unit(OrganizationalUnitId=unit_id)
        return OrganizationalUnit(unit_id, answer["OrganizationalUnit"]["Name"])

    def _has_id(self, name: str) -> bool:
        if not UNIT_ID.fullmatch(name):
            return False
        try:
            with translated("DescribeOrganizationalUnit"):
                self._organizations.describe_organizational_unit(OrganizationalUnitId=name)
        except NotInOrganizationError:
            return False
        return True

    def _has_path(self, parent_id: str, path: str) -> bool:
        """Follow the units whose names the path begins with; a name may itself contain a slash."""
        return any(
            path == unit.name
            or (path.startswith(f"{unit.name}/") and self._has_path(unit.unit_id, path[len(unit.name) + 1 :]))
            for unit in self._units_in(parent_id)
        )


def _state(item: Any) -> AccountState:  # noqa: ANN401 -- State is newer than the type stubs
    """Read State; Status is its older form, announced for retirement (FACTS 1.8)."""
    value = item.get("State") or item.get("Status")
    return AccountState(value) if value in set(AccountState) else AccountState.UNKNOWN

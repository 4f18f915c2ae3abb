"""moto's organizations service, corrected where a client could notice: states, paging, rights."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import moto.organizations.urls
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.core.utils import camelcase_to_underscores, utcnow
from moto.organizations import utils
from moto.organizations.exceptions import (
    AccountAlreadyClosedException,
    AccountNotFoundException,
    AWSOrganizationsNotInUseException,
    ConstraintViolationException,
    DuplicateOrganizationalUnitException,
    InvalidInputException,
    OrganizationsClientError,
)
from moto.organizations.models import (
    FakeAccount,
    FakeDelegatedAdministrator,
    FakeServiceAccess,
    OrganizationsBackend,
    organizations_backends,
)
from moto.organizations.responses import OrganizationsResponse

from contactsync.sandbox.handover import Attribute, Emptied, Entry, Handover

ACCOUNT_MANAGEMENT = "account.amazonaws.com"
PARTITION = "aws"
_PAGE = 20  # items
_ACTIVE = "ACTIVE"
# A State without a Status of the same name is shown as SUSPENDED: our guess, AWS documents no mapping.
_STATUSES = {"ACTIVE": "ACTIVE", "PENDING_CLOSURE": "PENDING_CLOSURE"}
_FOR_EVERY_MEMBER = frozenset({"describe_organization", "leave_organization"})


@dataclass(frozen=True)
class NewAccount:
    """What an account of the organization starts with."""

    id: str
    name: str
    email: str
    parent_id: str
    state: str = _ACTIVE
    joined: datetime = field(default_factory=utcnow)
    tags: dict[str, str] = field(default_factory=dict)


class SandboxAccount(FakeAccount):  # type: ignore[misc] # moto is untyped
    """An account with a State and Paths; it gets no IAM role, so that thousands of accounts are made quickly."""

    def __init__(self, backend: "SandboxOrganizationsBackend", new: NewAccount) -> None:
        self.backend = backend
        self.type = "ACCOUNT"
        self.region = backend.org.region
        self.organization_id = backend.org.id
        self.master_account_id = backend.org.master_account_id
        self.create_account_status_id = f"car-{new.id}"
        self.id, self.name, self.email = new.id, new.name, new.email
        self.create_time = new.joined.replace(tzinfo=None)  # moto's times are UTC without a time zone
        self.joined_method = "CREATED"
        self.parent_id = new.parent_id
        self.attached_policies: list[Any] = []
        self.tags = dict(new.tags)
        self.state = self.status = new.state

    def describe(self) -> dict[str, Any]:
        """Describe the account with its paths, and the Status that belongs to its State."""
        path = f"{self.backend.path(self.parent_id)}{self.id}/"
        return {**super().describe(), "Status": _STATUSES.get(self.state, "SUSPENDED"), "Paths": [path]}

    def close(self) -> None:
        """Close the account at once; in AWS it is PENDING_CLOSURE first."""
        if self.state in ("PENDING_CLOSURE", "CLOSED"):
            raise AccountAlreadyClosedException
        self.state = "CLOSED"


class AccountList(list[SandboxAccount]):
    """moto's list of accounts with an index by id; moto would search the list from its start."""

    def __init__(self) -> None:
        super().__init__()
        self.by_id: dict[str, SandboxAccount] = {}

    def append(self, account: SandboxAccount) -> None:
        """Add an account."""
        self.by_id[account.id] = account
        super().append(account)

    def remove(self, account: SandboxAccount) -> None:
        """Remove an account."""
        self.by_id.pop(account.id, None)
        super().remove(account)


class SandboxOrganizationsBackend(OrganizationsBackend):  # type: ignore[misc] # moto is untyped
    """An organization as moto keeps it, with the rules of AWS that moto lacks."""

    empty_pages = 0
    """How many empty pages a listing starts with."""
    on_created: Callable[[str, str], None] | None = None
    """Called with the id and the name of every account that CreateAccount makes."""

    def _reset(self) -> None:
        super()._reset()
        self.accounts = AccountList()

    @property
    def _url_module(self) -> Any:  # noqa: ANN401 - moto looks for a module next to the class's own
        return moto.organizations.urls

    def create_organization(self, region: str, **kwargs: Any) -> dict[str, Any]:  # noqa: ANN401 - moto's signature
        """Create the organization with its management account."""
        description: dict[str, Any] = super().create_organization(region, **kwargs)
        self.accounts.by_id = {account.id: account for account in self.accounts}
        return description

    def add_account(self, new: NewAccount) -> SandboxAccount:
        """Add an account with the policies that every account has."""
        account = SandboxAccount(self, new)
        self.accounts.append(account)
        for policy in self.policies:
            if policy.aws_managed:
                account.attached_policies.append(policy)
                policy.attachments.append(account)
        if account.id != self.account_id:
            organizations_backends.master_accounts[account.id] = (self.account_id, self.partition)
        return account

    def create_account(self, **kwargs: Any) -> dict[str, Any]:  # noqa: ANN401 - moto's signature
        """Create an account at once."""
        if self.org is None:
            raise AWSOrganizationsNotInUseException
        tags = {tag["Key"]: tag["Value"] for tag in kwargs.get("Tags", [])}
        account_id = utils.make_random_account_id()
        new = NewAccount(account_id, kwargs["AccountName"], kwargs["Email"], self.org.root_id, tags=tags)
        account = self.add_account(new)
        if self.on_created is not None:
            self.on_created(account.id, account.name)
        status: dict[str, Any] = account.create_account_status
        return status

    def get_account_by_id(self, account_id: str) -> SandboxAccount:
        """Return the account from the index; raise AccountNotFoundException when there is none."""
        account = self.accounts.by_id.get(account_id)
        if account is None:
            raise AccountNotFoundException
        return account

    def list_parents(self, **kwargs: Any) -> dict[str, Any]:  # noqa: ANN401 - moto's signature
        """List the parent of an account or unit; raise AWS's error for this call when there is no such child."""
        child_id = kwargs["ChildId"]
        if child_id not in self.accounts.by_id and all(child_id != unit.id for unit in self.ou):
            raise OrganizationsClientError("ChildNotFoundException", "You specified a child that doesn't exist.")
        parents: dict[str, Any] = super().list_parents(**kwargs)
        return parents

    def update_organizational_unit(self, **kwargs: Any) -> dict[str, Any]:  # noqa: ANN401 - moto's signature
        """Rename a unit; its name must differ from those beside it, while moto compares it with all units."""
        unit = self.get_organizational_unit_by_id(kwargs["OrganizationalUnitId"])
        if any(s.name == kwargs["Name"] and s.parent_id == unit.parent_id and s is not unit for s in self.ou):
            raise DuplicateOrganizationalUnitException
        unit.name = kwargs["Name"]
        description: dict[str, Any] = unit.describe()
        return description

    def _get_resource_for_tagging(self, resource_id: str) -> Any:  # noqa: ANN401 - of many classes
        return self.accounts.by_id.get(resource_id) or super()._get_resource_for_tagging(resource_id)

    def path(self, parent_id: str) -> str:
        """Return the path of a root or unit, such as o-x/r-y/ou-y-z/."""
        units = {unit.id: unit for unit in self.ou}
        ids = []
        while parent_id in units:
            ids.append(parent_id)
            parent_id = units[parent_id].parent_id
        return "/".join([self.org.id, *reversed(ids)]) + "/"

    def is_trusted(self, service_principal: str) -> bool:
        """Return whether the service has trusted access."""
        return any(service["ServicePrincipal"] == service_principal for service in self.services)

    def administers(self, account_id: str, service_principal: str | None = None) -> bool:
        """Return whether the account is a delegated administrator, for the service or for any."""
        return any(
            admin.account.id == account_id and (service_principal is None or service_principal in admin.services)
            for admin in self.admins
        )

    def register_delegated_administrator(self, **kwargs: str) -> None:
        """Register a member account, which must be active; Account Management must have trusted access."""
        account, service = kwargs["AccountId"], kwargs["ServicePrincipal"]
        if account != self.account_id and self.get_account_by_id(account).state != _ACTIVE:
            raise _violation("CANNOT_REGISTER_SUSPENDED_ACCOUNT_AS_DELEGATED_ADMINISTRATOR")
        if service == ACCOUNT_MANAGEMENT and not self.is_trusted(service):
            raise _violation("SERVICE_ACCESS_NOT_ENABLED")
        super().register_delegated_administrator(**kwargs)


class SandboxOrganizationsResponse(OrganizationsResponse):  # type: ignore[misc] # moto is untyped
    """The service as its callers see it: pages of at most 20 items, and few rights for member accounts."""

    @property
    def organizations_backend(self) -> Any:  # noqa: ANN401 - moto's class
        """The caller's organization; an empty one for accounts without an organization."""
        return organization_of(self.current_account)

    def call_action(self) -> Any:  # noqa: ANN401 - moto's triple
        """Refuse callers that have no right to the operation, and let moto answer the others."""
        try:
            self._check_caller(camelcase_to_underscores(self._get_action()))
        except ServiceException as error:
            return self.serialized(ActionResult(error))
        return super().call_action()

    def list_accounts(self) -> str:
        """List all accounts, a page at a time."""
        return self._page("Accounts", self.organizations_backend.accounts)

    def list_accounts_for_parent(self) -> str:
        """List the accounts directly under a root or unit."""
        return self._page("Accounts", self._children("ACCOUNT"))

    def list_organizational_units_for_parent(self) -> str:
        """List the units directly under a root or unit."""
        units = self._children("ORGANIZATIONAL_UNIT")
        return self._page(
            "OrganizationalUnits", units, lambda unit: {"Id": unit.id, "Arn": unit.arn, "Name": unit.name}
        )

    def list_tags_for_resource(self) -> str:
        """List the tags of an account, a root, a unit or a policy."""
        resource = self.organizations_backend._get_resource_for_tagging(self._get_param("ResourceId"))  # noqa: SLF001 - moto has no other way in
        return self._page(
            "Tags", list(resource.tags.items()), lambda tag: dict(zip(("Key", "Value"), tag, strict=True))
        )

    def list_children(self) -> str:
        """List the accounts or the units directly under a root or unit."""
        child_type = self._get_param("ChildType")
        children = self._children(child_type)
        return self._page("Children", children, lambda child: {"Id": child.id, "Type": child_type})

    def list_delegated_administrators(self) -> str:
        """List the delegated administrators, or only those of the named service."""
        service = self._get_param("ServicePrincipal")
        if service is not None and not FakeServiceAccess.trusted_service(service):
            raise InvalidInputException("You specified an unrecognized service principal.")
        admins = self.organizations_backend.admins
        return self._page("DelegatedAdministrators", [a for a in admins if service is None or service in a.services])

    def _children(self, child_type: str) -> list[Any]:
        backend, parent_id = self.organizations_backend, self._get_param("ParentId")
        backend.validate_parent_id(parent_id)
        if child_type not in ("ACCOUNT", "ORGANIZATIONAL_UNIT"):
            raise InvalidInputException("You specified an invalid value.")
        children = backend.accounts if child_type == "ACCOUNT" else backend.ou
        return [child for child in children if child.parent_id == parent_id]

    def _check_caller(self, action: str) -> None:
        backend, caller = self.organizations_backend, self.current_account
        if action == "create_organization":
            return
        if backend.org is None:
            raise AWSOrganizationsNotInUseException
        if backend.account_id == caller:
            return
        if action in _FOR_EVERY_MEMBER:
            return
        reads = action.startswith(("list_", "describe_"))
        if not (reads and backend.administers(caller)):
            # moto finds the service by the module of the error's class, so its general ServiceException is no use here.
            raise OrganizationsClientError(
                "AccessDeniedException", "You don't have permissions to access this resource."
            )

    def _page(self, key: str, items: Sequence[Any], describe: Any = lambda item: item.describe()) -> str:  # noqa: ANN401 - a function on moto's untyped items
        about = self._get_param("ParentId") or self._get_param("ResourceId") or ""
        listing = f"{self._get_action()}/{about}"
        limit = self._get_param("MaxResults", _PAGE)
        if not isinstance(limit, int) or not 1 <= limit <= _PAGE:
            raise InvalidInputException("You provided a value for MaxResults that is not between 1 and 20.")
        position = _Position.read(self._get_param("NextToken"), listing)
        if position.empty < self.organizations_backend.empty_pages:
            after = _Position(listing, position.offset, position.empty + 1)
            return json.dumps({key: [], "NextToken": after.token()})
        end = position.offset + limit
        page: dict[str, Any] = {key: [describe(item) for item in items[position.offset : end]]}
        if end < len(items):
            page["NextToken"] = _Position(listing, end, position.empty).token()
        return json.dumps(page)


@dataclass(frozen=True)
class _Position:
    """The position where a listing continues; clients see it as an opaque token."""

    listing: str
    offset: int = 0
    empty: int = 0

    def token(self) -> str:
        return base64.urlsafe_b64encode(json.dumps([self.listing, self.offset, self.empty]).encode()).decode()

    @classmethod
    def read(cls, token: str | None, listing: str) -> "_Position":
        if token is None:
            return cls(listing)
        try:
            position = cls(*json.loads(base64.urlsafe_b64decode(token)))
        except (binascii.Error, ValueError, TypeError):
            position = cls("")
        if position.listing != listing:
            raise InvalidInputException("You specified an invalid NextToken.")
        return position


def organization_of(account_id: str) -> SandboxOrganizationsBackend:
    """Return the organization of a management or member account; an empty one for any other account."""
    management_account, partition = organizations_backends.master_accounts.get(account_id, (account_id, PARTITION))
    backend: SandboxOrganizationsBackend = organizations_backends[management_account][partition]
    return backend


def _violation(reason: str) -> ConstraintViolationException:
    error = ConstraintViolationException(f"You violated a constraint of the organization: {reason}.")
    error.Reason = reason
    return error


def _forget() -> None:
    organizations_backends.clear()
    organizations_backends.master_accounts.clear()


handover: Handover[None] = Handover(
    Emptied(_forget),
    Attribute(organizations_backends, "backend", SandboxOrganizationsBackend),
    Entry(lambda: moto.organizations.urls.url_paths, "{0}/$", SandboxOrganizationsResponse.dispatch),
    Attribute(
        FakeDelegatedAdministrator,
        "SUPPORTED_SERVICES",
        [*FakeDelegatedAdministrator.SUPPORTED_SERVICES, ACCOUNT_MANAGEMENT],
    ),
)
"""A server reads the paths at its first request for the service, so this is entered before the server starts."""

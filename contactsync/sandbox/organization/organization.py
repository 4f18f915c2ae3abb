"""The organization of a sandbox, built in moto from its scenario; its state can be read and changed."""

from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any, cast, get_args

from contactsync.sandbox.contacts.account_rules import ContactType
from contactsync.sandbox.contacts.contact_store import ContactStore
from contactsync.sandbox.contacts.defaults import (
    derived_id,
    member_account_id,
    member_contact,
    member_joined,
    member_name,
    member_tags,
    member_unit,
)
from contactsync.sandbox.organization import moto_organizations
from contactsync.sandbox.organization.moto_organizations import (
    ACCOUNT_MANAGEMENT,
    NewAccount,
    SandboxOrganizationsBackend,
)
from contactsync.sandbox.scenario.scenario import AccountState, MemberSettings, OrganizationSettings, Scenario

_REGION = "us-east-1"
_OTHER_TRUSTED_SERVICES = ("cloudtrail.amazonaws.com", "config.amazonaws.com", "sso.amazonaws.com")
_SAME, _GENERATED = "same_as_management", "generated"


class UnknownAccountError(LookupError):
    """The account is not in the organization."""


class OrganizationState:
    """The organization that all services share: accounts and access in moto's backend, contacts in a store."""

    def __init__(self, scenario: Scenario, backend: SandboxOrganizationsBackend, handed_over: ExitStack) -> None:
        """Keep a backend that has its accounts; contacts are made from the scenario when they are read."""
        self._handed_over = handed_over
        self._scenario = scenario
        self._backend = backend
        self._numbers = _numbers(scenario.organization)
        self._overrides = {member.account_id: member for member in scenario.organization.members}
        self.account_rules = scenario.account_management
        stale = scenario.stale_reads
        self._created: dict[str, Mapping[str, str]] = {}
        backend.on_created = self._note_created
        self.contacts = ContactStore(self._initial_contact, stale_seconds=stale.seconds, stale_account=stale.account)

    @property
    def management_account(self) -> str:
        """The account that owns the organization."""
        return str(self._backend.account_id)

    @property
    def organization_id(self) -> str:
        """The id of the organization, such as o-exampleorgid."""
        return str(self._backend.org.id)

    @property
    def has_all_features(self) -> bool:
        """Whether all features are enabled, and not only consolidated billing."""
        return bool(self._backend.org.feature_set == "ALL")

    @property
    def trusted_access(self) -> bool:
        """Whether Account Management has trusted access, as the Organizations API shows it; it can be set."""
        return self._backend.is_trusted(ACCOUNT_MANAGEMENT)

    @trusted_access.setter
    def trusted_access(self, enabled: bool) -> None:
        change = self._backend.enable_aws_service_access if enabled else self._backend.disable_aws_service_access
        change(ServicePrincipal=ACCOUNT_MANAGEMENT)

    @property
    def delegated_administrators(self) -> list[str]:
        """The accounts that may manage the contacts of members."""
        admins = [admin.account.id for admin in self._backend.admins]
        return [account for account in admins if self.is_delegated_administrator(account)]

    def is_delegated_administrator(self, account_id: str) -> bool:
        """Return whether the account is a delegated administrator for Account Management."""
        return self._backend.administers(account_id, ACCOUNT_MANAGEMENT)

    def state_of(self, account_id: str) -> AccountState | None:
        """Return an account's state; None when it is not in the organization."""
        account = self._backend.accounts.by_id.get(account_id)
        return None if account is None else cast("AccountState", account.state)

    def set_state(self, account_id: str, state: str) -> None:
        """Change a member's state; raise UnknownAccountError, or ValueError for a state that it cannot have."""
        if state not in get_args(AccountState):
            message = f"{state} is not one of {', '.join(get_args(AccountState))}"
            raise ValueError(message)
        if account_id == self.management_account:
            message = "the management account is always ACTIVE"
            raise ValueError(message)
        account = self._backend.accounts.by_id.get(account_id)
        if account is None:
            raise UnknownAccountError(account_id)
        account.state = state

    def accounts(self) -> list[dict[str, Any]]:
        """Describe every account without its contacts, the management account first; `ou` is a path of names."""
        units = self._unit_paths()
        return [
            {
                "id": account.id,
                "name": account.name,
                "state": account.state,
                "ou": units.get(account.parent_id, ""),
                "tags": dict(account.tags),
                "management": account.id == self.management_account,
                "delegated_administrator": self.is_delegated_administrator(account.id),
            }
            for account in list(self._backend.accounts)
        ]

    def account_ids(self) -> list[str]:
        """List the ids of all accounts, the management account's first."""
        return [account.id for account in list(self._backend.accounts)]

    def close(self) -> None:
        """Remove the organization from moto."""
        self._handed_over.close()

    def _unit_paths(self) -> dict[str, str]:
        units = {unit.id: unit for unit in self._backend.ou}
        paths = {}
        for unit_id in units:
            names, current = [], unit_id
            while current != self._backend.org.root_id:
                names.append(units[current].name)
                current = units[current].parent_id
            paths[unit_id] = "/".join(reversed(names))
        return paths

    def _initial_contact(self, account_id: str, contact_type: ContactType) -> Mapping[str, str] | None:
        if account_id == self.management_account:
            return self._management_contact(contact_type)
        number = self._numbers.get(account_id)
        if number is None:
            return self._contact_of_a_new_account(account_id, contact_type)
        override = self._overrides.get(account_id)
        choice = getattr(override.contacts, contact_type) if override else _GENERATED
        if choice == _GENERATED:
            return member_contact(number, contact_type)
        if choice == _SAME:
            return self._management_contact(contact_type)
        return cast("Mapping[str, str] | None", choice)

    def _contact_of_a_new_account(self, account_id: str, contact_type: ContactType) -> Mapping[str, str] | None:
        """Return a contact of an account created at run time: the management account's address, under its own name."""
        return self._created.get(account_id) if contact_type is ContactType.PRIMARY else None

    def _note_created(self, account_id: str, name: str) -> None:
        address = self.contacts.latest(self.management_account, ContactType.PRIMARY)
        self._created[account_id] = {**(address or {}), "FullName": name}

    def _management_contact(self, contact_type: ContactType) -> Mapping[str, str] | None:
        return cast("Mapping[str, str] | None", getattr(self._scenario.contacts, contact_type))


def build(scenario: Scenario) -> OrganizationState:
    """Build the scenario's organization in moto; a process has one at a time, until it is closed."""
    with ExitStack() as handed_over:
        handed_over.enter_context(moto_organizations.handover.to(None))
        return OrganizationState(scenario, _filled(scenario.organization), handed_over.pop_all())


def _filled(settings: OrganizationSettings) -> SandboxOrganizationsBackend:
    backend = moto_organizations.organization_of(settings.management_account)
    _create(backend, settings)
    units = _add_units(backend, settings.organizational_units)
    for new in _members(settings, units):
        backend.add_account(new)
    _grant_access(backend, settings)
    backend.empty_pages = settings.empty_pages
    return backend


def _create(backend: SandboxOrganizationsBackend, settings: OrganizationSettings) -> None:
    backend.create_organization(_REGION, FeatureSet=settings.feature_set)
    management_account = settings.management_account
    backend.org.id = derived_id("o-", 10, management_account)
    backend.org.master_account_email = "aws@example.com"
    root = backend.ou[0]
    root.id = backend.org.root_id = derived_id("r-", 4, management_account)
    root.organization_id = backend.org.id
    for policy in backend.policies:
        policy.organization_id = backend.org.id
        policy.attachments = [target for target in policy.attachments if target.type != "ACCOUNT"]
    backend.accounts = moto_organizations.AccountList()
    joined = member_joined(0).replace(tzinfo=None)
    backend.add_account(NewAccount(management_account, "management", "aws@example.com", root.id, joined=joined))


def _add_units(backend: SandboxOrganizationsBackend, paths: tuple[str, ...]) -> dict[str, str]:
    """Add the units and the units above them, and return their ids by path."""
    ids = {"": str(backend.org.root_id)}
    for path in paths:
        names = path.split("/")
        for depth, name in enumerate(names):
            parent, here = "/".join(names[:depth]), "/".join(names[: depth + 1])
            if here not in ids:
                backend.create_organizational_unit(Name=name, ParentId=ids[parent])
                unit = backend.ou[-1]
                policies = [policy for policy in backend.policies if unit in policy.attachments]
                unit.id = ids[here] = derived_id(f"ou-{ids[''][2:]}-", 8, backend.account_id, here)
                unit.attached_policies = policies
    return ids


def _members(settings: OrganizationSettings, units: Mapping[str, str]) -> list[NewAccount]:
    numbers = _numbers(settings)
    overrides = {member.account_id: member for member in settings.members}
    return [_member(account_id, numbers, overrides.get(account_id), settings, units) for account_id in numbers]


def _member(
    account_id: str,
    numbers: Mapping[str, int],
    override: MemberSettings | None,
    settings: OrganizationSettings,
    units: Mapping[str, str],
) -> NewAccount:
    number = numbers[account_id]
    chosen = override or MemberSettings(number=number)
    name = chosen.name or member_name(number)
    return NewAccount(
        id=account_id,
        name=name,
        email=chosen.email or f"aws+{number}@example.com",
        parent_id=units[chosen.ou or member_unit(number, settings.organizational_units)],
        state=chosen.state,
        joined=min(member_joined(number), datetime.now(UTC)),
        tags=dict(member_tags(number) if chosen.tags is None else chosen.tags),
    )


def _numbers(settings: OrganizationSettings) -> dict[str, int]:
    """Return a number for every member: first the generated ones, then those that the scenario names by id."""
    given = [member.id for member in settings.members if member.id]
    generated = {member_account_id(number): number for number in range(1, settings.accounts + 1)}
    return generated | {account_id: settings.accounts + 1 + index for index, account_id in enumerate(given)}


def _grant_access(backend: SandboxOrganizationsBackend, settings: OrganizationSettings) -> None:
    for service in _OTHER_TRUSTED_SERVICES:
        backend.enable_aws_service_access(ServicePrincipal=service)
    backend.enable_aws_service_access(ServicePrincipal=ACCOUNT_MANAGEMENT)
    if settings.delegated_administrator:
        backend.register_delegated_administrator(
            AccountId=settings.delegated_administrator, ServicePrincipal=ACCOUNT_MANAGEMENT
        )
    if not settings.trusted_access:
        backend.disable_aws_service_access(ServicePrincipal=ACCOUNT_MANAGEMENT)

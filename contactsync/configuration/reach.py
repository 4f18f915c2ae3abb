"""Reach: which accounts a configuration allows to be written to, looked up before it is stored."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from contactsync.accounts import Account, AccountState, UnitPath
from contactsync.configuration.schema import Configuration, StoredConfiguration
from contactsync.contacts import ContactType
from contactsync.errors import ConfigurationInvalidError, OrganizationUnreadError
from contactsync.scope.ports import Organization
from contactsync.scope.rules import Admission, ScopeFilter
from contactsync.scope.selection import Scope, Selection
from contactsync.scope.unmatched import unmatched_accounts

MOST_TAGGED: Final = 1000
"""Accounts whose tags are read while a person waits: each costs a call. For more, only runs read them."""

Reached = frozenset[tuple[str, ContactType]]


@dataclass(frozen=True)
class Reach:
    """The look-up of what configurations mean in the organization; each question is asked once."""

    organization: Organization
    management_account: str

    def unmatched(self, configuration: Configuration) -> list[str]:
        """Return a sentence for each rule that names nobody, or names a unit that stops the plan.

        Raises OrganizationUnreadError when the organization is too large, and the errors of the calls.
        """
        try:
            return list(self._scope(configuration).unmatched)
        except ConfigurationInvalidError as error:
            stops = [f"{problem} (this stops the plan)" for problem in error.problems]
            return [*unmatched_accounts(configuration, self._remembered.listed, self.management_account), *stops]

    def reached(self, configuration: Configuration) -> Reached:
        """Return the active accounts that may be written to, with the contact types; raise like `unmatched`."""
        scope = self._scope(configuration)
        return frozenset(
            (member.account.account_id, contact_type)
            for contact_type in configuration.contact_types
            for member, admission in scope.concerned(contact_type)
            if admission is Admission.ADMITTED and member.account.state is AccountState.ACTIVE
        )

    @property
    def accounts(self) -> tuple[Account, ...]:
        """All accounts of the organization, the management account included."""
        return tuple(self._remembered.listed)

    def scope(self, configuration: Configuration) -> Scope:
        """Return a configuration's scope over all accounts, however many tags have to be read."""
        stored = StoredConfiguration(version=0, configuration=configuration)
        return Selection(self._remembered, self.management_account).select(
            stored, configuration.contact_types, ScopeFilter()
        )

    def _scope(self, configuration: Configuration) -> Scope:
        remembered = self._remembered
        if all(account.account_id != self.management_account for account in remembered.listed):
            raise OrganizationUnreadError(reason="its list of accounts lacks the management account")
        if _names_tags(configuration) and len(remembered.listed) > MOST_TAGGED:
            raise OrganizationUnreadError(
                reason=f"rules name tags, and {len(remembered.listed)} accounts are too many to read the tags of each"
            )
        return self.scope(configuration)

    @cached_property
    def _remembered(self) -> "_Remembered":
        return _Remembered(self.organization)


def _names_tags(configuration: Configuration) -> bool:
    scopes = (configuration.scope, *configuration.scope.contact_types.values())
    return any(rule.tags for scope in scopes for rule in (scope.include, scope.exclude))


class _Remembered:
    """An organization that is asked each question once."""

    def __init__(self, organization: Organization) -> None:
        self._organization = organization
        self._accounts_in: dict[str, list[str]] = {}
        self._tags: dict[str, Mapping[str, str]] = {}
        self.caller_account = organization.caller_account
        self.trusted_access = organization.trusted_access
        self.state = organization.state
        self.units_of = organization.units_of
        self.has_unit = organization.has_unit

    @cached_property
    def listed(self) -> list[Account]:
        """All accounts, the management account included."""
        return list(self._organization.accounts())

    @cached_property
    def _all_units(self) -> list[UnitPath]:
        return list(self._organization.units())

    def accounts(self) -> Iterator[Account]:
        """List the accounts."""
        return iter(self.listed)

    def units(self) -> Iterator[UnitPath]:
        """List the units."""
        return iter(self._all_units)

    def accounts_in(self, unit_id: str) -> Iterator[str]:
        """List the accounts directly in a unit."""
        if unit_id not in self._accounts_in:
            self._accounts_in[unit_id] = list(self._organization.accounts_in(unit_id))
        return iter(self._accounts_in[unit_id])

    def tags_of(self, account_id: str) -> Mapping[str, str]:
        """Return the tags of an account."""
        if account_id not in self._tags:
            self._tags[account_id] = self._organization.tags_of(account_id)
        return self._tags[account_id]

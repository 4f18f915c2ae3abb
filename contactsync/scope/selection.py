"""The selection of a plan: which accounts a run concerns, for which contact types, and why not."""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from contactsync.accounts import Account, AccountState, Placement, UnitPath, path_of
from contactsync.contacts import ContactType
from contactsync.errors import ConfigurationInvalidError, ListingIncompleteError, RunRequestError
from contactsync.scope.kept_tags import KeptTags
from contactsync.scope.ports import Organization
from contactsync.scope.rules import Admission, Rules, ScopeFilter, StoredRules, rules_of
from contactsync.scope.unmatched import unmatched_accounts, unmatched_tags


@dataclass(frozen=True)
class ScopedAccount:
    """An account with the contact types for which it is admitted or excluded."""

    account: Account
    admissions: Mapping[ContactType, Admission]

    @property
    def is_target(self) -> bool:
        """Whether it may be written to for at least one contact type."""
        return self.account.state is AccountState.ACTIVE and Admission.ADMITTED in self.admissions.values()


@dataclass(frozen=True)
class Scope:
    """The accounts that a run concerns, in the order of the organization's listing; never the management account."""

    members: tuple[ScopedAccount, ...] = field(default=())
    unmatched: tuple[str, ...] = ()
    """A sentence for each rule that names accounts or tags that nobody has."""

    @property
    def targets(self) -> tuple[Account, ...]:
        """The accounts that may be written to."""
        return tuple(member.account for member in self.members if member.is_target)

    def concerned(self, contact_type: ContactType) -> Iterator[tuple[ScopedAccount, Admission]]:
        """Yield the accounts that one contact type concerns."""
        for member in self.members:
            if contact_type in member.admissions:
                yield member, member.admissions[contact_type]


@dataclass(frozen=True)
class Selection:
    """The selection of accounts; it asks the organization only what the rules need."""

    organization: Organization
    management_account: str
    kept: KeptTags | None = None
    """The tags that earlier tries of the same plan have read."""

    def select(self, stored: StoredRules, contact_types: Sequence[ContactType], run_filter: ScopeFilter) -> Scope:
        """Apply the configuration's rules, and what the run was asked for, to every account.

        Raises RunRequestError or ConfigurationInvalidError when a named account or organizational unit does not exist:
        a rule that matches nothing without an error would leave accounts unprotected. Raises ListingIncompleteError
        when accounts are missing in the listing.
        """
        listed = {account.account_id: account for account in self.organization.accounts()}
        management = listed.pop(self.management_account, None)
        if management is None:
            raise ListingIncompleteError(listed=len(listed), management_account=self.management_account)
        accounts = list(listed.values())
        _check_accounts(run_filter, accounts)
        rules = {kind: rules_of(stored.configuration, kind, run_filter) for kind in contact_types}
        units = self._units(stored, run_filter, rules)
        places = {account_id: path for path in units for account_id in self.organization.accounts_in(path[-1].unit_id)}
        tags: dict[str, Mapping[str, str]] = {}
        selected = [
            ScopedAccount(account, self._admissions(account.account_id, rules, places if units else None, tags))
            for account in accounts
        ]
        if self.kept:
            self.kept.keep()
        unmatched = [
            *unmatched_accounts(stored.configuration, [*listed.values(), management], self.management_account),
            # A run for some accounts reads only the tags of these accounts.
            *(unmatched_tags(stored.configuration, rules, tags.values()) if run_filter.empty else ()),
        ]
        return Scope(tuple(member for member in selected if member.admissions), tuple(unmatched))

    def _units(
        self, stored: StoredRules, run_filter: ScopeFilter, rules: Mapping[ContactType, Rules]
    ) -> tuple[UnitPath, ...]:
        """Return all organizational units; none when no rule names any."""
        if not any(rule.units for rule in rules.values()):
            return ()
        units = tuple(self.organization.units())
        named = (("organizational_units", name) for name in run_filter.organizational_units)
        if problems := list(_unit_problems(named, units)):
            raise RunRequestError(problems=problems)
        if problems := list(_unit_problems(stored.configuration.scope.named_units(rules), units)):
            raise ConfigurationInvalidError(problems=problems, version=stored.version)
        return units

    def _admissions(
        self,
        account_id: str,
        rules: Mapping[ContactType, Rules],
        places: Mapping[str, UnitPath] | None,
        tags: dict[str, Mapping[str, str]],
    ) -> dict[ContactType, Admission]:
        """Decide for every contact type; read and keep the account's tags only when nothing else decides."""
        placement = Placement(units=None if places is None else self._place(account_id, places))
        admissions = {kind: rule.admission(account_id, placement) for kind, rule in rules.items()}
        if None in admissions.values():
            tags[account_id] = self._tags_of(account_id, rules.values())
            tagged = replace(placement, tags=tags[account_id])
            admissions = {kind: rule.admission(account_id, tagged) for kind, rule in rules.items()}
        return {kind: found for kind, found in admissions.items() if found and found is not Admission.OUTSIDE}

    def _tags_of(self, account_id: str, rules: Iterable[Rules]) -> Mapping[str, str]:
        if self.kept is None:
            return self.organization.tags_of(account_id)
        return self.kept.of(account_id, frozenset(key for rule in rules for key in rule.tag_keys))

    def _place(self, account_id: str, places: Mapping[str, UnitPath]) -> UnitPath:
        """Return an account's units; one that moved during the walk over the tree may have been in no listing."""
        return places.get(account_id) or self.organization.units_of(account_id)


def _check_accounts(run_filter: ScopeFilter, accounts: Iterable[Account]) -> None:
    members = {account.account_id for account in accounts}
    unknown = [account_id for account_id in run_filter.accounts if account_id not in members]
    if unknown:
        raise RunRequestError(problems=[f"accounts: not member accounts of the organization: {', '.join(unknown)}"])


def _unit_problems(named: Iterable[tuple[str, str]], units: Sequence[UnitPath]) -> Iterator[str]:
    """Yield a sentence for each (field, name) that does not name exactly one unit."""
    paths = [path_of(path) for path in units]
    for where, name in named:
        meant = [path for path in units if name in {path[-1].unit_id, path_of(path)}]
        if not meant:
            nearest = difflib.get_close_matches(name, [path for path in paths if path], n=1, cutoff=0.4)
            hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
            yield f"{where}: the organization has no organizational unit {name!r}{hint}"
        elif len(meant) > 1:
            ids = ", ".join(path[-1].unit_id for path in meant)
            yield f"{where}: {name!r} means more than one organizational unit; name one by its id: {ids}"

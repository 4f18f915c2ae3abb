"""Exclusions at the write: whether the pinned or the current configuration keeps an account from being written."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Final

from contactsync.accounts import Placement, UnitPath
from contactsync.contacts import ContactType
from contactsync.errors import ConfigurationInvalidError
from contactsync.sync.config import Configuration
from contactsync.sync.operation import SyncOperation
from contactsync.sync.ports import Clock, Configurations, Lookups, Organization
from contactsync.sync.scope import Answer, Rules, ScopeFilter, rules_for

NOTHING_REQUESTED: Final = ScopeFilter()

LATELY: Final = 30.0
"""For so long, in seconds, a process believes what it was told of an account."""

UNITS_LAST: Final = timedelta(minutes=5)
"""For so long all processes believe that a configuration version's units are there."""


def rules_of(settings: Configuration, contact_type: ContactType, requested: ScopeFilter = NOTHING_REQUESTED) -> Rules:
    """Return what a configuration asks of accounts for one contact type, and a run on top of it."""
    return rules_for(contact_type, settings.scope, excluded_accounts=settings.excluded_accounts, requested=requested)


@dataclass
class _Account:
    """Where one account is and how it is tagged, asked when it is needed and no more than once."""

    organization: Organization
    account_id: str

    @cached_property
    def units(self) -> UnitPath:
        return self.organization.units_of(self.account_id)

    @cached_property
    def tags(self) -> Mapping[str, str]:
        return self.organization.tags_of(self.account_id)

    def admitted_by(self, rules: Rules) -> bool:
        """Tell whether rules admit the account."""
        return next(answer for answer in self._answers(rules) if answer is not None)

    def _answers(self, rules: Rules) -> Iterator[Answer]:
        """Yield what the rules say while more and more is known of the account; the last answer is one."""
        yield rules.admits(self.account_id, Placement())
        units = self.units if rules.units else None
        if rules.units:
            yield rules.admits(self.account_id, Placement(units=units))
        yield rules.admits(self.account_id, Placement(units=units, tags=self.tags))


@dataclass(frozen=True)
class Exclusions:
    """Asked immediately before every write, of accounts and contact types that the plan left to be settled."""

    configurations: Configurations
    organization: Organization
    lookups: Lookups
    clock: Clock
    _asked: dict[str, tuple[float, _Account]] = field(default_factory=dict, compare=False, repr=False)

    def excludes(
        self,
        operation: SyncOperation,
        pinned: Configuration,
        account_id: str,
        contact_type: ContactType,
        *,
        again: bool = False,
    ) -> bool:
        """Tell whether the account must not be written, because one of both configurations excludes or leaves it out.

        Where the account is and how it is tagged was asked by the plan for the pinned version; only what another
        version asks beyond that is asked now, or everything `again`. Whatever cannot be read raises, so that nothing
        is written.
        """
        planned = rules_of(pinned, contact_type)
        if planned.admits(account_id, Placement()) is False:
            return True
        current = self.configurations.latest()
        asked = [(operation.config_version, planned)] if again else []
        if current.version != operation.config_version:
            asked.append((current.version, rules_of(current.settings, contact_type).beyond(planned)))
        account = _Account(self.organization, account_id) if again else self._lately(account_id)
        if not all(account.admitted_by(rules) for _, rules in asked):
            return True
        for version, rules in asked:
            self._check_units(rules, version)
        return False

    def _lately(self, account_id: str) -> _Account:
        """Return what was asked of the account some seconds ago: one task asks about each contact type, twice."""
        now = self.clock.monotonic()
        since, account = self._asked.get(account_id, (now, _Account(self.organization, account_id)))
        if now - since > LATELY:
            since, account = now, _Account(self.organization, account_id)
        self._asked.clear()
        self._asked[account_id] = since, account
        return account

    def _check_units(self, rules: Rules, version: int) -> None:
        """Refuse to write while an exclude names a unit that is not there: it may be this account's, renamed."""
        named = sorted({name for rule in rules.excludes for name in rule.organizational_units})
        now = self.clock.now()
        found = self.lookups.units_found(version, named) if named else now
        if found and now - found < UNITS_LAST:
            return
        problems = [
            f"scope: {name!r} is to be excluded, but the organization has no such organizational unit"
            for name in named
            if not self.organization.has_unit(name)
        ]
        if problems:
            raise ConfigurationInvalidError(problems=problems, version=version)
        self.lookups.store_units_found(version, named, now)

"""Exclusions at the write: whether the pinned or the current configuration keeps an account from being written."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from contactsync.accounts import Placement
from contactsync.contacts import ContactType
from contactsync.errors import ConfigurationInvalidError
from contactsync.sync.config import Configuration, StoredConfiguration
from contactsync.sync.operation import SyncOperation
from contactsync.sync.ports import Configurations, Organization
from contactsync.sync.scope import Answer, Rules, ScopeFilter, rules_for

NOTHING_REQUESTED: Final = ScopeFilter()


def rules_of(settings: Configuration, contact_type: ContactType, requested: ScopeFilter = NOTHING_REQUESTED) -> Rules:
    """Return what a configuration asks of accounts for one contact type, and a run on top of it."""
    return rules_for(contact_type, settings.scope, excluded_accounts=settings.excluded_accounts, requested=requested)


@dataclass(frozen=True)
class Exclusions:
    """Asked immediately before every write, of accounts and contact types that the plan left to be settled."""

    configurations: Configurations
    organization: Organization

    def excludes(
        self, operation: SyncOperation, pinned: Configuration, account_id: str, contact_type: ContactType
    ) -> bool:
        """Tell whether the account must not be written, because one of both configurations excludes or leaves it out.

        Where the account is and how it is tagged was asked by the plan for the pinned version; only what another
        version asks beyond that is asked now. Whatever cannot be read raises, so that nothing is written.
        """
        planned = rules_of(pinned, contact_type)
        if planned.admits(account_id, Placement()) is False:
            return True
        current = self.configurations.latest()
        if current.version == operation.config_version:
            return False
        rules = rules_of(current.settings, contact_type).beyond(planned)
        if not self._admits(rules, account_id):
            return True
        self._check_units(rules, current)
        return False

    def _admits(self, rules: Rules, account_id: str) -> bool:
        return next(answer for answer in self._answers(rules, account_id) if answer is not None)

    def _answers(self, rules: Rules, account_id: str) -> Iterator[Answer]:
        """Yield what the rules say while more and more is known of the account; the last answer is one."""
        placement = Placement()
        yield rules.admits(account_id, placement)
        if rules.units:
            placement = replace(placement, units=self.organization.units_of(account_id))
            yield rules.admits(account_id, placement)
        yield rules.admits(account_id, replace(placement, tags=self.organization.tags_of(account_id)))

    def _check_units(self, rules: Rules, current: StoredConfiguration) -> None:
        """Refuse to write while an exclude names a unit that is not there: it may be this account's, renamed."""
        named = sorted({name for rule in rules.excludes for name in rule.organizational_units})
        problems = [
            f"scope: {name!r} is to be excluded, but the organization has no such organizational unit"
            for name in named
            if not self.organization.has_unit(name)
        ]
        if problems:
            raise ConfigurationInvalidError(problems=problems, version=current.version)

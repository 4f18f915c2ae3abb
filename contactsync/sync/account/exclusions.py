"""Exclusions at the write: whether the pinned or the current configuration keeps an account from being written."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from contactsync.accounts import FoundPlaces, Placement, UnitPath
from contactsync.clock import Clock
from contactsync.configuration.ports import Configurations
from contactsync.configuration.schema import Configuration, StoredConfiguration
from contactsync.contacts import ContactType
from contactsync.errors import ConfigurationInvalidError
from contactsync.operations.operation import SyncOperation
from contactsync.scope.placements import PLACES_LAST, Placements
from contactsync.scope.ports import Lookups, Organization
from contactsync.scope.rules import Answer, Rules, rules_of

LATELY: Final = 30.0
"""Seconds for which a process uses what it was told about an account."""

UNITS_LAST: Final = PLACES_LAST
"""Seconds for which all processes accept that the units named by a configuration version exist."""


@dataclass
class _Account:
    """One account's units and tags: asked when they are needed, and at most once."""

    organization: Organization
    account_id: str
    looked: int = 0
    """Number of look-ups so far; each may have taken a while."""

    @cached_property
    def units(self) -> UnitPath | frozenset[str]:
        return self._ask_units()

    @cached_property
    def tags(self) -> Mapping[str, str]:
        self.looked += 1
        return self._ask_tags()

    @property
    def missing(self) -> frozenset[str] | None:
        """The units that its configuration version names and that do not exist; None when this has to be asked."""
        return None

    def admitted_by(self, rules: Rules) -> bool:
        """Return whether the rules admit the account."""
        return next(answer for answer in self._answers(rules) if answer is not None)

    def _answers(self, rules: Rules) -> Iterator[Answer]:
        """Yield the rules' answer with more known about the account each time; the last answer is never None."""
        yield rules.admits(self.account_id, Placement())
        units = self.units if rules.units else None
        if rules.units:
            yield rules.admits(self.account_id, Placement(units=units))
        yield rules.admits(self.account_id, Placement(units=units, tags=self.tags))

    def _ask_units(self) -> UnitPath | frozenset[str]:
        self.looked += 1
        return self.organization.units_of(self.account_id)

    def _ask_tags(self) -> Mapping[str, str]:
        return self.organization.tags_of(self.account_id)


@dataclass(kw_only=True)
class _AccountOfMany(_Account):
    """An account of a run with many: what is stored about it for the same configuration version is not asked again."""

    placements: Placements
    stored: StoredConfiguration
    walks: bool

    @property
    def missing(self) -> frozenset[str] | None:
        places = self._places
        return places.missing if places and self.account_id in places.places else None

    @cached_property
    def _places(self) -> FoundPlaces | None:
        self.looked += 1
        return self.placements.places(self.account_id, self.stored, walks=self.walks)

    def _ask_units(self) -> UnitPath | frozenset[str]:
        known = self._places.places.get(self.account_id) if self._places else None
        return super()._ask_units() if known is None else known

    def _ask_tags(self) -> Mapping[str, str]:
        return self.placements.tags_of(self.account_id, self.stored)


@dataclass(frozen=True)
class Exclusions:
    """The check immediately before every write whether the account is excluded by now."""

    configurations: Configurations
    organization: Organization
    lookups: Lookups
    clock: Clock
    _asked: dict[tuple[str, int], tuple[float, _Account]] = field(default_factory=dict, compare=False, repr=False)

    def excludes(
        self,
        operation: SyncOperation,
        pinned: Configuration,
        account_id: str,
        contact_type: ContactType,
        *,
        again: bool = False,
    ) -> bool:
        """Return whether the planned or the current configuration excludes the account, or does not include it.

        The plan has checked the account's units and tags against the planned version. Only what another version needs
        beyond that is asked now, or everything with `again`. What cannot be read raises, so that nothing is written.
        """
        planned_rules = rules_of(pinned, contact_type)
        if planned_rules.admits(account_id, Placement()) is False:
            return True
        # After a restore another version may have the planned one's number. The plan did not check its rules.
        replaced = operation.rules_digest not in {None, pinned.rules_digest}
        answered = Rules() if replaced else planned_rules
        while True:
            current = self.configurations.latest()
            asked = [(operation.config_version, planned_rules)] if again else []
            if replaced or current.version != operation.config_version:
                asked.append((current.version, rules_of(current.configuration, contact_type).beyond(answered)))
            account = self._account(operation, account_id, current, again=again)
            looked = account.looked
            if not all(account.admitted_by(rules) for _, rules in asked):
                return True
            for version, rules in asked:
                self._check_units(rules, version, account)
            # Look-ups take time. A version that came into force during them may exclude the account.
            if account.looked == looked or self.configurations.latest().version == current.version:
                return False

    def _account(
        self, operation: SyncOperation, account_id: str, current: StoredConfiguration, *, again: bool
    ) -> _Account:
        """Return what is known about the account; a task needs it twice for each contact type, within some seconds."""
        if again:
            return _Account(self.organization, account_id)
        now, key = self.clock.monotonic(), (account_id, current.version)
        since, account = self._asked.get(key, (None, None))
        if since is None or account is None or now - since > LATELY:
            placements = Placements(self.organization, self.lookups, self.clock)
            since, account = (
                now,
                _AccountOfMany(
                    self.organization, account_id, placements=placements, stored=current, walks=walk_pays(operation)
                ),
            )
        self._asked.clear()
        self._asked[key] = since, account
        return account

    def _check_units(self, rules: Rules, version: int, account: _Account) -> None:
        """Refuse to write while an exclude names a unit that does not exist: it may be this account's, renamed."""
        named = sorted({name for rule in rules.excludes for name in rule.organizational_units})
        missing = account.missing if named else frozenset()
        if missing is None:
            missing = self._missing(named, version, account)
        problems = [
            f"scope: {name!r} is to be excluded, but the organization has no such organizational unit"
            for name in named
            if name in missing
        ]
        if problems:
            raise ConfigurationInvalidError(problems=problems, version=version)

    def _missing(self, named: list[str], version: int, account: _Account) -> frozenset[str]:
        now = self.clock.now()
        places = self.lookups.units_found(version, named)
        # The clocks of two workers differ, so the other worker's time may be in the future.
        if places and abs(now - places) < UNITS_LAST:
            return frozenset()
        account.looked += 1
        missing = frozenset(name for name in named if not self.organization.has_unit(name))
        if not missing:
            self.lookups.store_units_found(version, named, now)
        return missing


WORTH_A_WALK: Final = 20
"""With fewer accounts than this a run asks for each one: the whole organization may be far larger."""


def walk_pays(operation: SyncOperation) -> bool:
    """Return whether the run has so many accounts that one walk for all of them needs fewer calls."""
    return any(plan.expected is not None and plan.expected >= WORTH_A_WALK for plan in operation.plans.values())

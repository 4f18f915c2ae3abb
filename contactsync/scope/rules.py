"""The scope of contact synchronization: which accounts are included and excluded, and for which contacts."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Final, Protocol

from pydantic import Field, StringConstraints

from contactsync.accounts import Placement
from contactsync.contacts import ContactType
from contactsync.sections.section import AccountId, Section

UnitName = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
TagKey = Annotated[str, StringConstraints(min_length=1, max_length=128)]
TagText = Annotated[str, StringConstraints(max_length=256)]

Answer = bool | None
"""True or False, or None when it depends on what has not been looked up yet."""


class ScopeFilter(Section):
    """Accounts by id, by organizational unit with its descendants, or by tag; one match is enough."""

    accounts: tuple[AccountId, ...] = ()
    organizational_units: tuple[UnitName, ...] = ()
    """Ids (`ou-...`, `r-...`) or paths of names below the root (`Workloads/Production`)."""
    tags: dict[TagKey, tuple[TagText, ...]] = Field(default_factory=dict)
    """Tag keys with the values that match; no values mean any value."""

    @property
    def empty(self) -> bool:
        """Whether it names nothing."""
        return not (self.accounts or self.organizational_units or self.tags)

    def matches(self, account_id: str, placement: Placement) -> Answer:
        """Return whether it names this account; an empty filter names none."""
        return _any(
            (account_id in self._account_ids, self._matches_units(placement), self._matches_tags(placement)),
        )

    @cached_property
    def _account_ids(self) -> frozenset[str]:
        """The ids as a set: thousands of accounts are compared with lists of thousands."""
        return frozenset(self.accounts)

    def _matches_units(self, placement: Placement) -> Answer:
        if not self.organizational_units:
            return False
        names = placement.unit_names
        return None if names is None else not names.isdisjoint(self.organizational_units)

    def _matches_tags(self, placement: Placement) -> Answer:
        if not self.tags:
            return False
        tags = placement.tags
        if tags is None:
            return None
        return any(key in tags and (not values or tags[key] in values) for key, values in self.tags.items())


class TypeScope(Section):
    """What is included and excluded; an empty `include` means all, and `exclude` wins."""

    include: ScopeFilter = ScopeFilter()
    exclude: ScopeFilter = ScopeFilter()


class ScopeConfig(TypeScope):
    """The general scope; the scope of a contact type narrows it further."""

    contact_types: dict[ContactType, TypeScope] = Field(default_factory=dict)

    @property
    def filters(self) -> tuple[ScopeFilter, ...]:
        """Everything that is included or excluded, for any contact type."""
        return tuple(rule for part in (self, *self.contact_types.values()) for rule in (part.include, part.exclude))

    def named_units(self, contact_types: Iterable[ContactType]) -> Iterator[tuple[str, str]]:
        """Yield the organizational units that concern these contact types, each with the field that names it."""
        sections: dict[str, TypeScope] = {"scope": self}
        sections |= {
            f"scope.contact_types.{t}": self.contact_types[t] for t in contact_types if t in self.contact_types
        }
        for where, section in sections.items():
            for side, rule in (("include", section.include), ("exclude", section.exclude)):
                yield from ((f"{where}.{side}.organizational_units", name) for name in rule.organizational_units)


class Admission(StrEnum):
    """What the rules say about an account and a contact type."""

    ADMITTED = "admitted"
    EXCLUDED = "excluded"
    """Included but also excluded, which wins; reported."""
    OUTSIDE = "outside"
    """Not included; not reported."""


@dataclass(frozen=True)
class Rules:
    """All rules about accounts for one contact type: every include must name an account, and no exclude may."""

    includes: tuple[ScopeFilter, ...] = ()
    excludes: tuple[ScopeFilter, ...] = ()

    def admission(self, account_id: str, placement: Placement) -> Admission | None:
        """Decide about an account; None when too little is known about it."""
        included = self._included(account_id, placement)
        excluded = self._excluded(account_id, placement)
        if included is False:
            return Admission.OUTSIDE
        if included is None or excluded is None:
            return None
        return Admission.EXCLUDED if excluded else Admission.ADMITTED

    def admits(self, account_id: str, placement: Placement) -> Answer:
        """Return whether an account may be written to; this needs to know less than `admission`."""
        excluded = self._excluded(account_id, placement)
        return _all((self._included(account_id, placement), None if excluded is None else not excluded))

    def beyond(self, earlier: "Rules") -> "Rules":
        """Return the rules without those of `earlier`: enough for an account that `earlier` admitted."""
        return Rules(
            includes=tuple(rule for rule in self.includes if rule not in earlier.includes),
            excludes=tuple(rule for rule in self.excludes if rule not in earlier.excludes),
        )

    @property
    def units(self) -> frozenset[str]:
        """The organizational units that the rules name."""
        return frozenset(name for rule in (*self.includes, *self.excludes) for name in rule.organizational_units)

    @property
    def tag_keys(self) -> frozenset[str]:
        """The tag keys that the rules name."""
        return frozenset(key for rule in (*self.includes, *self.excludes) for key in rule.tags)

    def _included(self, account_id: str, placement: Placement) -> Answer:
        return _all(rule.matches(account_id, placement) for rule in self.includes if not rule.empty)

    def _excluded(self, account_id: str, placement: Placement) -> Answer:
        return _any(rule.matches(account_id, placement) for rule in self.excludes)


def rules_for(
    contact_type: ContactType,
    scope: ScopeConfig,
    *,
    excluded_accounts: tuple[str, ...] = (),
    run_filter: ScopeFilter = ScopeFilter(),  # noqa: B008 -- frozen
) -> Rules:
    """Join a configuration's general scope, that of a contact type, and the accounts that a run was asked for."""
    narrower = scope.contact_types.get(contact_type, TypeScope())
    return Rules(
        includes=(run_filter, scope.include, narrower.include),
        excludes=(ScopeFilter(accounts=excluded_accounts), scope.exclude, narrower.exclude),
    )


def _any(answers: Iterable[Answer]) -> Answer:
    known = tuple(answers)
    return True if True in known else None if None in known else False


def _all(answers: Iterable[Answer]) -> Answer:
    known = tuple(answers)
    return False if False in known else None if None in known else True


class AccountRules(Protocol):
    """What a configuration says about accounts."""

    @property
    def scope(self) -> ScopeConfig:
        """Which accounts are included and excluded, for all contact types and for single ones."""

    @property
    def excluded_accounts(self) -> tuple[str, ...]:
        """The ids of accounts that are never written."""


class StoredRules(Protocol):
    """The rules of a stored configuration, with its version."""

    @property
    def version(self) -> int:
        """The version's number; 0 for a configuration that is not stored yet."""

    @property
    def configuration(self) -> AccountRules:
        """The rules."""


NO_FILTER: Final = ScopeFilter()


def rules_of(configuration: AccountRules, contact_type: ContactType, run_filter: ScopeFilter = NO_FILTER) -> Rules:
    """Return a configuration's rules for one contact type, together with those that a run was asked for."""
    return rules_for(
        contact_type, configuration.scope, excluded_accounts=configuration.excluded_accounts, run_filter=run_filter
    )

"""Accounts of an organization, and what a scope may ask of one: its state, its organizational units, its tags."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache


class AccountState(StrEnum):
    """What AWS Organizations says about an account; UNKNOWN stands for a state that AWS has added since."""

    PENDING_ACTIVATION = "PENDING_ACTIVATION"
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    PENDING_CLOSURE = "PENDING_CLOSURE"
    CLOSED = "CLOSED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True)
class Account:
    """An account of the organization; `account_id` has 12 digits."""

    account_id: str
    name: str
    state: AccountState

    @property
    def label(self) -> str:
        """The text for an account in tables and in Airflow's grid."""
        return f"{self.name} ({self.account_id})"


@dataclass(frozen=True)
class OrganizationalUnit:
    """An organizational unit, or the root; its name is unique only among the units beside it."""

    unit_id: str
    name: str


UnitPath = tuple[OrganizationalUnit, ...]
"""A unit with all units above it, the root first."""


def path_of(units: UnitPath) -> str:
    """Return the names below the root, joined by slashes; empty for the root itself."""
    return "/".join(unit.name for unit in units[1:])


@lru_cache(maxsize=4096)  # a plan asks this for every account in a unit, for each rule
def unit_names(units: UnitPath) -> frozenset[str]:
    """Return every name by which a rule may mean one of these units: ids, and paths below the root."""
    ids = {unit.unit_id for unit in units}
    paths = {path_of(units[:depth]) for depth in range(2, len(units) + 1)}
    return frozenset(ids | paths)


@dataclass(frozen=True)
class Placement:
    """Where an account is and which tags it has, as far as that is known; None means not looked up yet."""

    units: UnitPath | frozenset[str] | None = None
    """The account's unit with all units above it, or only the names by which rules may mean these."""
    tags: Mapping[str, str] | None = None

    @property
    def unit_names(self) -> frozenset[str] | None:
        """The names by which a rule may mean the account's units."""
        return unit_names(self.units) if isinstance(self.units, tuple) else self.units


@dataclass(frozen=True)
class FoundPlaces:
    """Which accounts were in some organizational units during a walk over the whole organization."""

    found_at: datetime
    """The end of the walk."""
    units: frozenset[str]
    """The names that were looked for and exist."""
    missing: frozenset[str]
    """The names that were looked for and do not exist."""
    places: Mapping[str, frozenset[str]]
    """By account id, those of the names whose units the account was in; this may be none."""

"""What the choice of accounts needs from outside."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Protocol

from contactsync.accounts import Account, AccountState, FoundPlaces, UnitPath


class Organization(Protocol):
    """The organization as its management account sees it."""

    def caller_account(self) -> str:
        """Return the id of the account that the credentials belong to."""

    def trusted_access(self) -> bool:
        """Return whether Account Management may act on the organization's accounts."""

    def accounts(self) -> Iterator[Account]:
        """List every account, the management account included, over all pages."""

    def state(self, account_id: str) -> AccountState | None:
        """Return the state of one account; None when it is not in the organization."""

    def units(self) -> Iterator[UnitPath]:
        """List the root and every organizational unit with the units above it, parents first."""

    def accounts_in(self, unit_id: str) -> Iterator[str]:
        """List the ids of the accounts directly in the root or a unit, not of those in units below."""

    def units_of(self, account_id: str) -> UnitPath:
        """Return the units above one account, the root first; raise NotInOrganizationError when it is not in there."""

    def has_unit(self, name: str) -> bool:
        """Return whether a unit has this id, or this path of names below the root."""

    def tags_of(self, account_id: str) -> Mapping[str, str]:
        """Return the tags of one account; raise NotInOrganizationError when it is not in the organization."""


class Lookups(Protocol):
    """Earlier answers of the organization, kept for some time for all processes."""

    def tags(self, owner: str, since: datetime, until: datetime | None = None) -> Mapping[str, Mapping[str, str]]:
        """Return the tags by account id that were stored for this owner since then, and not after `until`."""

    def keep_tags(self, owner: str, tags: Mapping[str, Mapping[str, str]], now: datetime) -> None:
        """Store the tags of some accounts for this owner."""

    def units_found(self, version: int, names: Iterable[str]) -> datetime | None:
        """Return when all these units of a configuration version were last found to exist."""

    def store_units_found(self, version: int, names: Iterable[str], now: datetime) -> None:
        """Store when these units were found to exist."""

    def places(self, version: int, account_id: str) -> FoundPlaces | None:
        """Return the part of the latest walk's result for a configuration version that may concern an account."""

    def store_places(self, version: int, places: FoundPlaces) -> None:
        """Store the result of a walk."""

    def hold_walk(self, version: int, token: str, now: datetime, until: datetime) -> bool:
        """Take or renew the right to walk for a version until then; False while another process has it."""

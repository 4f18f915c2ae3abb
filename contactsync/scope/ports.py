"""What the choice of accounts needs from the outside."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Protocol

from contactsync.accounts import Account, AccountState, FoundPlaces, UnitPath


class Organization(Protocol):
    """The organization as its management account sees it."""

    def caller_account(self) -> str:
        """Return the id of the account that the credentials belong to."""

    def trusted_access(self) -> bool:
        """Tell whether Account Management may act on the organization's accounts."""

    def accounts(self) -> Iterator[Account]:
        """List every account, the management account included, over all pages."""

    def state(self, account_id: str) -> AccountState | None:
        """Return the state of one account; None when it is not in the organization."""

    def units(self) -> Iterator[UnitPath]:
        """List the root and every organizational unit, each with what is above it, parents first."""

    def accounts_in(self, unit_id: str) -> Iterator[str]:
        """List the ids of the accounts right under the root or a unit, not those further down."""

    def units_of(self, account_id: str) -> UnitPath:
        """Return where one account is, the root first; raise NotInOrganizationError when it is not there."""

    def has_unit(self, name: str) -> bool:
        """Tell whether a unit has this id, or this path of names below the root."""

    def tags_of(self, account_id: str) -> Mapping[str, str]:
        """Return the tags of one account; raise NotInOrganizationError when it is not in the organization."""


class Lookups(Protocol):
    """Answers of the organization that are kept for a while, for all processes."""

    def tags(self, owner: str, since: datetime, until: datetime | None = None) -> Mapping[str, Mapping[str, str]]:
        """Return the tags by account that were kept for this owner since then, and not after `until`."""

    def keep_tags(self, owner: str, tags: Mapping[str, Mapping[str, str]], now: datetime) -> None:
        """Keep tags of some accounts for whoever asks for the same owner."""

    def units_found(self, version: int, names: Iterable[str]) -> datetime | None:
        """Return when all these units of a configuration version were last found to be there."""

    def store_units_found(self, version: int, names: Iterable[str], now: datetime) -> None:
        """Store that they were."""

    def places(self, version: int, account_id: str) -> FoundPlaces | None:
        """Return what the latest walk for a configuration version has found, as far as it may concern an account."""

    def store_places(self, version: int, found: FoundPlaces) -> None:
        """Store what a walk has found."""

    def hold_walk(self, version: int, token: str, now: datetime, until: datetime) -> bool:
        """Take the walk for a version until then, or go on holding it; False while somebody else holds it."""

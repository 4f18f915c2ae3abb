"""Where accounts are and which tags they have, for a configuration version that the plan did not know.

A walk over the whole organization costs two listings for each unit; asking for each account alone costs more.
"""

import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from contactsync.accounts import FoundPlaces, unit_names
from contactsync.clock import Clock
from contactsync.contacts import ContactType
from contactsync.errors import ContactSyncError
from contactsync.scope.kept_tags import KeptTags
from contactsync.scope.ports import Lookups, Organization
from contactsync.scope.rules import StoredRules

log = logging.getLogger(__name__)

PLACES_LAST: Final = timedelta(minutes=5)
"""How long all processes use what was looked up for a configuration version."""

MISSING_LASTS: Final = timedelta(minutes=1)
"""How long they use it when a unit that the version names did not exist: it may be corrected soon."""

RENEWED_AFTER: Final = 0.6
"""After this part of that time one process walks again, while the others still use the earlier result."""

WALK_HELD: Final = timedelta(minutes=1)
"""How long nobody else walks when the process that walks does not renew its lease."""


@dataclass(frozen=True)
class Placements:
    """The look-ups for versions that are newer than a plan's; each is made after its version was seen in force."""

    organization: Organization
    lookups: Lookups
    clock: Clock

    def places(self, account_id: str, stored: StoredRules, *, walks: bool) -> FoundPlaces | None:
        """Return the result of a walk for the version; None when each account has to be looked up alone.

        None also while another process makes the first walk, because nobody waits for that. With `walks`, this process
        may make the walk.
        """
        named = frozenset(name for _, name in stored.configuration.scope.named_units(ContactType))
        places = self.lookups.places(stored.version, account_id)
        # After a restore of its table, another version may have had this number.
        if places and places.units | places.missing != named:
            places = None
        if walks and not self._is_recent(places, RENEWED_AFTER):
            places = self._walked(stored.version, named) or places
        return places if self._is_recent(places) else None

    def tags_of(self, account_id: str, stored: StoredRules) -> Mapping[str, str]:
        """Return those of the version's tags that the account has; look-ups may raise."""
        keys = frozenset(key for rule in stored.configuration.scope.filters for key in rule.tags)
        owner = f"VERSION#{stored.version:012}#{account_id}"
        kept = KeptTags(self.organization, self.lookups, self.clock, owner, PLACES_LAST.total_seconds())
        tags = kept.of(account_id, keys)
        try:
            kept.keep()
        except ContactSyncError as error:
            log.warning("The tags of account %s are asked for again when they are needed: %s", account_id, error)
        return tags

    def _is_recent(self, places: FoundPlaces | None, part: float = 1.0) -> bool:
        if places is None:
            return False
        # The clocks of two workers differ, so the other worker's time may be in the future.
        age = abs(self.clock.now() - places.found_at)
        return age < part * (MISSING_LASTS if places.missing else PLACES_LAST)

    def _walked(self, version: int, named: frozenset[str]) -> FoundPlaces | None:
        """Walk and store the result, unless another process does; an error of the walk stops no account."""
        lease = _Lease(self.lookups, self.clock, version, secrets.token_hex(8))
        if not lease.hold():
            return None
        log.info("Looking up where all accounts are, for version %s of the configuration.", version)
        try:
            places = self._walk(named, lease)
            self.lookups.store_places(version, places)
        except ContactSyncError as error:
            log.warning("Each account is asked for by itself, because the walk over the organization failed: %s", error)
            return None
        return places

    def _walk(self, named: frozenset[str], lease: "_Lease") -> FoundPlaces:
        """List the accounts of every unit; one that is moved during the walk may be in no listing, and has no place.

        If an account is in two listings, the later one is right.
        """
        there: set[str] = set()
        places: dict[str, frozenset[str]] = {}
        for path in self.organization.units():
            names = unit_names(path) & named
            there |= names
            for account_id in self.organization.accounts_in(path[-1].unit_id):
                places[account_id] = names
                lease.keep()
            lease.keep()
        return FoundPlaces(self.clock.now(), frozenset(there), named - there, places)


@dataclass
class _Lease:
    """The right to walk for a version; its holder has to renew it."""

    lookups: Lookups
    clock: Clock
    version: int
    token: str
    _taken: float = 0.0
    """The monotonic time in seconds when it was taken or renewed last."""

    def hold(self) -> bool:
        """Take or renew it; return whether this process has it."""
        now, self._taken = self.clock.now(), self.clock.monotonic()
        return self.lookups.hold_walk(self.version, self.token, now, now + WALK_HELD)

    def keep(self) -> None:
        """Renew it in time; a process that has lost it continues, because two walks are harmless."""
        if self.clock.monotonic() - self._taken > WALK_HELD.total_seconds() / 3:
            self.hold()

"""Tags that were looked up and are kept for a next time, because each account costs one call."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Final

from contactsync.clock import Clock
from contactsync.scope.ports import Lookups, Organization

PORTION: Final = 100
"""Number of accounts whose tags are stored together."""

_NO_TAG: Final = "\0"
"""In place of a value: the account does not have the tag. No tag can have this value."""


@dataclass
class KeptTags:
    """The tags of accounts that rules name, kept for all tries of a plan, or for all runs with one configuration."""

    organization: Organization
    lookups: Lookups
    clock: Clock
    owner: str
    """For whom they are kept: the plan, or the configuration version and the account."""
    lasts: float
    """Seconds for which kept tags are used."""
    _new: dict[str, Mapping[str, str]] = field(default_factory=dict)

    def of(self, account_id: str, keys: frozenset[str]) -> Mapping[str, str]:
        """Return those of these tags that an account has; look-ups may raise."""
        kept = self._kept.get(account_id)
        if kept is not None and keys <= kept.keys():
            return {key: kept[key] for key in keys if kept[key] != _NO_TAG}
        tags = self.organization.tags_of(account_id)
        self._new[account_id] = {key: tags.get(key, _NO_TAG) for key in keys}
        if len(self._new) >= PORTION:
            self.keep()
        return {key: tags[key] for key in keys if key in tags}

    def keep(self) -> None:
        """Store the tags that were looked up since the last call."""
        if self._new:
            self.lookups.keep_tags(self.owner, self._new, self.clock.now())
            self._new = {}

    @cached_property
    def _kept(self) -> Mapping[str, Mapping[str, str]]:
        now, lasts = self.clock.now(), timedelta(seconds=self.lasts)
        # The clocks of workers differ: another worker's time may be in the future, but by no more than `lasts`.
        return self.lookups.tags(self.owner, now - lasts, now + lasts)

"""Tags that were asked for, kept for the case that they are needed again: one call for each account is much."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Final

from contactsync.clock import Clock
from contactsync.scope.ports import Lookups, Organization

PORTION: Final = 100
"""Accounts whose tags are kept at a time."""

_NO_TAG: Final = "\0"
"""In place of a value: the account does not have the tag. No tag's value can be this."""


@dataclass
class KeptTags:
    """The tags of accounts, as far as rules name them, for all tries of a plan, or all runs under a configuration."""

    organization: Organization
    lookups: Lookups
    clock: Clock
    owner: str
    """Whose they are: the plan, or the configuration version and the account."""
    lasts: float
    """For so long, in seconds, what was kept is believed."""
    _new: dict[str, Mapping[str, str]] = field(default_factory=dict)

    def of(self, account_id: str, keys: frozenset[str]) -> Mapping[str, str]:
        """Return which of these tags an account has; raise what asking for them raises."""
        kept = self._kept.get(account_id)
        if kept is not None and keys <= kept.keys():
            return {key: kept[key] for key in keys if kept[key] != _NO_TAG}
        tags = self.organization.tags_of(account_id)
        self._new[account_id] = {key: tags.get(key, _NO_TAG) for key in keys}
        if len(self._new) >= PORTION:
            self.keep()
        return {key: tags[key] for key in keys if key in tags}

    def keep(self) -> None:
        """Keep what was asked since the last time."""
        if self._new:
            self.lookups.keep_tags(self.owner, self._new, self.clock.now())
            self._new = {}

    @cached_property
    def _kept(self) -> Mapping[str, Mapping[str, str]]:
        now, lasts = self.clock.now(), timedelta(seconds=self.lasts)
        # Workers' clocks differ, so what another one has kept may lie ahead, but not for longer than it lasts.
        return self.lookups.tags(self.owner, now - lasts, now + lasts)

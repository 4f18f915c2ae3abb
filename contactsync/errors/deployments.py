"""What is wrong with a deployment as a command finds it."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from contactsync.errors.remedies import Blame
from contactsync.errors.root import ContactSyncError


@dataclass(eq=False)
class EnvironmentUnknownError(ContactSyncError):
    """Raised when no stack of this environment is in the regions where it would be."""

    environment: str
    regions: Sequence[str]
    known: Sequence[str]
    """The environments that are there."""
    blame = Blame.ELSEWHERE

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        there = f"the environments are {', '.join(self.known)}" if self.known else "there is no other environment"
        nearest = difflib.get_close_matches(self.environment, self.known, n=1)
        meant = f" (did you mean {nearest[0]}?)" if nearest else ""
        return (
            f"There is no stack contactsync-{self.environment}-state in {' and '.join(self.regions)}; {there}. Check "
            f"the environment's name{meant}, the account, the profile and the region."
        )

"""The way from the outbox to the bus: published right after the change is stored, and later when that failed."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Final

from contactsync.bus.envelope import Announcement
from contactsync.bus.ports import Clock, Outbox
from contactsync.bus.publish import Publisher
from contactsync.errors import AwsCallError, PublishFailedError

log = logging.getLogger(__name__)

PORTION: Final = 100
"""How many announcements are published before they are removed."""

SETTLED_AFTER: Final = timedelta(seconds=60)
"""What is younger may be on its way from the process that stored it."""


@dataclass(frozen=True)
class Relay:
    """Publishes what the outbox holds; an announcement may go out twice, and is never lost."""

    outbox: Outbox
    publisher: Publisher
    clock: Clock

    def send(self, announcements: Sequence[Announcement]) -> None:
        """Publish what was stored a moment ago; what fails is logged and stays in the outbox, nothing is raised."""
        if not announcements:
            return
        try:
            refused = self._publish(announcements)
        except AwsCallError as error:  # taken by the bus, not removed from the outbox: goes out twice
            log.warning("The outbox was not emptied: %s", error)
            return
        if refused:
            log.warning("%s", PublishFailedError(failed=refused.total(), causes=sorted(refused)))

    def send_left(self) -> int:
        """Publish what is older than a minute, and return how much that was.

        Raises PublishFailedError, after everything was tried, when something was not taken, or could not be read.
        """
        sent, left = 0, Counter[str]()
        entries = self.outbox.entries(self.clock.now() - SETTLED_AFTER, left)
        while portion := [entry.announcement for entry in islice(entries, PORTION)]:
            refused = self._publish(portion)
            left.update(refused)
            sent += len(portion) - refused.total()
        self.publisher.metrics.record({"HousekeepingRuns": 1.0, "OutboxLeft": float(left.total())})
        if left:
            raise PublishFailedError(failed=left.total(), causes=sorted(left))
        return sent

    def _publish(self, announcements: Sequence[Announcement]) -> Counter[str]:
        result = self.publisher.publish(announcements)
        self.outbox.remove(result.taken)
        return Counter(result.refused.values())

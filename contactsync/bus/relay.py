"""The way from the outbox to the bus: published right after the change is stored, and later when that failed."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from typing import Final

from contactsync.bus.envelope import Announcement
from contactsync.bus.ports import Clock, Outbox
from contactsync.bus.publish import Published, Publisher
from contactsync.errors import ContactSyncError, PublishFailedError

log = logging.getLogger(__name__)

PORTION: Final = 100
"""How many announcements are published before they are removed."""

SETTLED_AFTER: Final = timedelta(seconds=60)
"""What is younger may be on its way from the process that stored it."""

SILENCE: Final = 60.0
"""For so many seconds a process that finds the topic out of reach leaves all it announces to housekeeping."""


@dataclass
class Relay:
    """Publishes what the outbox holds; an announcement may go out twice, and is never lost."""

    outbox: Outbox
    publisher: Publisher
    clock: Clock
    _silent_until: float = field(default=float("-inf"), init=False)

    def send(self, announcements: Sequence[Announcement]) -> None:
        """Publish what was stored a moment ago; what fails is logged and stays in the outbox, nothing is raised.

        A topic that does not answer costs its timeouts once in a while, not with each of ten thousand failed accounts.
        """
        if not announcements or self.clock.monotonic() < self._silent_until:
            return
        published = self._publish(announcements)
        if published.refused:
            causes = Counter(published.refused.values())
            lasting = sorted(_lasting(published))
            log.warning("%s", PublishFailedError(failed=causes.total(), causes=sorted(causes), lasting=lasting))
        self._remove(published)

    def send_unstored(self, announcements: Sequence[Announcement]) -> bool:
        """Publish what could not be stored, and return whether the bus took all of it; nothing is raised."""
        published = self._publish(announcements)
        if published.refused:
            log.error("Events are lost that could be neither stored nor published: %s", sorted(published.refused))
        return not published.refused

    def send_left(self) -> int:
        """Publish what is older than a minute, and return how much that was.

        Raises PublishFailedError, after everything was tried, when something was not taken, not removed, or could not
        be read. When the topic is out of reach, the rest is only counted.
        """
        sent, left, lasting = 0, Counter[str](), set[str]()
        out_of_reach: str | None = None
        entries = self.outbox.entries(self.clock.now() - SETTLED_AFTER, left)
        while portion := [entry.announcement for entry in islice(entries, PORTION)]:
            if out_of_reach:
                left[out_of_reach] += len(portion)
                continue
            published = self._publish(portion)
            out_of_reach = published.out_of_reach
            left.update(published.refused.values())
            lasting |= _lasting(published)
            if code := self._remove(published):
                left[code] += len(published.taken)
            else:
                sent += len(published.taken)
        self.publisher.metrics.record({"HousekeepingRuns": 1.0, "OutboxLeft": float(left.total())})
        if left:
            raise PublishFailedError(failed=left.total(), causes=sorted(left), lasting=sorted(lasting))
        return sent

    def _publish(self, announcements: Sequence[Announcement]) -> Published:
        published = self.publisher.publish(announcements)
        if published.out_of_reach:
            self._silent_until = self.clock.monotonic() + SILENCE
        return published

    def _remove(self, published: Published) -> str | None:
        """Remove what was taken; return why that failed: it goes out again then, which changes nothing."""
        try:
            self.outbox.remove(published.taken)
        except ContactSyncError as error:
            log.warning("The outbox was not emptied: %s", error)
            return error.code
        return None


def _lasting(published: Published) -> set[str]:
    """Return the causes that do not pass by themselves."""
    return {published.refused[event_id] for event_id in published.for_good}

"""The way from the outbox to the bus: published right after the change is stored, and later when that failed."""

import logging
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from typing import Final

from contactsync.bus.envelope import Announcement
from contactsync.bus.ports import Outbox, OutboxEntry, SetAside, UnreadableEntry
from contactsync.bus.publish import Publisher, PublishResult
from contactsync.clock import Clock
from contactsync.errors import ContactSyncError, PublishFailedError

log = logging.getLogger(__name__)

TRIES: Final = 3
"""Looks at the outbox after which an event that is refused for good is set aside."""

TRIES_WHEN_ALL: Final = 12
"""The same when several events, and all that there are, are refused alike: the topic's settings may be wrong."""

DELIVERY_TROUBLE: Final = "delivery_trouble"
"""The scenario of the notice that tells of events which could not be delivered."""

NAMED: Final = 5
"""Events that an error names."""

OF_ALL: Final = re.compile("KMS|Authori[sz]ation|AccessDenied|Credential|Token|Signature|NotFound|Throttl")
"""Parts of the codes with which SNS refuses single entries, and means the topic, its key or the caller."""

REASON: Final = (
    "The bus refused the event for good ({code}): its content, or what the publisher needs for it, is wrong. Correct "
    "that or update contactsync, then `contactsync dead-letters redrive outbox --all`."
)

SET_ASIDE: Final = "Event %s (%s) is set aside (%s): see `contactsync dead-letters list outbox`"

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

    def send_left(self, tell: Callable[[Sequence[SetAside]], object] = lambda _: None) -> int:
        """Publish what is older than a minute, and return how much that was.

        What is refused for good for the TRIES-th time is set aside, and told at the end. Raises PublishFailedError,
        after everything was tried, when something else was not taken, not removed, or could not be read. When the topic
        is out of reach, the rest is only counted.
        """
        left = Left()
        unreadable: list[UnreadableEntry] = []
        entries = self.outbox.entries(self.clock.now() - SETTLED_AFTER, unreadable.append)
        while portion := list(islice(entries, PORTION)):
            if left.out_of_reach:
                left.add(left.out_of_reach, *(entry.announcement for entry in portion))
                continue
            published = self._publish([entry.announcement for entry in portion])
            left.note(published, portion)
            if code := self._remove(published):
                left.add(code, *published.taken)
            else:
                left.sent += len(published.taken)
        for strange in unreadable:
            left.for_good.append(_Refused(_aside_of(strange), strange.refusals))
        aside = self._set_aside(left)
        self.publisher.metrics.record({"HousekeepingRuns": 1.0, "OutboxLeft": float(left.codes.total())})
        if aside:
            tell(aside)
        if left.codes:
            raise PublishFailedError(
                failed=left.codes.total(), causes=sorted(left.codes), lasting=sorted(left.lasting), events=left.events
            )
        return left.sent

    def _set_aside(self, left: "Left") -> list[SetAside]:
        """Set aside what was refused often enough, and count the refusal of the rest; that stays."""
        aside: list[SetAside] = []
        tries = left.tries
        for one in left.for_good:
            try:
                if one.before + 1 >= tries:
                    self.outbox.set_aside(one.entry)
                    aside.append(one.entry)
                    log.error(SET_ASIDE, one.entry.event_id, one.entry.event_type, one.entry.code)
                    continue
                self.outbox.refused(one.entry.key)
            except ContactSyncError as error:
                log.warning("The refusal of event %s was not stored: %s", one.entry.event_id, error)
            left.keep(one.entry)
        return aside

    def _publish(self, announcements: Sequence[Announcement]) -> PublishResult:
        published = self.publisher.publish(announcements)
        if published.out_of_reach:
            self._silent_until = self.clock.monotonic() + SILENCE
        return published

    def _remove(self, published: PublishResult) -> str | None:
        """Remove what was taken; return why that failed: it goes out again then, which changes nothing."""
        try:
            self.outbox.remove(published.taken)
        except ContactSyncError as error:
            log.warning("The outbox was not emptied: %s", error)
            return error.code
        return None


@dataclass(frozen=True)
class _Refused:
    """An entry that was refused for good, and how often before."""

    entry: SetAside
    before: int


@dataclass
class Left:
    """What one look at the outbox could not send."""

    sent: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    """Of what stays in the outbox."""
    lasting: set[str] = field(default_factory=set)
    events: list[str] = field(default_factory=list)
    """The first of them, with type and code."""
    for_good: list[_Refused] = field(default_factory=list)
    out_of_reach: str | None = None

    @property
    def tries(self) -> int:
        """How many refusals are enough: more, when it looks as if the bus were wrong and not the events."""
        alike = len({one.entry.code for one in self.for_good}) == 1
        return TRIES_WHEN_ALL if not self.sent and alike and len(self.for_good) > 1 else TRIES

    def add(self, code: str, *announcements: Announcement) -> None:
        """Count what stays, for a cause."""
        for announced in announcements:
            self.codes[code] += 1
            self._name(announced.id, announced.data.event_type, code)

    def keep(self, entry: SetAside) -> None:
        """Count an entry that was refused for good, and stays for now."""
        self.codes[entry.code] += 1
        self._name(entry.event_id or " ".join(entry.key), entry.event_type or "no type", entry.code)

    def note(self, published: PublishResult, portion: Sequence[OutboxEntry]) -> None:
        """Note what was refused: what the whole bus refuses stays, whatever its code."""
        self.out_of_reach = published.out_of_reach
        self.lasting |= _lasting(published)
        for entry in portion:
            announced = entry.announcement
            code = published.refused.get(announced.id)
            if code is None:
                continue
            if announced.id in published.for_good and code != published.out_of_reach and not OF_ALL.search(code):
                reason = REASON.format(code=code)
                about_delivery = getattr(announced.data, "scenario", None) == DELIVERY_TROUBLE
                one = SetAside(entry.key, code, reason, announced.id, announced.data.event_type, about_delivery)
                self.for_good.append(_Refused(one, entry.refusals))
            else:
                self.add(code, announced)

    def _name(self, event_id: str, event_type: str, code: str) -> None:
        if len(self.events) < NAMED:
            self.events.append(f"{event_id} ({event_type}: {code})")


def _aside_of(entry: UnreadableEntry) -> SetAside:
    return SetAside(entry.key, entry.code, entry.reason, entry.event_id, entry.event_type)


def _lasting(published: PublishResult) -> set[str]:
    """Return the causes that do not pass by themselves."""
    return {published.refused[event_id] for event_id in published.for_good}

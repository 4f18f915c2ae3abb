"""The way from the outbox to the bus: published right after the change is stored, or later if that failed."""

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
"""How many times housekeeping is refused an event for good before it sets the event aside."""

TRIES_WHEN_ALL: Final = 12
"""The same number when all events, and more than one, are refused with one code: the topic may be set up wrongly."""

DELIVERY_TROUBLE: Final = "delivery_trouble"
"""The scenario of the notice about events that could not be delivered."""

NAMED: Final = 5
"""Number of events that an error names."""

OF_ALL: Final = re.compile("KMS|Authori[sz]ation|AccessDenied|Credential|Token|Signature|NotFound|Throttl")
"""Parts of codes with which SNS refuses single entries because of the topic, its key or the caller."""

REASON: Final = (
    "The bus refused the event ({code}), and trying again does not help: the event's content, or something that the "
    "publisher needs, is wrong. Fix the cause or update contactsync, then `contactsync dead-letters redrive outbox "
    "--all`."
)

SET_ASIDE: Final = "Event %s (%s) is set aside (%s): see `contactsync dead-letters list outbox`"

PORTION: Final = 100
"""Number of announcements that are published before they are removed."""

RELAYED_AFTER: Final = timedelta(seconds=60)
"""Younger entries are probably being published by the process that stored them."""

SILENCE: Final = 60.0
"""Seconds for which a process that cannot reach the topic leaves its announcements to housekeeping."""


@dataclass
class Relay:
    """The publisher of the outbox; an announcement may be published twice, but is never lost."""

    outbox: Outbox
    publisher: Publisher
    clock: Clock
    _silent_until: float = field(default=float("-inf"), init=False)
    """The monotonic time in seconds until which nothing is published."""

    def send(self, announcements: Sequence[Announcement]) -> None:
        """Publish what was stored a moment ago; failures are logged and stay in the outbox, nothing is raised.

        A topic that does not answer costs its timeouts once in SILENCE seconds, not for each of ten thousand accounts.
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
        """Publish what could not be stored; return whether the bus accepted all of it. Nothing is raised."""
        published = self._publish(announcements)
        if published.refused:
            log.error(
                "Events are lost, because they could not be stored and could not be published: %s",
                sorted(published.refused),
            )
        return not published.refused

    def send_left(self, tell: Callable[[Sequence[SetAside]], object] = lambda _: None) -> int:
        """Publish what is older than RELAYED_AFTER, and return how many events that were.

        An entry that is refused for good for the TRIES-th time is set aside, and `tell` gets all of these at the end.
        When anything else was not accepted, not removed or not readable, PublishFailedError is raised after everything
        was tried. When the topic cannot be reached, the rest is only counted.
        """
        left = Left()
        unreadable: list[UnreadableEntry] = []
        entries = self.outbox.entries(self.clock.now() - RELAYED_AFTER, unreadable.append)
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
        """Set aside what was refused often enough; for the rest count one refusal more and keep it."""
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
        """Remove what was published; return the code if that failed: it is published again then, which is harmless."""
        try:
            self.outbox.remove(published.taken)
        except ContactSyncError as error:
            log.warning("The outbox was not emptied: %s", error)
            return error.code
        return None


@dataclass(frozen=True)
class _Refused:
    """An entry that was refused for good, and the number of earlier refusals."""

    entry: SetAside
    before: int


@dataclass
class Left:
    """What one pass over the outbox could not send."""

    sent: int = 0
    """Number of announcements that were published."""
    codes: Counter[str] = field(default_factory=Counter)
    """Number of entries that stay in the outbox, by code."""
    lasting: set[str] = field(default_factory=set)
    """The codes among these that do not pass by themselves."""
    events: list[str] = field(default_factory=list)
    """The first NAMED entries that stay, with type and code."""
    for_good: list[_Refused] = field(default_factory=list)
    out_of_reach: str | None = None

    @property
    def tries(self) -> int:
        """Number of refusals after which an entry is set aside: more when the bus seems to be wrong, not the events."""
        alike = len({one.entry.code for one in self.for_good}) == 1
        return TRIES_WHEN_ALL if not self.sent and alike and len(self.for_good) > 1 else TRIES

    def add(self, code: str, *announcements: Announcement) -> None:
        """Count entries that stay, with their cause."""
        for announced in announcements:
            self.codes[code] += 1
            self._name(announced.id, announced.data.event_type, code)

    def keep(self, entry: SetAside) -> None:
        """Count an entry that was refused for good, and stays in the outbox for now."""
        self.codes[entry.code] += 1
        self._name(entry.event_id or " ".join(entry.key), entry.event_type or "no type", entry.code)

    def note(self, published: PublishResult, portion: Sequence[OutboxEntry]) -> None:
        """Record what was refused; what concerns the whole bus stays, whatever its code."""
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
    """Return the codes of causes that do not pass by themselves."""
    return {published.refused[event_id] for event_id in published.for_good}

"""Earlier redrives in the audit trail: how often a message was sent on, when last, and by whom."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from contactsync.bus.audit import AuditEntry, AuditTrail, entity
from contactsync.bus.consume import object_in
from contactsync.bus.dead_letters.letters import RULE, TRIGGER

REDRIVEN: Final = "contactsync.dead_letter.redriven"
"""The type of the row for each message that was sent on."""

SEARCHED: Final = timedelta(days=90)
"""How far back redrives are searched for: a message that comes back is kept for another 14 days each time."""

_TOGETHER: Final = frozenset({RULE, TRIGGER})
"""Two queues of one path: what is sent on from one may fail into the other."""


@dataclass(frozen=True)
class Redriven:
    """How often a message was sent on before."""

    count: int = 0
    last: datetime | None = None
    by: str | None = None

    def and_before(self, entry: AuditEntry, by: str | None) -> "Redriven":
        """Return this with one earlier redrive added."""
        return Redriven(self.count + 1, self.last or entry.time, self.by if self.last else by)


@dataclass(frozen=True)
class History:
    """The redrives of a queue, by the content of the messages; their ids change each time."""

    by_content: Mapping[str, Redriven]
    by_event: Mapping[str, Redriven]
    """From rows that do not have the message's content."""

    def of(self, content: str, event_id: str | None) -> Redriven:
        """Return the earlier redrives of one message."""
        known = self.by_content.get(content, Redriven())
        older = self.by_event.get(event_id or "", Redriven())
        newest = max((one for one in (known, older) if one.last), key=lambda one: str(one.last), default=known)
        return Redriven(known.count + older.count, newest.last, newest.by)


def history_of(trail: AuditTrail, queue: str, now: datetime) -> History:
    """Return the redrives of a queue; a row that does not say which message it is about is left out."""
    by_content: dict[str, Redriven] = {}
    by_event: dict[str, Redriven] = {}
    for entry in _newest_first(trail, _TOGETHER if queue in _TOGETHER else {queue}, now - SEARCHED):
        data = object_in(entry.data)
        by_key, key = (by_content, data.get("content")) if "content" in data else (by_event, data.get("event_id"))
        if isinstance(key, str):
            by = data.get("by")
            by_key[key] = by_key.get(key, Redriven()).and_before(entry, by if isinstance(by, str) else None)
    return History(by_content, by_event)


def _newest_first(trail: AuditTrail, queues: Iterable[str], since: datetime) -> list[AuditEntry]:
    rows = (entry for queue in sorted(queues) for entry in _redrives(trail, queue, since))
    return sorted(rows, key=lambda entry: entry.time, reverse=True)


def _redrives(trail: AuditTrail, queue: str, since: datetime) -> Iterator[AuditEntry]:
    rows = trail.about(entity("dead-letter", queue), since=since)
    return (entry for entry in rows if entry.event_type == REDRIVEN)

"""The audit trail: what is kept of every event, by what it is about, and of what people did with dead letters."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Final, Protocol

from contactsync.bus.envelope import Event
from contactsync.bus.events import Severity

DATA_LIMIT: Final = 300_000
"""Bytes of an event's data that a row keeps; an item of DynamoDB has at most 400 KB."""

FEW: Final = 4
"""Number of entities that each row of an entry names; an event may be about ninety accounts."""

ENTITIES: Final = MappingProxyType(
    {"notice_id": "notice", "account_id": "account", "config_key": "configuration", "sync_id": "operation"}
)
"""What events are about, and the fields of their data that name it; an entry's entities have this order."""


@dataclass(frozen=True)
class AuditEntry:
    """One thing that happened; it is stored once for every entity that it is about."""

    event_id: str
    event_type: str
    time: datetime
    severity: Severity
    source: str
    correlation_id: str
    entities: tuple[str, ...]
    """What it is about, as `operation#ID`; never empty."""
    data: str
    """JSON as text: as a DynamoDB number, some values would not fit, and the row would be lost."""
    subject: str | None = None
    """The event's subject; None in rows that were no events, and in rows older than this field."""

    def rows(self) -> Iterator[tuple[str, "AuditEntry"]]:
        """Yield each entity with its row; of many entities, a row names only its own and the first FEW."""
        first = self.entities[0]
        for name in self.entities:
            named = self.entities if len(self.entities) <= FEW else tuple(dict.fromkeys((first, name)))
            yield name, replace(self, entities=named)


def entry_of(event: Event) -> AuditEntry:
    """Return what the audit trail keeps of an event; the event must have its data."""
    return AuditEntry(
        event_id=event.id,
        event_type=event.type,
        time=event.time,
        severity=event.severity,
        source=event.source,
        correlation_id=event.correlationid,
        entities=_entities(event),
        data=_data(event),
        subject=event.subject,
    )


def entity(kind: str, name: str) -> str:
    """Return the name of an entity, under which its entries are found."""
    return f"{kind}#{name}"


def recorder(trail: "AuditTrail") -> Callable[[Event], None]:
    """Return the subscriber function `audit`: it adds each event to the trail; duplicates change nothing."""
    return lambda event: trail.add(entry_of(event))


def _entities(event: Event) -> tuple[str, ...]:
    named = ((kind, getattr(event.data, field, None)) for field, kind in ENTITIES.items())
    accounts = (entity("account", account_id) for account_id in getattr(event.data, "account_ids", ()))
    entities = (*(entity(kind, name) for kind, name in named if name), *accounts)
    return entities or (entity("subject", event.subject),)


def _data(event: Event) -> str:
    text = event.data.model_dump_json(exclude_none=True) if event.data else "{}"
    size = len(text.encode())
    return text if size <= DATA_LIMIT else json.dumps({"omitted_bytes": size})


class AuditTrail(Protocol):
    """The audit trail; entries are added and never changed."""

    def add(self, entry: "AuditEntry") -> None:
        """Add an entry; one that exists already is not changed."""

    def add_all(self, entries: Sequence["AuditEntry"]) -> None:
        """Add entries in few calls; after an error some may be stored."""

    def about(
        self, entity: str, *, since: datetime | None = None, until: datetime | None = None, limit: int | None = None
    ) -> Iterator["AuditEntry"]:
        """Yield the entries about an entity from `since` on and before `until`, the newest first, over all pages."""

    def correlated(self, correlation_id: str, *, limit: int | None = None) -> Iterator["AuditEntry"]:
        """Yield the entries with this correlation id, each once, the newest first."""

    def during(
        self, since: datetime, until: datetime, *, limit: int | None = None, oldest_first: bool = False
    ) -> Iterator["AuditEntry"]:
        """Yield the entries of a period, each once, the newest first; a period is read day by day."""

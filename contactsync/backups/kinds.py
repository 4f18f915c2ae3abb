"""The tables of a backup, and the kinds of items in them (docs/data.md lists the items)."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

Item = Mapping[str, Mapping[str, Any]]
"""An item as DynamoDB's own clients give it: `{"pk": {"S": "..."}}`; numbers are texts."""


class Table(StrEnum):
    """The tables, in the order in which they are read and restored.

    The state table is first: what it refers to is read later, so it is at least as new. The configuration is restored
    last: without one no run begins, and so none begins in the middle of a restore.
    """

    STATE = "state"
    DESIRED_CONTACTS = "desired-contacts"
    AUDIT = "audit"
    CONFIGURATION = "configuration"


class Kind(StrEnum):
    """What an item is."""

    OPERATION = "operation"
    OUTCOME = "outcome"
    RECORD = "record"
    GENERATION = "generation"
    NOTICE = "notice"
    OUTBOX = "outbox"
    SET_ASIDE = "set aside"
    DESIRED_CONTACT = "desired contact"
    AUDIT_ROW = "audit row"
    VERSION = "configuration version"
    OTHER = "other"
    """No kind that this version knows: it is kept all the same."""
    LIMITER = "limiter"
    BREAKER = "breaker"
    LOOKUP = "look-up"
    HOUSEKEEPING = "housekeeping"
    RESTORE = "restore"
    """The sign of a restore that has begun."""


PASSING: Final = frozenset({Kind.LIMITER, Kind.BREAKER, Kind.LOOKUP, Kind.HOUSEKEEPING, Kind.RESTORE})
"""Kinds that are true for minutes only, and that contactsync makes again: they are in no backup."""

TAKEN_AWAY: Final = frozenset({Kind.OUTBOX, Kind.SET_ASIDE})
"""Kinds whose items housekeeping and people take away once they are there, so that there may be fewer afterwards."""

KEYS: Final[Mapping[Table, Mapping[str, str]]] = MappingProxyType(
    {
        Table.STATE: {"pk": "S", "sk": "S"},
        Table.DESIRED_CONTACTS: {"contact_type": "S"},
        Table.AUDIT: {"pk": "S", "sk": "S"},
        Table.CONFIGURATION: {"config_key": "S", "version": "N"},
    }
)
"""The attributes of each table's key, with their types."""

_ONLY: Final = MappingProxyType(
    {
        Table.DESIRED_CONTACTS: Kind.DESIRED_CONTACT,
        Table.AUDIT: Kind.AUDIT_ROW,
        Table.CONFIGURATION: Kind.VERSION,
    }
)
_STATE: Final = MappingProxyType(
    {
        "OPERATION": Kind.OPERATION,
        "OUTCOMES": Kind.OUTCOME,
        "RECORD": Kind.RECORD,
        "GENERATION": Kind.GENERATION,
        "NOTICES": Kind.NOTICE,
        "outbox": Kind.OUTBOX,
        "outbox-aside": Kind.SET_ASIDE,
        "PACE": Kind.LIMITER,
        "BREAKER": Kind.BREAKER,
        "LOOKUP": Kind.LOOKUP,
        "HOUSEKEEPING": Kind.HOUSEKEEPING,
        "RESTORE": Kind.RESTORE,
    }
)
_SORT_KEYS: Final = MappingProxyType(
    {
        Kind.OPERATION: "OPERATION",
        Kind.GENERATION: "GENERATION",
        Kind.HOUSEKEEPING: "UNPLANNED",
        Kind.RESTORE: "RESTORE",
    }
)
"""Kinds with one sort key only; an item with another one is something else."""


def kind_of(table: Table, item: Item) -> Kind:
    """Return what an item is, judging by its key alone."""
    if table is not Table.STATE:
        return _ONLY[table]
    kind = _STATE.get(item["pk"]["S"].partition("#")[0], Kind.OTHER)
    return kind if item["sk"]["S"] == _SORT_KEYS.get(kind, item["sk"]["S"]) else Kind.OTHER


def key_of(table: Table, item: Item) -> Item:
    """Return the attributes of an item's key; raise ValueError when the item lacks one, or has another type in it."""
    key = {name: item.get(name, {}) for name in KEYS[table]}
    if any(set(key[name]) != {kind} for name, kind in KEYS[table].items()):
        message = f"an item lacks the key of the {table} table"
        raise ValueError(message)
    return key

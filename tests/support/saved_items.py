"""Items of every kind in DynamoDB's own form, as backups see them."""

from collections.abc import Iterator
from typing import Any

from contactsync.backups.kinds import Item, Table


def text(value: str) -> dict[str, str]:
    """Return a text."""
    return {"S": value}


def number(value: object) -> dict[str, str]:
    """Return a number."""
    return {"N": str(value)}


def operation(generation: int = 3, sync_id: str = "op-1", **parts: Any) -> Item:
    """Return a sync operation about the security contact."""
    plan = {"M": {"security": {"M": {"generation": number(generation)}}}}
    return {"pk": text(f"OPERATION#{sync_id}"), "sk": text("OPERATION"), "plans": plan, **parts}


def outcome(account: int, generation: int = 3, sync_id: str = "op-1", **parts: Any) -> Item:
    """Return an outcome with one try."""
    account_id = f"{account:012}"
    return {
        "pk": text(f"OUTCOMES#{sync_id}#{account_id[-1]}"),
        "sk": text(f"{account_id}#security"),
        "generation": number(generation),
        "attempts": {"L": [{"M": {"generation": number(generation), "try_number": number(1)}}]},
        "error_message": text(""),
        "expires_at": number(4_000_000_000),
        **parts,
    }


def record(account: int = 1, generation: int = 3, version: int = 1, **parts: Any) -> Item:
    """Return an account record."""
    return {
        "pk": text(f"RECORD#{account:012}"),
        "sk": text("security"),
        "version": number(version),
        "generation": number(generation),
        **parts,
    }


def mark(generation: int) -> dict[str, Any]:
    """Return the mark of a write."""
    return {"M": {"token": text("t"), "generation": number(generation)}}


def counter(generation: int, contact_type: str = "security", **parts: Any) -> Item:
    """Return a generation counter."""
    return {
        "pk": text(f"GENERATION#{contact_type}"),
        "sk": text("GENERATION"),
        "generation": number(generation),
        **parts,
    }


def desired(generation: int = 3) -> Item:
    """Return the desired security contact."""
    contact = {"M": {"Name": text("Wanda Quillfeather")}}
    return {"contact_type": text("security"), "generation": number(generation), "contact": contact}


def version(count: int, key: str = "default", **parts: Any) -> Item:
    """Return a version of a configuration."""
    return {"config_key": text(key), "version": number(count), "reason": text("ticket 7"), **parts}


def audit_row(count: int) -> Item:
    """Return a row of the audit trail."""
    return {"pk": text("operation#op-1"), "sk": text(f"2026-01-01T00:00:{count:02}.000000Z#e{count}")}


def strange() -> Item:
    """Return an item of no kind, with a value of each type."""
    return {
        "pk": text("FUTURE#1"),
        "sk": text("x"),
        "digits": number("12345678901234567890123456789012345678"),
        "small": number("-1E-130"),
        "binary": {"B": b"\x00\xff"},
        "texts": {"SS": ["a", "\N{SNOWMAN}"]},
        "numbers": {"NS": ["1", "2.5"]},
        "binaries": {"BS": [b"", b"\n"]},
        "nothing": {"NULL": True},
        "flag": {"BOOL": False},
        "deep": {"L": [{"M": {"none": {"L": []}, "empty": text("")}}]},
    }


def passing() -> Iterator[Item]:
    """Yield what is true for minutes only."""
    yield {"pk": text("PACE#111122223333"), "sk": text("PutAlternateContact"), "arrival": number(1)}
    yield {"pk": text("BREAKER#111122223333"), "sk": text("ACCESS")}
    yield {"pk": text("LOOKUP#UNITS"), "sk": text("1#0f")}
    yield {"pk": text("HOUSEKEEPING"), "sk": text("UNPLANNED")}


def everything() -> Iterator[tuple[Table, Item]]:
    """Yield items of every kind that a backup has, with their tables."""
    state = [
        operation(),
        *(outcome(n) for n in range(30)),
        record(),
        counter(3, deletion=number(2)),
        counter(7, "future"),
        {"pk": text("NOTICES#op-1"), "sk": text("halted"), "priority": text("warning")},
        {"pk": text("outbox#1"), "sk": text("2026#e"), "announcement": text("{}")},
        {"pk": text("outbox-aside"), "sk": text("2026#e"), "announcement": text("{}")},
        strange(),
    ]
    yield from ((Table.STATE, item) for item in state)
    yield Table.DESIRED_CONTACTS, desired()
    yield from ((Table.AUDIT, audit_row(n)) for n in range(3))
    yield from ((Table.CONFIGURATION, version(n)) for n in (1, 2))

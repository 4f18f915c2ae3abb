"""Fakes for backups: tables and a place for files in memory, each of which can break at any call."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from contactsync.backups.kinds import Item, Table, key_of
from contactsync.backups.manifest import NAME
from contactsync.backups.ports import Put, Rule
from contactsync.errors import BackupPresentError, ServiceUnreachableError

BROKEN = ServiceUnreachableError(api_operation="Scan", aws_code="EndpointConnectionError")


class Breaks:
    """Counts calls, and raises at one of them."""

    def __init__(self) -> None:
        """Never break."""
        self.calls = 0
        self.at: int | None = None
        self.error: BaseException = BROKEN

    def count(self) -> None:
        """Count a call."""
        self.calls += 1
        if self.calls == self.at:
            raise self.error


@dataclass
class FakeTables:
    """Tables by the keys of their items, with the rules of DynamoDB's conditions."""

    breaks: Breaks = field(default_factory=Breaks)
    stored: dict[Table, dict[str, Item]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, table: Table, *items: Item) -> None:
        """Store items as somebody else does."""
        for item in items:
            self.stored[table][repr(key_of(table, item))] = item

    def items(self, table: Table, names: Collection[str] | None = None) -> Iterator[Item]:
        """Yield what is stored."""
        self.breaks.count()
        for item in list(self.stored[table].values()):
            yield item if names is None else {name: value for name, value in item.items() if name in names}

    def get(self, table: Table, key: Item) -> Item | None:
        """Return an item."""
        self.breaks.count()
        return self.stored[table].get(repr(key_of(table, key)))

    def put(self, table: Table, puts: Iterable[Put]) -> Iterator[tuple[Put, bool]]:
        """Put items one by one."""
        for put in puts:
            self.breaks.count()
            before = self.stored[table].get(repr(key_of(table, put.item)))
            is_put = before is None or _takes_the_place(put, before)
            if is_put:
                self.add(table, put.item)
            yield put, is_put

    def remove(self, table: Table, key: Item) -> None:
        """Remove an item."""
        self.breaks.count()
        self.stored[table].pop(repr(key_of(table, key)), None)

    def raise_to(self, key: Item, name: str, number: int) -> None:
        """Raise a number."""
        self.breaks.count()
        before = self.stored[Table.STATE].get(repr(key_of(Table.STATE, key)), key)
        if name not in before or (_number(before, name) or number) < number:
            self.add(Table.STATE, {**before, name: {"N": str(number)}})


def _takes_the_place(put: Put, before: Item) -> bool:
    item = put.item
    if put.rule is Rule.NEWER_DESIRED:
        return _less(before, item, "generation")
    if put.rule is Rule.NEWER_RECORD:
        not_newer = "generation" not in before or _less(before, item, "generation", or_equal=True)
        return _less(before, item, "version") and "mark" not in before and not_newer
    return put.rule is Rule.ALWAYS


def _less(one: Item, other: Item, name: str, *, or_equal: bool = False) -> bool:
    lower, upper = _number(one, name), _number(other, name)
    return lower is not None and upper is not None and (lower < upper or (or_equal and lower == upper))


def _number(item: Item, name: str) -> Decimal | None:
    text: Any = item.get(name, {}).get("N")
    return None if text is None else Decimal(text)


@dataclass
class FakePlace:
    """A place in memory, to write to and to read from."""

    name: str = "a place"
    files: dict[str, bytes] = field(default_factory=dict)
    breaks: Breaks = field(default_factory=Breaks)

    @property
    def unfinished(self) -> str | None:
        """The place, when something is in it."""
        return f"{self.name}.partial" if self.files else None

    def begin(self) -> None:
        """Refuse a complete backup."""
        if NAME in self.files:
            raise BackupPresentError(path=self.name)

    def write(self, name: str, content: bytes) -> None:
        """Keep a file."""
        self.breaks.count()
        self.files[name] = content

    def finish(self, manifest: bytes) -> None:
        """Keep the manifest."""
        self.write(NAME, manifest)

    def read(self, name: str) -> bytes:
        """Return a file."""
        self.breaks.count()
        if name not in self.files:
            raise FileNotFoundError
        return self.files[name]

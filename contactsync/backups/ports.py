"""What a backup needs from outside: the tables' items, and a place for its files."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeVar

from contactsync.backups.kinds import Item, Table

T = TypeVar("T")


class Watch(Protocol):
    """Yields what it is given, and may show how much that is."""

    def __call__(self, doing: str, things: Iterator[T]) -> Iterator[T]:
        """Yield the things; `doing` says what is done with them."""


def unwatched(doing: str, things: Iterator[T]) -> Iterator[T]:  # noqa: ARG001 -- as Watch
    """Show nothing."""
    return things


class Rule(StrEnum):
    """When an item of a backup is put into a table that has an item with the same key."""

    NEVER = "never"
    NEWER_RECORD = "newer record"
    """Its version is greater, its generation is not smaller, and no write of the other one may be on its way."""
    NEWER_DESIRED = "newer desired contact"
    """Its generation is greater."""
    ALWAYS = "always"


@dataclass(frozen=True)
class Put:
    """An item to be put."""

    item: Item
    size: int
    """Bytes of its line: at least the size that counts for DynamoDB."""
    rule: Rule = Rule.NEVER


class StoredTables(Protocol):
    """The items of the tables; throttled calls are repeated with growing waits."""

    def items(self, table: Table, names: Collection[str] | None = None) -> Iterator[Item]:
        """Yield every item page by page, each page read consistently; with `names` only these attributes."""

    def get(self, table: Table, key: Item) -> Item | None:
        """Return an item, read consistently."""

    def put(self, table: Table, puts: Iterable[Put]) -> Iterator[tuple[Put, bool]]:
        """Put items as their rules say, in few calls; yield for each whether it was put."""

    def remove(self, table: Table, key: Item) -> None:
        """Remove an item, if it is there."""

    def raise_to(self, key: Item, name: str, number: int) -> None:
        """Raise a number in the state table, and make its item if there is none; never lower it."""


class BackupTarget(Protocol):
    """Where a backup is written."""

    @property
    def name(self) -> str:
        """The place as the user named it."""

    @property
    def unfinished(self) -> str | None:
        """Where its files are until it is complete; None as long as there are none."""

    def begin(self) -> None:
        """Prepare the place; raise BackupPresentError when something is there already."""

    def write(self, name: str, content: bytes) -> None:
        """Write a file."""

    def finish(self, manifest: bytes) -> None:
        """Write the manifest, which makes the backup complete."""


class BackupSource(Protocol):
    """Where a backup is read from."""

    @property
    def name(self) -> str:
        """The place as the user named it."""

    def read(self, name: str) -> bytes:
        """Return a file's content; raise FileNotFoundError when there is none."""

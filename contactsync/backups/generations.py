"""The greatest generations that the items of a backup or of a table know of."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any, Final

from contactsync.backups.kinds import Item, Kind
from contactsync.bus.values import LARGEST
from contactsync.contacts import ContactType

GENERATION: Final = "generation"
DELETION: Final = "deletion"

NAMES: Final = ("pk", "sk", "contact_type", GENERATION, DELETION, "mark", "plans", "attempts")
"""The attributes that say which generations there are; none of them holds a contact value."""


@dataclass
class Generations:
    """For each contact type the greatest generation, and that of the latest plan which found the contact deleted.

    A number that no counter can have is not counted: a counter with it could not be read.
    """

    known: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))

    def see(self, kind: Kind, item: Item) -> None:
        """Take what an item knows."""
        for contact_type, name, value in _FINDERS.get(kind, _nothing)(item):
            number = whole(value)
            if contact_type in set(ContactType) and number:
                self.known[contact_type][name] = max(number, self.known[contact_type][name])

    def counters(self) -> Iterator[tuple[Item, str, int]]:
        """Yield the key of a counter's item, an attribute, and the number that it must have at least."""
        for contact_type, numbers in sorted(self.known.items()):
            for name, number in numbers.items():
                yield {"pk": {"S": f"GENERATION#{contact_type}"}, "sk": {"S": "GENERATION"}}, name, number


def whole(value: object) -> int | None:
    """Return a whole number from 1 on that counters can have; None for anything else."""
    text = value.get("N") if isinstance(value, Mapping) else None
    try:
        number = Decimal(text) if isinstance(text, str) else Decimal(0)
    except InvalidOperation:
        return None
    fits = number.is_finite() and 1 <= number <= LARGEST and number == number.to_integral_value()
    return int(number) if fits else None


Found = Iterator[tuple[str, str, object]]


def _nothing(_: Item) -> Found:
    return iter(())


def _of_counter(item: Item) -> Found:
    contact_type = item["pk"]["S"].partition("#")[2]
    yield contact_type, GENERATION, item.get(GENERATION)
    for name in (GENERATION, DELETION):  # a counter is not behind its own deletion
        yield contact_type, name, item.get(DELETION)


def _of_record(item: Item) -> Found:
    yield item["sk"]["S"], GENERATION, item.get(GENERATION)
    yield item["sk"]["S"], GENERATION, _map(item.get("mark")).get(GENERATION)


def _of_outcome(item: Item) -> Found:
    contact_type = item["sk"]["S"].rpartition("#")[2]
    yield contact_type, GENERATION, item.get(GENERATION)
    attempts = item.get("attempts", {}).get("L", [])
    yield from ((contact_type, GENERATION, _map(one).get(GENERATION)) for one in attempts)


def _of_operation(item: Item) -> Found:
    for contact_type, plan in _map(item.get("plans")).items():
        yield contact_type, GENERATION, _map(plan).get(GENERATION)


def _of_desired(item: Item) -> Found:
    yield item["contact_type"]["S"], GENERATION, item.get(GENERATION)


def _map(value: Mapping[str, Any] | None) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (value or {}).get("M", {})
    return found


_FINDERS: Final[Mapping[Kind, Callable[[Item], Found]]] = MappingProxyType(
    {
        Kind.GENERATION: _of_counter,
        Kind.RECORD: _of_record,
        Kind.OUTCOME: _of_outcome,
        Kind.OPERATION: _of_operation,
        Kind.DESIRED_CONTACT: _of_desired,
    }
)

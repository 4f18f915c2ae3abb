"""Whole tables as backups read and restore them: on the fake, and on the sandbox's DynamoDB."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from contactsync.aws.tables.whole_tables import DynamoDbWholeTables
from contactsync.backups.kinds import Item, Table, key_of
from contactsync.backups.ports import Put, Rule, StoredTables
from contactsync.errors import RequestInvalidError, ThrottledError
from tests.support.fakes.backups import FakeTables
from tests.support.fakes.surroundings import FakeClock
from tests.support.saved_items import counter, desired, mark, number, record, strange, text

if TYPE_CHECKING:
    from tests.contract.conftest import Adapters


@dataclass
class Tables:
    """The tables, and a partition that no other test uses."""

    stored: StoredTables
    name: str

    def put(self, item: Item, rule: Rule = Rule.NEVER, table: Table = Table.STATE) -> bool:
        """Put one item."""
        ((_, is_put),) = self.stored.put(table, [Put(item, 100, rule)])
        return is_put

    def of(self, item: Item) -> Item | None:
        """Return the stored item with the same key."""
        return self.stored.get(Table.STATE, key_of(Table.STATE, item))

    def own(self, item: Item) -> Item:
        """Return the item in this test's partition."""
        return {**item, "pk": text(self.name)}

    def items(self, names: Any = None) -> Iterator[Item]:
        """Yield this test's items."""
        return (item for item in self.stored.items(Table.STATE, names) if item["pk"] == text(self.name))


@pytest.fixture(params=["fake", "sandbox"])
def tables(request: pytest.FixtureRequest) -> Tables:
    """Give the fake, then the adapter."""
    if request.param == "fake":
        return Tables(FakeTables(), str(uuid.uuid4()))
    adapters: Adapters = request.getfixturevalue("adapters")
    return Tables(adapters.services.whole_tables, str(uuid.uuid4()))


def test_every_type_of_value(tables: Tables) -> None:
    """Numbers of 38 digits, bytes, sets, empty texts and NULL are stored and read as they are."""
    item = tables.own(strange())
    assert tables.put(item)
    (found,) = tables.items()
    assert {name: _sorted(value) for name, value in found.items()} == {n: _sorted(v) for n, v in item.items()}


def _sorted(value: Any) -> Any:
    ((kind, content),) = value.items()
    return {kind: sorted(content)} if kind in {"SS", "NS", "BS"} else value


def test_what_is_there_stays(tables: Tables) -> None:
    """An item that is there is not replaced, and the others of its group are put."""
    first = {**tables.own(record()), "sk": text("007")}
    assert tables.put(first)
    group = [Put({**tables.own(record(2, version=9)), "sk": text(f"{place:03}")}, 100) for place in range(250)]
    done = list(tables.stored.put(Table.STATE, group))
    assert [put.item["sk"]["S"] for put, is_put in done if not is_put] == ["007"]
    assert len(list(tables.items())) == 250
    assert tables.of(first) == first
    assert not any(is_put for _, is_put in tables.stored.put(Table.STATE, group))


def test_large_items(tables: Tables) -> None:
    """More than a transaction may hold is put all the same, and read over several pages."""
    group = [
        Put({"pk": text(tables.name), "sk": text(str(place)), "data": text("x" * 300_000)}, 300_100)
        for place in range(20)
    ]
    assert all(is_put for _, is_put in tables.stored.put(Table.STATE, group))
    assert len(list(tables.items())) == 20
    assert [set(item) for item in tables.items(("pk", "sk"))] == [{"pk", "sk"}] * 20


@pytest.mark.parametrize(
    ("stored", "saved", "is_put"),
    [
        (record(generation=2, version=1), record(generation=3, version=4), True),
        (record(generation=3, version=3), record(generation=3, version=4), True),
        (record(generation=3, version=4), record(generation=3, version=4), False),
        (record(generation=2, version=9), record(generation=3, version=4), False),
        (record(generation=4, version=1), record(generation=3, version=4), False),
        (record(generation=2, version=1, mark=mark(2)), record(generation=3, version=4), False),
        (record(version=1, generation=1), {**record(version=4), "version": text("4")}, False),
        ({"sk": text("security"), "version": number(1)}, record(generation=3, version=4), True),
        ({"sk": text("security"), "version": number(1)}, {"sk": text("security"), "version": number(2)}, True),
        (record(generation=1, version=1), {"sk": text("security"), "version": number(2)}, False),
        ({"sk": text("security")}, record(generation=3, version=4), False),
    ],
)
def test_records(tables: Tables, stored: Item, saved: Item, is_put: bool) -> None:  # noqa: FBT001 -- a column of the table
    """A record gives way to one with a greater version and no smaller generation, unless a write may be under way."""
    tables.put(tables.own(stored))
    assert tables.put(tables.own(saved), Rule.NEWER_RECORD) is is_put
    assert tables.of(tables.own(saved)) == tables.own(saved if is_put else stored)


def test_desired_contacts(tables: Tables) -> None:
    """A desired contact gives way to one with a greater generation only."""
    for generation, is_put in ((3, True), (2, False), (3, False), (10, True)):
        item = {**desired(generation), "contact_type": text(tables.name)}
        assert tables.put(item, Rule.NEWER_DESIRED, Table.DESIRED_CONTACTS) is is_put
    found = tables.stored.get(Table.DESIRED_CONTACTS, {"contact_type": text(tables.name)})
    assert found is not None
    assert found["generation"] == number(10)


def test_always(tables: Tables) -> None:
    """With that rule an item is replaced."""
    assert all(tables.put(tables.own(record(version=number_)), Rule.ALWAYS) for number_ in (5, 4))
    assert tables.of(tables.own(record())) == tables.own(record(version=4))


def test_counters(tables: Tables) -> None:
    """A counter is raised and never lowered; what else is in its item stays, and what is no number too."""
    key = key_of(Table.STATE, tables.own(counter(0)))
    for value, found in ((5, 5), (4, 5), (11, 11)):
        tables.stored.raise_to(key, "generation", value)
        assert tables.of(key) == {**key, "generation": number(found)}
    tables.stored.raise_to(key, "deletion", 7)
    assert tables.of(key) == {**key, "generation": number(11), "deletion": number(7)}


def test_remove(tables: Tables) -> None:
    """An item is removed once; again is no error."""
    item = tables.own(record())
    tables.put(item)
    for _ in range(2):
        tables.stored.remove(Table.STATE, key_of(Table.STATE, item))
        assert tables.of(item) is None


CANCELLED = "TransactionCanceledException"


def troubled(adapters: "Adapters", call: str, answers: list[tuple[str, list[str]]]) -> tuple[Tables, FakeClock]:
    """Return tables whose first calls of an operation are answered with these errors."""
    services, clock = adapters.services, FakeClock()
    client: Any = adapters.sandbox.session().client("dynamodb", endpoint_url=adapters.sandbox.endpoint_url)

    def answer(**_: Any) -> None:
        if answers:
            code, reasons = answers.pop(0)
            response: Any = {
                "Error": {"Code": code, "Message": ""},
                "CancellationReasons": [{"Code": reason} for reason in reasons],
                "ResponseMetadata": {"HTTPStatusCode": 400, "RequestId": "0f"},
            }
            raise client.exceptions.from_code(code)(response, call)

    client.meta.events.register(f"before-call.dynamodb.{call}", answer)
    return Tables(DynamoDbWholeTables(client, services.table_names, clock), str(uuid.uuid4())), clock


@pytest.mark.parametrize(
    "answers",
    [
        [("ProvisionedThroughputExceededException", [])] * 5,
        [("ThrottlingException", [])] * 11,
        [(CANCELLED, ["ThrottlingError", "None"]), (CANCELLED, ["None", "ProvisionedThroughputExceeded"])],
        [(CANCELLED, ["None", "TransactionConflict"]), (CANCELLED, [])],
    ],
)
def test_throttled(adapters: "Adapters", answers: list[tuple[str, list[str]]]) -> None:
    """Throttled calls, and those that meet another write, are repeated after a wait."""
    number_of_waits = len(answers)
    tables, clock = troubled(adapters, "TransactWriteItems", list(answers))
    group = [Put({"pk": text(tables.name), "sk": text(str(place))}, 100) for place in range(2)]
    assert all(is_put for _, is_put in tables.stored.put(Table.STATE, group))
    assert len(clock.slept) == number_of_waits
    assert len(list(tables.items())) == 2


def test_throttled_pages(adapters: "Adapters") -> None:
    """A throttled page is read again, and none is left out."""
    tables, clock = troubled(adapters, "Scan", [("ProvisionedThroughputExceededException", [])] * 3)
    list(tables.stored.put(Table.STATE, [Put(tables.own(record()), 100)]))
    assert len(list(tables.items())) == 1
    assert len(clock.slept) == 3


def test_throttled_for_too_long(adapters: "Adapters") -> None:
    """In the end the error is raised, as is every other one at once."""
    tables, clock = troubled(adapters, "TransactWriteItems", [("ThrottlingException", [])] * 99)
    with pytest.raises(ThrottledError):
        tables.put(tables.own(record()))
    assert 0 < sum(clock.slept) < 200
    tables, clock = troubled(adapters, "TransactWriteItems", [(CANCELLED, ["ValidationError"])])
    with pytest.raises(RequestInvalidError):
        tables.put(tables.own(record()))
    assert clock.slept == []

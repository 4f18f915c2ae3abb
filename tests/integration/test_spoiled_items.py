"""Whatever becomes of one stored item, every reader of its kind goes on, names it, or says in one sentence why not."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contactsync.configuration.schema import Configuration
from contactsync.contacts import ContactType
from contactsync.errors import ConfigurationConflictError, ContactSyncError
from tests.contract.conftest import adapters_on
from tests.integration.conftest import Command
from tests.support.stored.deployment import Stored
from tests.support.stored.kinds import KINDS
from tests.support.stored.spoiling import Kind, Raw, Reader, Typed, logged, spoiled, times_named

SCENARIO = {"organization": {"accounts": 2}, "quotas": {"enabled": False}}

INDEX_KEYS = {"operations", "operation_time", "operation_status", "account_id", "outcome_time", "correlation", "day"}

SLOW = ("operation", "outcome", "record")
"""Their readers read a whole operation, and look at AWS."""

SHOWN = ("operation", "outcome", "record", "set aside", "notice", "desired contact", "audit row")
"""Those that commands show."""

EXAMPLES = 20
FEW = 10
FEWEST = 3
MANY = 400


@pytest.fixture(scope="module")
def stored() -> Iterator[Stored]:
    """Give a deployment with a configuration, and two accounts of its organization."""
    with adapters_on(SCENARIO) as adapters:
        services = adapters.services
        with suppress(ConfigurationConflictError):
            services.configurations.store(
                Configuration(contact_types=(ContactType.SECURITY,)), after_version=0, changed_by="a test"
            )
        management = services.settings.management.account
        one, two = [found.account_id for found in services.organization.accounts() if found.account_id != management]
        yield Stored(services, one, two)


@pytest.fixture(scope="module")
def kinds(stored: Stored) -> dict[str, tuple[Kind, Raw]]:
    """Give every kind with an item of it as it was stored."""
    made = {name: make(stored) for name, make in KINDS.items()}
    return {name: (kind, stored.raw(kind.table, kind.key)) for name, kind in made.items()}


@pytest.mark.parametrize("name", [name for name in KINDS if name not in SLOW])
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_spoiled(stored: Stored, kinds: dict[str, tuple[Kind, Raw]], name: str, data: st.DataObject) -> None:
    """One attribute that is gone or of another type stops no reader, misleads none, and loses no protection."""
    check(stored, *kinds[name], data)


@pytest.mark.parametrize("name", SLOW)
@settings(max_examples=FEW)
@given(data=st.data())
def test_spoiled_operations(stored: Stored, kinds: dict[str, tuple[Kind, Raw]], name: str, data: st.DataObject) -> None:
    """Nor do those of an operation, an outcome or a record, of whose readers some write."""
    check(stored, *kinds[name], data)


@pytest.mark.parametrize("name", SHOWN)
# The fixture runs commands, and keeps nothing from one example to the next.
@settings(max_examples=FEWEST, suppress_health_check=[*HealthCheck])
@given(data=st.data())
def test_commands(
    stored: Stored, kinds: dict[str, tuple[Kind, Raw]], contactsync: Command, name: str, data: st.DataObject
) -> None:
    """A listing with a spoiled item ends well; a command about that item alone may fail, with one sentence."""
    kind, whole = kinds[name]
    put(stored, kind, data.draw(storable(kind, whole)))
    try:
        for command in kind.listings:
            answer = contactsync(*command)
            assert (answer.code, "Traceback" in answer.err) == (0, False), answer
        for command in kind.commands:
            answer = contactsync(*command)
            assert answer.code == 0 or answer.err.startswith("contactsync: "), answer
            assert (answer.code in {0, 1}, "Traceback" in answer.err) == (True, False), answer
    finally:
        put(stored, kind, whole)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=MANY)
@given(data=st.data())
def test_spoiled_often(stored: Stored, kinds: dict[str, tuple[Kind, Raw]], name: str, data: st.DataObject) -> None:
    """The same for many more items."""
    check(stored, *kinds[name], data)


def check(stored: Stored, kind: Kind, whole: Raw, data: st.DataObject) -> None:
    """Store a spoiled item, read it in every way, and put it back as it was."""
    item = data.draw(storable(kind, whole))
    try:
        for how, reader in kind.readers.items():
            put(stored, kind, item)
            read(how, reader, kind, item, whole)
        put(stored, kind, item)
        assert kind.protected()
    finally:
        put(stored, kind, whole)
        kind.finally_()


def storable(kind: Kind, whole: Raw) -> st.SearchStrategy[Raw]:
    """Give spoiled items that DynamoDB stores: keys of indexes are texts."""
    return spoiled(whole, tuple(kind.key), kind.absent).filter(
        lambda item: all(item[name].keys() == {"S"} and item[name]["S"] for name in INDEX_KEYS & item.keys())
    )


def put(stored: Stored, kind: Kind, item: Raw) -> None:
    """Store an item in place of whatever is there."""
    stored.services._dynamodb.put_item(TableName=kind.table, Item=item)


def read(how: str, reader: Reader, kind: Kind, item: Raw, whole: Raw) -> None:
    """Read, and check that the answer is right as far as it goes, or one of our errors."""
    with logged() as messages:
        answer, refused = answered(reader)
    if refused is not None:
        assert reader.others is None, f"{how} was refused: {refused}"
        assert str(refused).strip()
        return
    assert not Typed.problems(answer), how
    if reader.others is None:
        return
    assert reader.others(answer), f"{how} lost the others"
    if all(item.get(name) == whole.get(name) for name in reader.indexed_by) and not reader.bad(answer):
        assert times_named(messages, kind.key) == 1, f"{how} named it {times_named(messages, kind.key)} times"


def answered(reader: Reader) -> tuple[Any, ContactSyncError | None]:
    """Return the answer of a reader, or the error of ours that it raised; no other error is one."""
    try:
        return reader.read(), None
    except ContactSyncError as error:
        return None, error

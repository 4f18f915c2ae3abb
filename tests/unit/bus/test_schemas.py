"""The JSON Schemas of the bus: fresh, and true of what is published."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from contactsync.bus.envelope import parse_event
from contactsync.bus.events import EVENT_TYPES, EventData
from contactsync.bus.schemas import schemas, write, written
from contactsync.errors import EventInvalidError
from tests.support.events import event_of
from tests.support.recorded import ABSENT, changed

DIRECTORY = Path(__file__).parents[3] / "docs" / "schemas"


def test_fresh() -> None:
    """docs/schemas holds what the generator writes, and nothing else; `make docs` writes it again."""
    found = {path.name: path.read_text(encoding="utf-8") for path in DIRECTORY.iterdir()}
    assert found == {name: written(schema) for name, schema in schemas().items()}


def test_write(tmp_path: Path) -> None:
    """Writing leaves the schemas of types that there are."""
    stale = tmp_path / "schemas" / "contactsync.gone.v1.json"
    stale.parent.mkdir()
    stale.write_text("{}")
    write(stale.parent)
    assert {path.name for path in stale.parent.iterdir()} == {
        "envelope.json",
        *(f"{name}.json" for name in EVENT_TYPES),
    }


def checked(document: dict[str, Any]) -> None:
    """Validate an event against its schemas."""
    made = schemas()
    Draft202012Validator(made["envelope.json"]).validate(document)
    Draft202012Validator(made[f"{document['type']}.json"]).validate(document["data"])


@pytest.mark.parametrize("schema", schemas().values(), ids=schemas())
def test_valid(schema: dict[str, Any]) -> None:
    """Every schema is one."""
    Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("kind", EVENT_TYPES.values())
def test_published(kind: type[EventData]) -> None:
    """What is published matches its schemas."""
    checked(json.loads(event_of(kind).as_json()))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("specversion", "2.0"),
        ("severity", "urgent"),
        ("correlationid", ABSENT),
        ("data", ABSENT),
        ("dataref", "s3://claims/events/e-1.json"),
        ("datasha256", "0" * 64),
        ("datasize", 1),
        ("data.account_id", "1"),
        ("data.contact_type", ABSENT),
    ],
)
def test_refused(path: str, value: object) -> None:
    """What the schemas refuse is refused by the code too."""
    document = changed(json.loads(event_of().as_json()), path, value)
    with pytest.raises((ValidationError, KeyError)):
        checked(document)
    with pytest.raises(EventInvalidError):
        parse_event(json.dumps(document))

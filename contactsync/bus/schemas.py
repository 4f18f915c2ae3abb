"""The JSON Schemas of the bus: the envelope, and the data of every event type.

`python -m contactsync.bus.schemas DIRECTORY` writes them; docs/schemas holds those of this version.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from contactsync.bus.envelope import CLAIM_PARTS, Event
from contactsync.bus.events import EVENT_TYPES

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
ENVELOPE: Final = "envelope"


def schemas() -> dict[str, dict[str, Any]]:
    """Return the schemas by file name."""
    schemas = {ENVELOPE: _envelope(), **{name: _data(name) for name in EVENT_TYPES}}
    return {f"{name}.json": schema for name, schema in schemas.items()}


def written(schema: Mapping[str, Any]) -> str:
    """Return a schema as the text of its file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def write(directory: Path) -> None:
    """Write every schema, and remove those of types that no longer exist."""
    directory.mkdir(parents=True, exist_ok=True)
    made = schemas()
    for path in directory.glob("*.json"):
        if path.name not in made:
            path.unlink()
    for name, schema in made.items():
        (directory / name).write_text(written(schema), encoding="utf-8")


def _envelope() -> dict[str, Any]:
    """Return the schema of a message; the schema of `data` is that of the event's type."""
    schema = Event.model_json_schema()
    properties = schema["properties"]
    properties["data"] = {"type": "object", "description": "As the schema that `type` names; absent with `dataref`."}
    properties["dataref"] = {"type": "string", "description": "Where the data is when it does not fit into a message."}
    properties["datasha256"] = {
        "type": "string",
        "pattern": "^[0-9a-f]{64}$",
        "maxLength": 64,
        "description": "The SHA-256 of what is there.",
    }
    properties["datasize"] = {"type": "integer", "minimum": 1, "description": "How many bytes are there."}
    definitions = {name: part for name, part in schema.get("$defs", {}).items() if name != "EventData"}
    one_of = [
        {"required": ["data"], "properties": dict.fromkeys(CLAIM_PARTS, False)},
        {"required": list(CLAIM_PARTS), "properties": {"data": False}},
    ]
    return {"$schema": DIALECT, **schema, "$defs": definitions, "oneOf": one_of}


def _data(name: str) -> dict[str, Any]:
    model = EVENT_TYPES[name]
    return {"$schema": DIALECT, "$id": name, **model.model_json_schema(mode="serialization")}


if __name__ == "__main__":
    write(Path(sys.argv[1]))

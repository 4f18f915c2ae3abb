"""The change of a contact that starts a run, declared once.

The trigger function makes it from an event, Airflow validates and shows it as a param, and the plan reads it from
there. Standard library only: the trigger function and DAG files import this module.
"""

from collections.abc import Callable
from dataclasses import MISSING, asdict, dataclass, fields
from types import NoneType
from typing import Annotated, Any, Final, get_args, get_type_hints

from contactsync.intake.principal import short_name
from contactsync.limits import PRINCIPAL_LETTERS
from contactsync.plain_text import markdown_name

ACTIONS: Final = {"PutContactInformation": "put", "PutAlternateContact": "put", "DeleteAlternateContact": "delete"}
ALTERNATE_TYPES: Final = {"BILLING": "billing", "OPERATIONS": "operations", "SECURITY": "security"}
PRIMARY: Final = "primary"
CONTACT_TYPES: Final = (PRIMARY, *ALTERNATE_TYPES.values())

ANY_ALTERNATE: Final = "alternate"
"""The contact type of a change for which CloudTrail does not say which of the three alternate contacts it is about."""

TEXT_LIMIT: Final = 512
"""Characters of a text at most."""
ACCOUNT_ID: Final = "[0-9]{12}"

END: Final = r"$(?!\n)"
"""The end of a text.

Airflow searches with Python's `re`, whose `$` also matches before a last line feed, and its form with JavaScript's,
which has no `\\Z`.
"""

_NOTE_LIMIT: Final = 200
"""Characters of a run's note at most."""


@dataclass(frozen=True)
class Text:
    """A text of limited length, or of certain characters; declared for pydantic and in JSON Schema."""

    max_length: int | None = None
    """Number of characters at most."""
    letters: str | None = None
    """A regular expression for the whole text."""

    def json_schema(self) -> dict[str, Any]:
        """Return the part of a param's JSON schema for this text."""
        pattern = self.letters and f"^{self.letters}{END}"
        return _without_none({"type": "string", "maxLength": self.max_length, "pattern": pattern})

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:  # noqa: ANN401 -- pydantic's own types, which are not loaded here, and its name
        """Return pydantic's schema of this text; pydantic calls this."""
        pattern = self.letters and f"^{self.letters}$"
        return {**handler(source), **_without_none({"max_length": self.max_length, "pattern": pattern})}


@dataclass(frozen=True)
class OneOf:
    """A text that is one of the given words."""

    words: tuple[str, ...]

    def json_schema(self) -> dict[str, Any]:
        """Return the part of a param's JSON schema for these words."""
        return {"type": "string", "enum": list(self.words)}

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:  # noqa: ANN401 -- types of pydantic
        """Return pydantic's schema of these words; pydantic calls this."""
        return {"type": "literal", "expected": list(self.words)}


ShortText = Annotated[str, Text(max_length=TEXT_LIMIT)]


@dataclass(frozen=True)
class ContactChange:
    """A recorded put or delete of a contact of the management account; it holds no contact value."""

    event_id: ShortText
    event_time: ShortText
    event_name: Annotated[str, OneOf(tuple(ACTIONS))]
    contact_type: Annotated[str, OneOf((*CONTACT_TYPES, ANY_ALTERNATE))]
    action: Annotated[str, OneOf(("put", "delete"))]
    initiating_user: Annotated[str, Text(letters=PRINCIPAL_LETTERS)]
    source_account: Annotated[str, Text(letters=ACCOUNT_ID)]
    source_ip_address: ShortText | None = None
    user_agent: ShortText | None = None

    def as_conf(self) -> dict[str, str | None]:
        """Return the object for the param `change` of a DAG run."""
        return asdict(self)

    @property
    def note(self) -> str:
        """A note about the change for Airflow's lists of runs, without characters that Markdown gives a meaning."""
        who = markdown_name(short_name(self.initiating_user).strip("_"))
        return f"{self.contact_type} {self.action} by {who}"[:_NOTE_LIMIT]


def change_schema() -> dict[str, Any]:
    """Return the JSON schema of the param `change`, which is null in a run that a person starts."""
    hints = get_type_hints(ContactChange, include_extras=True)
    return {
        "type": ["object", "null"],
        "additionalProperties": False,
        "required": [field.name for field in fields(ContactChange) if field.default is MISSING],
        "properties": {name: _schema_of(hint) for name, hint in hints.items()},
    }


def _schema_of(hint: Any) -> dict[str, Any]:  # noqa: ANN401 -- any annotation
    parts = get_args(hint)
    if NoneType not in parts:
        form: Text | OneOf = parts[1]
        return form.json_schema()
    schema = _schema_of(parts[0])
    return {**schema, "type": [schema["type"], "null"]}


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}

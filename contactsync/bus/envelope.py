"""The envelope: a CloudEvents 1.0 event in its JSON format, as it travels on the bus.

Attributes are those of https://github.com/cloudevents/spec (1.0.2): the extension `dataref` is the specification's
claim check; `correlationid`, `severity` and `environment` are ours.
"""

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, ValidationError, model_validator
from pydantic.config import JsonDict

from contactsync.bus.events import EVENT_TYPES, IDS, EventData, Severity
from contactsync.bus.masking import MASK
from contactsync.bus.values import (
    CONTROL_PATTERN,
    UNSENDABLE,
    Clean,
    Count,
    Moment,
    has_control,
    json_value,
    without_control,
)
from contactsync.errors import EventInvalidError, EventTypeUnknownError

EVENT_ID_NAMESPACE: Final = uuid.UUID("5c1c8f0c-3a6d-5c0e-9d7e-6a2b1f0e4d11")
"""The namespace of event ids, which are UUIDv5: announcing the same thing again gives the same id."""

CLAIM_PARTS: Final = ("dataref", "datasha256", "datasize")
"""The attributes of an event whose data does not fit into a message and is kept elsewhere."""

MOST_PROBLEMS: Final = 20
"""Number of problems that are listed for one event; a stranger may send any number."""

E = TypeVar("E", bound=BaseModel)
_CLEAN: Final[JsonDict] = {"not": {"pattern": CONTROL_PATTERN}}
Name = Annotated[str, Field(min_length=1, max_length=256, json_schema_extra=_CLEAN), Clean]
CorrelationId = Annotated[str, Field(min_length=1, max_length=512, json_schema_extra=_CLEAN), Clean]
"""As long as the event id of a change and the correlation id of a run may be, in characters."""


class Announcement(BaseModel):
    """An event before it is published: what is known where it happens, without knowledge of the deployment."""

    model_config = ConfigDict(frozen=True)

    id: Name
    time: Moment
    subject: Name
    correlation_id: CorrelationId
    data: SerializeAsAny[EventData]

    def as_json(self) -> str:
        """Return the text that the outbox stores."""
        return json.dumps({**self.model_dump(mode="json", exclude_none=True), "type": self.data.event_type})


class Event(BaseModel):
    """A CloudEvents 1.0 event; extension attributes that are not known here are ignored."""

    model_config = ConfigDict(frozen=True)

    specversion: Literal["1.0"]
    id: Name
    source: Name
    type: Name
    time: Moment
    subject: Name
    datacontenttype: Literal["application/json"] = "application/json"
    correlationid: CorrelationId
    severity: Severity
    environment: Name
    dataref: Annotated[str, Field(min_length=1, max_length=2048), Clean] | None = None
    """Where the data is when it does not fit into a message; `data` is None then."""
    datasha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", max_length=64)] | None = None
    """The SHA-256 of the stored data: an object with another one is not this event's data."""
    datasize: Annotated[Count, Field(ge=1)] | None = None
    """Size of the stored data in bytes."""
    data: SerializeAsAny[EventData] | None = None

    @model_validator(mode="after")
    def _has_data(self) -> Self:
        absent = [getattr(self, name) is None for name in CLAIM_PARTS]
        if any(absent) if self.data is None else not all(absent):
            message = "either data must be there, or dataref with datasha256 and datasize"
            raise ValueError(message)
        return self

    def as_json(self) -> str:
        """Return the JSON format of CloudEvents; absent attributes are left out."""
        return json.dumps(self.model_dump(mode="json", exclude_none=True), separators=(",", ":"), ensure_ascii=False)


FIELDS: Final = frozenset(name for model in (Announcement, Event, *EVENT_TYPES.values()) for name in model.model_fields)
"""The names of all fields on the bus; any other key comes from a stranger, and may be a contact value."""


def source_of(environment: str) -> str:
    """Return the `source` of an environment's events."""
    return f"/contactsync/{environment}"


def announcement(data: EventData, *, about: str, subject: str, correlation_id: str, time: datetime) -> Announcement:
    """Return the announcement of something that `about` names uniquely: repeated, it has the same id.

    Raises EventInvalidError for what the envelope does not accept, such as an id that is too long.
    """
    event_id = str(uuid.uuid5(EVENT_ID_NAMESPACE, _paired(f"{data.event_type}#{about}")))
    try:
        return Announcement(
            id=event_id,
            time=time.astimezone(UTC),
            subject=without_control(subject),
            correlation_id=without_control(correlation_id),
            data=data.model_validate(_clean_ids(_paired(data.model_dump(exclude_unset=True)))),
        )
    except ValidationError as error:
        raise EventInvalidError(event_id=event_id, problems=problems_of(error)) from None


def parse_announcement(text: str) -> Announcement:
    """Read an announcement that the outbox stored; raises like parse_event."""
    fields = _clean_ids(_paired(_object(text)))
    data = fields.get("data")
    return _parsed(Announcement, {**fields, "data": _clean_ids(data)} if isinstance(data, dict) else fields)


def parse_event(text: str | bytes) -> Event:
    """Read an event.

    Raises EventTypeUnknownError for a type or version that is not known here, EventInvalidError for everything else
    that is not an event, and no other error.
    """
    fields = _object(text)
    _check_ids(fields)
    return _parsed(Event, _paired(fields))


def parse_data(event: Event, text: bytes) -> Event:
    """Return an event with the data of its claim check; raises like parse_event."""
    envelope = event.model_dump(mode="json", exclude_none=True, exclude=set(CLAIM_PARTS))
    fields = {**envelope, "data": _object(text)}
    _check_ids(fields)
    return _parsed(Event, _paired(fields))


def _parsed(model: type[E], fields: Mapping[str, Any]) -> E:
    event_id, event_type = fields.get("id"), fields.get("type")
    if not isinstance(event_type, str):
        raise EventInvalidError(event_id=_name(event_id), problems=["type: is missing or is not text"])
    data_model = EVENT_TYPES.get(event_type)
    if data_model is None:
        raise EventTypeUnknownError(event_id=_name(event_id), event_type=event_type[:256])
    try:
        data = fields.get("data")
        return model.model_validate({**fields, "data": None if data is None else data_model.model_validate(data)})
    except ValidationError as error:
        raise EventInvalidError(event_id=_name(event_id), problems=problems_of(error)) from None


def _object(text: str | bytes) -> Mapping[str, Any]:
    try:
        fields = json_value(text)
    except ValueError as error:
        raise EventInvalidError(event_id=None, problems=[str(error)]) from None
    if not isinstance(fields, dict):
        raise EventInvalidError(event_id=None, problems=["it is not an object"])
    return fields


def _check_ids(fields: Mapping[str, Any]) -> None:
    """Refuse ids with control characters or unpaired surrogates: if they were replaced, two ids could become equal."""
    data = fields.get("data")
    places = [("", fields, Event.model_fields), ("data.", data if isinstance(data, dict) else {}, IDS)]
    strange = [
        f"{place}{name}: has control characters"
        for place, part, names in places
        for name in sorted(names)
        if isinstance(value := part.get(name), str) and has_control(value)
    ]
    if strange:
        raise EventInvalidError(event_id=_name(fields.get("id")), problems=strange)


def _clean_ids(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return one of our own objects with such characters in its ids replaced, so that it can be published."""
    names = IDS | Announcement.model_fields.keys()
    return {
        name: without_control(value) if name in names and isinstance(value, str) else value
        for name, value in fields.items()
    }


def _paired(value: Any) -> Any:  # noqa: ANN401 -- any JSON value
    """Return a JSON value in which unpaired surrogates, and what queues refuse, are replaced; JSON can escape both."""
    if isinstance(value, str):
        return UNSENDABLE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_paired(name): _paired(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_paired(part) for part in value]
    return value


def _name(value: object) -> str | None:
    return without_control(value[:256]) if isinstance(value, str) else None


def problems_of(error: ValidationError) -> list[str]:
    """Return the fields and what is wrong with them, without their values and without unknown keys."""
    problems = error.errors(include_input=False, include_url=False, include_context=False)
    shown = [f"{_place(problem['loc'])}: {problem['msg']}" for problem in problems[:MOST_PROBLEMS]]
    more = len(problems) - len(shown)
    return [*shown, f"and {more} more"] if more else shown


def _place(location: tuple[int | str, ...]) -> str:
    parts = (str(part) if isinstance(part, int) or part in FIELDS else MASK for part in location)
    return ".".join(parts) or "event"

"""What the values of events may be, at every door: times, ids, numbers, and JSON itself."""

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from contactsync.bus.envelope import announcement, parse_announcement, parse_event
from contactsync.bus.events import EVENT_TYPES, IDS, AccountFailed, ConfigurationChanged, EventData, NoticeRequested
from contactsync.bus.values import DEEPEST, EARLIEST, LATEST, Moment, has_control, is_shallow, json_value
from contactsync.errors import EventInvalidError, EventTypeUnknownError
from tests.support.events import data_of, event_of
from tests.support.fakes.surroundings import START
from tests.support.recorded import changed

MOMENT: TypeAdapter[datetime] = TypeAdapter(Moment)


def nested(levels: int, *, objects: bool = False) -> str:
    """Return JSON of so many levels."""
    return '{"a":' * levels + "1" + "}" * levels if objects else "[" * levels + "]" * levels


@pytest.mark.parametrize(
    "text",
    [
        "0999-01-01T00:00:00Z",
        "999-01-01T00:00:00Z",
        "1999-12-31T23:59:59.999999Z",
        "2100-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "10000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "2026-01-01T00:00:00",
        "2026-12-31T23:59:60Z",
        "2026-02-30T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:00Z",
        "2026-01-01",
        "20260101T000000Z",
        "2026-W01-1T00:00:00Z",
        "1767225600",
        "\u0662026-01-01T00:00:00Z",
        "2026-01-01T00:00:00Z\n",
        "yesterday",
        "",
        1767225600,
        1767225600.5,
        True,
        None,
        [],
        {},
        EARLIEST.replace(tzinfo=None),
        EARLIEST - timedelta(microseconds=1),
        LATEST,
    ],
)
def test_impossible_times(text: object) -> None:
    """A time without zone, of another form, no time at all, or outside of the stated range is refused."""
    with pytest.raises(ValidationError):
        MOMENT.validate_python(text)


@pytest.mark.parametrize(
    "text",
    [
        "2000-01-01T00:00:00Z",
        "2026-01-31T09:00:00.123456789Z",
        "2026-01-31t09:00:00z",
        "2026-01-31T09:00:00+14:00",
        "2099-12-31T23:59:59.999999Z",
    ],
)
def test_times(text: str) -> None:
    """RFC 3339 within the range is a time."""
    assert EARLIEST <= MOMENT.validate_python(text) < LATEST


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=14)), timezone(-timedelta(hours=14))])))
def test_any_time(moment: datetime) -> None:
    """Property: whatever the time, it is accepted exactly when it lies in the range, and nothing else is raised."""
    accepted = False
    with suppress(ValidationError):
        MOMENT.validate_python(moment.isoformat())
        accepted = True
    assert accepted == (EARLIEST <= moment < LATEST)


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        '{"a": Infinity}',
        "[-Infinity]",
        "1e999",
        "-1e999",
        "1" * 5000,
        '{"a": 1, "a": 2}',
        '{"b": {"a": 1, "a": 1}}',
        nested(DEEPEST + 1),
        nested(DEEPEST + 1, objects=True),
        nested(100_000),
        "",
        "'a'",
        "{",
        "\ufeff{}",
        b"\xff\xfe\xff",
        '"\x00"',
    ],
)
def test_no_json(text: str | bytes) -> None:
    """What readers of JSON disagree about, or fail on, is refused in one sentence without a value of it."""
    with pytest.raises(ValueError, match=r"^it "):
        json_value(text)


@pytest.mark.parametrize("text", ["{}", "[]", "1.5", "9007199254740993", '"\\ud800"', nested(DEEPEST)])
def test_json(text: str) -> None:
    """Everything else is JSON."""
    json_value(text)


def test_depth_of_values() -> None:
    """Depth is counted without recursion, also in what is no JSON."""
    value: list[object] = []
    for _ in range(100_000):
        value = [value]
    assert not is_shallow(value)
    while value:  # taken apart, since freeing it at once recurses
        value = value.pop()  # type: ignore[assignment]
    assert is_shallow(({"a": [1]}, 2))


NUMBERS = (-1, 2**53, 1.5, True, "3", None, [3])


@pytest.mark.parametrize("value", NUMBERS)
@pytest.mark.parametrize(
    ("kind", "path"), [(AccountFailed, "data.retry_count"), (ConfigurationChanged, "data.version")]
)
def test_impossible_numbers(kind: type[EventData], path: str, value: object) -> None:
    """A number of another type, or beyond what JSON's readers agree about, is refused."""
    document = changed(json.loads(event_of(kind).as_json()), path, value)
    with pytest.raises(EventInvalidError, match=path.removeprefix("data.")):
        parse_event(json.dumps(document))


@pytest.mark.parametrize("character", ["\x00", "\n", "\x7f", "\x85", "\u2028", "\u202e", "\u2066", "\ud800", "\uffff"])
@pytest.mark.parametrize("name", ["id", "source", "subject", "correlationid", "environment", "data.sync_id"])
def test_impossible_ids(name: str, character: str) -> None:
    """An id with a control character, or half of a surrogate pair, is refused: replaced it would be another's."""
    document = changed(json.loads(event_of().as_json()), name, f"a{character}b")
    with pytest.raises(EventInvalidError, match=f"{name}: has control characters") as caught:
        parse_event(json.dumps(document))
    assert not has_control(str(caught.value))


@pytest.mark.parametrize("name", ["José Müller", "山田\u3000太郎", "a\u00a0b", "\U0001f600", "a/b@c:d+e~f", "x" * 256])
def test_ids_of_others(name: str) -> None:
    """Whatever else somebody calls a thing is accepted as it is."""
    document = changed(json.loads(event_of().as_json()), "correlationid", name)
    assert parse_event(json.dumps(document)).correlationid == name


def test_own_ids() -> None:
    """A control character in an id of our own is replaced when it is announced, so that no event is left behind."""
    data = data_of(NoticeRequested, dag_run_id="a\x07b", message="one\ntwo")
    made = announcement(data, about="a", subject="s\n", correlation_id="c\x00", time=START)
    found = parse_announcement(made.as_json())
    assert (found.subject, found.correlation_id) == ("s\ufffd", "c\ufffd")
    assert (getattr(found.data, "dag_run_id"), getattr(found.data, "message")) == ("a\ufffdb", "one\ntwo")  # noqa: B009 -- the base class has neither
    stored = json.loads(made.as_json())
    stored["data"]["dag_run_id"] = "a\x07b"
    assert parse_announcement(json.dumps(stored)) == found


def test_ids_are_fields() -> None:
    """What counts as an id is a field of some event."""
    assert set().union(*(model.model_fields for model in EVENT_TYPES.values())) >= IDS


JUNK: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.datetimes().map(str),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
PLACES = ("id", "type", "time", "subject", "data", "data.sync_id", "data.retry_count", "data.detail", "dataref", "new")


@given(st.sampled_from(PLACES), JUNK)
def test_any_value_anywhere(place: str, value: object) -> None:
    """Property: whatever stands anywhere in an event, it is an event that can be written again, or our error."""
    document = changed(json.loads(event_of().as_json()), place, value)
    with suppress(EventInvalidError, EventTypeUnknownError):
        event = parse_event(json.dumps(document))
        assert parse_event(event.as_json().encode()) == event

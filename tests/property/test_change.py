"""Parsing events, whatever they hold."""

import copy
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from contactsync.errors import ChangeRefusedError
from contactsync.intake.change import RefusalReason, changes_in
from contactsync.intake.contact_change import ContactChange
from tests.support.recorded import MANAGEMENT_ACCOUNT, NAMES, in_sns, in_sns_in_sqs, in_sqs, recorded
from tests.support.strategies import json_values


def paths(value: Any, prefix: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """List every place in a JSON value."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [prefix, *(path for key, child in children for path in paths(child, (*prefix, key)))]


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """Give a recorded event in which some places were replaced, removed or added."""
    event: Any = recorded(draw(st.sampled_from(NAMES)))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(paths(event)))
        if not path:
            continue
        place = event
        for key in path[:-1]:
            place = place[key]
        if draw(st.booleans()):
            place[path[-1]] = draw(json_values)
        else:
            del place[path[-1]]
        if isinstance(place, dict):
            place.update(draw(st.dictionaries(st.sampled_from(["accountId", "errorCode"]), json_values, max_size=1)))
    return event


def found_in(payload: object) -> list[ContactChange | ChangeRefusedError]:
    """Read a payload."""
    return list(changes_in(payload, MANAGEMENT_ACCOUNT))


def check(found: list[ContactChange | ChangeRefusedError]) -> None:
    """Assert that only our own values came out."""
    for item in found:
        if isinstance(item, ChangeRefusedError):
            assert item.reason in set(RefusalReason)
        else:
            assert all(value is None or len(value) <= 512 for value in item.as_conf().values())


@given(json_values)
def test_any_json(payload: Any) -> None:
    """Reading any JSON whatever gives changes and refusals and raises nothing."""
    check(found_in(payload))


@given(
    st.lists(json_values | json_values.map(json.dumps), min_size=1, max_size=4),
    st.sampled_from(["body", "Sns", "other"]),
)
def test_any_records(bodies: list[Any], key: str) -> None:
    """Reading records with any body raises nothing, and each record gives one answer."""
    records = [{key: {"Message": body} if key == "Sns" else body} for body in bodies]
    found = found_in({"Records": records})
    check(found)
    assert len(found) == len(records)


@given(mutated(), st.sampled_from([lambda event: event, in_sqs, in_sns, in_sns_in_sqs]))
def test_mutations(event: Any, wrap: Any) -> None:
    """A recorded event with any damage raises nothing but our own error."""
    check(found_in(wrap(event)))


@given(st.sampled_from(NAMES), st.data())
def test_no_contact_value(name: str, data: st.DataObject) -> None:
    """No contact value of an event appears in the change, its conf or the text of a refusal."""
    event = recorded(name)
    values = [f"~{word}~" for word in data.draw(st.lists(st.text("xyz", min_size=3), min_size=4, max_size=4))]
    parameters = event["detail"]["requestParameters"]
    fields = ["name", "title", "emailAddress", "phoneNumber"]
    camel = data.draw(st.booleans())
    parameters.update({key if camel else key[0].upper() + key[1:]: v for key, v in zip(fields, values, strict=True)})
    if data.draw(st.booleans()):
        event["detail"]["errorMessage"] = f"1 validation error detected: Value {values[0]} at name"
    if data.draw(st.booleans()):
        parameters[data.draw(st.sampled_from(["alternateContactType", "accountId"]))] = values[1]
    for item in found_in(event):
        text = f"{item!r} {item} " + (json.dumps(item.as_conf()) if isinstance(item, ContactChange) else item.message)
        assert not [value for value in values if value in text]


@given(mutated())
def test_input_unchanged(event: Any) -> None:
    """Reading an event leaves it as it was."""
    before = copy.deepcopy(event)
    check(found_in(event))
    assert repr(event) == repr(before)

"""Comparing and showing contacts, whatever they hold."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contactsync.contacts import (
    Contact,
    ContactType,
    PhoneComparison,
    changed_fields,
    contact_class,
    doubtful_fields,
)
from contactsync.fingerprints import (
    changed_fingerprints,
    field_fingerprints,
    fingerprint,
    is_fingerprint_of,
)
from tests.support.builders import KEY
from tests.support.strategies import contact_types, contacts, json_values, observed_contacts


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Contact | None, Contact | None]:
    """Give two contacts of one type, each may be absent, often equal or alike."""
    contact_type = draw(contact_types)
    one = draw(st.none() | observed_contacts(contact_type) | contacts(contact_type))
    if one is not None and draw(st.booleans()):
        field = draw(st.sampled_from([str(f.alias) for f in type(one).model_fields.values()]))
        return one, type(one).observed({**one.values(), field: draw(st.sampled_from(["", "x", " x ", "y"]))})
    return one, draw(st.none() | st.just(one) | observed_contacts(contact_type))


@given(pairs())
def test_symmetric(pair: tuple[Contact | None, Contact | None]) -> None:
    """Two contacts differ in the same fields whichever is desired."""
    assert changed_fields(*pair) == changed_fields(*reversed(pair))


@given(pairs())
def test_empty_when_equal(pair: tuple[Contact | None, Contact | None]) -> None:
    """No field has changed exactly when all values are equal."""
    one, other = ((contact.values() if contact else {}) for contact in pair)
    assert (changed_fields(*pair) == ()) == (one == other)


@given(contact_types.flatmap(lambda kind: st.tuples(contacts(kind), st.none() | observed_contacts(kind))))
def test_applied(pair: tuple[Contact, Contact | None]) -> None:
    """After the changed fields were applied nothing is left to change, whatever was there before."""
    desired, observed = pair
    found: dict[str, Any] = observed.values() if observed else {}
    for name in changed_fields(desired, observed):
        found.pop(name, None)
        if name in desired.values():
            found[name] = desired.values()[name]
    assert changed_fields(desired, type(desired).observed(found)) == ()


@given(contact_types, pairs())
def test_fingerprints(contact_type: ContactType, pair: tuple[Contact | None, Contact | None]) -> None:
    """Fingerprints are equal exactly for equal contacts, whole and field by field."""
    one, other = pair
    same = (one.values() if one else None) == (other.values() if other else None)
    assert (fingerprint(contact_type, one, KEY) == fingerprint(contact_type, other, KEY)) == same
    assert is_fingerprint_of(fingerprint(contact_type, one, KEY), contact_type, other, [KEY]) == same
    named = changed_fingerprints(field_fingerprints(contact_type, one, KEY), contact_type, other, [KEY])
    assert named == changed_fields(one, other, PhoneComparison.DIGITS)


@given(contact_types.flatmap(lambda kind: st.tuples(st.just(kind), contacts(kind))))
def test_round_trip(case: tuple[ContactType, Contact]) -> None:
    """A valid contact is still valid, and unchanged, after it was written to AWS and read back."""
    contact_type, contact = case
    assert doubtful_fields(contact_type, contact) == ()
    read_back = contact_class(contact_type).observed(contact.values())
    assert changed_fields(contact, read_back) == ()
    assert doubtful_fields(contact_type, read_back) == ()


@given(contact_types.flatmap(lambda kind: st.tuples(st.just(kind), observed_contacts(kind))))
def test_doubtful(case: tuple[ContactType, Contact]) -> None:
    """Looking at any contact raises nothing, names fields and holds no value."""
    contact_type, contact = case
    known = {str(field.alias) for field in contact_class(contact_type).model_fields.values()}
    assert {name.removesuffix(" (blank)") for name in doubtful_fields(contact_type, contact)} <= known


@given(contact_types.flatmap(observed_contacts))
def test_verbatim(contact: Contact) -> None:
    """What is written is what was read, and compares as equal to it."""
    copied = type(contact).observed(contact.verbatim())
    assert copied.verbatim() == contact.verbatim()
    assert changed_fields(copied, contact) == ()


@given(contact_types, st.data())
def test_no_value_shown(contact_type: ContactType, data: st.DataObject) -> None:
    """No repr, no text and no validation error shows a value, whatever type it has."""
    kind = contact_class(contact_type)
    names = [str(field.alias) for field in kind.model_fields.values()]
    marked = st.text("qxz0123456789", min_size=4).map(lambda text: f"~{text}~")
    values = data.draw(st.dictionaries(st.sampled_from(names), marked, min_size=1))
    noise = data.draw(st.dictionaries(st.sampled_from(names), json_values, max_size=2))
    observed = kind.observed(values)
    texts = [repr(observed), str(observed), f"{observed}"]
    try:
        kind.model_validate({**noise, **values})
    except ValidationError as error:
        texts += [str(error), repr(error)]
    assert not [value for value in values.values() for text in texts if value in text]

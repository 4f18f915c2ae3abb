"""Contacts: AWS's limits at their edges, normalisation, comparison, and silence about values."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from contactsync.contacts import (
    STATE_REQUIRED_COUNTRIES,
    AlternateContact,
    Contact,
    ContactType,
    PrimaryContact,
    changed_fields,
    contact_class,
    doubtful_fields,
)
from tests.support.builders import alternate, alternate_values, contact_of, primary, primary_values

PRIMARY_LIMITS = {
    "FullName": 50,
    "AddressLine1": 60,
    "AddressLine2": 60,
    "AddressLine3": 60,
    "City": 50,
    "StateOrRegion": 50,
    "DistrictOrCounty": 50,
    "PostalCode": 20,
    "PhoneNumber": 20,
    "CompanyName": 50,
    "WebsiteUrl": 256,
}
ALTERNATE_LIMITS = {"Name": 64, "Title": 50, "EmailAddress": 254, "PhoneNumber": 25}


def of_length(field: str, length: int) -> str:
    """Return text of a length that the field's pattern allows."""
    if field == "PhoneNumber":
        return "+" + "1" * (length - 1)
    return "a" * (length - 12) + "@example.com" if field == "EmailAddress" else "a" * length


@pytest.mark.parametrize(("field", "limit"), PRIMARY_LIMITS.items())
def test_primary_limits(field: str, limit: int) -> None:
    """Each field of the primary contact takes AWS's longest value and refuses one character more."""
    PrimaryContact.model_validate(primary_values(**{field: of_length(field, limit)}))
    with pytest.raises(ValidationError):
        PrimaryContact.model_validate(primary_values(**{field: of_length(field, limit + 1)}))


@pytest.mark.parametrize(("field", "limit"), ALTERNATE_LIMITS.items())
def test_alternate_limits(field: str, limit: int) -> None:
    """Each field of an alternate contact takes AWS's longest value and refuses one character more."""
    AlternateContact.model_validate(alternate_values(**{field: of_length(field, limit)}))
    with pytest.raises(ValidationError):
        AlternateContact.model_validate(alternate_values(**{field: of_length(field, limit + 1)}))


@pytest.mark.parametrize("field", ALTERNATE_LIMITS)
@pytest.mark.parametrize("value", [None, "", "  ", "\t\n"])
def test_alternate_required(field: str, value: str | None) -> None:
    """All four fields of an alternate contact are needed, and white space is no value."""
    with pytest.raises(ValidationError):
        AlternateContact.model_validate(alternate_values() | {field: value})


@pytest.mark.parametrize("field", ["FullName", "AddressLine1", "City", "PostalCode", "CountryCode", "PhoneNumber"])
@pytest.mark.parametrize("value", [None, "", "  "])
def test_primary_required(field: str, value: str | None) -> None:
    """The primary contact's six required fields are needed."""
    with pytest.raises(ValidationError):
        PrimaryContact.model_validate(primary_values() | {field: value})


@pytest.mark.parametrize("country", sorted(STATE_REQUIRED_COUNTRIES))
def test_state_required(country: str) -> None:
    """Seven countries need StateOrRegion."""
    PrimaryContact.model_validate(primary_values(CountryCode=country))
    with pytest.raises(ValidationError):
        PrimaryContact.model_validate(primary_values(CountryCode=country, StateOrRegion=None))


def test_state_optional() -> None:
    """Other countries do not."""
    assert primary(CountryCode="FR", StateOrRegion=None).state_or_region is None


@pytest.mark.parametrize("country", ["us", "U", "USA", "U1", "ÉÉ", "US\n\nX"])
def test_country_refused(country: str) -> None:
    """A country is two capital ASCII letters."""
    with pytest.raises(ValidationError):
        PrimaryContact.model_validate(primary_values(CountryCode=country))


@pytest.mark.parametrize(
    "email",
    [
        "wanda@example",
        "wanda.example.com",
        "o'hara@example.com",
        "a/b@example.com",
        "a%b@example.com",
        "wanda@exa mple.com",
        "wända@example.com",
        "wanda@exämple.com",
        "wanda@example.cöm",
        "٣@example.com",
        "a@b@example.com",
        "wanda@example.co-op",
        "wanda@example.com\nx",
    ],
)
def test_email_refused(email: str) -> None:
    """An address outside AWS's pattern, other scripts' letters included, is refused."""
    with pytest.raises(ValidationError):
        AlternateContact.model_validate(alternate_values(EmailAddress=email))


@pytest.mark.parametrize("email", ["a@b.c", "w+x=y.#|!&-@ex-ample.co.uk", "_@_._"])
def test_email_accepted(email: str) -> None:
    """What AWS's pattern allows is accepted, however odd."""
    assert alternate(EmailAddress=email).email_address == email


@pytest.mark.parametrize("phone", ["555 ext 1", "555.0134", "555/0134", "٠١٢٣", "०१२३", "abc", "#1"])
@pytest.mark.parametrize("build", [alternate, primary])
def test_phone_refused(build: Callable[..., Contact], phone: str) -> None:
    """Letters, dots and other scripts' digits make no phone number."""
    with pytest.raises(ValidationError):
        build(PhoneNumber=phone)


def test_primary_phone_needs_plus() -> None:
    """The primary phone starts with its country's code; an alternate one need not."""
    with pytest.raises(ValidationError):
        primary(PhoneNumber="2065550134")
    assert alternate(PhoneNumber="2065550134").phone_number == "2065550134"


@pytest.mark.parametrize("contact_type", ContactType)
def test_normalised(contact_type: ContactType) -> None:
    """Surrounding white space and empty optional fields make no difference."""
    plain = contact_of(contact_type).values()
    padded = {name: f" \t{value}\n" for name, value in plain.items()} | {"AddressLine3": "  ", "DistrictOrCounty": ""}
    assert changed_fields(contact_class(contact_type).model_validate(padded), contact_of(contact_type)) == ()
    assert changed_fields(contact_class(contact_type).observed(padded), contact_of(contact_type)) == ()


def test_values_by_aws_names() -> None:
    """A contact gives back what AWS takes: AWS's names, absent fields left out."""
    assert primary(AddressLine2=None).values() == primary_values(AddressLine2=None)
    assert alternate().values() == alternate_values()


def test_observed_takes_anything() -> None:
    """What an account has may break today's limits, and unknown fields of AWS's answer do not count."""
    observed = AlternateContact.observed(
        {"Name": "x" * 500, "PhoneNumber": "ext. 5", "AlternateContactType": "BILLING"}
    )
    assert observed.values() == {"Name": "x" * 500, "PhoneNumber": "ext. 5"}


def test_changed_fields() -> None:
    """Changed fields are named in AWS's words, sorted; those that only one side has count."""
    desired = primary(City="Elsewhere", AddressLine2=None)
    assert changed_fields(desired, primary()) == ("AddressLine2", "City")
    assert changed_fields(alternate(), None) == ("EmailAddress", "Name", "PhoneNumber", "Title")
    assert changed_fields(None, alternate()) == ("EmailAddress", "Name", "PhoneNumber", "Title")
    assert changed_fields(None, None) == ()


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        ({"PhoneNumber": "2065550134"}, ["PhoneNumber"]),
        ({"StateOrRegion": None}, ["StateOrRegion"]),
        ({"City": None, "FullName": "x" * 51}, ["City", "FullName"]),
    ],
)
def test_doubtful(values: dict[str, Any], fields: list[str]) -> None:
    """A contact outside the documented limits is seen, by the names of its fields alone."""
    contact = PrimaryContact.observed(primary_values(**values))
    assert list(doubtful_fields(ContactType.PRIMARY, contact)) == fields
    assert doubtful_fields(ContactType.PRIMARY, primary()) == ()


@pytest.mark.parametrize("title", [" ", "\u00a0", "\t "])
def test_blank(title: str) -> None:
    """A title of blanks is called so, and is written as it was read; it counts as absent in comparisons."""
    contact = AlternateContact.observed(alternate_values(Title=title, Name="  Wanda "))
    assert doubtful_fields(ContactType.SECURITY, contact) == ("Title (blank)",)
    assert contact.verbatim() == alternate_values(Title=title, Name="  Wanda ")
    assert changed_fields(contact, alternate(Name="Wanda")) == ("Title",)


def test_primary_is_trimmed() -> None:
    """AWS trims the primary contact and refuses a blank field, so neither is written."""
    contact = PrimaryContact.observed(primary_values(City=" Larkmouth ", AddressLine3="  "))
    assert contact.verbatim() == primary_values()


@pytest.mark.parametrize("contact_type", ContactType)
def test_silent(contact_type: ContactType) -> None:
    """A contact shows its class and none of its values, also inside others and in format strings."""
    contact = contact_of(contact_type)
    for text in (repr(contact), str(contact), f"{contact!r:>40}", repr([contact]), "%s" % contact):  # noqa: UP031 -- the way of logging
        assert not [value for value in contact.values().values() if value in text]


def test_frozen() -> None:
    """A contact cannot be changed."""
    with pytest.raises(ValidationError):
        alternate().name = "x"

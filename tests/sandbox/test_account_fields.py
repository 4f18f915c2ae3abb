"""The fields that the sandbox's account service accepts and refuses (FACTS.md 1.1)."""

from collections.abc import Iterator

import pytest

from contactsync.sandbox.account_rules import ContactType, contact_errors
from tests.sandbox.account_clients import CONTACT, EMPTY, INVALID, PRIMARY, Clients, refusal, running


@pytest.fixture(scope="module")
def clients() -> Iterator[Clients]:
    """Run one sandbox for all tests of the module."""
    with running() as shared:
        yield shared


@pytest.fixture
def member(clients: Clients) -> str:
    """Give the test a member account of its own."""
    return next(clients.members)


ALTERNATE_MISTAKES = [
    ("Name", "n" * 65),
    ("Name", ""),
    ("Name", None),
    ("Title", "t" * 51),
    ("Title", ""),
    ("EmailAddress", "a" * 243 + "@example.com"),
    ("EmailAddress", "nobody"),
    ("EmailAddress", "o'neill@example.com"),
    ("EmailAddress", "ümlaut@example.com"),
    ("EmailAddress", "a@example.co-op"),
    ("EmailAddress", "a@example.com\nb"),
    ("PhoneNumber", "+1 206 555 0199 ext 12"),
    ("PhoneNumber", "206.555.0199"),
    ("PhoneNumber", "1" * 26),
    ("PhoneNumber", "٢٠٦"),
    ("AlternateContactType", "PRIMARY"),
    ("AlternateContactType", "billing"),
    ("AlternateContactType", ""),
    ("AlternateContactType", None),
    ("AccountId", "12345678901"),
    ("AccountId", "1234567890123"),
    ("AccountId", "١٢٣٤٥٦٧٨٩٠١٢"),
    ("AccountId", ""),
]


@pytest.mark.parametrize(("field", "value"), ALTERNATE_MISTAKES)
def test_alternate_field_is_refused(clients: Clients, field: str, value: str | None) -> None:
    """A field that is missing, too long, empty or of the wrong form is named in the error, its value is not."""
    request = {"AccountId": EMPTY, "AlternateContactType": "BILLING", **CONTACT, field: value}
    request = {name: content for name, content in request.items() if content is not None}
    answer = refusal(clients.account().put_alternate_contact, **request)
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == INVALID
    assert answer["reason"] == "fieldValidationFailed"
    assert [entry["name"] for entry in answer["fieldList"]] == [field]
    assert not value or value not in answer["Error"]["Message"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Name", "n" * 64),
        ("Name", "Ünïcode Näme"),
        ("Title", "t" * 50),
        ("EmailAddress", "a" * 242 + "@example.com"),
        ("EmailAddress", " a+b=c.d#e|f!g&h-i_j@sub.example.com "),
        ("PhoneNumber", "1" * 25),
        ("PhoneNumber", "(206) 555-0199"),
    ],
)
def test_alternate_field_is_accepted(clients: Clients, member: str, field: str, value: str) -> None:
    """A field at its limit is kept to the letter."""
    account, contact = clients.account(), {"AccountId": member, "AlternateContactType": "BILLING"}
    account.put_alternate_contact(**contact, **{**CONTACT, field: value})
    assert account.get_alternate_contact(**contact)["AlternateContact"][field] == value


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("FullName", "n" * 51),
        ("FullName", None),
        ("AddressLine1", ""),
        ("AddressLine1", None),
        ("AddressLine2", ""),
        ("AddressLine3", "a" * 61),
        ("City", "c" * 51),
        ("City", None),
        ("StateOrRegion", None),
        ("StateOrRegion", "XX"),
        ("StateOrRegion", ""),
        ("StateOrRegion", "s" * 51),
        ("DistrictOrCounty", "d" * 51),
        ("PostalCode", "1" * 21),
        ("PostalCode", None),
        ("CountryCode", "USA"),
        ("CountryCode", "ZZ"),
        ("CountryCode", None),
        ("PhoneNumber", "2065550199"),
        ("PhoneNumber", "+1 206.555.0199"),
        ("PhoneNumber", "+" + "1" * 20),
        ("PhoneNumber", None),
        ("CompanyName", "c" * 51),
        ("WebsiteUrl", "w" * 257),
    ],
)
def test_primary_field_is_refused(clients: Clients, field: str, value: str | None) -> None:
    """A field of the primary contact that breaks a rule is named with its path."""
    information = {name: text for name, text in {**PRIMARY, field: value}.items() if text is not None}
    answer = refusal(clients.account().put_contact_information, AccountId=EMPTY, ContactInformation=information)
    assert (answer["Error"]["Code"], answer["reason"]) == ("ValidationException", "fieldValidationFailed")
    assert [entry["name"] for entry in answer["fieldList"]] == [f"ContactInformation.{field}"]


@pytest.mark.parametrize("country", ["US", "CA", "GB", "DE", "JP", "IN", "BR"])
def test_state_is_required_in_some_countries(country: str) -> None:
    """Seven countries need a state or region."""
    contact = {**PRIMARY, "CountryCode": country}
    del contact["StateOrRegion"]
    assert [error.name for error in contact_errors(ContactType.PRIMARY, contact)] == ["StateOrRegion"]


def test_state_is_optional_elsewhere(clients: Clients, member: str) -> None:
    """A contact in another country needs no state."""
    contact = {**PRIMARY, "CountryCode": "FR"}
    del contact["StateOrRegion"]
    clients.account().put_contact_information(AccountId=member, ContactInformation=contact)
    assert clients.account().get_contact_information(AccountId=member)["ContactInformation"] == contact


def test_all_wrong_fields_are_listed(clients: Clients) -> None:
    """The error lists every wrong field, not just the first."""
    wrong = {**CONTACT, "Name": "", "PhoneNumber": "none"}
    answer = refusal(clients.account().put_alternate_contact, AlternateContactType="BILLING", **wrong)
    assert [entry["name"] for entry in answer["fieldList"]] == ["Name", "PhoneNumber"]


def test_contact_information_is_required(clients: Clients) -> None:
    """A put of the primary contact without one is refused."""
    answer = refusal(clients.account().put_contact_information, AccountId=EMPTY)
    assert [entry["name"] for entry in answer["fieldList"]] == ["ContactInformation"]

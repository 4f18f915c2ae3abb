"""The fields that the sandbox's account service accepts and refuses, as documented, and as recorded from AWS."""

from collections.abc import Iterator

import pytest

from contactsync.sandbox.contacts.account_rules import ContactType, contact_errors
from contactsync.sandbox.scenario.scenario import AccountManagementSettings
from tests.sandbox.account_clients import (
    CONTACT,
    DENIED,
    EMPTY,
    INVALID,
    PRIMARY,
    Clients,
    code_and_status,
    refusal,
    running,
)

FURTHER = {
    "AddressLine2": "Back door",
    "AddressLine3": "Second floor",
    "DistrictOrCounty": "Essex",
    "CompanyName": "Example",
    "WebsiteUrl": "https://example.com",
}


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
    ("AlternateContactType", None),
    ("AccountId", "12345678901"),
    ("AccountId", "1234567890123"),
    ("AccountId", "١٢٣٤٥٦٧٨٩٠١٢"),
    ("AccountId", ""),
]


@pytest.mark.parametrize(("field", "value"), ALTERNATE_MISTAKES)
def test_alternate_field_is_refused(clients: Clients, field: str, value: str | None) -> None:
    """A field that is missing, too long, empty or of the wrong form is a ValidationException without a fieldList."""
    request = {"AccountId": EMPTY, "AlternateContactType": "BILLING", **CONTACT, field: value}
    request = {name: content for name, content in request.items() if content is not None}
    answer = refusal(clients.account().put_alternate_contact, **request)
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == INVALID
    assert not answer.keys() & {"fieldList", "reason"}
    assert (field if value is None else value) in answer["Error"]["Message"]


@pytest.mark.parametrize("operation", ["get_alternate_contact", "put_alternate_contact", "delete_alternate_contact"])
@pytest.mark.parametrize("contact_type", ["PRIMARY", "billing", "Billing", "OTHER", " BILLING", "BILLING\n", ""])
def test_unknown_contact_type_is_denied(clients: Clients, member: str, operation: str, contact_type: str) -> None:
    """A type that AWS does not have, to the letter, is refused by its authorization, whatever else is wrong."""
    contact = {**CONTACT, "EmailAddress": "nobody"} if operation.startswith("put") else {}
    call = getattr(clients.account(), operation)
    answer = refusal(call, AccountId=member, AlternateContactType=contact_type, **contact)
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == DENIED
    assert answer["Error"]["Message"].endswith("(You specified an invalid Alternate Contact type.)")
    assert answer["Error"]["Message"].startswith("User: arn:aws:iam::111122223333:user/")


def test_documented_shape_of_a_refusal(clients: Clients) -> None:
    """A scenario can have the documented reason and fieldList back; they hold no value."""
    before = clients.organization.account_rules
    clients.organization.account_rules = AccountManagementSettings(field_lists=True)
    try:
        wrong = {**CONTACT, "Name": "", "PhoneNumber": "none"}
        answer = refusal(clients.account().put_alternate_contact, AlternateContactType="BILLING", **wrong)
    finally:
        clients.organization.account_rules = before
    assert answer["reason"] == "fieldValidationFailed"
    assert [entry["name"] for entry in answer["fieldList"]] == ["Name", "PhoneNumber"]
    assert "none" not in str(answer["fieldList"])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Name", "n" * 64),
        ("Name", "Ünïcode Näme"),
        ("Title", "t" * 50),
        ("EmailAddress", "a" * 242 + "@example.com"),
        ("EmailAddress", "a+b=c.d#e|f!g&h-i_j@sub.example.com"),
        ("PhoneNumber", "1" * 25),
        ("PhoneNumber", "(206) 555-0199"),
        ("Name", "  Robin  Tester "),
        ("Name", " "),
        ("Title", "\tTester\u00a0"),
        ("PhoneNumber", " +1 206 555 0199\t"),
    ],
)
def test_alternate_field_is_accepted(clients: Clients, member: str, field: str, value: str) -> None:
    """A field at its limit is kept to the letter, also with blanks around it."""
    account, contact = clients.account(), {"AccountId": member, "AlternateContactType": "BILLING"}
    account.put_alternate_contact(**contact, **{**CONTACT, field: value})
    assert account.get_alternate_contact(**contact)["AlternateContact"][field] == value


@pytest.mark.parametrize("blanks", [" ", "  ", "\t", "\n", "\u00a0"])
def test_email_address_is_trimmed(clients: Clients, member: str, blanks: str) -> None:
    """Of an alternate contact the e-mail address is trimmed; its capitals are kept."""
    account, contact = clients.account(), {"AccountId": member, "AlternateContactType": "BILLING"}
    padded = f"{blanks}Robin@Example.com{blanks}"
    account.put_alternate_contact(**contact, **{**CONTACT, "EmailAddress": padded})
    assert account.get_alternate_contact(**contact)["AlternateContact"]["EmailAddress"] == "Robin@Example.com"


@pytest.mark.parametrize(
    "field", [name for name in {**PRIMARY, **FURTHER} if name not in ("PhoneNumber", "CountryCode")]
)
def test_primary_field_is_trimmed(clients: Clients, member: str, field: str) -> None:
    """Every field of the primary contact is trimmed; one of blanks only is refused in other words, and not stored."""
    account, full = clients.account(), {**PRIMARY, **FURTHER}
    padded = {**full, field: f"  {full[field]}\t"}
    account.put_contact_information(AccountId=member, ContactInformation=padded)
    assert account.get_contact_information(AccountId=member)["ContactInformation"] == full
    for blank in (" ", "\t\n "):
        wrong = {"AccountId": member, "ContactInformation": {**full, field: blank}}
        answer = refusal(account.put_contact_information, **wrong)
        assert answer["Error"]["Message"] == f"the argument {field} can not be empty"
        assert not answer.keys() & {"fieldList", "reason"}
    assert account.get_contact_information(AccountId=member)["ContactInformation"] == full


def test_primary_phone_number_is_trimmed_behind(clients: Clients, member: str) -> None:
    """Blanks behind the number go; before it they break the pattern, as a blank number does, and it is quoted."""
    account = clients.account()
    padded = {**PRIMARY, "PhoneNumber": "+19735550199  "}
    account.put_contact_information(AccountId=member, ContactInformation=padded)
    assert account.get_contact_information(AccountId=member)["ContactInformation"] == PRIMARY
    for number in (" +19735550199", " "):
        wrong = {"AccountId": member, "ContactInformation": {**PRIMARY, "PhoneNumber": number}}
        answer = refusal(account.put_contact_information, **wrong)
        pattern = r"^[+][\s0-9()-]+$"
        assert answer["Error"]["Message"] == f'[ECMA 262 regex "{pattern}" does not match input string "{number}"]'


@pytest.mark.parametrize("code", ["us", "Us", "uS"])
def test_country_code_is_put_in_capitals(clients: Clients, member: str, code: str) -> None:
    """A country code in small letters is taken and stored in capitals."""
    account = clients.account()
    account.put_contact_information(AccountId=member, ContactInformation={**PRIMARY, "CountryCode": code})
    assert account.get_contact_information(AccountId=member)["ContactInformation"] == PRIMARY


@pytest.mark.parametrize("state", ["DC", "pr", "Guam", "AE", "ap", "Armed Forces Americas", " Oregon "])
def test_two_letter_codes_of_the_us(clients: Clients, member: str, state: str) -> None:
    """States, the district, territories and the forces abroad all have a two-letter code of the postal service."""
    account = clients.account()
    account.put_contact_information(AccountId=member, ContactInformation={**PRIMARY, "StateOrRegion": state})
    stored = account.get_contact_information(AccountId=member)["ContactInformation"]
    assert stored["StateOrRegion"] == state.strip()


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
        ("StateOrRegion", "XX"),
        ("StateOrRegion", ""),
        ("StateOrRegion", "s" * 51),
        ("DistrictOrCounty", "d" * 51),
        ("PostalCode", "1" * 21),
        ("PostalCode", None),
        ("CountryCode", "USA"),
        ("CountryCode", "ZZ"),
        ("CountryCode", "XK"),
        ("CountryCode", "U"),
        ("CountryCode", "ß"),
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
    """A field of the primary contact that breaks a rule is refused without a fieldList."""
    information = {name: text for name, text in {**PRIMARY, field: value}.items() if text is not None}
    answer = refusal(clients.account().put_contact_information, AccountId=EMPTY, ContactInformation=information)
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == INVALID
    assert not answer.keys() & {"fieldList", "reason"}
    assert [error.name for error in contact_errors(ContactType.PRIMARY, information)] == [field]


@pytest.mark.parametrize("country", ["US", "CA", "GB", "DE", "JP", "IN", "BR"])
def test_state_is_required_where_a_scenario_says_so(country: str) -> None:
    """Seven countries need a state or region by the documentation, which a recording contradicts."""
    contact = {**PRIMARY, "CountryCode": country}
    del contact["StateOrRegion"]
    errors = contact_errors(ContactType.PRIMARY, contact, strict_states=True)
    assert [error.name for error in errors] == ["StateOrRegion"]
    assert contact_errors(ContactType.PRIMARY, contact) == []


def test_state_that_is_left_out_is_removed(clients: Clients, member: str) -> None:
    """A put without the state removes it, in the United States too; with `strict_states` it is refused."""
    account = clients.account()
    account.put_contact_information(AccountId=member, ContactInformation=PRIMARY)
    contact = {name: value for name, value in PRIMARY.items() if name != "StateOrRegion"}
    account.put_contact_information(AccountId=member, ContactInformation=contact)
    assert account.get_contact_information(AccountId=member)["ContactInformation"] == contact
    before = clients.organization.account_rules
    clients.organization.account_rules = AccountManagementSettings(strict_states=True)
    try:
        answer = code_and_status(account.put_contact_information, AccountId=member, ContactInformation=contact)
    finally:
        clients.organization.account_rules = before
    assert answer == INVALID


def test_state_is_optional_elsewhere(clients: Clients, member: str) -> None:
    """A contact in another country needs no state."""
    contact = {**PRIMARY, "CountryCode": "FR"}
    del contact["StateOrRegion"]
    clients.account().put_contact_information(AccountId=member, ContactInformation=contact)
    assert clients.account().get_contact_information(AccountId=member)["ContactInformation"] == contact


def test_all_wrong_fields_are_listed(clients: Clients) -> None:
    """The message has every field of a wrong form, not just the first."""
    wrong = {**CONTACT, "Name": "", "PhoneNumber": "none"}
    answer = refusal(clients.account().put_alternate_contact, AlternateContactType="BILLING", **wrong)
    message = answer["Error"]["Message"]
    assert message.startswith('[string "" is too short (length: 0, required minimum: 1),ECMA 262 regex')
    assert message.endswith('does not match input string "none"]')


def test_contact_information_is_required(clients: Clients) -> None:
    """A put of the primary contact without one is refused."""
    answer = refusal(clients.account().put_contact_information, AccountId=EMPTY)
    assert answer["Error"]["Message"] == '[object has missing required properties (["ContactInformation"])]'

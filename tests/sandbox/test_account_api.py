"""The contacts that the sandbox's account service keeps, as boto3 sees them (errors included)."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from contactsync.sandbox.contacts.account_rules import ContactType
from contactsync.sandbox.contacts.defaults import MANAGEMENT_CONTACTS, member_account_id, member_contact
from tests.sandbox.account_clients import (
    ABSENT,
    CONTACT,
    EMPTY,
    MEMBERS,
    PRIMARY,
    SAME,
    Clients,
    code_and_status,
    running,
)

TYPES = ("BILLING", "OPERATIONS", "SECURITY")


@pytest.fixture(scope="module")
def clients() -> Iterator[Clients]:
    """Run one sandbox for all tests of the module."""
    with running() as shared:
        yield shared


@pytest.fixture
def member(clients: Clients) -> str:
    """Give the test a member account of its own."""
    return next(clients.members)


@pytest.mark.parametrize("contact_type", TYPES)
def test_alternate_contact_is_answered_as_it_was_put(clients: Clients, member: str, contact_type: str) -> None:
    """Every alternate contact is read back as it was put, with its type."""
    account = clients.account()
    account.put_alternate_contact(AccountId=member, AlternateContactType=contact_type, **CONTACT)
    answer = account.get_alternate_contact(AccountId=member, AlternateContactType=contact_type)["AlternateContact"]
    assert answer == {**CONTACT, "AlternateContactType": contact_type}


def test_put_answers_with_an_empty_body(clients: Clients, member: str) -> None:
    """A put answers nothing at all."""
    body = {"AccountId": member, "AlternateContactType": "BILLING", **CONTACT}
    answer = clients.raw("putAlternateContact", json.dumps(body).encode())
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["x-amzn-RequestId"]


def test_put_touches_no_other_contact(clients: Clients, member: str) -> None:
    """A put of one type leaves the other types and the other accounts as they were."""
    account = clients.account()
    account.put_alternate_contact(AccountId=member, AlternateContactType="SECURITY", **CONTACT)
    number = next(n for n in range(1, MEMBERS + 1) if member_account_id(n) == member)
    billing = account.get_alternate_contact(AccountId=member, AlternateContactType="BILLING")["AlternateContact"]
    assert billing["Name"] == member_contact(number, ContactType.BILLING)["Name"]
    own = account.get_alternate_contact(AlternateContactType="SECURITY")["AlternateContact"]
    assert own["Name"] == MANAGEMENT_CONTACTS[ContactType.SECURITY]["Name"]


def test_deleted_contact_is_not_found(clients: Clients, member: str) -> None:
    """The first delete succeeds; reads and a second delete answer 404."""
    account, contact = clients.account(), {"AccountId": member, "AlternateContactType": "OPERATIONS"}
    account.delete_alternate_contact(**contact)
    assert code_and_status(account.get_alternate_contact, **contact) == ABSENT
    assert code_and_status(account.delete_alternate_contact, **contact) == ABSENT


def test_absent_contact_can_be_put(clients: Clients) -> None:
    """An account without contacts answers 404 until one is put."""
    account, contact = clients.account(), {"AccountId": EMPTY, "AlternateContactType": "SECURITY"}
    assert code_and_status(account.get_alternate_contact, **contact) == ABSENT
    assert code_and_status(account.get_contact_information, AccountId=EMPTY) == ABSENT
    account.put_alternate_contact(**contact, **CONTACT)
    assert account.get_alternate_contact(**contact)["AlternateContact"]["Title"] == "Tester"


def test_contacts_can_be_the_same_as_the_management_accounts(clients: Clients) -> None:
    """A scenario can start a member with the management account's contacts."""
    account = clients.account()
    primary = account.get_contact_information(AccountId=SAME)["ContactInformation"]
    assert primary == account.get_contact_information()["ContactInformation"]
    security = account.get_alternate_contact(AccountId=SAME, AlternateContactType="SECURITY")["AlternateContact"]
    assert security == account.get_alternate_contact(AlternateContactType="SECURITY")["AlternateContact"]


def test_primary_contact_is_replaced_as_a_whole(clients: Clients, member: str) -> None:
    """An optional field that a put leaves out is gone, and no VerificationStatus is answered."""
    account = clients.account()
    full = {**PRIMARY, "CompanyName": "Example", "AddressLine2": "Back door", "WebsiteUrl": "https://example.com"}
    account.put_contact_information(AccountId=member, ContactInformation=full)
    assert account.get_contact_information(AccountId=member)["ContactInformation"] == full
    account.put_contact_information(AccountId=member, ContactInformation=PRIMARY)
    answer = account.get_contact_information(AccountId=member)
    assert answer["ContactInformation"] == PRIMARY
    assert answer.keys() == {"ContactInformation", "ResponseMetadata"}


@pytest.mark.parametrize(
    "body",
    [
        b"no json",
        b"[]",
        b'"text"',
        b'{"AccountId": 111122223333}',
        b'{"AlternateContactType": ["BILLING"]}',
        b'{"ContactInformation": "text"}',
        b'{"ContactInformation": {"City": 5}}',
        b"\xff\xfe\x00",
    ],
)
def test_body_of_another_shape_is_refused(clients: Clients, body: bytes) -> None:
    """A body that is no JSON object, or has members of wrong types, is a SerializationException."""
    answer = clients.raw("getAlternateContact", body)
    assert (answer.status_code, answer.headers["x-amzn-ErrorType"]) == (400, "SerializationException")


def test_empty_body_reads_the_own_primary_contact(clients: Clients) -> None:
    """No body is the same as an empty one."""
    assert clients.raw("getContactInformation", b"").json()["ContactInformation"]["City"] == "Seattle"


def test_unknown_operation_is_answered_in_json(clients: Clients) -> None:
    """An operation that the sandbox lacks is refused in a way that SDKs understand."""
    assert code_and_status(clients.account().list_regions) == ("UnknownOperationException", 404)


def test_created_account_has_the_management_accounts_address_only(clients: Clients) -> None:
    """An account that is created at run time has its own name, the address of then, and no alternate contacts."""
    account, organizations = clients.account(), clients.organizations()
    own = account.get_contact_information()["ContactInformation"]
    created = organizations.create_account(AccountName="late", Email="late@example.com")
    target = created["CreateAccountStatus"]["AccountId"]
    account.put_contact_information(ContactInformation={**own, "City": "Tacoma"})
    try:
        primary = account.get_contact_information(AccountId=target)["ContactInformation"]
    finally:
        account.put_contact_information(ContactInformation=own)
    assert primary == {**own, "FullName": "late"}
    get = {"AccountId": target, "AlternateContactType": "BILLING"}
    assert code_and_status(account.get_alternate_contact, **get) == ABSENT


def test_reads_can_lag_behind_writes(clients: Clients, member: str) -> None:
    """While reads are stale they answer what was there before the latest write, also after a delete."""
    account, contact = clients.account(), {"AccountId": member, "AlternateContactType": "BILLING"}
    before = account.get_alternate_contact(**contact)["AlternateContact"]
    store = clients.organization.contacts
    store.stale_seconds = 600
    try:
        account.put_alternate_contact(**contact, **CONTACT)
        assert account.get_alternate_contact(**contact)["AlternateContact"] == before
        account.delete_alternate_contact(**contact)
        assert account.get_alternate_contact(**contact)["AlternateContact"]["Name"] == "Robin Tester"
        assert code_and_status(account.delete_alternate_contact, **contact) == ABSENT
    finally:
        store.stale_seconds = 0
    assert code_and_status(account.get_alternate_contact, **contact) == ABSENT


def test_reads_of_one_account_can_lag(clients: Clients, member: str) -> None:
    """With a `stale_account` only its reads are stale."""
    account, contact = clients.account(), {"AccountId": member, "AlternateContactType": "BILLING"}
    store = clients.organization.contacts
    store.stale_seconds, store.stale_account = 600, clients.organization.management_account
    try:
        account.put_alternate_contact(**contact, **CONTACT)
        assert account.get_alternate_contact(**contact)["AlternateContact"]["Name"] == CONTACT["Name"]
        store.stale_account = member
        assert account.get_alternate_contact(**contact)["AlternateContact"]["Name"] != CONTACT["Name"]
    finally:
        store.stale_seconds, store.stale_account = 0, None


def test_concurrent_deletes_succeed_once(clients: Clients, member: str) -> None:
    """Of many deletes at the same time exactly one finds the contact."""
    account, contact = clients.account(), {"AccountId": member, "AlternateContactType": "SECURITY"}

    def delete(_: int) -> bool:
        try:
            account.delete_alternate_contact(**contact)
        except account.exceptions.ResourceNotFoundException:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(delete, range(16))) == 1

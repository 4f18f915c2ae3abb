"""Who may manage whose contacts in the sandbox."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from contactsync.sandbox.organization.account_access import AccessDeniedError, account_to_act_on
from tests.sandbox.account_clients import (
    ADMINISTRATOR,
    CONTACT,
    DENIED,
    EMPTY,
    INVALID,
    MANAGEMENT,
    OUTSIDER,
    PRIMARY,
    SUSPENDED,
    Clients,
    code_and_status,
    refusal,
    running,
)


@pytest.fixture(scope="module")
def clients() -> Iterator[Clients]:
    """Run one sandbox for all tests of the module."""
    with running() as shared:
        yield shared


@pytest.fixture
def member(clients: Clients) -> str:
    """Give the test a member account of its own."""
    return next(clients.members)


def test_management_account_must_not_name_itself(clients: Clients) -> None:
    """The management account's own id is refused in every operation, with the error's type in a header."""
    account = clients.account()
    assert code_and_status(account.get_contact_information, AccountId=MANAGEMENT) == DENIED
    for call in (account.get_alternate_contact, account.delete_alternate_contact):
        assert code_and_status(call, AccountId=MANAGEMENT, AlternateContactType="BILLING") == DENIED
    put = {"AccountId": MANAGEMENT, "AlternateContactType": "BILLING", **CONTACT}
    assert code_and_status(account.put_alternate_contact, **put) == DENIED
    primary = {"AccountId": MANAGEMENT, "ContactInformation": PRIMARY}
    answer = refusal(account.put_contact_information, **primary)
    assert answer["ResponseMetadata"]["HTTPHeaders"]["x-amzn-errortype"] == "AccessDeniedException"


def test_management_account_writes_its_own_contacts_standalone(clients: Clients) -> None:
    """Without an AccountId the management account reads and writes its own contacts."""
    account = clients.account()
    before = account.get_alternate_contact(AlternateContactType="OPERATIONS")["AlternateContact"]
    account.put_alternate_contact(AlternateContactType="OPERATIONS", **CONTACT)
    assert account.get_alternate_contact(AlternateContactType="OPERATIONS")["AlternateContact"]["Title"] == "Tester"
    account.put_alternate_contact(**before)


def test_delegated_administrator_manages_members_and_itself(clients: Clients, member: str) -> None:
    """A delegated administrator may name members and its own id."""
    account = clients.account(ADMINISTRATOR)
    for target in (member, ADMINISTRATOR):
        account.put_alternate_contact(AccountId=target, AlternateContactType="BILLING", **CONTACT)
        answer = account.get_alternate_contact(AccountId=target, AlternateContactType="BILLING")
        assert answer["AlternateContact"]["Title"] == "Tester"


def test_delegated_administrator_cannot_manage_the_management_account(clients: Clients) -> None:
    """A delegated administrator is refused the management account."""
    account = clients.account(ADMINISTRATOR)
    assert code_and_status(account.get_contact_information, AccountId=MANAGEMENT) == DENIED


def test_plain_member_cannot_name_any_account(clients: Clients, member: str) -> None:
    """A member may name neither another account nor itself."""
    account = clients.account(member)
    for target in (ADMINISTRATOR, MANAGEMENT, member):
        assert code_and_status(account.get_contact_information, AccountId=target) == DENIED


def test_member_manages_itself_standalone(clients: Clients, member: str) -> None:
    """A role in a member writes the member's contact, which the management account then reads."""
    clients.account(member).put_alternate_contact(AlternateContactType="SECURITY", **CONTACT)
    answer = clients.account().get_alternate_contact(AccountId=member, AlternateContactType="SECURITY")
    assert answer["AlternateContact"]["Name"] == "Robin Tester"


def test_outsider_is_refused(clients: Clients) -> None:
    """An account outside of the organization can be neither target nor caller of a call that names an account."""
    assert code_and_status(clients.account().get_contact_information, AccountId=OUTSIDER) == DENIED
    assert code_and_status(clients.account(OUTSIDER).get_contact_information, AccountId=EMPTY) == DENIED


def test_inactive_account_is_refused(clients: Clients, member: str) -> None:
    """Accounts in any state but ACTIVE are refused, from the management account and standalone (our guess)."""
    account = clients.account()
    assert code_and_status(account.get_contact_information, AccountId=SUSPENDED) == DENIED
    assert code_and_status(clients.account(SUSPENDED).get_contact_information) == DENIED
    for state in ("PENDING_CLOSURE", "CLOSED", "PENDING_ACTIVATION", "SUSPENDED"):
        clients.organization.set_state(member, state)
        put = {"AccountId": member, "AlternateContactType": "BILLING", **CONTACT}
        assert code_and_status(account.put_alternate_contact, **put) == DENIED
    clients.organization.set_state(member, "ACTIVE")
    assert account.get_contact_information(AccountId=member)["ContactInformation"]


def test_validation_comes_before_access(clients: Clients) -> None:
    """A wrong field in a call that would be refused anyway is a ValidationException."""
    contact = {**CONTACT, "PhoneNumber": "X"}
    put = clients.account().put_alternate_contact
    answer = code_and_status(put, AccountId=OUTSIDER, AlternateContactType="BILLING", **contact)
    assert answer == INVALID


def test_without_trusted_access_only_standalone_calls_work(clients: Clients, member: str) -> None:
    """Trusted access switches the organizations context on and off; standalone calls do not need it."""
    organizations, service = clients.organizations(), {"ServicePrincipal": "account.amazonaws.com"}
    organizations.disable_aws_service_access(**service)
    try:
        for caller in (MANAGEMENT, ADMINISTRATOR):
            assert code_and_status(clients.account(caller).get_contact_information, AccountId=member) == DENIED
        assert clients.account().get_contact_information()["ContactInformation"]
        assert clients.account(member).get_contact_information()["ContactInformation"]
    finally:
        organizations.enable_aws_service_access(**service)
    assert clients.account().get_contact_information(AccountId=member)["ContactInformation"]


def test_new_delegated_administrator_may_act_at_once(clients: Clients, member: str) -> None:
    """Delegation through organizations' API is what the account service goes by."""
    organizations = clients.organizations()
    delegation = {"AccountId": member, "ServicePrincipal": "account.amazonaws.com"}
    account = clients.account(member)
    assert code_and_status(account.get_contact_information, AccountId=ADMINISTRATOR) == DENIED
    organizations.register_delegated_administrator(**delegation)
    assert account.get_contact_information(AccountId=ADMINISTRATOR)["ContactInformation"]
    organizations.deregister_delegated_administrator(**delegation)
    assert code_and_status(account.get_contact_information, AccountId=ADMINISTRATOR) == DENIED


@dataclass(frozen=True)
class FakeDirectory:
    """An organization of the management account and one active member."""

    management_account: str = MANAGEMENT
    has_all_features: bool = True
    trusted_access: bool = True

    def is_delegated_administrator(self, account_id: str) -> bool:
        """Know no delegated administrator."""
        return not account_id

    def state_of(self, account_id: str) -> str | None:
        """Know two accounts."""
        return "ACTIVE" if account_id in (MANAGEMENT, EMPTY) else None


def test_organizations_context_needs_all_features() -> None:
    """An organization for consolidated billing only has no organizations context."""
    assert account_to_act_on(FakeDirectory(), MANAGEMENT, EMPTY) == EMPTY
    billing_only = FakeDirectory(has_all_features=False)
    with pytest.raises(AccessDeniedError, match="all features"):
        account_to_act_on(billing_only, MANAGEMENT, EMPTY)
    assert account_to_act_on(billing_only, MANAGEMENT, None) == MANAGEMENT


def test_account_outside_manages_itself_standalone() -> None:
    """An account without an organization has contacts of its own."""
    assert account_to_act_on(FakeDirectory(), OUTSIDER, None) == OUTSIDER

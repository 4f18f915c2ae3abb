"""The port AccountContacts: the fake and the Account Management adapter behave alike."""

import traceback
from dataclasses import dataclass
from functools import partial

import pytest

from contactsync.aws.account_contacts import AccountManagementContacts
from contactsync.configuration.schema import Configuration
from contactsync.contacts import Contact, ContactType, changed_fields, doubtful_fields
from contactsync.errors import (
    AccessDeniedError,
    AccountsFailedError,
    AwsCallError,
    RequestInvalidError,
    ServiceUnavailableError,
    ThrottledError,
    UnexpectedAwsError,
)
from contactsync.operations.operation import OutcomeDetail, OutcomeStatus
from contactsync.sandbox.contacts.defaults import member_account_id
from contactsync.sandbox.requests.faults import FaultSettings
from contactsync.sandbox.scenario.scenario import AccountManagementSettings
from contactsync.sync.ports import AccountContacts
from tests.contract.conftest import Adapters
from tests.support.builders import alternate, contact_of, primary, request
from tests.support.fakes.surroundings import FakeAccountContacts

SECURITY = ContactType.SECURITY
WITHOUT, MEMBER = (member_account_id(number) for number in (1, 2))


@dataclass
class Place:
    """The port, and whether it is the real one."""

    contacts: AccountContacts
    adapters: Adapters | None = None


@pytest.fixture(params=["fake", "sandbox"])
def place(request: pytest.FixtureRequest) -> Place:
    """Give the fake, then the adapter; members have contacts, one has no security contact."""
    if request.param == "sandbox":
        adapters: Adapters = request.getfixturevalue("adapters")
        return Place(adapters.services.steps.account_sync.contacts, adapters)
    stored: dict[tuple[str | None, ContactType], Contact] = {
        (account_id, kind): contact_of(kind) for kind in ContactType for account_id in (None, WITHOUT, MEMBER)
    }
    del stored[WITHOUT, SECURITY]
    return Place(FakeAccountContacts(stored))


@pytest.mark.parametrize("contact_type", ContactType)
def test_own(place: Place, contact_type: ContactType) -> None:
    """The management account's own contacts are read, and are valid."""
    contact = place.contacts.read(contact_type, None)
    assert contact is not None
    assert doubtful_fields(contact_type, contact) == ()


def test_absent(place: Place) -> None:
    """A contact that an account does not have is None, not an error."""
    assert place.contacts.read(SECURITY, WITHOUT) is None


@pytest.mark.parametrize("contact_type", ContactType)
def test_written(place: Place, contact_type: ContactType) -> None:
    """What is written is read back equal, and replaces the whole contact."""
    full = contact_of(contact_type)
    place.contacts.write(contact_type, MEMBER, full)
    assert changed_fields(full, place.contacts.read(contact_type, MEMBER)) == ()
    smaller = primary(AddressLine2=None, CompanyName=None) if contact_type is ContactType.PRIMARY else full
    place.contacts.write(contact_type, MEMBER, smaller)
    found = place.contacts.read(contact_type, MEMBER)
    assert found is not None
    assert found.values() == smaller.values()


def test_unicode(place: Place) -> None:
    """Names in any script survive."""
    contact = alternate(Name="Žofie 山田 ✓", Title="Ünïcode")
    place.contacts.write(SECURITY, MEMBER, contact)
    assert changed_fields(contact, place.contacts.read(SECURITY, MEMBER)) == ()


def test_deleted(place: Place) -> None:
    """A deleted contact is absent, and deleting it again is as good."""
    place.contacts.write(SECURITY, MEMBER, alternate())
    for _ in range(2):
        place.contacts.delete(SECURITY, MEMBER)
        assert place.contacts.read(SECURITY, MEMBER) is None


def test_management_account_by_id(adapters: Adapters) -> None:
    """AWS forbids the management account to name itself, and that is a permission error."""
    with pytest.raises(AccessDeniedError):
        adapters.services.steps.account_sync.contacts.read(SECURITY, adapters.sandbox.management_account)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("AccessDeniedException", AccessDeniedError),
        ("TooManyRequestsException", ThrottledError),
        ("InternalServerException", ServiceUnavailableError),
        ("ConnectionDropped", ServiceUnavailableError),
        ("ValidationException", RequestInvalidError),
        ("SomethingNewException", UnexpectedAwsError),
    ],
)
@pytest.mark.parametrize("method", ["read", "write", "delete"])
def test_errors(adapters: Adapters, code: str, kind: type[AwsCallError], method: str) -> None:
    """Each error of AWS is ours after one single call, names the account, and never means absent."""
    contacts = adapters.services.steps.account_sync.contacts
    operation = {"read": "Get", "write": "Put", "delete": "Delete"}[method] + "AlternateContact"
    faults = adapters.sandbox.conditions.faults
    added = faults.add(FaultSettings(operation=operation, account=MEMBER, error=code))
    calls = len(adapters.sandbox.call_log.query(operation=operation))
    arguments = (SECURITY, MEMBER, alternate()) if method == "write" else (SECURITY, MEMBER)
    try:
        with pytest.raises(AwsCallError) as caught:
            getattr(contacts, method)(*arguments)
    finally:
        faults.remove(added.id)
    assert type(caught.value) is kind
    assert MEMBER in str(caught.value)
    assert len(adapters.sandbox.call_log.query(operation=operation)) == calls + 1


@pytest.mark.parametrize("field_lists", [True, False], ids=["documented", "recorded"])
def test_invalid_names_fields(adapters: Adapters, field_lists: bool) -> None:  # noqa: FBT001 - pytest hands it over
    """A contact that AWS refuses is named by the fields that AWS names, without values, though AWS quotes them."""
    broken = type(alternate()).observed({**alternate().values(), "PhoneNumber": "call me maybe"})
    organization = adapters.sandbox.organization
    organization.account_rules = AccountManagementSettings(field_lists=field_lists)
    with pytest.raises(RequestInvalidError) as caught:
        adapters.services.steps.account_sync.contacts.write(SECURITY, MEMBER, broken)
    organization.account_rules = AccountManagementSettings()
    refused = adapters.sandbox.call_log.query(error="ValidationException")[-1]
    assert "call me" in str(refused.error_message)
    assert [field.lower() for field in caught.value.fields] == (["phonenumber"] if field_lists else [])
    assert "call me" not in f"{caught.value!r} {caught.value}"
    assert "call me" not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("contact_type", [SECURITY, ContactType.PRIMARY])
def test_not_found_on_a_put(adapters: Adapters, contact_type: ContactType) -> None:
    """AWS does not document ResourceNotFoundException for a put, so it is unexpected, and never taken for absent."""
    faults = adapters.sandbox.conditions.faults
    operation = "PutContactInformation" if contact_type is ContactType.PRIMARY else "PutAlternateContact"
    added = faults.add(FaultSettings(operation=operation, account=MEMBER, error="ResourceNotFoundException"))
    try:
        with pytest.raises(UnexpectedAwsError) as caught:
            adapters.services.steps.account_sync.contacts.write(contact_type, MEMBER, contact_of(contact_type))
    finally:
        faults.remove(added.id)
    assert (caught.value.account_id, caught.value.api_operation) == (MEMBER, operation)
    assert caught.value.retryable
    assert caught.value.__suppress_context__


def test_not_found_on_a_put_is_recorded(adapters: Adapters) -> None:
    """The account's outcome says what the put was answered with."""
    services = adapters.services
    services.configurations.store(Configuration(contact_types=(SECURITY,)), after_version=0, changed_by="tests")
    services.steps.account_sync.contacts.write(SECURITY, MEMBER, alternate())
    run = "a put that finds nothing"
    services.steps.planner.plan(request(dag_run_id=run, accounts=[MEMBER]), map_limit=9)
    operation, settings = services.steps.account_sync.open(run)
    faults = adapters.sandbox.conditions.faults
    added = faults.add(FaultSettings(operation="PutAlternateContact", error="ResourceNotFoundException"))
    try:
        with pytest.raises(AccountsFailedError) as caught:
            services.steps.account_sync.sync(operation, settings, MEMBER, 1)
    finally:
        faults.remove(added.id)
    assert caught.value.retryable
    outcome = services.operations.outcomes_of(operation.sync_id, MEMBER)[SECURITY]
    assert (outcome.status, outcome.detail, outcome.error_code) == (
        OutcomeStatus.FAILED,
        OutcomeDetail.ERROR,
        "ResourceNotFoundException",
    )


@pytest.mark.parametrize("deletes", [False, True])
def test_sent_too_late(adapters: Adapters, deletes: bool) -> None:  # noqa: FBT001 -- a column of the table
    """A write whose credentials took too long to renew is not sent, and counts as answered: nothing is on its way."""
    client = adapters.services._clients.management("account", single_attempt=True)
    clock = iter(range(0, 1000, 10))
    contacts = AccountManagementContacts(client, send_within=9.0, monotonic=lambda: float(next(clock)))
    log = adapters.sandbox.call_log
    start = len(log.query(service="account"))
    call = (
        partial(contacts.delete, SECURITY, MEMBER)
        if deletes
        else partial(contacts.write, SECURITY, MEMBER, alternate())
    )
    with pytest.raises(ServiceUnavailableError) as late:
        call()
    assert (late.value.answered, late.value.code) == (True, "SentTooLate")
    assert len(log.query(service="account")) == start

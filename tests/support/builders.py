"""Things that tests need one of, with every part that a test does not care about filled in."""

from typing import Any, Final

from contactsync.accounts import Account, AccountState
from contactsync.configuration.schema import Configuration, parse_configuration
from contactsync.contacts import AlternateContact, Contact, ContactType, PrimaryContact
from contactsync.intake.request import RunRequest
from contactsync.operations.operation import OperationStatus, SyncOperation, TypePlan, sync_id_of
from tests.support.fakes.surroundings import START

MANAGEMENT_ACCOUNT: Final = "111122223333"
KEY: Final = b"7c38OcVnErH7+VfZ5ari+yt7pKuBAaiKY0W9Hv/4qdA="
RUN: Final = "5f0d5c0e-3a51-4b0e-9d3e-7c1a2b3c4d01"


def alternate_values(**changes: str | None) -> dict[str, Any]:
    """Return an alternate contact's values by AWS's names; None removes one."""
    values = {
        "Name": "Wanda Quillfeather",
        "Title": "Head of Security",
        "EmailAddress": "wanda.quillfeather@quagga.example",
        "PhoneNumber": "+1 (206) 555-0134",
    }
    return {name: value for name, value in {**values, **changes}.items() if value is not None}


def primary_values(**changes: str | None) -> dict[str, Any]:
    """Return a primary contact's values by AWS's names; None removes one."""
    values = {
        "FullName": "Wanda Quillfeather",
        "AddressLine1": "17 Osprey Wharf",
        "AddressLine2": "Floor 3",
        "City": "Larkmouth",
        "StateOrRegion": "WA",
        "PostalCode": "98109",
        "CountryCode": "US",
        "PhoneNumber": "+12065550134",
        "CompanyName": "Quagga Instruments",
        "WebsiteUrl": "https://quagga.example",
    }
    return {name: value for name, value in {**values, **changes}.items() if value is not None}


def alternate(**changes: str | None) -> AlternateContact:
    """Return a valid alternate contact."""
    return AlternateContact.model_validate(alternate_values(**changes))


def primary(**changes: str | None) -> PrimaryContact:
    """Return a valid primary contact."""
    return PrimaryContact.model_validate(primary_values(**changes))


def contact_of(contact_type: ContactType, **changes: str | None) -> Contact:
    """Return a valid contact of a type."""
    return primary(**changes) if contact_type is ContactType.PRIMARY else alternate(**changes)


def account(number: int, state: AccountState = AccountState.ACTIVE, name: str | None = None) -> Account:
    """Return the member account with a number."""
    return Account(f"{200000000000 + number:012}", name or f"member-{number}", state)


def members(count: int) -> list[Account]:
    """Return the management account and so many active members."""
    management = Account(MANAGEMENT_ACCOUNT, "management", AccountState.ACTIVE)
    return [management, *(account(number) for number in range(1, count + 1))]


def configuration(**settings: Any) -> Configuration:
    """Return a valid configuration."""
    return parse_configuration(settings)


def request(**parts: Any) -> RunRequest:
    """Return a run request; by hand, for everything, unless the test says otherwise."""
    return RunRequest.model_validate({"dag_run_id": RUN, "triggered_by": "airflow:admin", **parts})


def change_of(contact_type: str, **parts: Any) -> dict[str, Any]:
    """Return the `change` of a run's conf."""
    verb = "Delete" if parts.get("action") == "delete" else "Put"
    return {
        "event_id": RUN,
        "event_time": "2026-01-14T08:40:12Z",
        "event_name": "PutContactInformation" if contact_type == "primary" else f"{verb}AlternateContact",
        "contact_type": contact_type,
        "action": "put",
        "initiating_user": f"arn:aws:iam::{MANAGEMENT_ACCOUNT}:user/breakglass",
        "source_account": MANAGEMENT_ACCOUNT,
        "source_ip_address": "203.0.113.24",
        "user_agent": "aws-cli/2.22.4",
        **parts,
    }


def operation(*contact_types: ContactType, run: str = RUN, **parts: Any) -> SyncOperation:
    """Return an operation about some contact types, planned with generation 1 each."""
    plans = {contact_type: TypePlan(generation=1, absent=False, approved=True) for contact_type in contact_types}
    values: dict[str, Any] = {
        "sync_id": sync_id_of(run),
        "dag_run_id": run,
        "timestamp": START,
        "planned": START,
        "initiating_user": "airflow:admin",
        "source_account": MANAGEMENT_ACCOUNT,
        "plans": plans,
        "config_version": 1,
        "status": OperationStatus.IN_PROGRESS,
    }
    return SyncOperation(**{**values, **parts})

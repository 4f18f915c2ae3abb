"""The contact change of the demo, and the organization in which it happens."""

from pathlib import Path
from typing import Any, Final

import boto3

from contactsync.configuration.schema import (
    Configuration,
    DeliveryChannel,
    NotificationSettings,
    UserNotificationsConfig,
)
from contactsync.contacts import ContactType
from contactsync.sandbox.contacts.defaults import member_account_id
from contactsync.sandbox.scenario.scenario import Scenario, load_scenario

DEFAULT_ACCOUNTS: Final = 25
SUSPENDED: Final = 5
EXCLUDED: Final = 11
EQUAL_ALREADY: Final = (8, 14, 21)
"""Numbers of accounts in the default organization that show what is not written."""

NEW_PRIMARY: Final = {
    "FullName": "Casey Morgan",
    "AddressLine1": "200 Example Avenue",
    "City": "Seattle",
    "StateOrRegion": "WA",
    "PostalCode": "98101",
    "CountryCode": "US",
    "PhoneNumber": "+12065550142",
    "CompanyName": "Example Corp",
}


def new_contact(contact: ContactType) -> dict[str, str]:
    """Return the demo's new contact; the person is invented."""
    if contact is ContactType.PRIMARY:
        return dict(NEW_PRIMARY)
    return {
        "Name": "Casey Morgan",
        "Title": f"Head of {contact.capitalize()}",
        "EmailAddress": f"{contact}@example.com",
        "PhoneNumber": "+1-206-555-0142",
    }


def demo_scenario(file: Path | None, *, accounts: int | None, contact: ContactType) -> Scenario:
    """Return the file's scenario, or by default 25 accounts: one suspended, three with the new contact already."""
    if file:
        scenario = load_scenario(file)
        if accounts is None:
            return scenario
        organization = scenario.organization.model_copy(update={"accounts": accounts})
        return scenario.model_copy(update={"organization": organization})
    number = accounts or DEFAULT_ACCOUNTS
    members: list[dict[str, Any]] = [
        {"number": SUSPENDED, "state": "SUSPENDED"},
        *({"number": equal, "contacts": {contact.value: new_contact(contact)}} for equal in EQUAL_ALREADY),
    ]
    return Scenario.model_validate(
        {"organization": {"accounts": number, "members": [m for m in members if m["number"] <= number]}}
    )


def demo_configuration(scenario: Scenario) -> Configuration:
    """Return the defaults with all notices, by e-mail, SMS and Slack; with 11 accounts or more, one is excluded."""
    few = scenario.organization.accounts < EXCLUDED
    return Configuration(
        excluded_accounts=() if few else (member_account_id(EXCLUDED),),
        notification_settings=NotificationSettings(
            notify_on_success=True,
            user_notifications_config=UserNotificationsConfig(
                delivery_channels=(DeliveryChannel.EMAIL, DeliveryChannel.SMS, DeliveryChannel.SLACK)
            ),
        ),
    )


def change_contact(contact: ContactType) -> None:
    """Put the new contact in the management account, as any AWS client would."""
    client: Any = boto3.client("account")
    if contact is ContactType.PRIMARY:
        client.put_contact_information(ContactInformation=new_contact(contact))
    else:
        client.put_alternate_contact(AlternateContactType=contact.upper(), **new_contact(contact))

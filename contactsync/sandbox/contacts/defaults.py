"""The default organization of a scenario: names, organizational units, tags and contacts, all invented."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from contactsync.sandbox.contacts.account_rules import ContactType

MANAGEMENT_ACCOUNT = "111122223333"
ORGANIZATIONAL_UNITS = (
    "Security",
    "Infrastructure",
    "Workloads/Production",
    "Workloads/Test",
    "Workloads/Development",
    "Sandbox",
)
_ID_STEP, _ID_START, _IDS = 618_033_988_749, 204_060_801_357, 10**12
_FOUNDED = datetime(2021, 3, 1, 9, 0, tzinfo=UTC)
_FOUNDATION = (
    ("log-archive", "Security", "platform"),
    ("security-tooling", "Security", "security"),
    ("network", "Infrastructure", "platform"),
    ("shared-services", "Infrastructure", "platform"),
)
_STAGES = (("prod", "Workloads/Production"), ("test", "Workloads/Test"), ("dev", "Workloads/Development"))
_WORKLOADS = (
    "payments", "orders", "catalog", "search", "checkout", "identity", "billing", "reporting", "data-lake",
    "mobile-api", "website", "loyalty", "shipping", "warehouse", "pricing", "notifications", "analytics", "fraud",
    "support", "partners",
)  # fmt: skip
_FIRST_NAMES = ("Alex", "Blake", "Casey", "Drew", "Emery", "Frankie", "Gray", "Harper", "Indigo", "Jules", "Kai")
_LAST_NAMES = ("Example", "Sample", "Placeholder", "Specimen", "Fixture", "Dummy", "Mockup")
_TITLES = MappingProxyType(
    {
        ContactType.BILLING: "Cost Controller",
        ContactType.OPERATIONS: "Site Reliability Engineer",
        ContactType.SECURITY: "Security Engineer",
    }
)
_CITIES = (
    ("Seattle", "WA", "98101", "+1 206"),
    ("Portland", "Oregon", "97201", "+1 503"),
    ("Austin", "TX", "73301", "+1 512"),
    ("Newark", "NJ", "07102", "+1 973"),
)

MANAGEMENT_CONTACTS: Mapping[ContactType, Mapping[str, str]] = MappingProxyType(
    {
        ContactType.PRIMARY: {
            "FullName": "Morgan Headquarters",
            "AddressLine1": "1 Example Plaza",
            "AddressLine2": "Floor 12",
            "City": "Seattle",
            "StateOrRegion": "WA",
            "PostalCode": "98101",
            "CountryCode": "US",
            "PhoneNumber": "+12065550100",
            "CompanyName": "Example Corp",
            "WebsiteUrl": "https://www.example.com",
        },
        ContactType.BILLING: {
            "Name": "Riley Ledger",
            "Title": "Head of Accounts Payable",
            "EmailAddress": "aws-billing@example.com",
            "PhoneNumber": "+1 206-555-0101",
        },
        ContactType.OPERATIONS: {
            "Name": "Sam Uptime",
            "Title": "Head of Operations",
            "EmailAddress": "aws-operations@example.com",
            "PhoneNumber": "+1 206-555-0102",
        },
        ContactType.SECURITY: {
            "Name": "Toni Watch",
            "Title": "Chief Information Security Officer",
            "EmailAddress": "aws-security@example.com",
            "PhoneNumber": "+1 206-555-0103",
        },
    }
)


def member_account_id(number: int) -> str:
    """Return the id of the generated account with this number, from 1; some ids start with a zero, as in AWS."""
    return f"{(_ID_START + number * _ID_STEP) % _IDS:012d}"


def member_name(number: int) -> str:
    """Return the name of a generated account, which is unique in the organization."""
    if number <= len(_FOUNDATION):
        return _FOUNDATION[number - 1][0]
    round_, workload, stage = _workload(number)
    suffix = f"-{round_ + 1}" if round_ else ""
    return f"{_WORKLOADS[workload]}{suffix}-{_STAGES[stage][0]}"


def member_unit(number: int, units: tuple[str, ...]) -> str:
    """Return the unit of a generated account; units other than the default ones get accounts in turn."""
    if units != ORGANIZATIONAL_UNITS:
        return units[number % len(units)]
    if number <= len(_FOUNDATION):
        return _FOUNDATION[number - 1][1]
    return _STAGES[_workload(number)[2]][1]


def member_tags(number: int) -> dict[str, str]:
    """Return the tags of a generated account, as a landing zone would set them."""
    if number <= len(_FOUNDATION):
        return {"team": _FOUNDATION[number - 1][2], "environment": "shared", "cost-center": "1000"}
    _, workload, stage = _workload(number)
    return {
        "team": _WORKLOADS[workload],
        "environment": _STAGES[stage][0],
        "cost-center": str(2000 + 10 * workload),
    }


def member_joined(number: int) -> datetime:
    """Return when a generated account was created; the management account is number 0."""
    return _FOUNDED + timedelta(hours=number)


def member_contact(number: int, contact_type: ContactType) -> dict[str, str]:
    """Return an invented contact of a generated account: valid for the service, and never the management account's."""
    person = number * len(ContactType) + list(ContactType).index(contact_type)
    first, last = _FIRST_NAMES[person % len(_FIRST_NAMES)], _LAST_NAMES[person % len(_LAST_NAMES)]
    if contact_type is ContactType.PRIMARY:
        return _member_primary(number, f"{first} {last}")
    return {
        "Name": f"{first} {last}",
        "Title": _TITLES[contact_type],
        "EmailAddress": f"{contact_type}+{number}@example.com",
        "PhoneNumber": f"+1 206-555-01{person % 96 + 4:02d}",
    }


def derived_id(prefix: str, length: int, *parts: str) -> str:
    """Return an id as AWS makes them at random, derived from `parts` so that it is the same in every run."""
    digest = int.from_bytes(hashlib.sha256("/".join(parts).encode()).digest(), "big")
    alphabet = "0123456789abcdefghijklmnopqrstuvwxyz"
    letters = []
    for _ in range(length):
        digest, letter = divmod(digest, len(alphabet))
        letters.append(alphabet[letter])
    return prefix + "".join(letters)


def _workload(number: int) -> tuple[int, int, int]:
    index, stage = divmod(number - len(_FOUNDATION) - 1, len(_STAGES))
    round_, workload = divmod(index, len(_WORKLOADS))
    return round_, workload, stage


def _member_primary(number: int, name: str) -> dict[str, str]:
    city, state, postal_code, area = _CITIES[number % len(_CITIES)]
    contact = {
        "FullName": name,
        "AddressLine1": f"{number} Sample Street",
        "City": city,
        "StateOrRegion": state,
        "PostalCode": postal_code,
        "CountryCode": "US",
        "PhoneNumber": f"{area.replace(' ', '')}55501{number % 96 + 4:02d}",
    }
    if number % 2:
        contact["CompanyName"] = f"Example {member_name(number)}"[:50]
    return contact

"""What the account service accepts in a contact: fields, lengths and patterns, as AWS documents them (FACTS.md 1.1)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

ACCOUNT_ID = re.compile(r"\d{12}", re.ASCII)
_EMAIL_ADDRESS = re.compile(r"[\s]*[\w+=.#|!&-]+@[\w.-]+\.[\w]+[\s]*", re.ASCII)
_ALTERNATE_PHONE = re.compile(r"[\s0-9()+-]+", re.ASCII)
_PRIMARY_PHONE = re.compile(r"[+][\s0-9()-]+", re.ASCII)
_COUNTRIES_WITH_STATES = frozenset({"US", "CA", "GB", "DE", "JP", "IN", "BR"})
_COUNTRY_CODES = (
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA "
    "CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA "
    "GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP "
    "KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS "
    "MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS "
    "RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW "
    "TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW"
)
_COUNTRIES = frozenset(_COUNTRY_CODES.split())
_US_STATES = frozenset(
    "AL/Alabama/AK/Alaska/AZ/Arizona/AR/Arkansas/CA/California/CO/Colorado/CT/Connecticut/DE/Delaware/"
    "DC/District of Columbia/FL/Florida/GA/Georgia/HI/Hawaii/ID/Idaho/IL/Illinois/IN/Indiana/IA/Iowa/KS/Kansas/"
    "KY/Kentucky/LA/Louisiana/ME/Maine/MD/Maryland/MA/Massachusetts/MI/Michigan/MN/Minnesota/MS/Mississippi/"
    "MO/Missouri/MT/Montana/NE/Nebraska/NV/Nevada/NH/New Hampshire/NJ/New Jersey/NM/New Mexico/NY/New York/"
    "NC/North Carolina/ND/North Dakota/OH/Ohio/OK/Oklahoma/OR/Oregon/PA/Pennsylvania/RI/Rhode Island/"
    "SC/South Carolina/SD/South Dakota/TN/Tennessee/TX/Texas/UT/Utah/VT/Vermont/VA/Virginia/WA/Washington/"
    "WV/West Virginia/WI/Wisconsin/WY/Wyoming/AS/American Samoa/GU/Guam/MP/Northern Mariana Islands/PR/Puerto Rico/"
    "VI/Virgin Islands".casefold().split("/")
)


class ContactType(StrEnum):
    """The four contacts of an account; the alternate ones are named in capitals in requests."""

    PRIMARY = "primary"
    BILLING = "billing"
    OPERATIONS = "operations"
    SECURITY = "security"


@dataclass(frozen=True)
class FieldRule:
    """What one text field of a request may hold; every text has at least one character."""

    name: str
    longest: int
    required: bool = False
    pattern: re.Pattern[str] | None = None
    choices: frozenset[str] | None = None


@dataclass(frozen=True)
class FieldError:
    """One entry of a ValidationException's fieldList; it never holds the value."""

    name: str
    message: str


ALTERNATE_CONTACT_TYPE = FieldRule(
    "AlternateContactType", 64, required=True, choices=frozenset({"BILLING", "OPERATIONS", "SECURITY"})
)
TARGET_ACCOUNT = FieldRule("AccountId", 12, pattern=ACCOUNT_ID)
ALTERNATE_CONTACT = (
    FieldRule("Name", 64, required=True),
    FieldRule("Title", 50, required=True),
    FieldRule("EmailAddress", 254, required=True, pattern=_EMAIL_ADDRESS),
    FieldRule("PhoneNumber", 25, required=True, pattern=_ALTERNATE_PHONE),
)
CONTACT_INFORMATION = (
    FieldRule("FullName", 50, required=True),
    FieldRule("AddressLine1", 60, required=True),
    FieldRule("AddressLine2", 60),
    FieldRule("AddressLine3", 60),
    FieldRule("City", 50, required=True),
    FieldRule("StateOrRegion", 50),
    FieldRule("DistrictOrCounty", 50),
    FieldRule("PostalCode", 20, required=True),
    FieldRule("CountryCode", 2, required=True, choices=_COUNTRIES),
    FieldRule("PhoneNumber", 20, required=True, pattern=_PRIMARY_PHONE),
    FieldRule("CompanyName", 50),
    FieldRule("WebsiteUrl", 256),
)


def field_errors(rules: tuple[FieldRule, ...], values: Mapping[str, str], parent: str = "") -> list[FieldError]:
    """Check every field and list what is refused; fields without a rule are passed over, as AWS does."""
    errors = []
    for rule in rules:
        complaint = _complaint(rule, values.get(rule.name))
        if complaint:
            errors.append(FieldError(parent + rule.name, complaint))
    return errors


def contact_errors(contact_type: ContactType, values: Mapping[str, str], parent: str = "") -> list[FieldError]:
    """Check a whole contact of that type."""
    if contact_type is not ContactType.PRIMARY:
        return field_errors(ALTERNATE_CONTACT, values, parent)
    errors = field_errors(CONTACT_INFORMATION, values, parent)
    if not any(error.name == f"{parent}StateOrRegion" for error in errors):
        errors += _state_errors(values, parent)
    return errors


def contact_fields(contact_type: ContactType) -> frozenset[str]:
    """Name the fields that a contact of that type can have."""
    rules = CONTACT_INFORMATION if contact_type is ContactType.PRIMARY else ALTERNATE_CONTACT
    return frozenset(rule.name for rule in rules)


def _complaint(rule: FieldRule, value: str | None) -> str | None:
    if value is None:
        return "Member must not be null" if rule.required else None
    if not value:
        return "Member must have length greater than or equal to 1"
    if rule.choices is not None and value not in rule.choices:
        listed = ", ".join(sorted(rule.choices)) if rule is ALTERNATE_CONTACT_TYPE else "ISO 3166-1 alpha-2 codes"
        return f"Member must satisfy enum value set: [{listed}]"
    if len(value) > rule.longest:
        return f"Member must have length less than or equal to {rule.longest}"
    if rule.pattern is not None and not rule.pattern.fullmatch(value):
        return f"Member must satisfy regular expression pattern: {rule.pattern.pattern}"
    return None


def _state_errors(values: Mapping[str, str], parent: str) -> list[FieldError]:
    country, state = values.get("CountryCode"), values.get("StateOrRegion")
    if country not in _COUNTRIES_WITH_STATES:
        return []
    if state is None:
        return [FieldError(f"{parent}StateOrRegion", f"Member is required for the country code {country}")]
    if country == "US" and state.casefold() not in _US_STATES:
        return [FieldError(f"{parent}StateOrRegion", "Member must be a state's two-letter code or its full name")]
    return []

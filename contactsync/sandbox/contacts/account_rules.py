"""What the account service accepts in a contact and what it stores: as recorded from AWS, else as documented.

https://docs.aws.amazon.com/accounts/latest/reference/API_ContactInformation.html, and API_PutAlternateContact.html.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

_ACCOUNT_ID = r"\d{12}"
_EMAIL_ADDRESS = r"[\s]*[\w+=.#|!&-]+@[\w.-]+\.[\w]+[\s]*"
_ALTERNATE_PHONE = r"[\s0-9()+-]+"
_PRIMARY_PHONE = r"[+][\s0-9()-]+"
_ECMA_BLANKS = "\t\n\v\f\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
"""What \\s matches in AWS's validator, whose expressions follow ECMA 262; its \\w and \\d match ASCII only."""
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
    "VI/Virgin Islands/FM/Federated States of Micronesia/MH/Marshall Islands/PW/Palau/"
    "AA/Armed Forces Americas/AE/Armed Forces Europe/AP/Armed Forces Pacific".casefold().split("/")
)


class ContactType(StrEnum):
    """The four contact types of an account; requests name the alternate ones in capitals."""

    PRIMARY = "primary"
    BILLING = "billing"
    OPERATIONS = "operations"
    SECURITY = "security"


@dataclass(frozen=True)
class FieldRule:
    """The limits of one text field of a request; `shortest` and `longest` count characters."""

    name: str
    longest: int
    required: bool = False
    pattern: str | None = None
    shortest: int = 1


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field; `problem` never holds the value, `answer` is AWS's message and may quote it."""

    name: str
    problem: str
    answer: str = field(repr=False)


ALTERNATE_TYPES = frozenset({"BILLING", "OPERATIONS", "SECURITY"})
ALTERNATE_CONTACT_TYPE = FieldRule("AlternateContactType", 64, required=True)
TARGET_ACCOUNT = FieldRule("AccountId", 12, pattern=_ACCOUNT_ID, shortest=12)
_EMAIL = FieldRule("EmailAddress", 254, required=True, pattern=_EMAIL_ADDRESS)
ALTERNATE_CONTACT = (
    FieldRule("Name", 64, required=True),
    FieldRule("Title", 50, required=True),
    _EMAIL,
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
    FieldRule("CountryCode", 2, required=True, shortest=2),
    FieldRule("PhoneNumber", 20, required=True, pattern=_PRIMARY_PHONE),
    FieldRule("CompanyName", 50),
    FieldRule("WebsiteUrl", 256),
)


def field_errors(rules: tuple[FieldRule, ...], values: Mapping[str, str]) -> list[FieldError]:
    """Return the errors of all fields, before any trimming; fields without a rule are ignored, as AWS does."""
    return [error for rule in rules if (error := _error(rule, values.get(rule.name)))]


def contact_errors(
    contact_type: ContactType, values: Mapping[str, str], *, strict_states: bool = False
) -> list[FieldError]:
    """Return a contact's errors: all fields of a wrong form, or, if there are none, the first wrong value."""
    if contact_type is not ContactType.PRIMARY:
        return field_errors(ALTERNATE_CONTACT, values)
    errors = field_errors(CONTACT_INFORMATION, values)
    return errors or _value_errors(stored(contact_type, values), strict_states=strict_states)[:1]


def contact_fields(contact_type: ContactType) -> frozenset[str]:
    """Return the names of the fields that a contact of that type can have."""
    rules = CONTACT_INFORMATION if contact_type is ContactType.PRIMARY else ALTERNATE_CONTACT
    return frozenset(rule.name for rule in rules)


def stored(contact_type: ContactType, values: Mapping[str, str]) -> dict[str, str]:
    """Return what AWS stores: all fields of a primary contact trimmed, of an alternate one only the address."""
    known = contact_fields(contact_type)
    kept = {name: value for name, value in values.items() if name in known}
    if contact_type is not ContactType.PRIMARY:
        return {name: _trimmed(value) if name == _EMAIL.name else value for name, value in kept.items()}
    trimmed = {name: _trimmed(value) for name, value in kept.items()}
    if "CountryCode" in trimmed:
        trimmed["CountryCode"] = trimmed["CountryCode"].upper()
    return trimmed


def _error(rule: FieldRule, value: str | None) -> FieldError | None:
    if value is None:
        if not rule.required:
            return None
        return FieldError(
            rule.name, "Member must not be null", f'object has missing required properties (["{rule.name}"])'
        )
    length = f"length: {len(value)}"
    if len(value) < rule.shortest:
        answer = f'string "{value}" is too short ({length}, required minimum: {rule.shortest})'
        return FieldError(rule.name, f"Member must have length greater than or equal to {rule.shortest}", answer)
    if len(value) > rule.longest:
        answer = f'string "{value}" is too long ({length}, maximum allowed: {rule.longest})'
        return FieldError(rule.name, f"Member must have length less than or equal to {rule.longest}", answer)
    if rule.pattern is not None and not _matches(rule.pattern, value):
        answer = f'ECMA 262 regex "^{rule.pattern}$" does not match input string "{value}"'
        return FieldError(rule.name, f"Member must satisfy regular expression pattern: {rule.pattern}", answer)
    return None


def _value_errors(values: Mapping[str, str], *, strict_states: bool) -> list[FieldError]:
    """Return the errors of trimmed values in the service's own words, which name the field and not the value."""
    blank = [name for name, value in values.items() if not value]
    errors = [FieldError(name, "Member must not be blank", f"the argument {name} can not be empty") for name in blank]
    country, state = values.get("CountryCode", ""), values.get("StateOrRegion")
    if country not in _COUNTRIES:
        errors.append(_not_valid("CountryCode", "Member must be an ISO 3166-1 alpha-2 code"))
    if state is None and strict_states and country in _COUNTRIES_WITH_STATES:
        problem = f"Member is required for the country code {country}"
        errors.append(FieldError("StateOrRegion", problem, "the argument StateOrRegion can not be empty"))
    if state and country == "US" and state.casefold() not in _US_STATES:
        errors.append(_not_valid("StateOrRegion", "Member must be a state's two-letter code or its full name"))
    return errors


def _not_valid(name: str, problem: str) -> FieldError:
    return FieldError(name, problem, f"the argument {name} is not valid")


def _matches(pattern: str, value: str) -> bool:
    python = pattern.replace(r"[\s]", f"[{_ECMA_BLANKS}]").replace(r"\s", _ECMA_BLANKS)
    return re.fullmatch(python, value, re.ASCII) is not None


def _trimmed(value: str) -> str:
    return re.sub(f"^[{_ECMA_BLANKS}]+|[{_ECMA_BLANKS}]+$(?!\n)", "", value)

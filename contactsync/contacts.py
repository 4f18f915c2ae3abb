"""Contacts of an AWS account: what they hold, when they are valid, and how two of them differ."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Final, Self, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_pascal


class ContactType(StrEnum):
    """The four contacts that AWS keeps for an account."""

    PRIMARY = "primary"
    BILLING = "billing"
    OPERATIONS = "operations"
    SECURITY = "security"


# AWS documents its patterns for ASCII; Python's \w and \d would also accept letters and digits of other scripts.
_EMAIL = re.compile(r"[\s]*[\w+=.#|!&-]+@[\w.-]+\.[\w]+[\s]*", re.ASCII)
_ALTERNATE_PHONE = re.compile(r"[\s0-9()+-]+", re.ASCII)
_PRIMARY_PHONE = re.compile(r"[+][\s0-9()-]+", re.ASCII)
_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)

STATE_REQUIRED_COUNTRIES: Final = frozenset({"US", "CA", "GB", "DE", "JP", "IN", "BR"})
"""Countries for which AWS requires StateOrRegion (docs/facts.md#countries-with-states)."""


def _matching(pattern: re.Pattern[str]) -> AfterValidator:
    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            message = "does not match the documented pattern"
            raise ValueError(message)
        return value

    return AfterValidator(check)


Text20 = Annotated[str, Field(min_length=1, max_length=20)]
Text50 = Annotated[str, Field(min_length=1, max_length=50)]
Text60 = Annotated[str, Field(min_length=1, max_length=60)]
Text64 = Annotated[str, Field(min_length=1, max_length=64)]
Text256 = Annotated[str, Field(min_length=1, max_length=256)]
Country = Annotated[str, _matching(_COUNTRY)]
Email = Annotated[str, Field(max_length=254), _matching(_EMAIL)]
PrimaryPhone = Annotated[str, Field(max_length=20), _matching(_PRIMARY_PHONE)]
AlternatePhone = Annotated[str, Field(max_length=25), _matching(_ALTERNATE_PHONE)]


class Contact(BaseModel):
    """The values of one contact; its repr and its validation errors never show them.

    Contacts are compared without white space around their values, and an empty value is equal to an absent one, because
    AWS refuses empty values (their least length is 1). Fields have AWS's names as aliases.
    """

    model_config = ConfigDict(
        alias_generator=to_pascal, populate_by_name=True, frozen=True, extra="ignore", hide_input_in_errors=True
    )

    @model_validator(mode="before")
    @classmethod
    def _normalised(cls, data: Any) -> Any:  # noqa: ANN401 -- pydantic hands over whatever it was given
        return _normalise(data) if isinstance(data, Mapping) else data

    @classmethod
    def observed(cls, values: Mapping[str, str]) -> Self:
        """Return what an account has, without validation: it may be older than today's limits, and is only compared."""
        known = {field.alias for field in cls.model_fields.values()}
        kept: Any = {name: value for name, value in values.items() if name in known and value not in ("", None)}
        return cast("Self", cls.model_construct(**kept))

    def values(self) -> dict[str, str]:
        """Return the values that are set, by AWS's field names, in the form for comparing them: personal data."""
        return _normalise(self.verbatim())

    def verbatim(self) -> dict[str, str]:
        """Return the values as they were read, with blanks, only for AWS and for the desired contacts."""
        return self.model_dump(by_alias=True, exclude_none=True)

    def __str__(self) -> str:
        """Return only the name of the class, so that no message holds a value by accident."""
        return type(self).__name__

    __repr__ = __str__


def _normalise(values: Mapping[str, Any]) -> dict[str, Any]:
    stripped = {name: value.strip() if isinstance(value, str) else value for name, value in values.items()}
    return {name: value for name, value in stripped.items() if value not in ("", None)}


class PrimaryContact(Contact):
    """AWS's ContactInformation: the person and address of an account (docs/facts.md#fields-of-a-primary-contact)."""

    full_name: Text50
    address_line1: Text60
    address_line2: Text60 | None = None
    address_line3: Text60 | None = None
    city: Text50
    state_or_region: Text50 | None = None
    district_or_county: Text50 | None = None
    postal_code: Text20
    country_code: Country
    phone_number: PrimaryPhone
    company_name: Text50 | None = None
    website_url: Text256 | None = None

    def verbatim(self) -> dict[str, str]:
        """Return the values without white space around them: AWS removes it too, and refuses a value that is blank."""
        return _normalise(super().verbatim())

    @model_validator(mode="after")
    def _state_is_there(self) -> Self:
        if self.state_or_region is None and self.country_code in STATE_REQUIRED_COUNTRIES:
            message = "StateOrRegion"
            raise ValueError(message)
        return self


class AlternateContact(Contact):
    """AWS's AlternateContact without its type: the person whom AWS calls about billing, operations or security."""

    name: Text64
    title: Text50
    email_address: Email
    phone_number: AlternatePhone


def contact_class(contact_type: ContactType) -> type[PrimaryContact | AlternateContact]:
    """Return the class that holds contacts of this type."""
    return PrimaryContact if contact_type is ContactType.PRIMARY else AlternateContact


def field_names(contact_type: ContactType) -> tuple[str, ...]:
    """Return AWS's names of all fields that contacts of this type may have."""
    return tuple(sorted(str(field.alias) for field in contact_class(contact_type).model_fields.values()))


def doubtful_fields(contact_type: ContactType, contact: Contact) -> tuple[str, ...]:
    """Return the fields outside the limits that AWS documents, also blank ones; () when there are none.

    AWS has widened its limits several times, so what it stores in one account, it may accept for another.
    """
    try:
        contact_class(contact_type).model_validate(contact.values())
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False, include_context=False)
        fields = {str(part) for problem in problems for part in problem["loc"] or ("StateOrRegion",)}
        blank = contact.verbatim().keys() - contact.values().keys()
        return tuple(f"{name} (blank)" if name in blank else name for name in sorted(fields))
    return ()


class PhoneComparison(StrEnum):
    """When two telephone numbers are equal."""

    DIGITS = "digits"
    """Equal digits, and a plus before both or neither; blanks and punctuation do not matter."""
    EXACT = "exact"


def changed_fields(
    desired: Contact | None, observed: Contact | None, phones: PhoneComparison = PhoneComparison.EXACT
) -> tuple[str, ...]:
    """Return the fields, by AWS's names, that differ between the desired and the observed contact; () when equal."""
    as_compared = comparable if phones is PhoneComparison.DIGITS else _unchanged
    return _differing(as_compared(_values(desired)), as_compared(_values(observed)))


def other_forms(desired: Contact | None, observed: Contact | None) -> tuple[str, ...] | None:
    """Return the fields that the observed contact has in another form of the same value; None for another contact.

    A form is what AWS may have changed when it stored a value: capitals, blanks, and a number's punctuation.
    """
    wanted, actual = _values(desired), _values(observed)
    loose_wanted, loose_actual = (_loose(comparable(values)) for values in (wanted, actual))
    return None if loose_wanted != loose_actual else _differing(wanted, actual)


def comparable(values: Mapping[str, str]) -> dict[str, str]:
    """Return a contact's values, with the telephone number without punctuation."""
    return {name: _digits(value) if name == _PHONE else value for name, value in values.items()}


_PHONE: Final = "PhoneNumber"


def _digits(phone: str) -> str:
    digits = "".join(character for character in phone if character in "0123456789")
    return ("+" if phone.lstrip().startswith("+") else "") + digits


def _loose(values: Mapping[str, str]) -> dict[str, str]:
    return {name: " ".join(value.split()).casefold() for name, value in values.items()}


def _unchanged(values: Mapping[str, str]) -> dict[str, str]:
    return dict(values)


def _values(contact: Contact | None) -> dict[str, str]:
    return contact.values() if contact else {}


def _differing(wanted: Mapping[str, str], actual: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(sorted(name for name in wanted.keys() | actual.keys() if wanted.get(name) != actual.get(name)))

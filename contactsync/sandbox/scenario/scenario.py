"""Scenario files: the organization, the contacts and the faults that a sandbox starts with."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from contactsync.sandbox.contacts.account_rules import ContactType, contact_errors, contact_fields, stored
from contactsync.sandbox.contacts.defaults import (
    MANAGEMENT_ACCOUNT,
    MANAGEMENT_CONTACTS,
    ORGANIZATIONAL_UNITS,
    member_account_id,
)
from contactsync.sandbox.events.event_settings import EventSettings
from contactsync.sandbox.requests.faults import FaultSettings
from contactsync.sandbox.requests.latency import LatencySettings
from contactsync.sandbox.requests.quotas import QuotaSettings
from contactsync.sandbox.scenario.scenario_file import ScenarioError, read_scenario_file
from contactsync.sandbox.scenario.stack_settings import StackSettings
from contactsync.sandbox.settings_model import SettingsModel, first_sentence, nearest

__all__ = ["Scenario", "ScenarioError", "load_scenario", "parse_scenario"]

LARGEST_ORGANIZATION = 10_000
AccountState = Literal["PENDING_ACTIVATION", "ACTIVE", "SUSPENDED", "PENDING_CLOSURE", "CLOSED"]
ContactChoice = Literal["generated", "same_as_management"]


def _quoted(value: object) -> object:
    if isinstance(value, int | float):
        message = "write the account id in quotes, or YAML reads it as a number"
        raise ValueError(message)  # noqa: TRY004 - pydantic reports a ValueError, and lets a TypeError pass
    return value


def _valid_contact(contact_type: ContactType) -> AfterValidator:
    kind = "the primary contact" if contact_type is ContactType.PRIMARY else "an alternate contact"

    def check(contact: Mapping[str, str]) -> Mapping[str, str]:
        fields = contact_fields(contact_type)
        unknown = sorted(contact.keys() - fields)
        if unknown:
            message = f"{unknown[0]} is not a field of {kind}; {nearest(unknown[0], fields, 'there are')}"
            raise ValueError(message)
        errors = contact_errors(contact_type, contact)
        if errors:
            message = f"{errors[0].name}: {errors[0].problem}"
            raise ValueError(message)
        return stored(contact_type, contact)

    return AfterValidator(check)


AccountId = Annotated[str, BeforeValidator(_quoted), Field(pattern=r"^[0-9]{12}$")]
UnitPath = Annotated[str, Field(pattern=r"^[^/]{1,128}(/[^/]{1,128}){0,4}$")]
Primary = Annotated[Mapping[str, str], _valid_contact(ContactType.PRIMARY)]
Alternate = Annotated[Mapping[str, str], _valid_contact(ContactType.BILLING)]


class MemberContacts(SettingsModel):
    """The contacts of a member account: invented, the management account's, given here, or none (null)."""

    primary: Primary | ContactChoice | None = "generated"
    billing: Alternate | ContactChoice | None = "generated"
    operations: Alternate | ContactChoice | None = "generated"
    security: Alternate | ContactChoice | None = "generated"


class MemberSettings(SettingsModel):
    """The settings of one member account: a generated one, by `number` (from 1), or an additional one, by `id`."""

    number: int | None = Field(default=None, ge=1)
    id: AccountId | None = None
    name: str | None = Field(default=None, min_length=1, max_length=50)
    email: str | None = Field(default=None, min_length=6, max_length=64)
    state: AccountState = "ACTIVE"
    ou: UnitPath | None = None
    tags: Mapping[str, str] | None = None
    contacts: MemberContacts = MemberContacts()

    @model_validator(mode="after")
    def _has_one_key(self) -> Self:
        if (self.number is None) == (self.id is None):
            message = "give either the number of a generated account or the id of one more account"
            raise ValueError(message)
        return self

    @property
    def account_id(self) -> str:
        """The id of the member account."""
        return self.id or member_account_id(self.number or 0)


def _duplicate(ids: list[str]) -> str:
    twice = [account_id for account_id in ids if ids.count(account_id) > 1]
    return f"members: {twice[0]} is named twice" if twice else ""


class OrganizationSettings(SettingsModel):
    """The accounts, their organizational units, and who may manage their contacts."""

    management_account: AccountId = MANAGEMENT_ACCOUNT
    accounts: int = Field(default=25, ge=0, le=LARGEST_ORGANIZATION, description="how many members are generated")
    trusted_access: bool = True
    feature_set: Literal["ALL", "CONSOLIDATED_BILLING"] = "ALL"
    delegated_administrator: AccountId | None = None
    organizational_units: tuple[UnitPath, ...] = Field(default=ORGANIZATIONAL_UNITS, min_length=1)
    empty_pages: int = Field(default=0, ge=0, le=10, description="empty pages with a token that a listing starts with")
    members: tuple[MemberSettings, ...] = ()

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        ids = [member.account_id for member in self.members]
        known = self._generated() | set(ids)
        for complaint in (
            _duplicate(ids),
            self._too_large_number(),
            self._generated_again(),
            f"management_account {self.management_account} is a member too" if self.management_account in known else "",
            self._unknown_administrator(known),
            self._unknown_unit(),
        ):
            if complaint:
                raise ValueError(complaint)
        return self

    def _generated(self) -> set[str]:
        return {member_account_id(number) for number in range(1, self.accounts + 1)}

    def _too_large_number(self) -> str:
        too_large = [member.number for member in self.members if (member.number or 0) > self.accounts]
        return f"members: number {too_large[0]} is above the {self.accounts} generated accounts" if too_large else ""

    def _generated_again(self) -> str:
        again = [member.id for member in self.members if member.id in self._generated()]
        return f"members: {again[0]} is a generated account; name it by its number" if again else ""

    def _unknown_administrator(self, known: set[str]) -> str:
        if self.delegated_administrator in (None, *known):
            return ""
        return f"delegated_administrator {self.delegated_administrator} is not a member account"

    def _unknown_unit(self) -> str:
        unknown = [member.ou for member in self.members if member.ou not in (None, *self.organizational_units)]
        if not unknown:
            return ""
        hint = nearest(str(unknown[0]), self.organizational_units, "there are")
        return f"members: {unknown[0]} is not one of organizational_units; {hint}"


class ContactSettings(SettingsModel):
    """The contacts of the management account; null means that there is none."""

    primary: Primary = Field(default=MANAGEMENT_CONTACTS[ContactType.PRIMARY])
    billing: Alternate | None = Field(default=MANAGEMENT_CONTACTS[ContactType.BILLING])
    operations: Alternate | None = Field(default=MANAGEMENT_CONTACTS[ContactType.OPERATIONS])
    security: Alternate | None = Field(default=MANAGEMENT_CONTACTS[ContactType.SECURITY])


class StaleReads(SettingsModel):
    """For how many seconds reads of a contact return the value from before the latest write."""

    seconds: float = Field(default=0.0, ge=0, le=86_400)
    account: AccountId | None = Field(default=None, description="the only one whose reads lag; all do by default")


class AccountManagementSettings(SettingsModel):
    """Choices where AWS's documentation differs from its recorded behaviour, which is the default."""

    strict_states: bool = Field(
        default=False, description="refuse a primary contact without StateOrRegion in the seven documented countries"
    )
    field_lists: bool = Field(default=False, description="answer a ValidationException with reason and fieldList")


class PermissionSettings(SettingsModel):
    """Whether the policies of roles count."""

    enforced: bool = Field(
        default=True, description="whether the session of a role may do only what its policies allow; false: everything"
    )


class Scenario(SettingsModel):
    """Everything that a sandbox starts with; an empty file gives a working organization of 25 members."""

    organization: OrganizationSettings = OrganizationSettings()
    contacts: ContactSettings = ContactSettings()
    account_management: AccountManagementSettings = AccountManagementSettings()
    quotas: QuotaSettings = QuotaSettings()
    latency: LatencySettings = LatencySettings()
    faults: tuple[FaultSettings, ...] = ()
    stale_reads: StaleReads = StaleReads()
    events: EventSettings = EventSettings()
    stacks: StackSettings = StackSettings()
    permissions: PermissionSettings = PermissionSettings()


def load_scenario(path: Path) -> Scenario:
    """Read a scenario file, or raise ScenarioError with one sentence about what is wrong."""
    try:
        content = read_scenario_file(path)
        return parse_scenario({} if content is None else content)
    except ScenarioError as error:
        message = f"Scenario {path}: {error}"
        raise ScenarioError(message) from error


def parse_scenario(content: object) -> Scenario:
    """Check the content of a scenario file, or raise ScenarioError with a sentence that names the first wrong field."""
    if not isinstance(content, dict):
        message = "It must be a mapping of sections such as organization and contacts."
        raise ScenarioError(message)
    try:
        return Scenario.model_validate(content)
    except ValidationError as error:
        raise ScenarioError(first_sentence(error)) from None

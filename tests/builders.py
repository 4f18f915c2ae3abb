"""Things that tests need one of, with every part that a test does not care about filled in."""

from dataclasses import dataclass, field
from typing import Any, Final

from contactsync.accounts import Account, AccountState
from contactsync.configuration.schema import Configuration, parse_configuration
from contactsync.contacts import AlternateContact, Contact, ContactType, PrimaryContact
from contactsync.intake.request import RunRequest
from contactsync.operations.operation import AccountOutcome, OperationStatus, SyncOperation, TypePlan, sync_id_of
from contactsync.pacing.guarded_calls import CallGuard
from contactsync.services.steps import Steps
from contactsync.settings.groups import ManagementSettings, PatienceSettings, StateSettings
from contactsync.sync.access import AccessCheck
from contactsync.sync.account.apply import AccountSync
from contactsync.sync.account.exclusions import Exclusions
from contactsync.sync.account.write import ContactWriter
from contactsync.sync.approval import Approvals
from contactsync.sync.housekeeping import Housekeeper
from contactsync.sync.plan import Planner
from contactsync.sync.report import Reporter
from contactsync.sync.second_look import SecondLook
from tests.fake_state import (
    FakeAnnouncer,
    FakeDesiredContacts,
    FakeLookups,
    FakeNoticeStore,
    FakeOperations,
    FakeRecords,
    FakeState,
)
from tests.fakes import START, FakeAccountContacts, FakeClock, FakeConfigurations, FakeOrganization
from tests.pacing_fakes import FakeBreakers, FakeLimiter, FakeLimiterItems

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


@dataclass(frozen=True)
class StepDefaults:
    """The settings of the steps, as they are where nothing else is set."""

    management: ManagementSettings = field(default_factory=lambda: ManagementSettings(MANAGEMENT_ACCOUNT))
    state: StateSettings = field(default_factory=lambda: StateSettings("state"))
    patience: PatienceSettings = field(default_factory=PatienceSettings)


@dataclass
class World:
    """The steps of a run with fakes on all sides; tests change the fakes and look at them."""

    organization: FakeOrganization = field(default_factory=lambda: FakeOrganization(members(3), MANAGEMENT_ACCOUNT))
    contacts: FakeAccountContacts = field(default_factory=FakeAccountContacts)
    configurations: FakeConfigurations = field(default_factory=FakeConfigurations)
    state: FakeState = field(default_factory=FakeState)
    clock: FakeClock = field(default_factory=FakeClock)
    breakers: FakeBreakers = field(default_factory=FakeBreakers)
    limiters: FakeLimiterItems = field(default_factory=FakeLimiterItems)
    lookups: FakeLookups = field(default_factory=FakeLookups)
    announcer: FakeAnnouncer = field(init=False)
    notice_store: FakeNoticeStore = field(init=False)

    def __post_init__(self) -> None:
        """Connect the bus and the notices to the outbox."""
        self.announcer = FakeAnnouncer(self.state)
        self.notice_store = FakeNoticeStore(self.state.outbox)

    @classmethod
    def of(cls, count: int = 3, **settings: Any) -> "World":
        """Return an organization of so many active members, whose management account has all four contacts."""
        world = cls(organization=FakeOrganization(members(count), MANAGEMENT_ACCOUNT))
        world.configurations.versions = [configuration(**settings)]
        for contact_type in ContactType:
            world.contacts.stored[None, contact_type] = contact_of(contact_type)
        return world

    @property
    def steps(self) -> Steps:
        """The steps as production wires them, over the fakes that this world has now."""
        return Steps(self, StepDefaults())

    @property
    def operations(self) -> FakeOperations:
        """The stored operations."""
        return FakeOperations(self.state)

    @property
    def desired_contacts(self) -> FakeDesiredContacts:
        """The latest desired contacts."""
        return FakeDesiredContacts(self.state)

    @property
    def records(self) -> FakeRecords:
        """The account records."""
        return FakeRecords(self.state)

    @property
    def limiter(self) -> FakeLimiter:
        """The limiter as this world's clock sees it."""
        return FakeLimiter(self.clock, self.limiters)

    @property
    def fingerprint_keys(self) -> tuple[bytes, ...]:
        """The present key alone."""
        return (KEY,)

    @property
    def planner(self) -> Planner:
        """The step `plan`."""
        return self.steps.planner

    @property
    def exclusions(self) -> Exclusions:
        """What is asked immediately before every write."""
        return self.steps.exclusions

    @property
    def account_sync(self) -> AccountSync:
        """The step `sync_account`."""
        return self.steps.account_sync

    @property
    def contact_writer(self) -> ContactWriter:
        """What brings one contact of one account to the desired one."""
        return self.steps.contact_writer

    @property
    def call_guard(self) -> CallGuard:
        """What every call passes."""
        return self.steps.call_guard

    @property
    def access_check(self) -> AccessCheck:
        """The check of what concerns every account."""
        return self.steps.access_check

    @property
    def reporter(self) -> Reporter:
        """The step `report`."""
        return self.steps.reporter

    @property
    def second_look(self) -> SecondLook:
        """What the report sees of the source at its end."""
        return self.steps.second_look

    @property
    def approvals(self) -> Approvals:
        """The step `approve_deletions`."""
        return self.steps.approvals

    @property
    def housekeeper(self) -> Housekeeper:
        """The step of housekeeping."""
        return self.steps.housekeeper

    def plan(self, run_request: RunRequest | None = None, *, map_limit: int = 1024) -> tuple[str, ...]:
        """Plan a run."""
        return self.planner.plan(run_request or request(), map_limit=map_limit)

    def sync(self, account_id: str, try_number: int = 1, run: str = RUN, *, first_try: int = 1) -> list[AccountOutcome]:
        """Settle one account of the run as its task does."""
        found, settings = self.account_sync.open(run)
        return self.account_sync.sync(found, settings, account_id, try_number, first_try=first_try)

    def outcomes(self, run: str = RUN) -> dict[tuple[str, ContactType], AccountOutcome]:
        """Return the run's stored outcomes."""
        return {outcome.key: outcome for outcome in self.operations.outcomes(sync_id_of(run))}

    def operation(self, run: str = RUN) -> SyncOperation:
        """Return the run's stored operation."""
        return self.state.operations[sync_id_of(run)]

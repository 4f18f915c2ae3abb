"""The steps of a run with fakes on all sides."""

from dataclasses import dataclass, field
from typing import Any

from contactsync.contacts import ContactType
from contactsync.intake.request import RunRequest
from contactsync.operations.operation import AccountOutcome, SyncOperation, sync_id_of
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
from tests.support.builders import KEY, MANAGEMENT_ACCOUNT, RUN, configuration, contact_of, members, request
from tests.support.fakes.bus import FakeMetrics
from tests.support.fakes.pacing import FakeBreakers, FakeLimiter, FakeLimiterItems
from tests.support.fakes.state import (
    FakeAnnouncer,
    FakeDesiredContacts,
    FakeLookups,
    FakeNoticeStore,
    FakeOperations,
    FakeRecords,
    FakeState,
)
from tests.support.fakes.surroundings import FakeAccountContacts, FakeClock, FakeConfigurations, FakeOrganization


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
    metrics: FakeMetrics = field(default_factory=FakeMetrics)
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

"""The steps over their ports: wired here for production and for tests alike."""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from contactsync.bus.ports import Metrics
from contactsync.clock import Clock
from contactsync.configuration.ports import Configurations
from contactsync.notices.requests import NoticeAnnouncer, NoticeRequests, NoticeStore
from contactsync.operations.ports import AccountRecords, DesiredContacts, Operations
from contactsync.pacing.guarded_calls import CallGuard
from contactsync.pacing.ports import Breakers, Limiter
from contactsync.scope.ports import Lookups, Organization
from contactsync.settings.groups import ManagementSettings, PatienceSettings, StateSettings
from contactsync.sync.access import AccessCheck
from contactsync.sync.account.apply import AccountSync
from contactsync.sync.account.exclusions import Exclusions
from contactsync.sync.account.write import ContactWriter
from contactsync.sync.approval import Approvals
from contactsync.sync.housekeeping import Housekeeper
from contactsync.sync.plan import Planner
from contactsync.sync.ports import AccountContacts
from contactsync.sync.report import Reporter
from contactsync.sync.second_look import SecondLook


class Ports(Protocol):
    """The ports of the steps to the outside: adapters in production, fakes in tests."""

    @property
    def clock(self) -> Clock:
        """The time."""

    @property
    def organization(self) -> Organization:
        """The organization as its management account sees it."""

    @property
    def contacts(self) -> AccountContacts:
        """The contacts of accounts."""

    @property
    def configurations(self) -> Configurations:
        """The stored configuration."""

    @property
    def operations(self) -> Operations:
        """Sync operations and outcomes."""

    @property
    def records(self) -> AccountRecords:
        """The account records."""

    @property
    def desired_contacts(self) -> DesiredContacts:
        """The latest desired contact of each type."""

    @property
    def lookups(self) -> Lookups:
        """Earlier answers about the organization."""

    @property
    def limiter(self) -> Limiter:
        """The limiter."""

    @property
    def breakers(self) -> Breakers:
        """The circuit breakers."""

    @property
    def announcer(self) -> NoticeAnnouncer:
        """The publisher of what was stored a moment ago."""

    @property
    def metrics(self) -> Metrics:
        """The metrics in CloudWatch."""

    @property
    def notice_store(self) -> NoticeStore:
        """The notices that were requested."""

    @property
    def fingerprint_keys(self) -> tuple[bytes, ...]:
        """The present key of contact fingerprints, then the one before it if that is still set."""


class StepSettings(Protocol):
    """The groups of settings that the steps use."""

    @property
    def management(self) -> ManagementSettings:
        """The management account."""

    @property
    def state(self) -> StateSettings:
        """How operations, outcomes and records are stored."""

    @property
    def patience(self) -> PatienceSettings:
        """How long and how often the steps try."""


@dataclass(frozen=True)
class Steps:
    """The steps of a run and of housekeeping; each is made when it is first asked for."""

    ports: Ports
    settings: StepSettings

    @cached_property
    def planner(self) -> Planner:
        """The step `plan`."""
        return Planner(
            organization=self.ports.organization,
            contacts=self.ports.contacts,
            configurations=self.ports.configurations,
            operations=self.ports.operations,
            access=self.access_check,
            call_guard=self.call_guard,
            announcer=self.ports.announcer,
            clock=self.ports.clock,
            lookups=self.ports.lookups,
            management_account=self.settings.management.account,
            fingerprint_key=self.ports.fingerprint_keys[0],
            source_reads=self.settings.patience.source_reads,
            source_wait=self.settings.patience.source_wait,
            plan_lasts=self.settings.patience.plan_lasts,
        )

    @cached_property
    def account_sync(self) -> AccountSync:
        """The step `sync_account`."""
        return AccountSync(
            contacts=self.ports.contacts,
            contact_writer=self.contact_writer,
            configurations=self.ports.configurations,
            operations=self.ports.operations,
            organization=self.ports.organization,
            exclusions=self.exclusions,
            access=self.access_check,
            call_guard=self.call_guard,
            announcer=self.ports.announcer,
            clock=self.ports.clock,
            fingerprint_keys=self.ports.fingerprint_keys,
            plan_lasts=self.settings.patience.plan_lasts,
        )

    @cached_property
    def contact_writer(self) -> ContactWriter:
        """The step that writes the desired contact to one account."""
        return ContactWriter(
            contacts=self.ports.contacts,
            desired=self.ports.desired_contacts,
            generations=self.ports.operations,
            records=self.ports.records,
            clock=self.ports.clock,
            fingerprint_keys=self.ports.fingerprint_keys,
            mark_wait=self.settings.patience.mark_wait,
            conflict_tries=self.settings.state.conflict_tries,
            verify_reads=self.settings.patience.verify_reads,
            verify_wait=self.settings.patience.verify_wait,
        )

    @cached_property
    def reporter(self) -> Reporter:
        """The step `report`."""
        return Reporter(
            configurations=self.ports.configurations,
            operations=self.ports.operations,
            records=self.ports.records,
            announcer=self.ports.announcer,
            metrics=self.ports.metrics,
            call_guard=self.call_guard,
            clock=self.ports.clock,
            second_look=self.second_look,
        )

    @cached_property
    def second_look(self) -> SecondLook:
        """The second read of the source at the end of a run."""
        return SecondLook(
            contacts=self.ports.contacts,
            desired=self.ports.desired_contacts,
            operations=self.ports.operations,
            call_guard=self.call_guard,
            clock=self.ports.clock,
            fingerprint_keys=self.ports.fingerprint_keys,
            source_reads=self.settings.patience.source_reads,
            source_wait=self.settings.patience.source_wait,
            follow_ups=self.settings.patience.follow_ups,
        )

    @cached_property
    def approvals(self) -> Approvals:
        """The step `approve_deletions`."""
        return Approvals(
            contacts=self.ports.contacts,
            configurations=self.ports.configurations,
            operations=self.ports.operations,
            call_guard=self.call_guard,
            clock=self.ports.clock,
        )

    @cached_property
    def housekeeper(self) -> Housekeeper:
        """The step `close_abandoned` of housekeeping."""
        return Housekeeper(
            configurations=self.ports.configurations,
            operations=self.ports.operations,
            reporter=self.reporter,
            announcer=self.ports.announcer,
            clock=self.ports.clock,
            overdue_after=self.settings.patience.overdue_after,
            abandoned_after=self.settings.patience.abandoned_after,
        )

    @cached_property
    def exclusions(self) -> Exclusions:
        """The check for exclusions immediately before every write."""
        return Exclusions(
            configurations=self.ports.configurations,
            organization=self.ports.organization,
            lookups=self.ports.lookups,
            clock=self.ports.clock,
        )

    @cached_property
    def call_guard(self) -> CallGuard:
        """The guard of every call of Account Management."""
        return CallGuard(
            limiter=self.ports.limiter,
            breakers=self.ports.breakers,
            clock=self.ports.clock,
            throttle_tries=self.settings.patience.throttle_tries,
            throttle_wait=self.settings.patience.throttle_wait,
        )

    @cached_property
    def access_check(self) -> AccessCheck:
        """The check whether contactsync may call at all."""
        return AccessCheck(
            self.ports.organization, self.ports.breakers, self.ports.clock, self.settings.management.account
        )

    @cached_property
    def notice_requests(self) -> NoticeRequests:
        """The requests for notices."""
        return NoticeRequests(
            requests=self.ports.notice_store,
            operations=self.ports.operations,
            configurations=self.ports.configurations,
            announcer=self.ports.announcer,
            clock=self.ports.clock,
        )

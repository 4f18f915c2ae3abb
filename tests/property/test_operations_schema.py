"""The product's correctness properties, against the real steps with fakes on all sides."""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from contactsync.accounts import Account, AccountState
from contactsync.contacts import Contact, ContactType, changed_fields
from contactsync.errors import (
    AccessDeniedError,
    AccountsFailedError,
    AwsCallError,
    ContactSyncError,
    RequestInvalidError,
    ServiceUnavailableError,
    ThrottledError,
    WaitingError,
)
from contactsync.operations.counting import is_failure
from contactsync.operations.operation import OutcomeDetail, OutcomeStatus
from contactsync.sync.report import Report
from tests.support.builders import MANAGEMENT_ACCOUNT, RUN, change_of, configuration, request
from tests.support.fakes.surroundings import FakeAccountContacts, FakeConfigurations, FakeOrganization, Fault
from tests.support.strategies import accounts, contact_types, contacts
from tests.support.worlds.world import World

ERRORS = (AccessDeniedError, ThrottledError, ServiceUnavailableError, RequestInvalidError)

TITLES: Final = {
    1: "Contact Change Detection Timing",
    2: "Contact Information Propagation Consistency",
    3: "Retry Logic with Exponential Backoff",
    4: "Resilient Processing",
    5: "Comprehensive Audit Logging",
    6: "Configuration-Based Filtering",
    7: "Configuration Validation and Isolation",
    8: "Status Reporting Completeness",
}
"""The document's properties, by number."""

ALTERNATIVES: list[Callable[[dict[str, str]], dict[str, str]]] = [
    lambda _: {},
    lambda source: source,
    lambda source: {**source, "PhoneNumber": "older"},
    lambda source: {**dict(list(source.items())[:2]), "Title": "x" * 99, "CompanyName": "older"},
]
"""What an account may have: nothing, the same, a difference in one field, something from before today's limits."""


@dataclass
class Case:
    """An organization with a configuration and contacts, and what became of its run."""

    world: World
    listed: list[Account]
    excluded: set[str]
    configured: tuple[ContactType, ...]
    task_states: dict[str, str] = field(default_factory=dict)
    before: dict[tuple[str | None, ContactType], Contact] = field(default_factory=dict)

    @property
    def members(self) -> set[str]:
        """The member accounts."""
        return {account.account_id for account in self.listed} - {MANAGEMENT_ACCOUNT}

    @property
    def targets(self) -> set[str]:
        """The accounts that may be touched."""
        active = {account.account_id for account in self.listed if account.state is AccountState.ACTIVE}
        return self.members & active - self.excluded

    def run(self) -> Report:
        """Run all steps, each account once, and go on whatever an account's task raises."""
        self.before = dict(self.world.contacts.stored)
        for account_id in self.world.plan():
            self.settle(account_id)
        return self.world.reporter.report(RUN, self.task_states, has_plan=True)

    def settle(self, account_id: str) -> None:
        """Run one account's task as Airflow does: after a pause again, and whatever it raises is its state."""
        while account_id not in self.task_states:
            try:
                self.world.sync(account_id)
                self.task_states[account_id] = "success"
            except WaitingError as pause:
                self.world.clock.sleep(pause.resume_in)
            except AccountsFailedError:
                self.task_states[account_id] = "failed"


@st.composite
def cases(draw: st.DrawFn, *, faults: bool = False) -> Case:
    """Give organizations in any state, some accounts excluded, some contacts configured, all contacts different."""
    listed = draw(accounts(max_size=6, min_size=1))
    ids = [account.account_id for account in listed]
    configured = tuple(draw(st.lists(contact_types, min_size=1, unique=True)))
    excluded = set(draw(st.lists(st.sampled_from(ids), unique=True, max_size=3)))
    stored: dict[tuple[str | None, ContactType], Contact] = {}
    for kind in ContactType:
        source = draw(contacts(kind))
        kinds = draw(st.lists(st.sampled_from(ALTERNATIVES), min_size=len(ids), max_size=len(ids)))
        stored[None, kind] = source
        stored |= {
            (account_id, kind): type(source).observed(found)
            for account_id, alternative in zip(ids, kinds, strict=True)
            if (found := alternative(source.values())) and account_id != MANAGEMENT_ACCOUNT
        }
    settings = configuration(
        contact_types=configured,
        excluded_accounts=sorted(excluded),
        # Faults are single accounts' here; what is the service's own has properties of its own.
        breaker={"enabled": False, "max_pause": 60},
    )
    world = World(
        organization=FakeOrganization(listed, MANAGEMENT_ACCOUNT),
        contacts=FakeAccountContacts(stored),
        configurations=FakeConfigurations([settings]),
    )
    if faults:
        for account_id in draw(st.lists(st.sampled_from(ids), unique=True)):
            error: AwsCallError = draw(st.sampled_from(ERRORS))("Scripted", "ScriptedException", account_id)
            world.contacts.faults.append(
                Fault(error, draw(st.sampled_from([None, "read", "write"])), account_id, applied=draw(st.booleans()))
            )
    return Case(world, listed, excluded, configured)


@given(cases())
def test_propagation(case: Case) -> None:
    """Feature: aws-contact-sync, Property 2: Contact Information Propagation Consistency.

    The same contact reaches all accounts that are not excluded, with its type and all field values; what is equal
    already, but for the punctuation of a telephone number, is not written.
    """
    case.run()
    stored = case.world.contacts.stored
    phones = case.world.configurations.latest().configuration.phone_comparison
    for account_id in case.targets:
        for kind in case.configured:
            assert changed_fields(stored[None, kind], stored.get((account_id, kind)), phones) == ()
    for call in case.world.contacts.changes():
        held = case.before.get((call.account_id, call.contact_type))
        assert changed_fields(stored[None, call.contact_type], held, phones)


@given(cases())
def test_second_run_plans_nothing(case: Case) -> None:
    """Feature: aws-contact-sync, Property 2: Contact Information Propagation Consistency.

    After a run nothing is left to write.
    """
    case.run()
    case.world.contacts.calls.clear()
    for account_id in case.world.plan(request(dag_run_id="the next run")):
        case.world.sync(account_id, run="the next run")
    assert case.world.contacts.changes() == []


@given(cases(faults=True))
def test_resilient(case: Case) -> None:
    """Feature: aws-contact-sync, Property 4: Resilient Processing.

    Some accounts' failures keep no other account from being synchronized.
    """
    case.run()
    stored = case.world.contacts.stored
    phones = case.world.configurations.latest().configuration.phone_comparison
    faulty = {fault.account_id for fault in case.world.contacts.faults}
    for account_id in case.targets - faulty:
        for kind in case.configured:
            assert changed_fields(stored[None, kind], stored.get((account_id, kind)), phones) == ()
            assert case.world.outcomes()[account_id, kind].status is OutcomeStatus.SUCCESS


@given(cases(faults=True))
def test_audit(case: Case) -> None:
    """Feature: aws-contact-sync, Property 5: Comprehensive Audit Logging.

    Every operation records when, who, from where, for whom, what and why not. No record holds a contact value.
    """
    case.run()
    operation = case.world.operation()
    assert operation.timestamp
    assert operation.initiating_user == "airflow:admin"
    assert operation.source_account == MANAGEMENT_ACCOUNT
    outcomes = case.world.outcomes()
    for (account_id, kind), outcome in outcomes.items():
        assert outcome.timestamp
        assert outcome.attempts
        if outcome.detail is OutcomeDetail.UPDATED:
            assert outcome.changed_fields == changed_fields(
                case.world.contacts.stored[None, kind], case.before.get((account_id, kind))
            )
        if is_failure(outcome):
            assert outcome.error_code == "ScriptedException"
            assert account_id in (outcome.error_message or "")


@given(cases(faults=True))
def test_filtering(case: Case) -> None:
    """Feature: aws-contact-sync, Property 6: Configuration-Based Filtering.

    Only configured types are synchronized, excluded accounts are skipped: they are not mapped, read or written, and
    neither are accounts that are not active, nor the management account's id.
    """
    mapped = set(case.world.plan())
    case.run()
    called = case.world.contacts.touched() - {None}
    assert mapped == case.targets
    assert called <= case.targets
    assert {call.contact_type for call in case.world.contacts.calls} <= set(case.configured)
    for account_id in case.members & case.excluded:
        for kind in case.configured:
            assert case.world.outcomes()[account_id, kind].detail is OutcomeDetail.EXCLUDED


@given(cases(), contact_types)
def test_filtering_of_changes(case: Case, changed: ContactType) -> None:
    """Feature: aws-contact-sync, Property 6: Configuration-Based Filtering.

    A change of a type that is not configured touches no account.
    """
    mapped = case.world.plan(request(change=change_of(changed)))
    assert set(mapped) == (case.targets if changed in case.configured else set())
    assert {call.contact_type for call in case.world.contacts.calls} <= {changed} & set(case.configured)


@given(cases(), cases())
def test_isolation(case: Case, other: Case) -> None:
    """Feature: aws-contact-sync, Property 7: Configuration Validation and Isolation.

    A changed configuration concerns future operations only, except that an account that it newly excludes is not
    written any more: the most careful of both holds.
    """
    mapped = case.world.plan()
    newer = other.world.configurations.versions[0]
    case.world.configurations.store(newer)
    for account_id in mapped:
        case.world.sync(account_id)
    assert case.world.operation().config_version == 1
    assert set(case.world.operation().contact_types) == set(case.configured)
    written = {call.account_id for call in case.world.contacts.changes()}
    assert not written & (case.excluded | set(newer.excluded_accounts))
    for outcome in case.world.outcomes().values():
        excluded = outcome.account_id in case.excluded or outcome.account_id in newer.excluded_accounts
        if outcome.account_id in mapped and not excluded:
            assert outcome.status is OutcomeStatus.SUCCESS


@given(cases(), st.sampled_from(["latest_error", "version_error"]))
def test_broken_configuration(case: Case, which: str) -> None:
    """Feature: aws-contact-sync, Property 7: Configuration Validation and Isolation.

    While the configuration cannot be read nothing is written.
    """
    mapped = case.world.plan()
    setattr(case.world.configurations, which, ThrottledError("GetItem", "ThrottlingException"))
    raised = 0
    for account_id in mapped:
        try:
            case.world.sync(account_id)
        except ContactSyncError:
            raised += 1
    assert raised == len(mapped)
    assert case.world.contacts.changes() == []


@given(cases(faults=True), st.data())
def test_report(case: Case, data: st.DataObject) -> None:
    """Feature: aws-contact-sync, Property 8: Status Reporting Completeness.

    The report shows a status for each account, with times and errors, also for accounts whose task never ran: they
    are failed.
    """
    mapped = case.world.plan()
    lost = set(data.draw(st.lists(st.sampled_from(mapped), unique=True))) if mapped else set()
    for account_id in mapped:
        if account_id not in lost:
            case.settle(account_id)
    report = case.world.reporter.report(RUN, case.task_states, has_plan=True)
    outcomes = case.world.outcomes()
    assert set(outcomes) == {(account_id, kind) for account_id in case.members for kind in case.configured}
    assert report.total == len(outcomes)
    assert OutcomeStatus.PENDING not in {outcome.status for outcome in outcomes.values()}
    assert all(outcome.timestamp and outcome.detail for outcome in outcomes.values())
    assert {key for key, outcome in outcomes.items() if outcome.detail is OutcomeDetail.NO_OUTCOME} == {
        (account_id, kind) for account_id in lost for kind in case.configured
    }
    assert report.outcome_counts.failures == sum(map(is_failure, outcomes.values()))


def tagged() -> Iterator[tuple[int, str]]:
    """Yield number and text of every tag of a Hypothesis test in this directory."""
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and any("given" in ast.unparse(d) for d in node.decorator_list):
                found = re.search(r"Feature: aws-contact-sync, Property (\d+): (.*)", ast.get_docstring(node) or "")
                if found:
                    yield int(found[1]), found[2].rstrip(".")


def test_tags() -> None:
    """Each of the document's eight properties has a Hypothesis test that is tagged with its number and title."""
    tags = set(tagged())
    assert tags >= set(TITLES.items())
    assert {number for number, _ in tags} == set(TITLES)

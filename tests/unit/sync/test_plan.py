"""The plan of a run: its order, what it stores, and what it refuses before anything is stored."""

from collections.abc import Callable
from typing import Any

import pytest

from contactsync.contacts import AlternateContact, ContactType, PrimaryContact
from contactsync.errors import (
    AccessDeniedError,
    AccountsFailedError,
    CallerMismatchError,
    ConfigurationInvalidError,
    ConfigurationMissingError,
    MappingLimitError,
    RequestInvalidError,
    RunRequestError,
    SourceContactMissingError,
    TrustedAccessOffError,
)
from contactsync.operations.desired import DesiredContact
from contactsync.operations.operation import OperationStatus, OutcomeDetail, OutcomeStatus, sync_id_of
from contactsync.sync.report import stored_report
from tests.support.builders import (
    MANAGEMENT_ACCOUNT,
    RUN,
    account,
    alternate,
    alternate_values,
    change_of,
    configuration,
    primary_values,
    request,
)
from tests.support.fakes.surroundings import Fault
from tests.support.recorded import MEMBER_ACCOUNT
from tests.support.worlds.world import World

SECURITY, PRIMARY = ContactType.SECURITY, ContactType.PRIMARY
IDS = tuple(account(number).account_id for number in (1, 2, 3))


def test_stored() -> None:
    """A plan stores the operation, the desired contacts and a pending outcome for each account and type."""
    world = World.of(3)
    assert world.plan() == IDS
    operation = world.operation()
    assert operation.status is OperationStatus.IN_PROGRESS
    assert operation.sync_id == sync_id_of(RUN)
    assert operation.contact_types == tuple(ContactType)
    assert {plan.generation for plan in operation.plans.values()} == {1}
    assert {kind: desired.contact for kind, desired in world.state.desired.items()} == {
        kind: world.contacts.stored[None, kind] for kind in ContactType
    }
    outcomes = world.outcomes()
    assert set(outcomes) == {(account_id, kind) for account_id in IDS for kind in ContactType}
    assert {outcome.status for outcome in outcomes.values()} == {OutcomeStatus.PENDING}
    assert world.contacts.touched() == {None}


def wrong_caller(world: World) -> None:
    """Let the credentials belong to another account."""
    world.organization.caller = MEMBER_ACCOUNT


def no_trusted_access(world: World) -> None:
    """Switch trusted access off."""
    world.organization.trusted = False


def no_configuration(world: World) -> None:
    """Take the configuration away."""
    world.configurations.latest_error = ConfigurationMissingError(table="config", config_key="default")


def invalid_configuration(world: World) -> None:
    """Make the configuration invalid."""
    world.configurations.latest_error = ConfigurationInvalidError(problems=["contact_types: empty"])


def broken_listing(world: World) -> None:
    """Let the second page of the accounts fail."""
    world.organization.error = AccessDeniedError("ListAccounts", "AccessDeniedException")


def nothing(_: World) -> None:
    """Leave the world as it is."""


@pytest.mark.parametrize(
    ("spoil", "parts", "map_limit", "expected"),
    [
        (wrong_caller, {}, 1024, CallerMismatchError),
        (no_trusted_access, {}, 1024, TrustedAccessOffError),
        (no_configuration, {}, 1024, ConfigurationMissingError),
        (invalid_configuration, {}, 1024, ConfigurationInvalidError),
        (broken_listing, {}, 1024, AccessDeniedError),
        (nothing, {}, 2, MappingLimitError),
        (nothing, {"accounts": [IDS[0], MEMBER_ACCOUNT]}, 1024, RunRequestError),
        (nothing, {"accounts": [MANAGEMENT_ACCOUNT]}, 1024, RunRequestError),
        (nothing, {"contact_types": ["billing"]}, 1024, RunRequestError),
    ],
)
def test_refused_first(
    spoil: Callable[[World], None], parts: dict[str, Any], map_limit: int, expected: type[Exception]
) -> None:
    """Whatever is wrong with a run is found before anything is stored, a generation raised or the source read."""
    world = World.of(3, contact_types=["security", "primary"])
    spoil(world)
    with pytest.raises(expected):
        world.plan(request(**parts), map_limit=map_limit)
    assert world.state.empty
    assert world.contacts.calls == []


def test_change() -> None:
    """A run for a change concerns that contact type alone and reads the source live."""
    world = World.of(1)
    world.plan(request(change=change_of("security")))
    assert world.operation().contact_types == (SECURITY,)
    assert world.operation().event_id == RUN
    assert [(call.method, call.contact_type, call.account_id) for call in world.contacts.calls] == [
        ("read", SECURITY, None)
    ]


@pytest.mark.parametrize("name", ["PutAlternateContact", "DeleteAlternateContact"])
def test_unclear_change(name: str) -> None:
    """A change whose type CloudTrail does not tell reads all three alternate contacts, and the operation says so."""
    world = World.of(1)
    world.plan(request(change=change_of("alternate", event_name=name, action=name[:6].lower().removesuffix("alt"))))
    assert set(world.operation().contact_types) == set(ContactType) - {PRIMARY}
    assert "did not say which" in (world.operation().note or "")


def test_unclear_put_deletes_nothing() -> None:
    """One of the three was put, so a contact that is absent was not, and is no deletion."""
    world = World.of(1, deletion={"policy": "propagate"})
    del world.contacts.stored[None, ContactType.BILLING]
    world.plan(request(change=change_of("alternate")))
    assert set(world.operation().contact_types) == {ContactType.OPERATIONS, SECURITY}
    assert "billing" in (world.operation().note or "")
    assert ContactType.BILLING not in world.state.desired


def test_unclear_put_of_nothing() -> None:
    """When none of the three is there, nothing is to be done, and no account is touched."""
    world = World.of(1, contact_types=["security"])
    del world.contacts.stored[None, SECURITY]
    assert world.plan(request(change=change_of("alternate"))) == ()
    assert world.operation().contact_types == ()


@pytest.mark.parametrize(("policy", "asked"), [("propagate", True), ("approve", True), ("ignore", False)])
def test_unclear_deletion_is_asked(policy: str, asked: bool) -> None:  # noqa: FBT001 -- a column of the table
    """Nobody knows that an absent contact is the one that was deleted, so a person decides, also under `propagate`."""
    world = World.of(1, contact_types=["security"], deletion={"policy": policy})
    del world.contacts.stored[None, SECURITY]
    world.plan(request(change=change_of("alternate", event_name="DeleteAlternateContact", action="delete")))
    plan = world.operation().plans[SECURITY]
    assert (plan.absent, plan.approved, plan.needs_approval) == (True, False, asked)
    assert SECURITY not in world.state.desired


def test_repeated() -> None:
    """A plan that runs again works on the same operation, with a newer generation and the newer source."""
    world = World.of(2)
    first = world.plan()
    world.contacts.stored[None, SECURITY] = alternate(Name="Somebody Else")
    assert world.plan() == first
    assert list(world.state.operations) == [sync_id_of(RUN)]
    assert world.operation().plans[SECURITY].generation == 2
    assert world.state.desired[SECURITY].contact == alternate(Name="Somebody Else")


def test_repeated_keeps_outcomes() -> None:
    """Outcomes that tasks have settled survive a repeated plan."""
    world = World.of(1, contact_types=["security"])
    world.plan()
    world.sync(IDS[0])
    settled = world.outcomes()
    world.plan()
    assert world.outcomes() == settled


def test_dry_run() -> None:
    """A dry run raises no generation and stores no desired contact; its plan holds fingerprints, no values."""
    world = World.of(2)
    assert world.plan(request(dry_run=True)) == IDS[:2]
    assert world.state.generations == world.state.desired == {}
    operation = world.operation()
    assert operation.dry_run
    assert operation.plans[SECURITY].generation is None
    assert set(operation.plans[SECURITY].fingerprints) == set(alternate().values())
    assert not [value for value in alternate().values().values() if value in repr(operation)]


@pytest.mark.parametrize(("policy", "approved"), [("approve", False), ("ignore", False), ("propagate", True)])
def test_deletion(policy: str, approved: bool) -> None:  # noqa: FBT001 -- a column of the table
    """An absent alternate contact becomes the desired one only under the policy `propagate`."""
    world = World.of(1, contact_types=["security"], deletion={"policy": policy})
    del world.contacts.stored[None, SECURITY]
    world.plan()
    plan = world.operation().plans[SECURITY]
    assert plan.absent
    assert plan.approved is approved
    assert (SECURITY in world.state.desired) is approved
    if approved:
        assert world.state.desired[SECURITY].contact is None


def test_primary_missing() -> None:
    """An absent primary contact is an error, whatever the policy: AWS has no way to delete it."""
    world = World.of(1, deletion={"policy": "propagate"})
    del world.contacts.stored[None, PRIMARY]
    with pytest.raises(SourceContactMissingError):
        world.plan()
    assert world.state.desired == world.state.operations == {}


def test_source_doubtful(caplog: pytest.LogCaptureFixture) -> None:
    """A contact outside the documented limits is warned of by the names of its fields, and AWS decides about it."""
    world = World.of(1)
    odd = PrimaryContact.observed(primary_values(PhoneNumber="2065550134", City="x" * 51))
    world.contacts.stored[None, PRIMARY] = odd
    world.plan()
    assert world.state.desired[PRIMARY].contact == odd
    assert set(world.state.desired) == set(ContactType)
    (warning,) = world.operation().warnings
    assert "primary contact is outside the limits that AWS documents in City, PhoneNumber" in warning
    assert warning in caplog.text
    assert "2065550134" not in caplog.text + repr(world.operation())
    for account_id in IDS[:1]:
        world.sync(account_id)
    report = world.reporter.report(RUN, {}, has_plan=True)
    assert warning in report.remarks
    assert warning in stored_report(world.operation(), [], threshold=1).remarks


def test_source_refused() -> None:
    """A contact that the accounts refuse fails there for good, and the other contact types are brought over."""
    world = World.of(1)
    world.contacts.stored[None, SECURITY] = AlternateContact.observed(alternate_values(EmailAddress="a'b@example.com"))
    refusal = RequestInvalidError("PutAlternateContact", "ValidationException", IDS[0])
    world.contacts.faults.append(Fault(refusal, "write", contact_type=SECURITY))
    world.plan()
    with pytest.raises(AccountsFailedError):
        world.sync(IDS[0])
    details = {kind: world.outcomes()[IDS[0], kind].detail for kind in ContactType}
    assert details == dict.fromkeys(ContactType, OutcomeDetail.UPDATED) | {SECURITY: OutcomeDetail.INVALID}


def test_source_unreadable() -> None:
    """A source that cannot be read stores nothing: no guess is made."""
    world = World.of(1)
    world.contacts.faults.append(Fault(AccessDeniedError("GetAlternateContact", "AccessDeniedException")))
    with pytest.raises(AccessDeniedError):
        world.plan()
    assert world.state.desired == world.state.operations == world.state.outcomes == {}


@pytest.mark.parametrize("counter", [None, 0, 3, 9])
def test_counter_behind(counter: int | None) -> None:
    """A counter that was lost or restored does not make a new contact look old."""
    world = World.of(1, contact_types=["security"])
    world.state.desired[SECURITY] = DesiredContact(SECURITY, 9, "another", alternate(Name="Older"))
    if counter is not None:
        world.state.generations[SECURITY] = counter
    world.plan()
    assert world.operation().plans[SECURITY].generation == 10
    assert world.state.desired[SECURITY].contact == world.contacts.stored[None, SECURITY]


def test_pinned_version() -> None:
    """The operation keeps the version of the configuration that it was planned with."""
    world = World.of(1)
    world.configurations.store(configuration(excluded_accounts=[IDS[0]]))
    assert world.plan() == ()
    assert world.operation().config_version == 2


def test_order_of_reading() -> None:
    """The generation is raised before the source is read."""
    world = World.of(1, contact_types=["security"])
    world.contacts.faults.append(Fault(AccessDeniedError("GetAlternateContact", "AccessDeniedException")))
    with pytest.raises(AccessDeniedError):
        world.plan()
    assert world.state.generations == {SECURITY: 1}


def test_change_of_other_type() -> None:
    """A change of a type that is not configured ends without accounts, and the operation says why."""
    world = World.of(3, contact_types=["primary"])
    assert world.plan(request(change=change_of("security"))) == ()
    assert "security" in (world.operation().note or "")
    assert world.outcomes() == {}
    assert world.state.generations == world.state.desired == {}
    assert world.contacts.calls == []

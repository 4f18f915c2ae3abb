"""The scope of a plan: whom it maps, whose outcomes it settles itself, and whom it leaves alone."""

from typing import Any

import pytest

from contactsync.accounts import AccountState
from contactsync.contacts import ContactType
from contactsync.errors import (
    AccessDeniedError,
    ConfigurationInvalidError,
    MappingLimitError,
    NotInOrganizationError,
    RunRequestError,
    ScopeEmptyError,
)
from contactsync.operations.operation import OperationStatus, OutcomeDetail, OutcomeStatus
from tests.support.builders import MANAGEMENT_ACCOUNT, RUN, account, change_of, configuration, request
from tests.support.fakes.surroundings import FakeOrganization, unit_path
from tests.support.recorded import MEMBER_ACCOUNT
from tests.support.worlds.world import World

SECURITY, BILLING, PRIMARY = ContactType.SECURITY, ContactType.BILLING, ContactType.PRIMARY
ONE, TWO, THREE, FOUR = IDS = tuple(account(number).account_id for number in (1, 2, 3, 4))


def test_map_limit_counts_targets() -> None:
    """The mapping limit concerns the accounts that are mapped, and is reached exactly."""
    world = World.of(5, excluded_accounts=[account(4).account_id])
    world.organization.members[-1] = account(5, AccountState.SUSPENDED)
    assert len(world.plan(map_limit=3)) == 3


def test_unknown_accounts_are_named() -> None:
    """Accounts that are not of the organization are named, and the others are not."""
    with pytest.raises(RunRequestError, match=MEMBER_ACCOUNT) as caught:
        World.of(3).plan(request(accounts=[ONE, MEMBER_ACCOUNT]))
    assert ONE not in str(caught.value)


def test_requested_accounts() -> None:
    """A run for some accounts maps those and reports no others."""
    world = World.of(3)
    assert world.plan(request(accounts=[THREE, ONE])) == (ONE, THREE)
    assert {account_id for account_id, _ in world.outcomes()} == {ONE, THREE}


def test_excluded_and_not_active() -> None:
    """Accounts that may not be touched are not mapped; their outcomes are settled by the plan."""
    world = World.of(3, excluded_accounts=[ONE], contact_types=["security"])
    world.organization.members[2] = account(2, AccountState.SUSPENDED)
    assert world.plan() == (THREE,)
    outcomes = world.outcomes()
    assert outcomes[ONE, SECURITY].detail is OutcomeDetail.EXCLUDED
    assert outcomes[TWO, SECURITY].detail is OutcomeDetail.NOT_ACTIVE
    assert outcomes[ONE, SECURITY].status is outcomes[TWO, SECURITY].status is OutcomeStatus.SKIPPED
    assert outcomes[ONE, SECURITY].retry_count == 0
    assert outcomes[ONE, SECURITY].account_name == "member-1"


def test_requested_but_excluded() -> None:
    """Naming an excluded account in a run does not include it."""
    world = World.of(2, excluded_accounts=[ONE])
    assert world.plan(request(accounts=[ONE])) == ()
    assert {outcome.detail for outcome in world.outcomes().values()} == {OutcomeDetail.EXCLUDED}


def test_excluded_management_account() -> None:
    """Excluding the management account changes nothing: it is never a target anyway."""
    assert World.of(1, excluded_accounts=[MANAGEMENT_ACCOUNT]).plan() == IDS[:1]


@pytest.mark.parametrize("reason", ["excluded", "suspended"])
def test_repeated_after_exclusion(reason: str) -> None:
    """An account that a repeated plan no longer maps is reported with the reason, not as one without an outcome."""
    world = World.of(2, contact_types=["security"])
    world.plan()
    if reason == "excluded":
        world.configurations.store(configuration(contact_types=["security"], excluded_accounts=[ONE]))
    else:
        world.organization.members[1] = account(1, AccountState.SUSPENDED)
    assert world.plan() == IDS[1:2]
    assert world.outcomes()[ONE, SECURITY].status is OutcomeStatus.SKIPPED


def placed(**settings: Any) -> World:
    """Return a world of four accounts: one and two in Workloads/Production, three in Sandbox, four in no unit."""
    world = World.of(4, **{"contact_types": ["security"], **settings})
    world.organization.places = {ONE: "Workloads/Production", TWO: "Workloads/Production", THREE: "Sandbox"}
    world.organization.empty_units = ["Workloads/Production/Retired"]
    world.organization.tags = {TWO: {"contacts": "own"}, FOUR: {"contacts": "own", "team": "core"}}
    return world


def details(world: World) -> dict[tuple[str, ContactType], OutcomeDetail | None]:
    """Return the details of all outcomes; None where a task is to settle."""
    return {key: outcome.detail for key, outcome in world.outcomes().items()}


def test_units() -> None:
    """Accounts below an excluded unit are excluded with an outcome; the others are mapped."""
    world = placed(scope={"exclude": {"organizational_units": ["Workloads"]}})
    assert world.plan() == (THREE, FOUR)
    assert details(world) == {
        (ONE, SECURITY): OutcomeDetail.EXCLUDED,
        (TWO, SECURITY): OutcomeDetail.EXCLUDED,
        (THREE, SECURITY): None,
        (FOUR, SECURITY): None,
    }


def test_units_by_id() -> None:
    """A unit is named by its id as well, and the root's id means everything."""
    unit, root = unit_path("Workloads")[-1].unit_id, unit_path("")[0].unit_id
    assert placed(scope={"include": {"organizational_units": [unit]}}).plan() == (ONE, TWO)
    assert placed(scope={"include": {"organizational_units": [root]}}).plan() == IDS


def test_not_included() -> None:
    """An account that no include names has no outcome, also when an exclude names it."""
    world = placed(scope={"include": {"organizational_units": ["Sandbox"]}, "exclude": {"accounts": [ONE]}})
    assert world.plan() == (THREE,)
    assert details(world) == {(THREE, SECURITY): None}


def test_not_included_is_not_reported_as_inactive() -> None:
    """An account that is not active has an outcome only when it is otherwise in scope."""
    world = placed(scope={"include": {"accounts": [ONE, TWO]}, "exclude": {"accounts": [TWO]}})
    world.organization.members[1:5] = [account(number, AccountState.SUSPENDED) for number in (1, 2, 3, 4)]
    assert world.plan() == ()
    assert details(world) == {(ONE, SECURITY): OutcomeDetail.NOT_ACTIVE, (TWO, SECURITY): OutcomeDetail.EXCLUDED}


def test_tags() -> None:
    """An excluded tag excludes by key, or by key and value."""
    assert placed(scope={"exclude": {"tags": {"contacts": []}}}).plan() == (ONE, THREE)
    assert placed(scope={"exclude": {"tags": {"contacts": ["own"], "team": ["web"]}}}).plan() == (ONE, THREE)
    assert placed(scope={"exclude": {"tags": {"contacts": ["shared"]}}}).plan() == IDS


def test_per_type() -> None:
    """A type's scope narrows for that type only; an account is mapped when one type admits it."""
    world = placed(
        contact_types=["security", "billing"],
        scope={
            "include": {"organizational_units": ["Workloads", "Sandbox"]},
            "contact_types": {"billing": {"include": {"accounts": [ONE, TWO, FOUR]}, "exclude": {"accounts": [ONE]}}},
        },
    )
    assert world.plan() == (ONE, TWO, THREE)
    assert details(world) == {
        (ONE, SECURITY): None,
        (ONE, BILLING): OutcomeDetail.EXCLUDED,
        (TWO, SECURITY): None,
        (TWO, BILLING): None,
        (THREE, SECURITY): None,
    }


def test_excluded_for_every_type() -> None:
    """An account that each type excludes for itself is not mapped."""
    exclude = {"exclude": {"accounts": [ONE]}}
    world = placed(
        contact_types=["security", "billing"], scope={"contact_types": {"security": exclude, "billing": exclude}}
    )
    assert world.plan() == (TWO, THREE, FOUR)


def test_scope_of_another_type() -> None:
    """A run for one type does not heed another type's scope, not even a mistake in it."""
    scope = {"contact_types": {"billing": {"exclude": {"organizational_units": ["Gone"]}}}}
    world = placed(contact_types=["security", "billing"], scope=scope)
    assert world.plan(request(contact_types=["security"])) == IDS
    with pytest.raises(ConfigurationInvalidError, match=r"scope\.contact_types\.billing\.exclude"):
        placed(contact_types=["security", "billing"], scope=scope).plan()


def test_requested_units() -> None:
    """A run for accounts and units is for those that either names, without those that are excluded."""
    world = placed(scope={"exclude": {"accounts": [TWO]}})
    assert world.plan(request(accounts=[FOUR], organizational_units=["Workloads/Production"])) == (ONE, FOUR)
    assert details(world) == {
        (ONE, SECURITY): None,
        (TWO, SECURITY): OutcomeDetail.EXCLUDED,
        (FOUR, SECURITY): None,
    }


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("Workloads/Prod", "'Workloads/Production'"),
        ("workloads", "'Workloads'"),
        ("Production", "'Workloads/Production'"),
        ("Sandboxes", "'Sandbox'"),
    ],
)
@pytest.mark.parametrize("side", ["include", "exclude"])
def test_unknown_unit(side: str, name: str, nearest: str) -> None:
    """A rule with a unit that does not exist stops the plan, with the field and the nearest path; nothing is stored."""
    world = placed(scope={side: {"organizational_units": ["Sandbox", name]}})
    with pytest.raises(ConfigurationInvalidError) as caught:
        world.plan()
    assert caught.value.version == 1
    (problem,) = caught.value.problems
    assert problem.startswith(f"scope.{side}.organizational_units: ")
    assert repr(name) in problem
    assert nearest in problem
    assert world.state.empty
    assert world.contacts.calls == []


def test_unknown_unit_id() -> None:
    """An id that does not exist has no nearest one."""
    with pytest.raises(ConfigurationInvalidError, match="'ou-fake-00000000'") as caught:
        placed(scope={"exclude": {"organizational_units": ["ou-fake-00000000"]}}).plan()
    assert "did you mean" not in str(caught.value)


def test_renamed_unit() -> None:
    """A unit that was renamed after it was excluded stops the plan instead of including its accounts."""
    world = placed(scope={"exclude": {"organizational_units": ["Sandbox"]}})
    assert THREE not in world.plan()
    world.organization.places[THREE] = "Playground"
    with pytest.raises(ConfigurationInvalidError):
        world.plan()


def test_unknown_requested_unit() -> None:
    """A run for a unit that does not exist is refused as a request; nothing is stored."""
    world = placed()
    with pytest.raises(RunRequestError, match=r"'Sandbx'.*'Sandbox'"):
        world.plan(request(organizational_units=["Sandbx"]))
    assert world.state.empty


def test_ambiguous_unit() -> None:
    """A path that means two units, because a name holds a slash, is refused with their ids."""
    world = placed(scope={"exclude": {"organizational_units": ["Workloads/Production"]}})

    class Slashed(FakeOrganization):
        """An organization with a unit right under the root that is called `Workloads/Production`."""

        def _all_units(self) -> list[Any]:
            root, unit = unit_path("")[0], unit_path("x")[-1]
            return [*super()._all_units(), (root, type(unit)("ou-fake-99999999", "Workloads/Production"))]

    world.organization = Slashed(world.organization.members, MANAGEMENT_ACCOUNT, places=world.organization.places)
    with pytest.raises(ConfigurationInvalidError, match="ou-fake-99999999"):
        world.plan()


NO_RULES: dict[str, Any] = {}
BY_ID = {"include": {"accounts": [ONE]}, "exclude": {"accounts": [TWO]}}
BY_UNIT = {"exclude": {"organizational_units": ["Workloads"]}}
BY_TAG = {"exclude": {"tags": {"contacts": []}}}
BOTH = {"include": {"organizational_units": ["Workloads"]}, "exclude": {"tags": {"contacts": []}}}
EITHER = {"include": {"organizational_units": ["Sandbox"], "tags": {"team": []}}}


@pytest.mark.parametrize(
    ("scope", "walks", "tagged"),
    [
        (NO_RULES, 0, ()),
        (BY_ID, 0, ()),
        (BY_UNIT, 1, ()),
        (BY_TAG, 0, IDS),
        (BOTH, 1, (ONE, TWO)),
        (EITHER, 1, (ONE, TWO, FOUR)),
        ({**BY_TAG, "include": {"accounts": [THREE]}}, 0, (THREE,)),
        ({"exclude": {"accounts": [ONE], "tags": {"team": []}}}, 0, (TWO, THREE, FOUR)),
    ],
)
def test_asked(scope: dict[str, Any], walks: int, tagged: tuple[str, ...]) -> None:
    """Units are walked only for rules about units, and tags are read only where nothing else decides."""
    world = placed(scope=scope)
    world.plan()
    assert len(world.organization.questions("units")) == walks
    assert world.organization.questions("units_of") == []
    assert tuple(world.organization.questions("tags_of")) == tagged


def test_tags_of_requested_only() -> None:
    """A run for one account reads no other account's tags."""
    world = placed(scope=BY_TAG)
    world.plan(request(accounts=[THREE]))
    assert world.organization.questions("tags_of") == [THREE]


def test_tags_once_per_account() -> None:
    """Tags are read once for all contact types."""
    world = placed(
        contact_types=["security", "billing"], scope={"contact_types": {"security": BY_TAG, "billing": BY_TAG}}
    )
    world.plan()
    assert world.organization.questions("tags_of") == list(IDS)


def test_moved_during_the_walk() -> None:
    """An account that no unit listed, because it moved meanwhile, is asked for by itself and not taken for unplaced."""
    world = placed(scope=BY_UNIT)

    class Moving(FakeOrganization):
        """An organization in whose listings the first account does not show."""

        def accounts_in(self, unit_id: str) -> Any:
            return (found for found in super().accounts_in(unit_id) if found != ONE)

    world.organization = Moving(world.organization.members, MANAGEMENT_ACCOUNT, places=world.organization.places)
    assert world.plan() == (THREE, FOUR)
    assert world.organization.questions("units_of") == [ONE]


@pytest.mark.parametrize("scope", [BY_UNIT, BY_TAG])
@pytest.mark.parametrize("kind", [AccessDeniedError, NotInOrganizationError])
def test_unreadable(scope: dict[str, Any], kind: type[AccessDeniedError]) -> None:
    """Units or tags that cannot be read stop the plan: nobody is taken for included or excluded."""
    world = placed(scope=scope)
    world.organization.scope_error = kind("ListParents", "Scripted", ONE)
    with pytest.raises(kind):
        world.plan()
    assert world.state.empty


NOBODY = {"include": {"accounts": [MEMBER_ACCOUNT]}}


def test_nobody_by_hand() -> None:
    """A run that somebody started for nobody is refused with the remedy, before anything is stored."""
    world = placed(scope=NOBODY)
    with pytest.raises(ScopeEmptyError, match=r"security.*version 1"):
        world.plan()
    assert world.state.empty
    assert world.contacts.calls == []


def test_requested_outside() -> None:
    """A run for accounts that the configuration does not include is refused as well."""
    with pytest.raises(ScopeEmptyError):
        placed(scope={"include": {"accounts": [ONE]}}).plan(request(accounts=[TWO]))


def test_nobody_for_a_change() -> None:
    """A change that concerns no account ends as a finished, empty operation that says why."""
    world = placed(scope=NOBODY)
    assert world.plan(request(change=change_of("security"))) == ()
    assert "security" in (world.operation().note or "")
    assert world.outcomes() == {}
    assert world.state.generations == world.state.desired == {}
    report = world.reporter.report(RUN, {}, has_plan=True)
    report.check()
    assert report.total == 0
    assert world.operation().status is OperationStatus.COMPLETED


def test_all_excluded() -> None:
    """A run whose accounts are all excluded is no mistake: they are reported."""
    world = placed(excluded_accounts=IDS)
    assert world.plan(request(change=change_of("security"))) == ()
    assert set(details(world).values()) == {OutcomeDetail.EXCLUDED}
    assert world.operation().note is None


def test_nobody_for_one_type() -> None:
    """A type that concerns nobody is not planned beside others that do, and the operation says so."""
    world = placed(
        contact_types=["security", "billing"],
        scope={"contact_types": {"billing": {"include": {"accounts": [MEMBER_ACCOUNT]}}}},
    )
    assert world.plan() == IDS
    assert world.operation().contact_types == (SECURITY,)
    assert "billing" in (world.operation().note or "")
    assert "security" not in (world.operation().note or "")
    assert BILLING not in world.state.generations


def test_map_limit_counts_admitted() -> None:
    """Accounts outside of every type's scope do not count against the mapping limit."""
    world = placed(scope={"include": {"organizational_units": ["Workloads"]}})
    assert len(world.plan(map_limit=2)) == 2
    with pytest.raises(MappingLimitError):
        placed().plan(map_limit=3)


def test_repeated_after_a_move() -> None:
    """A repeated plan removes the open outcomes of accounts that are no longer included."""
    world = placed(scope={"include": {"organizational_units": ["Workloads"]}})
    world.plan()
    world.organization.places[TWO] = "Sandbox"
    assert world.plan() == (ONE,)
    assert set(details(world)) == {(ONE, SECURITY)}

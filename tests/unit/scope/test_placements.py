"""What a configuration version that the plan did not know makes the accounts of a run ask of the organization."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from contactsync.accounts import FoundPlaces, UnitPath
from contactsync.contacts import ContactType
from contactsync.errors import (
    AccessDeniedError,
    ConfigurationInvalidError,
    ContactSyncError,
    NotInOrganizationError,
    RequestInvalidError,
    ThrottledError,
)
from contactsync.operations.operation import OutcomeDetail, SyncOperation
from contactsync.scope.placements import MISSING_LASTS, PLACES_LAST, RENEWED_AFTER, WALK_HELD
from contactsync.sync.account.exclusions import WORTH_A_WALK
from tests.support.builders import account, configuration, operation, request
from tests.support.fakes.state import FakeLookups
from tests.support.fakes.surroundings import START, FakeOrganization, unit_path
from tests.support.worlds.world import World

SECURITY, BILLING = ContactType.SECURITY, ContactType.BILLING
IDS = tuple(account(number).account_id for number in range(1, 201))
ONE, TWO, THREE = IDS[:3]
CLOSED = {"exclude": {"organizational_units": ["Closed"]}}
OWN = {"exclude": {"tags": {"contacts": ["own"]}}}
PLACES = ("Workloads/Production", "Workloads/Test", "Sandbox", "Security")
UNITS = 7
"""The root, those of PLACES with what is above them, and Closed."""

THROTTLED = ThrottledError("ListAccountsForParent", "TooManyRequestsException")
DENIED = AccessDeniedError("ListAccountsForParent", "AccessDeniedException")
LATE = PLACES_LAST.total_seconds()


@dataclass
class EventfulOrganization(FakeOrganization):
    """An organization in which something happens after a unit's accounts were listed, or a listing fails."""

    after: dict[str, Callable[[], None]] = field(default_factory=dict)
    """By the unit's path; each happens once."""
    listing_error: Exception | None = None

    def accounts_in(self, unit_id: str) -> Iterator[str]:
        """List, and let it happen."""
        if self.listing_error:
            raise self.listing_error
        yield from list(super().accounts_in(unit_id))
        for path in [path for path in self.after if unit_path(path)[-1].unit_id == unit_id]:
            self.after.pop(path)()

    def moves(self, account_id: str, path: str) -> Callable[[], None]:
        """Return what moves an account."""
        return lambda: self.places.update({account_id: path})


def world_of(count: int = 200, *versions: Mapping[str, Any], **settings: Any) -> World:
    """Return a world of accounts in four units, with further versions of the configuration."""
    world = World.of(count, contact_types=["security", "billing"], rates={"enabled": False}, **settings)
    organization = EventfulOrganization(world.organization.members, world.organization.caller)
    organization.places = {account_id: PLACES[number % 4] for number, account_id in enumerate(IDS[:count])}
    organization.empty_units = ["Closed"]
    world.organization = organization
    for version in versions:
        store(world, **version)
    return world


def store(world: World, **settings: Any) -> None:
    """Put a new version into force."""
    world.configurations.store(
        configuration(contact_types=["security", "billing"], rates={"enabled": False}, **settings)
    )


def events(world: World) -> EventfulOrganization:
    """Return the world's organization."""
    assert isinstance(world.organization, EventfulOrganization)
    return world.organization


def asked(world: World) -> Counter[str]:
    """Return how often each question was asked since the last time."""
    found = Counter(method for method, _ in world.organization.asked)
    world.organization.asked.clear()
    return found


def many(count: int = 200) -> SyncOperation:
    """Return an operation that concerns many accounts, planned with the first version."""
    made = operation(SECURITY, BILLING)
    return replace(made, plans={kind: replace(plan, expected=count) for kind, plan in made.plans.items()})


def excluded(world: World, account_id: str = ONE, kind: ContactType = SECURITY, **options: Any) -> bool:
    """Ask as the task of an account does, in a process of its own."""
    of = options.pop("of", many())
    return world.exclusions.excludes(of, world.configurations.versions[0], account_id, kind, **options)


WALK = {"units": 1, "accounts_in": UNITS}


def test_run_with_newer_units() -> None:
    """A run whose configuration changed after its plan asks where accounts are once: by one walk for all of them."""
    world = world_of()
    world.organization.places[TWO] = "Closed"
    assert len(world.plan()) == 200
    asked(world)
    store(world, scope=CLOSED)
    for account_id in IDS:
        world.sync(account_id)
    assert asked(world) == WALK
    details = Counter((key[0], outcome.detail) for key, outcome in world.outcomes().items())
    assert details[TWO, OutcomeDetail.EXCLUDED] == 2
    assert sum(details.values()) == 400
    assert details[TWO, OutcomeDetail.UPDATED] + details[ONE, OutcomeDetail.UPDATED] == 2


def test_run_with_newer_tags() -> None:
    """It asks for the tags of each account once, for all contact types, looks and tries, and for other runs too."""
    world = world_of()
    world.organization.tags = {TWO: {"contacts": "own", "more": "x"}}
    world.plan()
    world.plan(request(dag_run_id="another"))
    asked(world)
    store(world, scope=OWN)
    for account_id in IDS:
        world.sync(account_id)
    assert asked(world) == {"tags_of": 200}
    for account_id in IDS:
        world.sync(account_id, run="another")
        assert excluded(world, account_id) is (account_id == TWO)
    assert asked(world) == {}
    assert {
        key for kept in world.lookups.kept.values() for _, portion in kept for tags in portion.values() for key in tags
    } == {"contacts"}
    world.clock.sleep(LATE + 1)
    world.organization.tags = {}
    assert not excluded(world, TWO)
    assert asked(world) == {"tags_of": 1}


def test_types_with_units_of_their_own() -> None:
    """One walk serves contact types that name different units, and different plans."""
    types = {"security": CLOSED, "billing": {"exclude": {"organizational_units": ["Sandbox"]}}}
    world = world_of(200, {"scope": {"contact_types": types}})
    for account_id in IDS:
        for kind in (SECURITY, BILLING, SECURITY, BILLING):
            expected = kind is BILLING and world.organization.places[account_id] == "Sandbox"
            assert excluded(world, account_id, kind) is expected
    assert asked(world) == WALK


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ({"exclude": {"organizational_units": ["Workloads"]}}, True),
        ({"exclude": {"organizational_units": ["Workloads/Test"]}}, False),
        ({"exclude": {"organizational_units": ["Production"]}}, None),
        ({"exclude": {"organizational_units": [unit_path("Workloads")[-1].unit_id]}}, True),
        ({"exclude": {"organizational_units": ["r-fake"]}}, True),
        ({"include": {"organizational_units": ["Sandbox"]}}, True),
        ({"include": {"organizational_units": ["Sandbox", "Workloads"]}}, False),
        ({"include": {"organizational_units": ["Sandbox"], "tags": {"contacts": ["own"]}}}, False),
        ({"include": {"organizational_units": ["Workloads"]}, "exclude": {"tags": {"contacts": []}}}, True),
        ({"include": {"organizational_units": ["Elsewhere"]}}, True),
    ],
)
def test_same_answers(scope: dict[str, Any], expected: bool | None) -> None:  # noqa: FBT001 -- a column of the table
    """What a walk found decides as the account's own answer does; None stands for a unit that is not there."""
    for of in (operation(SECURITY), many()):
        world = world_of(8, {"scope": scope})
        world.organization.tags = {ONE: {"contacts": "own"}}
        if expected is None:
            with pytest.raises(ConfigurationInvalidError, match="'Production'"):
                excluded(world, of=of)
        else:
            assert excluded(world, of=of) is expected


def test_renewed_in_time() -> None:
    """Shortly before it is too old one process walks again, and what has moved counts from then on."""
    world = world_of(200, {"scope": CLOSED})
    assert not excluded(world)
    world.organization.places[ONE] = "Closed"
    world.clock.sleep(LATE * RENEWED_AFTER - 1)
    assert not excluded(world)
    assert asked(world) == WALK
    world.clock.sleep(1)
    assert excluded(world)
    assert excluded(world, THREE) is False
    assert asked(world) == WALK


def test_others_believe_while_one_renews() -> None:
    """While another process renews it, what was found is believed until it is five minutes old."""
    world = world_of(200, {"scope": CLOSED})
    assert not excluded(world)
    asked(world)
    world.clock.sleep(LATE - 1)
    world.lookups.hold_walk(2, "another", world.clock.now(), world.clock.now() + WALK_HELD)
    assert not excluded(world)
    assert asked(world) == {}
    world.clock.sleep(1)
    assert not excluded(world)
    assert asked(world) == {"units_of": 1, "has_unit": 1}


def test_dead_walker() -> None:
    """While the process that walks is dead, others ask for their own account, and one walks when its time is over."""
    world = world_of(200, {"scope": CLOSED})

    class Killed(BaseException):
        """The process ended."""

    def kill() -> None:
        raise Killed

    events(world).after["Sandbox"] = kill
    with pytest.raises(Killed):
        excluded(world)
    asked(world)
    for account_id in IDS[:5]:
        assert not excluded(world, account_id)
    assert asked(world) == {"units_of": 5, "has_unit": 1}
    world.clock.sleep(WALK_HELD.total_seconds())
    for account_id in IDS:
        assert not excluded(world, account_id)
    assert asked(world) == WALK


def test_killed_while_storing() -> None:
    """A process that ends between two parts leaves parts that are right, and the others are looked for again."""
    world = world_of(200, {"scope": CLOSED})
    assert not excluded(world)
    for digit in "34567":
        del world.lookups.found[2, digit]
    world.lookups.walks.clear()
    asked(world)
    for account_id in IDS:
        assert not excluded(world, account_id)
    assert asked(world) == WALK


@pytest.mark.parametrize(
    "error", [THROTTLED, DENIED, NotInOrganizationError("ListAccountsForParent", "ParentNotFound")]
)
def test_walk_that_fails(error: ContactSyncError) -> None:
    """A walk that fails fails no account: each asks for itself, until somebody may try to walk again."""
    world = world_of(200, {"scope": CLOSED})
    events(world).listing_error = error
    world.organization.places[TWO] = "Closed"
    assert not excluded(world)
    assert excluded(world, TWO)
    assert asked(world) == {"units": 1, "units_of": 2, "has_unit": 1}
    world.clock.sleep(WALK_HELD.total_seconds())
    events(world).listing_error = None
    assert not excluded(world, THREE)
    assert asked(world) == WALK


def test_nothing_can_be_read() -> None:
    """When neither the walk nor the account's own question is answered, nothing is written."""
    world = world_of(200, {"scope": CLOSED})
    world.organization.scope_error = DENIED
    with pytest.raises(AccessDeniedError):
        excluded(world)


class FullLookups(FakeLookups):
    """A table that takes no more."""

    def store_places(self, *_: object) -> None:
        """Refuse."""
        raise RequestInvalidError("PutItem", "ValidationException")

    def keep_tags(self, *_: object) -> None:
        """Refuse."""
        raise RequestInvalidError("PutItem", "ValidationException")


def test_nothing_can_be_kept() -> None:
    """What cannot be kept is asked again, and decides all the same."""
    world = world_of(200, {"scope": {"exclude": {"organizational_units": ["Closed"], "tags": {"contacts": ["own"]}}}})
    world.lookups = FullLookups()
    world.organization.places[TWO] = "Closed"
    world.organization.tags = {THREE: {"contacts": "own"}}
    assert [excluded(world, account_id) for account_id in IDS[:4]] == [False, True, True, False]


def test_version_changes_during_the_walk() -> None:
    """A version that comes into force while accounts are looked up counts, and gets a walk of its own."""
    world = world_of(200, {"scope": CLOSED})
    events(world).after["Sandbox"] = lambda: store(world, scope=CLOSED, excluded_accounts=[ONE])
    assert excluded(world)
    world = world_of(200, {"scope": CLOSED})
    sandbox = {"exclude": {"organizational_units": ["Workloads/Production"]}}
    events(world).after["Sandbox"] = lambda: store(world, scope=sandbox)
    assert excluded(world)
    assert world.lookups.walked == [2, 3]


def test_version_changes_while_tags_are_asked() -> None:
    """The same holds for any look-up, and before a deletion."""

    @dataclass
    class Changing(EventfulOrganization):
        def tags_of(self, account_id: str) -> Mapping[str, str]:
            if len(world.configurations.versions) == 2:
                store(world, scope=OWN, excluded_accounts=[ONE])
            return super().tags_of(account_id)

    for again in (False, True):
        world = world_of(200, {"scope": OWN})
        world.organization = Changing(**vars(world.organization))
        assert excluded(world, again=again)


def test_two_versions_in_turn() -> None:
    """Two versions that alternate do not displace each other's answers, and neither believes the other's."""
    world = world_of(
        200, {"scope": CLOSED}, {"scope": {"exclude": {"organizational_units": ["Sandbox"], "tags": {"x": []}}}}
    )
    newest, before = world.configurations.versions, world.configurations.versions[:2]
    exclusions, pinned = world.exclusions, newest[0]
    for account_id in IDS:
        for versions in (newest, before, newest, before):
            world.configurations.versions = versions
            expected = versions is newest and world.organization.places[account_id] == "Sandbox"
            assert exclusions.excludes(many(), pinned, account_id, SECURITY) is expected
    others = sum(place != "Sandbox" for place in world.organization.places.values())
    assert asked(world) == {"units": 2, "accounts_in": 2 * UNITS, "tags_of": others}
    assert sorted(world.lookups.walked) == [2, 3]


def test_moved_before_a_newer_version() -> None:
    """What was found before a version came into force does not count for it."""
    world = world_of(200, {"scope": CLOSED})
    exclusions, pinned = world.exclusions, world.configurations.versions[0]
    assert not exclusions.excludes(many(), pinned, ONE, SECURITY)
    world.organization.places[ONE] = "Closed"
    store(world, scope=CLOSED, retry_config={"max_attempts": 1})
    assert exclusions.excludes(many(), pinned, ONE, SECURITY)


@pytest.mark.parametrize(
    ("before", "moved_after", "to", "expected"),
    [
        ("Sandbox", "Sandbox", "Workloads/Test", False),
        ("Workloads/Test", "Sandbox", "Sandbox", False),
        ("Closed", "Closed", "Workloads/Test", False),
        ("Workloads/Test", "Closed", "Closed", True),
        ("", "", "Closed", True),
        ("Closed/Later", "Closed", "Closed", True),
    ],
)
def test_moved_during_the_walk(before: str, moved_after: str, to: str, expected: bool) -> None:  # noqa: FBT001 -- a column of the table
    """One that is moved while the units are listed counts as where it is now, also when two or no listings had it."""
    world = world_of(200, {"scope": CLOSED})
    world.organization.places[ONE] = before
    events(world).after[moved_after] = events(world).moves(ONE, to)
    assert excluded(world) is expected
    assert excluded(world, IDS[7]) is False


def test_left() -> None:
    """An account that left the organization is in no listing, and its own question says so."""
    world = world_of(200, {"scope": CLOSED})
    del world.organization.members[1]
    with pytest.raises(NotInOrganizationError, match=ONE):
        excluded(world)


def test_missing_unit() -> None:
    """An exclude whose unit is not there lets nothing be written: found by one walk a minute, not by each account."""
    world = world_of(200, {"scope": {"exclude": {"organizational_units": ["Closed", "Sandbux"]}}})
    world.organization.places[TWO] = "Closed"
    for _ in range(2):
        for account_id in IDS[2:]:
            with pytest.raises(ConfigurationInvalidError, match="'Sandbux'") as caught:
                excluded(world, account_id)
            assert "Closed" not in str(caught.value)
            assert caught.value.version == 2
    assert excluded(world, TWO)
    assert asked(world) == WALK
    world.organization.places = {key: place.replace("box", "bux") for key, place in world.organization.places.items()}
    world.clock.sleep(MISSING_LASTS.total_seconds())
    assert [excluded(world, account_id) for account_id in IDS[2:4]] == [True, False]


def test_renamed_during_the_walk() -> None:
    """A unit that is renamed while the organization is walked still protects its accounts: they are refused."""
    world = world_of(200, {"scope": {"exclude": {"organizational_units": ["Sandbox"]}}})

    def rename() -> None:
        places = world.organization.places
        world.organization.places = {key: place.replace("Sandbox", "Playground") for key, place in places.items()}

    events(world).after[""] = rename
    sandboxed = [account_id for account_id in IDS if world.organization.places[account_id] == "Sandbox"]
    for account_id in sandboxed:
        with pytest.raises(ConfigurationInvalidError, match="'Sandbox'"):
            excluded(world, account_id)


def test_few_accounts() -> None:
    """A run for few accounts does not walk, but uses what a walk has found."""
    world = world_of(200, {"scope": CLOSED})
    for of in (operation(SECURITY), many(WORTH_A_WALK - 1)):
        assert not excluded(world, of=of)
    assert asked(world) == {"units_of": 2, "has_unit": 1}
    assert not excluded(world, of=many(WORTH_A_WALK))
    assert asked(world) == WALK
    assert not excluded(world, of=operation(SECURITY))
    assert asked(world) == {}


def test_deletions_ask_afresh() -> None:
    """Before a deletion, and long after a plan, nothing that was kept is believed, and nothing is kept."""
    scope = {"exclude": {"organizational_units": ["Closed"], "tags": {"contacts": ["own"]}}}
    world = world_of(200, {"scope": scope})
    assert not excluded(world)
    asked(world)
    world.organization.places[ONE] = "Closed"
    assert not excluded(world)
    assert asked(world) == {}
    assert excluded(world, again=True)
    assert asked(world) == {"units_of": 1}
    world.organization.places[ONE] = "Sandbox"
    world.organization.tags = {ONE: {"contacts": "own"}}
    assert excluded(world, again=True)
    assert asked(world) == {"units_of": 1, "tags_of": 1}
    assert not excluded(world)
    assert asked(world) == {}


def test_restored_configuration() -> None:
    """After a restore another version may have the number: what was found for other units does not count."""
    world = world_of(200, {"scope": CLOSED})
    assert not excluded(world)
    world.configurations.versions.pop()
    store(world, scope={"exclude": {"organizational_units": ["Workloads"]}})
    world.clock.sleep(WALK_HELD.total_seconds())
    assert excluded(world)


@pytest.mark.parametrize("ahead", [-2 * PLACES_LAST, 2 * PLACES_LAST, timedelta(days=400)])
def test_wrong_clocks(ahead: timedelta) -> None:
    """What a process with a wrong clock found, or holds, is believed for no longer than anything else."""
    world = world_of(200, {"scope": CLOSED})
    world.organization.places[ONE] = "Closed"
    empty = FoundPlaces(START + ahead, frozenset({"Closed"}), frozenset(), dict.fromkeys(IDS, frozenset()))
    world.lookups.store_places(2, empty)
    world.lookups.hold_walk(2, "another", START + ahead, START + ahead + WALK_HELD)
    world.lookups.store_units_found(2, ["Closed"], START + ahead)
    assert excluded(world)
    assert asked(world) == WALK
    world = world_of(200, {"scope": OWN})
    world.organization.tags = {ONE: {"contacts": "own"}}
    world.lookups.keep_tags(f"VERSION#000000000002#{ONE}", {ONE: {"contacts": "other"}}, START + ahead)
    assert excluded(world)
    assert asked(world) == {"tags_of": 1}


def test_walks_that_take_long_are_renewed() -> None:
    """A walk that takes longer than a lease stays one, and what it found counts from its end."""
    world = world_of(200, {"scope": CLOSED})
    taken = []

    @dataclass
    class Slow(EventfulOrganization):
        def accounts_in(self, unit_id: str) -> Iterator[str]:
            for account_id in super().accounts_in(unit_id):
                world.clock.sleep(2)
                now = world.clock.now()
                taken.append(world.lookups.hold_walk(2, "another", now, now + WALK_HELD))
                yield account_id

    world.organization = Slow(**vars(world.organization))
    assert not excluded(world)
    assert len(taken) == 201
    assert not any(taken)
    asked(world)
    assert not excluded(world, TWO)
    assert asked(world) == {}


def test_unit_paths_stay_usable() -> None:
    """A place that is only known by name keeps every account's own path out of the question."""
    world = world_of(200, {"scope": CLOSED})

    @dataclass
    class Unasked(EventfulOrganization):
        def units_of(self, account_id: str) -> UnitPath:
            raise AssertionError(account_id)

    world.organization = Unasked(**vars(world.organization))
    assert not any(excluded(world, account_id) for account_id in IDS)

"""What a plan asks of the organization: a whole listing, each account once, and nothing twice over its tries."""

from dataclasses import replace

import pytest

from contactsync.accounts import Account, AccountState
from contactsync.contacts import ContactType
from contactsync.errors import ListingIncompleteError, ThrottledError
from contactsync.sync.account.exclusions import UNITS_LAST
from tests.support.builders import RUN, account, configuration, members, operation, request
from tests.support.worlds.world import World

SECURITY = ContactType.SECURITY
TAGGED = {"exclude": {"tags": {"contacts": ["own"]}}}
IDS = tuple(account(number).account_id for number in range(1, 251))


def tagged(count: int = 250) -> World:
    """Return many accounts of which one is excluded by its tag."""
    world = World.of(count, contact_types=["security"], scope=TAGGED)
    world.organization.tags = {IDS[0]: {"contacts": "own", "other": "x"}}
    return world


@pytest.mark.parametrize("listed", [[], members(3)[1:]], ids=["empty", "without the management account"])
def test_incomplete(listed: list[Account]) -> None:
    """A listing without the management account is not all: nothing is planned, and the plan is tried again."""
    world = World.of(3)
    world.organization.members = listed
    with pytest.raises(ListingIncompleteError) as refused:
        world.plan()
    assert refused.value.retryable
    assert world.state.empty


def test_listed_twice() -> None:
    """An account that stands on two pages has one task."""
    world = World.of(2)
    world.organization.members = [*members(2), account(1)]
    assert world.plan() == IDS[:2]


def test_tags_are_kept_between_tries() -> None:
    """A plan that fails while it asks for tags goes on where it was, and decides alike."""
    world = tagged()
    organization = world.organization
    answer = organization.tags_of

    class Throttling(type(organization)):  # type: ignore[misc] # the fake's class
        def tags_of(self, account_id: str) -> dict[str, str]:
            if len(self.asked) == 230:
                raise ThrottledError("ListTagsForResource", "TooManyRequestsException", account_id)
            return dict(super().tags_of(account_id))

    world.organization = Throttling(**vars(organization))
    with pytest.raises(ThrottledError):
        world.plan()
    world.organization = replace(organization, asked=[])
    assert world.plan() == IDS[1:]
    asked = [account_id for _, account_id in world.organization.asked]
    assert len(asked) == 50
    assert answer(IDS[0])["contacts"] == "own"


def test_kept_tags_grow_old() -> None:
    """Tags are asked for again when an earlier try was long ago, and by every other run."""
    world = tagged(3)
    world.plan()
    world.organization.tags = {IDS[1]: {"contacts": "own"}}
    assert world.plan(request(dag_run_id="another")) == (IDS[0], IDS[2])
    assert world.plan() == IDS[1:3]
    world.clock.sleep(3601)
    assert world.plan() == (IDS[0], IDS[2])


def test_other_tags_are_not_kept() -> None:
    """Only what rules name is kept, and an account without the tag is known not to have it."""
    world = tagged(2)
    world.plan()
    kept = world.lookups.tags(world.operation().sync_id, world.clock.now())
    assert {key for tags in kept.values() for key in tags} == {"contacts"}
    world.configurations.store(configuration(contact_types=["security"], scope={"exclude": {"tags": {"other": []}}}))
    world.clock.sleep(1)
    assert world.plan() == (IDS[1],)


def test_units_are_checked_once_for_all() -> None:
    """That a newer version's units are there is asked once, and not for each account and write."""
    world = World.of(250)
    world.organization.empty_units = ["Old/One", "Old/Two"]
    world.configurations.store(configuration(scope={"exclude": {"organizational_units": ["Old/One", "Old/Two"]}}))
    pinned = world.configurations.versions[0]
    for account_id in IDS:
        for _ in range(2):
            assert not world.exclusions.excludes(operation(SECURITY), pinned, account_id, SECURITY)
    assert [name for method, name in world.organization.asked if method == "has_unit"] == ["Old/One", "Old/Two"]
    world.clock.sleep(UNITS_LAST.total_seconds())
    assert not world.exclusions.excludes(operation(SECURITY), pinned, IDS[0], SECURITY)
    assert len([method for method, _ in world.organization.asked if method == "has_unit"]) == 4


def test_an_account_is_asked_once_in_a_task() -> None:
    """Where an account is, is asked once for all its contact types and writes, unless it has to be asked again.

    Its tags are not even asked for half a minute later: for a newer version they are kept for all processes.
    """
    world = World.of(2)
    world.organization.empty_units = ["Old"]
    world.configurations.store(configuration(scope={"exclude": {"organizational_units": ["Old"], "tags": {"x": []}}}))
    pinned, exclusions = world.configurations.versions[0], world.exclusions

    def asked(*, again: bool = False) -> int:
        for kind in ContactType:
            exclusions.excludes(operation(*ContactType), pinned, IDS[0], kind, again=again)
        return len([method for method, _ in world.organization.asked if method in {"units_of", "tags_of"}])

    assert asked() == asked() == 2
    assert asked(again=True) == 10
    world.clock.sleep(31)
    assert asked() == 11
    assert world.organization.asked[-1] == ("units_of", IDS[0])


def test_suspended_management_account() -> None:
    """The management account counts as listed whatever its state."""
    world = World.of(1)
    world.organization.members = [replace(members(1)[0], state=AccountState.UNKNOWN), account(1)]
    assert world.plan(request(dag_run_id=RUN)) == IDS[:1]

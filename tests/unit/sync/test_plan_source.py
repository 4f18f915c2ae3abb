"""How a plan reads the source: again while it is not as the run expects, since reads are eventually consistent."""

from dataclasses import replace
from typing import Any

import pytest

from contactsync.contacts import Contact, ContactType
from contactsync.errors import AccessDeniedError
from tests.support.builders import account, alternate, change_of, contact_of, request
from tests.support.fakes.surroundings import Fault
from tests.support.worlds.world import World

SECURITY, PRIMARY = ContactType.SECURITY, ContactType.PRIMARY
IDS = tuple(account(number).account_id for number in (1, 2, 3))


def source(
    stored: Contact | None, *, stale: int = 0, earlier: Contact | None = None, kind: ContactType = SECURITY
) -> World:
    """Return a world that propagates deletions, whose source still answers `earlier` so many times."""
    world = World.of(1, contact_types=[kind], deletion={"policy": "propagate"})
    world.contacts.stored[IDS[0], kind] = contact_of(kind, PhoneNumber="+999")
    if stored is None:
        del world.contacts.stored[None, kind]
    else:
        world.contacts.stored[None, kind] = stored
    world.contacts._stale[None, kind] = (stale, earlier)
    return world


def reads(world: World) -> int:
    """Return how many times the source was read."""
    return len([call for call in world.contacts.calls if call.account_id is None])


BY_HAND: dict[str, Any] = {}
PUT = {"change": change_of("security")}
DELETE = {"change": change_of("security", event_name="DeleteAlternateContact", action="delete")}


@pytest.mark.parametrize("parts", [PUT, BY_HAND], ids=["put", "by hand"])
@pytest.mark.parametrize("stale", [1, 2])
def test_seems_absent(parts: dict[str, Any], stale: int) -> None:
    """A source that only seems to be absent is read again, what then appears is used, and nothing is deleted."""
    world = source(alternate(), stale=stale)
    world.plan(request(**parts))
    assert reads(world) == stale + 1
    assert world.clock.slept == [1.0, 2.0][:stale]
    assert not world.operation().plans[SECURITY].absent
    assert world.state.desired[SECURITY].contact == alternate()
    world.sync(IDS[0])
    assert [call.method for call in world.contacts.changes()] == ["write"]
    assert world.contacts.stored[IDS[0], SECURITY] == alternate()


@pytest.mark.parametrize("stale", [1, 2])
def test_seems_present(stale: int) -> None:
    """A source that still seems to be there after a delete is read again, and then the deletion is planned."""
    world = source(None, stale=stale, earlier=alternate())
    world.plan(request(**DELETE))
    assert reads(world) == stale + 1
    assert world.operation().plans[SECURITY].absent
    assert world.state.desired[SECURITY].contact is None


def test_put_then_deleted() -> None:
    """A source that stays absent after a put was deleted meanwhile: the last read counts."""
    world = source(None)
    world.plan(request(**PUT))
    assert reads(world) == 3
    assert world.clock.slept == [1.0, 2.0]
    assert world.operation().plans[SECURITY].absent
    assert world.state.desired[SECURITY].contact is None


def test_deleted_then_put() -> None:
    """A source that stays there after a delete was put again meanwhile: the last read counts, nothing is deleted."""
    world = source(alternate(Name="Newer"))
    world.plan(request(**DELETE))
    assert reads(world) == 3
    assert world.state.desired[SECURITY].contact == alternate(Name="Newer")
    world.sync(IDS[0])
    assert world.contacts.stored[IDS[0], SECURITY] == alternate(Name="Newer")


def test_last_read_counts() -> None:
    """Of several answers against expectation the last one is used, not the first."""
    world = source(alternate(Name="Newer"), stale=2, earlier=alternate(Name="Older"))
    world.plan(request(**DELETE))
    assert world.state.desired[SECURITY].contact == alternate(Name="Newer")


@pytest.mark.parametrize("dry_run", [False, True])
def test_absent_by_hand(dry_run: bool) -> None:  # noqa: FBT001 -- a column of the table
    """Without a recorded deletion an absent source is confirmed by as many reads as the settings allow."""
    world = source(None)
    world.plan(request(dry_run=dry_run))
    assert reads(world) == 3
    assert world.operation().plans[SECURITY].absent


@pytest.mark.parametrize(
    ("stored", "parts"), [(alternate(), PUT), (alternate(), BY_HAND), (None, DELETE)], ids=["put", "by hand", "delete"]
)
def test_as_expected(stored: Contact | None, parts: dict[str, Any]) -> None:
    """A source that is as the run expects is read once, without waiting."""
    world = source(stored)
    world.plan(request(**parts))
    assert reads(world) == 1
    assert world.clock.slept == []


def test_source_reads() -> None:
    """The number of reads and the first wait are the deployment's settings."""
    world = source(None)
    replace(world.planner, source_reads=5, source_wait=0.25).plan(request(), map_limit=9)
    assert reads(world) == 5
    assert world.clock.slept == [0.25, 0.5, 1.0, 2.0]


def test_primary_appears() -> None:
    """A primary contact that only seems to be absent is no error."""
    world = source(contact_of(PRIMARY), stale=2, kind=PRIMARY)
    world.plan()
    assert world.state.desired[PRIMARY].contact == contact_of(PRIMARY)


def test_source_denied_is_not_read_again() -> None:
    """Only answers are doubted: an error of the source goes out after one call."""
    world = source(alternate())
    world.contacts.faults.append(Fault(AccessDeniedError("GetAlternateContact", "AccessDeniedException")))
    with pytest.raises(AccessDeniedError):
        world.plan(request(**PUT))
    assert reads(world) == 1

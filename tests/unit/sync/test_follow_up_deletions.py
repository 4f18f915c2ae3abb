"""The report's second look at a source that is gone: whose deletion it is, and who asks for it."""

import pytest

from tests.support.builders import alternate, request
from tests.support.worlds.follow_ups import NEW, ONE, SECURITY, carry_out, change, follow, following, ran, report
from tests.support.worlds.world import World


def test_deleted_since() -> None:
    """A source that is gone by now is another one, too."""
    world = ran()
    change(world, None)
    follow(world, following(world))
    assert (ONE, SECURITY) not in world.contacts.stored


def test_deletion_as_planned() -> None:
    """A source that is as absent as the run found it needs no other run."""
    world = World.of(1, contact_types=["security"], deletion={"policy": "propagate"})
    change(world, None)
    carry_out(world)
    assert report(world).follow_up is None


@pytest.mark.parametrize("policy", ["approve", "ignore"])
def test_deletion_not_approved(policy: str) -> None:
    """A deletion that was not approved is not asked for again by a follow-up, nor by one of it."""
    world = World.of(1, contact_types=["security"], deletion={"policy": policy})
    carry_out(world, run="before")
    change(world, None)
    carry_out(world)
    assert report(world).follow_up is None


def test_deletion_taken_back() -> None:
    """A contact that is put back as it was, while its deletion waited for approval, needs no other run."""
    world = World.of(1, contact_types=["security"], deletion={"policy": "approve"})
    carry_out(world, run="before")
    change(world, None)
    carry_out(world)
    change(world, alternate())
    assert report(world).follow_up is None


def test_put_while_the_deletion_waited() -> None:
    """Another contact that was put while a deletion waited for approval is followed up."""
    world = World.of(1, contact_types=["security"], deletion={"policy": "approve"})
    carry_out(world, run="before")
    change(world, None)
    carry_out(world)
    change(world, NEW)
    follow(world, following(world))
    assert world.contacts.stored[ONE, SECURITY] == NEW


def test_deletion_awaits_approval() -> None:
    """A deletion that a later operation has found is that one's to ask for; nobody is asked twice."""
    world = World.of(1, contact_types=["security"])
    carry_out(world)
    change(world, None)
    world.plan(request(dag_run_id="later"))
    assert report(world).follow_up is None


def test_lost_deletion() -> None:
    """A deletion that no operation has found is followed up, and then asked for."""
    world = World.of(1, contact_types=["security"])
    carry_out(world)
    change(world, None)
    found = following(world)
    follow(world, found)
    assert world.operation(found.run_id).plans[SECURITY].needs_approval


def test_lost_deletion_after_a_later_run() -> None:
    """A later operation that found the contact still there has not found its deletion: that is followed up."""
    world = World.of(1, contact_types=["security"])
    carry_out(world)
    carry_out(world, run="later")
    assert report(world, run="later").follow_up is None
    change(world, None)
    assert following(world).conf["contact_types"] == ["security"]


def test_lost_deletion_after_a_plan_that_died() -> None:
    """A plan that raised the generation and died has found nothing: the deletion is followed up all the same."""
    world = World.of(1, contact_types=["security"])
    carry_out(world)
    change(world, None)
    world.operations.raise_generation(SECURITY)
    assert following(world).conf["contact_types"] == ["security"]

"""Runs whose source changes before they report, in the few words that their tests use."""

from contactsync.account_management.api_operations import ApiOperation
from contactsync.contacts import Contact, ContactType
from contactsync.sync.report import Report
from contactsync.sync.second_look import FollowUp
from tests.support.builders import RUN, account, alternate, request
from tests.support.worlds.world import World

SECURITY, BILLING = ContactType.SECURITY, ContactType.BILLING
ONE = account(1).account_id
OLD, NEW = alternate(Name="Older"), alternate(Name="Newer")
GET = ApiOperation.GET_ALTERNATE_CONTACT


def ran(*contact_types: str, run: str = RUN, **parts: object) -> World:
    """Return a world whose run went well."""
    world = World.of(1, contact_types=list(contact_types or ("security",)), deletion={"policy": "propagate"})
    carry_out(world, run=run, **parts)
    return world


def carry_out(world: World, run: str = RUN, **parts: object) -> None:
    """Plan a run and settle its accounts."""
    for account_id in world.plan(request(dag_run_id=run, **parts)):
        world.sync(account_id, run=run)


def report(world: World, run: str = RUN) -> Report:
    """Report, all tasks having succeeded."""
    return world.reporter.report(run, {ONE: "success"}, has_plan=True)


def change(world: World, contact: Contact | None, contact_type: ContactType = SECURITY) -> None:
    """Change the source without an event."""
    if contact:
        world.contacts.stored[None, contact_type] = contact
    else:
        world.contacts.stored.pop((None, contact_type), None)


def following(world: World, run: str = RUN) -> FollowUp:
    """Report, and return the follow-up that has to be there."""
    found = report(world, run).follow_up
    assert found
    return found


def follow(world: World, follow_up: FollowUp) -> None:
    """Carry out a follow-up."""
    carry_out(world, run=follow_up.run_id, **follow_up.conf)

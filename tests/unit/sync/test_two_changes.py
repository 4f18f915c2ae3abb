"""Two changes at once, and a source that is read too early: accounts are to end at the newest contact all the same."""

from collections.abc import Callable

from contactsync.contacts import Contact, ContactType
from contactsync.operations.operation import OutcomeDetail
from tests.support.builders import RUN, account, alternate, configuration, request
from tests.support.fakes.surroundings import FakeAccountContacts
from tests.support.worlds.world import World

SECURITY = ContactType.SECURITY
ONE = account(1).account_id
OLD, NEW = alternate(Name="Older"), alternate(Name="Newer")


class InterruptedContacts(FakeAccountContacts):
    """Lets something happen between a task's read and its write, once."""

    between: Callable[[], None] | None = None

    def write(self, contact_type: ContactType, account_id: str, contact: Contact) -> None:
        """Let it happen, then write."""
        happening, self.between = self.between, None
        if happening:
            happening()
        super().write(contact_type, account_id, contact)


def changed_twice() -> World:
    """Return a world with a run for an older contact, planned; the newer one comes while it writes."""
    world = World.of(1, contact_types=["security"])
    contacts = InterruptedContacts(world.contacts.stored)
    world.contacts = contacts
    contacts.stored[None, SECURITY] = OLD
    world.plan()

    def newer_run() -> None:
        contacts.stored[None, SECURITY] = NEW
        world.plan(request(dag_run_id="newer"))
        world.sync(ONE, run="newer")

    contacts.between = newer_run
    return world


def test_older_write_comes_last() -> None:
    """A write that was decided before a newer run's and carried out after it does not undo that one."""
    world = changed_twice()
    world.sync(ONE)
    assert world.contacts.stored[ONE, SECURITY] == NEW


def test_runs_in_either_order() -> None:
    """Two runs whose tasks do not overlap end at the newer contact, whichever comes first."""
    for order in (("newer", RUN), (RUN, "newer")):
        world = World.of(1, contact_types=["security"])
        world.contacts.stored[None, SECURITY] = OLD
        world.plan()
        world.contacts.stored[None, SECURITY] = NEW
        world.plan(request(dag_run_id="newer"))
        for run in order:
            world.sync(ONE, run=run)
        assert world.contacts.stored[ONE, SECURITY] == NEW
        assert world.outcomes()[ONE, SECURITY].detail is OutcomeDetail.SUPERSEDED


def test_source_read_too_early() -> None:
    """A run that was planned on a stale read of the source is followed by one that brings the newest contact."""
    world = World.of(1, contact_types=["security"])
    world.contacts.stored[None, SECURITY] = NEW
    world.contacts._stale[None, SECURITY] = (1, OLD)
    world.plan()
    world.sync(ONE)
    report = world.reporter.report(RUN, {ONE: "success"}, has_plan=True)
    assert report.follow_up
    for account_id in world.plan(request(dag_run_id=report.follow_up.run_id, **report.follow_up.conf)):
        world.sync(account_id, run=report.follow_up.run_id)
    assert world.contacts.stored[ONE, SECURITY] == NEW


def test_included_again() -> None:
    """An account that a repeated plan includes again has no retry in its history."""
    world = World.of(1, contact_types=["security"], excluded_accounts=[ONE])
    world.plan()
    world.configurations.store(configuration(contact_types=["security"]))
    world.plan()
    world.configurations.versions[0] = world.configurations.versions[1]
    world.sync(ONE)
    assert world.outcomes()[ONE, SECURITY].retry_count == 0

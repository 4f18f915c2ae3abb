"""Each write of a run that was planned, tried and reported more than once is announced once, as what it was."""

from contextlib import suppress
from dataclasses import replace

import pytest

from contactsync.bus.events import AccountFailed, AccountsWritten
from contactsync.contacts import ContactType
from contactsync.errors import ContactSyncError, CredentialsError, RequestInvalidError, ServiceUnavailableError
from contactsync.operations.operation import OutcomeDetail
from tests.support.builders import RUN, account, alternate, configuration, request
from tests.support.fakes.state import FakeAnnouncer
from tests.support.fakes.surroundings import Fault
from tests.support.worlds.world import World

SECURITY = ContactType.SECURITY
ONE, TWO = IDS = tuple(account(number).account_id for number in (1, 2))
INVALID = RequestInvalidError("PutAlternateContact", "ValidationException", ONE)
UNAVAILABLE = ServiceUnavailableError("PutAlternateContact", "InternalServerException", ONE)
EXPIRED = CredentialsError("GetAlternateContact", "ExpiredTokenException", ONE)


class Story:
    """A run that is cleared again and again."""

    def __init__(self, **settings: object) -> None:
        """Begin with two accounts and a policy that propagates deletions."""
        self.settings = {"contact_types": ["security"], "deletion": {"policy": "propagate"}, **settings}
        self.world = World.of(2, **self.settings)
        self.listed: tuple[str, ...] = ()
        self.tries = 0

    def put(self, name: str) -> None:
        """Put a contact in the management account."""
        self.world.contacts.stored[None, SECURITY] = alternate(Name=name)

    def delete(self) -> None:
        """Delete it there."""
        self.world.contacts.stored[None, SECURITY] = None  # type: ignore[assignment] # as the fake answers it

    def configure(self, **settings: object) -> None:
        """Store another version of the configuration."""
        self.world.configurations.store(configuration(**{**self.settings, **settings}))

    def plan(self) -> None:
        """Plan the run, later than all before."""
        self.world.clock.sleep(60)
        self.listed = self.world.plan()

    def sync(self, *account_ids: str) -> None:
        """Run tasks that were cleared."""
        self.tries += 1
        self.world.clock.sleep(60)
        for account_id in account_ids or self.listed:
            with suppress(ContactSyncError):
                self.world.sync(account_id, self.tries, first_try=self.tries)

    def report(self) -> None:
        """Report."""
        self.world.reporter.report(RUN, {}, has_plan=True, listed=self.listed)

    def written(self, account_id: str = ONE) -> list[tuple[str, int | None]]:
        """Return what was announced of an account, in order."""
        sent = [announced.data for announced in self.world.announcer.sent]
        return [
            (data.detail, data.generation)
            for data in sent
            if isinstance(data, AccountsWritten) and account_id in data.account_ids
        ]

    def failed(self, account_id: str = ONE) -> list[tuple[str, ...]]:
        """Return the fields that failures of an account named as written."""
        sent = [announced.data for announced in self.world.announcer.sent]
        return [
            data.written_fields for data in sent if isinstance(data, AccountFailed) and data.account_id == account_id
        ]


@pytest.mark.parametrize("reported", [True, False])
def test_deleted_and_put_back(reported: bool) -> None:  # noqa: FBT001 -- a column of the table
    """A deletion and a write after it in the same run are told as what they were, reported between or not."""
    story = Story()
    story.plan()
    story.sync()
    story.delete()
    story.plan()
    story.sync()
    if reported:
        story.report()
    story.put("Again")
    story.plan()
    story.sync()
    story.report()
    story.report()
    assert story.written() == [("updated", 1), ("deleted", 2), ("updated", 3)]
    ids = [announced.id for announced in story.world.announcer.sent if isinstance(announced.data, AccountsWritten)]
    assert len(ids) == len(set(ids)) == 3


def test_same_contact_twice() -> None:
    """What somebody changed back in the account between two tries without a report was written twice."""
    story = Story()
    story.plan()
    story.sync()
    story.world.contacts.stored[ONE, SECURITY] = alternate(Name="Somebody")
    story.sync(ONE)
    story.report()
    assert story.written() == [("updated", 1), ("updated", 1)]
    assert story.written(TWO) == [("updated", 1)]


def test_killed_between_writes() -> None:
    """A report that ends after the first write of an account leaves the others to the next one."""
    story = Story()
    story.plan()
    story.sync()
    story.put("Second")
    story.plan()
    story.sync()
    send, calls = story.world.announcer.send, []

    def once(announcements: object) -> None:
        calls.append(announcements)
        if len(calls) > 1:
            raise KeyboardInterrupt
        send(announcements)  # type: ignore[arg-type] # passed on

    story.world.announcer.send = once  # type: ignore[method-assign] # ends the process
    with suppress(KeyboardInterrupt):
        story.report()
    story.world.announcer.send = send  # type: ignore[method-assign] # another process
    send(list(story.world.state.outbox))
    story.report()
    assert story.written() == [("updated", 1), ("updated", 2)]


def test_excluded_after_the_write() -> None:
    """A plan that excludes the account does not give the write before it another generation."""
    story = Story()
    story.plan()
    story.sync()
    story.put("Second")
    story.configure(excluded_accounts=[ONE])
    story.plan()
    story.sync()
    story.report()
    assert story.written() == [("updated", 1)]
    assert story.written(TWO) == [("updated", 1), ("updated", 2)]


@pytest.mark.parametrize("between", ["nothing", "excluded", "paused"])
def test_left_out_after_a_write_that_failed(between: str) -> None:
    """What was written, or may have been, is told when the next plan leaves the account out, whatever its outcome."""
    story = Story()
    story.plan()
    story.world.contacts.stale_reads = 99
    story.sync(ONE)
    story.world.contacts.stale_reads = 0
    if between == "excluded":
        story.configure(excluded_accounts=[ONE])
        story.plan()
    if between == "paused":
        outcome = story.world.outcomes()[ONE, SECURITY]
        paused = replace(outcome, status="pending", detail=OutcomeDetail.PAUSED)
        story.world.state.outcomes[story.world.operation().sync_id, ONE, SECURITY] = paused
    story.configure(scope={"include": {"accounts": [TWO]}})
    story.plan()
    story.sync()
    story.world.reporter.report(RUN, {}, has_plan=True, listed=story.listed).check()
    assert story.written() == [("updated", 1)]
    assert story.world.outcomes()[ONE, SECURITY].outside


def test_failed_after_a_write_that_went_well() -> None:
    """A write that went well is told also where a later try of the run failed before any report."""
    story = Story()
    story.plan()
    story.sync()
    story.put("Second")
    story.plan()
    story.world.contacts.faults.append(Fault(INVALID, "write", ONE))
    story.sync()
    story.report()
    assert story.written() == [("updated", 1)]
    assert story.failed()
    story.world.contacts.faults.clear()
    story.sync()
    story.report()
    assert story.written() == [("updated", 1), ("updated", 2)]


def test_halted_after_a_write() -> None:
    """An account that was written before its run halted has an event of its own; one that was not has none."""
    story = Story()
    story.plan()
    write = story.world.contacts.write

    def write_and_expire(*parts: object) -> None:
        write(*parts)  # type: ignore[arg-type] # passed on
        story.world.contacts.faults.append(Fault(EXPIRED, "read"))

    story.world.contacts.write = write_and_expire  # type: ignore[method-assign] # what happens next
    story.sync()
    story.report()
    assert story.written() == []
    assert story.failed() == [("EmailAddress", "Name", "PhoneNumber", "Title")]
    assert story.failed(TWO) == []


def test_superseded_by_a_deletion() -> None:
    """A run that may delete, and brings a newer deletion than its own, has deleted."""
    story = Story()
    story.world.contacts.stored[ONE, SECURITY] = alternate()
    story.delete()
    story.plan()
    story.world.plan(request(dag_run_id="newer"))
    story.sync(ONE)
    story.report()
    assert story.world.outcomes()[ONE, SECURITY].detail is OutcomeDetail.SUPERSEDED
    assert story.written() == [("deleted", 2)]


def test_failed_before_a_deletion_that_nobody_approved() -> None:
    """What a try may have written is told as that, whatever the run was planned for afterwards."""
    story = Story()
    story.plan()
    story.world.contacts.faults.append(Fault(UNAVAILABLE, "write", ONE))
    story.sync()
    story.delete()
    story.configure(deletion={"policy": "approve"})
    story.plan()
    story.sync()
    story.report()
    assert story.world.outcomes()[ONE, SECURITY].detail is OutcomeDetail.NOT_APPROVED
    assert story.written() == [("updated", 1)]


def test_task_cleared_alone() -> None:
    """A write of a task that was cleared without the report is announced by itself, and by no later report again."""
    story = Story()
    story.plan()
    story.sync()
    story.report()
    story.world.contacts.stored[ONE, SECURITY] = alternate(Name="Somebody")
    story.sync(ONE)
    assert story.written() == [("updated", 1), ("updated", 1)]
    story.sync(ONE)
    story.report()
    story.world.housekeeper.close_abandoned(lambda _: None)
    assert story.written() == [("updated", 1), ("updated", 1)]
    assert story.written(TWO) == [("updated", 1)]


def test_task_that_outlives_its_run() -> None:
    """A write that a task ends after the report, which called the account failed, is announced all the same."""
    story = Story()
    story.plan()
    write = story.world.contacts.write

    def write_late(*parts: object) -> None:
        if parts[1] == ONE:
            story.report()
        write(*parts)  # type: ignore[arg-type] # passed on

    story.world.contacts.write = write_late  # type: ignore[method-assign] # takes its time
    story.sync()
    assert story.written() == [("updated", 1)]


def test_late_write_that_cannot_be_announced() -> None:
    """An account is settled also where its late write cannot be announced; the next report does that."""
    story = Story()
    story.plan()
    story.sync()
    story.report()
    story.world.contacts.stored[ONE, SECURITY] = alternate(Name="Somebody")
    announcer = story.world.announcer
    story.world.announcer = Unavailable(story.world.state)
    story.sync(ONE)
    assert story.world.outcomes()[ONE, SECURITY].detail is OutcomeDetail.UPDATED
    story.world.announcer = announcer
    assert len(story.world.state.outbox) == 1
    story.report()
    assert story.written() == [("updated", 1)]


class Unavailable(FakeAnnouncer):
    """A bus of which nothing can be had."""

    def send(self, announcements: object) -> None:
        """Fail, with what was stored left in the outbox."""
        del announcements
        raise UNAVAILABLE

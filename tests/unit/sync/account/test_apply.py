"""What one task finds at one account, what it does there, and what it records."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from contactsync.contacts import AlternateContact, Contact, ContactType
from contactsync.errors import (
    AccessDeniedError,
    AccountsFailedError,
    AwsCallError,
    ConfigurationInvalidError,
    ConfigurationMissingError,
    ContactSyncError,
    DesiredContactMissingError,
    OperationMissingError,
    OutcomesMissingError,
    OvertakenError,
    RequestInvalidError,
    ServiceUnavailableError,
    ThrottledError,
    UnexpectedAwsError,
)
from contactsync.operations.desired import DesiredContact
from contactsync.operations.operation import OutcomeDetail, OutcomeStatus
from tests.support.builders import RUN, alternate, configuration, contact_of, primary, request
from tests.support.fakes.state import FakeDesiredContacts
from tests.support.fakes.surroundings import ContactCall, FakeAccountContacts, Fault
from tests.support.worlds.one_account import (
    ALL_FIELDS,
    BILLING,
    DENIED,
    ONE,
    PRIMARY,
    SECURITY,
    TWO,
    UNAVAILABLE,
    ending,
    failed,
    methods,
    planned,
    raised,
    record,
    stored,
)
from tests.support.worlds.world import World


@pytest.mark.parametrize("contact_type", ContactType)
def test_updated(contact_type: ContactType) -> None:
    """A difference is written, read back and recorded with the names of the fields."""
    world = planned(contact_type)
    world.contacts.stored[ONE, contact_type] = contact_of(contact_type, PhoneNumber="+999")
    assert world.sync(ONE) == [stored(world, contact_type)]
    assert methods(world) == ["read", "write", "read"]
    assert world.contacts.touched() == {ONE}
    assert ending(world, contact_type) == (OutcomeStatus.SUCCESS, OutcomeDetail.UPDATED)
    assert stored(world, contact_type).changed_fields == ("PhoneNumber",)
    assert stored(world, contact_type).generation == 1
    assert world.contacts.stored[ONE, contact_type] == contact_of(contact_type)


def test_created() -> None:
    """An absent contact is created, and every field counts as changed."""
    world = planned()
    world.sync(ONE)
    assert stored(world).changed_fields == ALL_FIELDS


def test_unchanged() -> None:
    """An equal contact is read once and not written; white space makes no difference."""
    world = planned()
    world.contacts.stored[ONE, SECURITY] = AlternateContact.observed(
        {name: f" {value} " for name, value in alternate().values().items()}
    )
    world.sync(ONE)
    assert methods(world) == ["read"]
    assert ending(world) == (OutcomeStatus.SUCCESS, OutcomeDetail.UNCHANGED)


def test_deleted() -> None:
    """An approved deletion deletes, and an account that has no such contact is left alone."""
    world = World.of(2, contact_types=["security"], deletion={"policy": "propagate"})
    del world.contacts.stored[None, SECURITY]
    world.contacts.stored[ONE, SECURITY] = alternate()
    for account_id in world.plan():
        world.sync(account_id)
    assert world.contacts.changes() == [ContactCall("delete", SECURITY, ONE)]
    assert (ONE, SECURITY) not in world.contacts.stored
    assert stored(world).detail is OutcomeDetail.DELETED
    assert world.outcomes()[TWO, SECURITY].detail is OutcomeDetail.UNCHANGED


@pytest.mark.parametrize("policy", ["approve", "ignore"])
def test_not_approved(policy: str) -> None:
    """A deletion that is not approved touches nothing, fails nothing, and leaves no record."""
    world = World.of(1, contact_types=["security"], deletion={"policy": policy})
    del world.contacts.stored[None, SECURITY]
    world.contacts.stored[ONE, SECURITY] = alternate()
    world.plan()
    world.contacts.calls.clear()
    world.sync(ONE)
    assert world.contacts.calls == []
    assert world.state.records == {}
    assert ending(world) == (OutcomeStatus.SKIPPED, OutcomeDetail.NOT_APPROVED)


@pytest.mark.parametrize("method", ["read", "write"])
@pytest.mark.parametrize(
    ("kind", "detail", "retryable"),
    [
        (ServiceUnavailableError, OutcomeDetail.UNAVAILABLE, True),
        (UnexpectedAwsError, OutcomeDetail.ERROR, True),
        (RequestInvalidError, OutcomeDetail.INVALID, False),
    ],
)
def test_failed(method: str, kind: type[AwsCallError], detail: OutcomeDetail, retryable: bool) -> None:  # noqa: FBT001 -- a column of the table
    """Each failure has its own detail, is recorded, and is raised with whether trying again can help."""
    world = planned()
    world.contacts.faults.append(Fault(kind("PutAlternateContact", "SomeException", ONE), method))
    assert failed(world).retryable is retryable
    assert ending(world) == (OutcomeStatus.FAILED, detail)
    assert stored(world).error_code == "SomeException"
    assert (ONE, SECURITY) not in world.contacts.stored


@pytest.mark.parametrize("kind", [ThrottledError, ServiceUnavailableError, UnexpectedAwsError, RequestInvalidError])
def test_read_failed_no_write(kind: type[AwsCallError]) -> None:
    """No failure of the read becomes a write: the unknown answer is not taken for absent."""
    world = planned()
    world.contacts.faults.append(Fault(kind("GetAlternateContact", "SomeException", ONE), "read"))
    raised(ContactSyncError, world)
    assert world.contacts.changes() == []
    assert record(world).version == 0


def test_others_settle() -> None:
    """One type's failure keeps no other from being settled, and all errors are raised together."""
    world = planned("primary", "billing", "security")
    world.contacts.faults += [
        Fault(DENIED, "read", contact_type=BILLING),
        Fault(UNAVAILABLE, "write", contact_type=PRIMARY),
    ]
    assert list(failed(world).errors) == [UNAVAILABLE, DENIED]
    assert stored(world, PRIMARY).detail is OutcomeDetail.UNAVAILABLE
    assert stored(world, BILLING).detail is OutcomeDetail.PERMISSION_DENIED
    assert stored(world).detail is OutcomeDetail.UPDATED


def test_superseded() -> None:
    """A task applies the newest desired contact, not its own run's, and says so."""
    world = planned()
    world.contacts.stored[None, SECURITY] = alternate(Name="Newer")
    world.plan(request(dag_run_id="a later run"))
    world.sync(ONE)
    assert world.contacts.stored[ONE, SECURITY] == alternate(Name="Newer")
    assert ending(world) == (OutcomeStatus.SKIPPED, OutcomeDetail.SUPERSEDED)
    assert stored(world).generation == 2
    assert stored(world).changed_fields == ALL_FIELDS


def test_superseded_and_failed() -> None:
    """A task that fails to apply a newer generation is failed, not skipped."""
    world = planned()
    world.plan(request(dag_run_id="a later run"))
    world.contacts.faults.append(Fault(UNAVAILABLE, "write"))
    failed(world)
    assert ending(world) == (OutcomeStatus.FAILED, OutcomeDetail.UNAVAILABLE)


def test_dry_run() -> None:
    """A dry run reads, names the fields that would change, and writes neither contact nor record."""
    world = planned("security", "primary", dry_run=True)
    world.contacts.stored[ONE, SECURITY] = alternate(Title="Other")
    world.contacts.stored[ONE, PRIMARY] = primary()
    world.sync(ONE)
    assert methods(world) == ["read", "read"]
    assert world.state.records == {}
    assert ending(world) == (OutcomeStatus.SKIPPED, OutcomeDetail.WOULD_UPDATE)
    assert ending(world, PRIMARY) == (OutcomeStatus.SKIPPED, OutcomeDetail.WOULD_NOT_CHANGE)
    assert stored(world).changed_fields == ("Title",)
    assert stored(world, PRIMARY).changed_fields == ()


def test_desired_missing() -> None:
    """Without a stored desired contact nothing is done."""
    world = planned()
    world.state.desired.clear()
    assert [type(error) for error in failed(world).errors] == [DesiredContactMissingError]
    assert world.contacts.calls == []


def test_unplanned() -> None:
    """A task of a run without an operation says that the plan did not finish."""
    with pytest.raises(OperationMissingError, match="plan"):
        World.of(1).account_sync.open("unknown run")


def test_pinned() -> None:
    """A task works with the configuration that the run was planned with, although a newer one is there."""
    world = World.of(1, retry_config={"max_attempts": 1})
    world.plan()
    world.configurations.store(configuration(retry_config={"max_attempts": 9}))
    operation, settings = world.account_sync.open(RUN)
    assert operation == world.operation()
    assert settings.retry_config.max_attempts == 1


@pytest.mark.parametrize(
    "error", [ConfigurationMissingError("config", "default"), ConfigurationInvalidError(["contact_types: empty"])]
)
def test_unreadable_pinned(error: ContactSyncError) -> None:
    """While the pinned configuration cannot be read the task does not begin."""
    world = planned()
    world.configurations.version_error = error
    assert raised(type(error), world) is error
    assert world.contacts.calls == []


def test_not_expected() -> None:
    """An account that the plan lists and that has no outcome is not looked at, gets none, and fails."""
    world = planned()
    world.state.outcomes.clear()
    with pytest.raises(OutcomesMissingError):
        world.sync(ONE)
    assert world.contacts.calls == []
    assert world.outcomes() == {}


def test_types_out_of_scope() -> None:
    """Of an account that is in the scope of one contact type only, the other ones are not looked at."""
    world = planned("billing", "security")
    del world.state.outcomes[world.operation().sync_id, ONE, BILLING]
    assert [outcome.contact_type for outcome in world.sync(ONE)] == [SECURITY]
    assert {call.contact_type for call in world.contacts.calls} == {SECURITY}


def test_ruled_out() -> None:
    """A type that the plan ruled out stays as it is, while others of the same account are settled."""
    scope = {"contact_types": {"billing": {"exclude": {"accounts": [ONE]}}}}
    world = planned("billing", "security", scope=scope)
    before = stored(world, BILLING)
    assert world.sync(ONE) == [before, stored(world)]
    assert stored(world, BILLING) == before
    assert ending(world, BILLING) == (OutcomeStatus.SKIPPED, OutcomeDetail.EXCLUDED)
    assert ending(world) == (OutcomeStatus.SUCCESS, OutcomeDetail.UPDATED)
    assert {call.contact_type for call in world.contacts.calls} == {SECURITY}


class DeniedDesiredContacts(FakeDesiredContacts):
    """Desired contacts that the task's role may not read."""

    def latest(self, contact_type: ContactType) -> DesiredContact | None:
        """Refuse."""
        raise AccessDeniedError("GetItem", f"AccessDeniedException-{contact_type}")


def test_own_table_denied() -> None:
    """A table of ours that may not be read is a failure of the run, not a permission that the account refuses."""
    world = planned()
    contact_writer = replace(world.contact_writer, desired=DeniedDesiredContacts(world.state))
    denied = replace(world.account_sync, contact_writer=contact_writer)
    with pytest.raises(AccountsFailedError) as caught:
        denied.sync(*denied.open(RUN), ONE, 1)
    assert not caught.value.retryable
    assert ending(world) == (OutcomeStatus.FAILED, OutcomeDetail.ERROR)
    assert world.contacts.calls == []
    world.sync(ONE, 2)
    assert stored(world).detail is OutcomeDetail.UPDATED


@pytest.mark.parametrize("method", ["read", "write"])
@pytest.mark.parametrize("kind", [AccessDeniedError, RequestInvalidError, ServiceUnavailableError])
def test_about_no_account(kind: type[AwsCallError], method: str) -> None:
    """An error that names no account, as of a role that cannot be assumed, is none of the account's details."""
    world = planned()
    world.contacts.faults.append(Fault(kind("AssumeRole", "AccessDenied"), method))
    failed(world)
    assert ending(world) == (OutcomeStatus.FAILED, OutcomeDetail.ERROR)


class InterruptedContacts(FakeAccountContacts):
    """Contacts at whose first read something happens."""

    happening: Callable[[], object] | None = None

    def read(self, contact_type: ContactType, account_id: str | None) -> Contact | None:
        """Let it happen, then read."""
        happening, self.happening = self.happening, None
        if happening:
            happening()
        return super().read(contact_type, account_id)


def test_overtaken() -> None:
    """A try whose outcome a later one has recorded meanwhile ends, and overwrites nothing."""
    world = planned()
    world.contacts = contacts = InterruptedContacts(world.contacts.stored)

    def later_try() -> None:
        world.clock.sleep(1)
        world.sync(ONE, 2)

    contacts.happening = later_try
    assert not raised(OvertakenError, world, 1).retryable
    assert [attempt.try_number for attempt in stored(world).attempts] == [2]
    assert ending(world) == (OutcomeStatus.SUCCESS, OutcomeDetail.UPDATED)


@pytest.mark.parametrize("behind", [2, 10])
def test_clock_behind(behind: int) -> None:
    """A retry on a worker whose clock is behind that of the first one's is the later try, and is recorded."""
    world = planned()
    world.contacts.faults.append(Fault(UNAVAILABLE, "write", times=1))
    raised(AccountsFailedError, world, 1)
    world.clock.sleep(-behind)
    world.sync(ONE, 2)
    assert [attempt.try_number for attempt in stored(world).attempts] == [1, 2]
    assert ending(world) == (OutcomeStatus.SUCCESS, OutcomeDetail.UPDATED)


def test_settled_by_a_later_try() -> None:
    """A try that begins after a later one has settled the account does nothing."""
    world = planned()
    world.sync(ONE, 2)
    world.contacts.calls.clear()
    newer = stored(world)
    assert world.sync(ONE, 1) == [newer]
    assert world.contacts.calls == []


@pytest.mark.parametrize(
    ("policy", "detail"),
    [
        ("approve", OutcomeDetail.WOULD_DELETE),
        ("propagate", OutcomeDetail.WOULD_DELETE),
        ("ignore", OutcomeDetail.NOT_APPROVED),
    ],
)
def test_dry_run_of_deletion(policy: str, detail: OutcomeDetail) -> None:
    """A dry run shows what a deletion would change, except where the configuration never deletes."""
    world = World.of(1, contact_types=["security"], deletion={"policy": policy})
    world.contacts.stored[ONE, SECURITY] = world.contacts.stored.pop((None, SECURITY))
    world.plan(request(dry_run=True))
    world.sync(ONE)
    outcome = world.outcomes()[ONE, SECURITY]
    assert outcome.detail is detail
    assert bool(outcome.changed_fields) is (detail is OutcomeDetail.WOULD_DELETE)
    assert world.contacts.changes() == []


def test_long_sentences_are_cut() -> None:
    """However many problems a sentence names, what is stored of it is short enough for items and events."""
    world = planned()
    problems = [f"scope: 'Team-{number:03}' is to be excluded, but there is no such unit" for number in range(700)]
    world.configurations.latest_error = ConfigurationInvalidError(problems=problems, version=2)
    with pytest.raises(AccountsFailedError):
        world.sync(ONE)
    message = world.outcomes()[ONE, SECURITY].error_message or ""
    assert "Team-000" in message
    assert "more characters" in message
    assert len(message) <= 2000

"""What one task does to one account."""

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
    RequestInvalidError,
    ServiceUnavailableError,
    ThrottledError,
    UnexpectedAwsError,
    WriteNotSeenError,
)
from contactsync.sync.desired import DesiredContact
from contactsync.sync.operation import AccountOutcome, OutcomeDetail, OutcomeStatus
from tests.builders import RUN, World, account, alternate, configuration, contact_of, primary, request
from tests.fakes import ContactCall, FakeAccountContacts, FakeDesiredContacts, Fault

SECURITY, PRIMARY, BILLING = ContactType.SECURITY, ContactType.PRIMARY, ContactType.BILLING
ONE = account(1).account_id


def planned(*contact_types: str, dry_run: bool = False, policy: str = "propagate") -> World:
    """Return a world whose run is planned, with the plan's own calls forgotten."""
    world = World.of(2, contact_types=list(contact_types or ("security",)), deletion={"policy": policy})
    world.plan(request(dry_run=dry_run))
    world.contacts.calls.clear()
    return world


def failed(world: World, try_number: int = 1) -> AccountsFailedError:
    """Run the task and return what it raises."""
    with pytest.raises(AccountsFailedError) as caught:
        world.sync(ONE, try_number)
    return caught.value


def methods(world: World) -> list[str]:
    """Return the calls' methods, in order."""
    return [call.method for call in world.contacts.calls]


def stored(world: World, contact_type: ContactType = SECURITY) -> AccountOutcome:
    """Return the stored outcome of the account."""
    return world.outcomes()[ONE, contact_type]


@pytest.mark.parametrize("contact_type", ContactType)
def test_updated(contact_type: ContactType) -> None:
    """A difference is written, read back and recorded with the names of the fields."""
    world = planned(contact_type)
    world.contacts.stored[ONE, contact_type] = contact_of(contact_type, PhoneNumber="+999")
    assert world.sync(ONE) == [stored(world, contact_type)]
    assert methods(world) == ["read", "write", "read"]
    assert world.contacts.touched() == {ONE}
    outcome = stored(world, contact_type)
    assert (outcome.status, outcome.detail) == (OutcomeStatus.SUCCESS, OutcomeDetail.UPDATED)
    assert outcome.changed_fields == ("PhoneNumber",)
    assert outcome.generation == 1
    assert world.contacts.stored[ONE, contact_type] == contact_of(contact_type)


def test_created() -> None:
    """An absent contact is created, and every field counts as changed."""
    world = planned("security")
    world.sync(ONE)
    assert stored(world).changed_fields == ("EmailAddress", "Name", "PhoneNumber", "Title")


def test_unchanged() -> None:
    """An equal contact is read once and not written; white space makes no difference."""
    world = planned("security")
    world.contacts.stored[ONE, SECURITY] = AlternateContact.observed(
        {name: f" {value} " for name, value in alternate().values().items()}
    )
    world.sync(ONE)
    assert methods(world) == ["read"]
    assert (stored(world).status, stored(world).detail) == (OutcomeStatus.SUCCESS, OutcomeDetail.UNCHANGED)


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
    assert world.outcomes()[account(2).account_id, SECURITY].detail is OutcomeDetail.UNCHANGED


@pytest.mark.parametrize("policy", ["approve", "ignore"])
def test_not_approved(policy: str) -> None:
    """A deletion that is not approved touches nothing and fails nothing."""
    world = World.of(1, contact_types=["security"], deletion={"policy": policy})
    del world.contacts.stored[None, SECURITY]
    world.contacts.stored[ONE, SECURITY] = alternate()
    world.plan()
    world.sync(ONE)
    assert (ONE, SECURITY) in world.contacts.stored
    assert (stored(world).status, stored(world).detail) == (OutcomeStatus.SKIPPED, OutcomeDetail.NOT_APPROVED)


def test_read_denied() -> None:
    """AccessDenied on the read is a permission outcome and never becomes a write."""
    world = planned("security")
    world.contacts.faults.append(Fault(AccessDeniedError("GetAlternateContact", "AccessDeniedException", ONE), "read"))
    error = failed(world)
    assert not error.retryable
    assert world.contacts.changes() == []
    outcome = stored(world)
    assert (outcome.status, outcome.detail) == (OutcomeStatus.SKIPPED, OutcomeDetail.PERMISSION_DENIED)
    assert outcome.error_code == "AccessDeniedException"
    assert ONE in (outcome.error_message or "")


@pytest.mark.parametrize("method", ["read", "write"])
@pytest.mark.parametrize(
    ("kind", "detail", "retryable"),
    [
        (ThrottledError, OutcomeDetail.THROTTLED, True),
        (ServiceUnavailableError, OutcomeDetail.UNAVAILABLE, True),
        (UnexpectedAwsError, OutcomeDetail.ERROR, True),
        (RequestInvalidError, OutcomeDetail.INVALID, False),
    ],
)
def test_failed(method: str, kind: type[AwsCallError], detail: OutcomeDetail, retryable: bool) -> None:  # noqa: FBT001 -- a column of the table
    """Each failure has its own detail, is recorded, and is raised with whether trying again can help."""
    world = planned("security")
    world.contacts.faults.append(Fault(kind("PutAlternateContact", "SomeException", ONE), method))
    assert failed(world).retryable is retryable
    outcome = stored(world)
    assert (outcome.status, outcome.detail, outcome.error_code) == (OutcomeStatus.FAILED, detail, "SomeException")
    assert (ONE, SECURITY) not in world.contacts.stored


def test_read_failed_no_write() -> None:
    """No failure of the read becomes a write: the unknown answer is not taken for absent."""
    for kind in (ThrottledError, ServiceUnavailableError, UnexpectedAwsError, RequestInvalidError):
        world = planned("security")
        world.contacts.faults.append(Fault(kind("GetAlternateContact", "SomeException", ONE), "read"))
        failed(world)
        assert world.contacts.changes() == []


def test_others_settle() -> None:
    """One type's failure keeps no other from being settled, and all errors are raised together."""
    world = planned("primary", "billing", "security")
    denied = AccessDeniedError("GetAlternateContact", "AccessDeniedException", ONE)
    throttled = ThrottledError("PutContactInformation", "TooManyRequestsException", ONE)
    world.contacts.faults += [
        Fault(denied, "read", contact_type=BILLING),
        Fault(throttled, "write", contact_type=PRIMARY),
    ]
    assert list(failed(world).errors) == [throttled, denied]
    assert stored(world, PRIMARY).detail is OutcomeDetail.THROTTLED
    assert stored(world, BILLING).detail is OutcomeDetail.PERMISSION_DENIED
    assert stored(world, SECURITY).detail is OutcomeDetail.UPDATED


def test_excluded_since() -> None:
    """An account that was excluded after the plan is not even read."""
    world = planned("security")
    world.configurations.store(configuration(excluded_accounts=[ONE]))
    world.sync(ONE)
    assert world.contacts.calls == []
    assert (stored(world).status, stored(world).detail) == (OutcomeStatus.SKIPPED, OutcomeDetail.EXCLUDED)


def test_excluded_by_pinned() -> None:
    """An account that the pinned configuration excludes stays excluded although the current one does not."""
    world = World.of(2, excluded_accounts=[ONE], contact_types=["security"])
    world.plan()
    world.configurations.store(configuration())
    world.contacts.calls.clear()
    world.sync(ONE)
    assert world.contacts.calls == []
    assert stored(world).detail is OutcomeDetail.EXCLUDED


@pytest.mark.parametrize("which", ["latest_error", "version_error"])
@pytest.mark.parametrize(
    "error",
    [
        ConfigurationMissingError("config", "default"),
        ConfigurationInvalidError(["contact_types: empty"]),
        ThrottledError("Query", "ThrottlingException"),
    ],
)
def test_unreadable_configuration(which: str, error: ContactSyncError) -> None:
    """While either configuration cannot be read, nothing is written or even read, and the outcome says why."""
    world = planned("security")
    found, _ = world.account_sync.open(RUN)
    setattr(world.configurations, which, error)
    with pytest.raises(AccountsFailedError) as raised:
        world.account_sync.sync(found, ONE, 1)
    assert list(raised.value.errors) == [error]
    assert raised.value.retryable == error.retryable
    assert world.contacts.calls == []
    assert (stored(world).status, stored(world).error_code) == (OutcomeStatus.FAILED, error.code)


def test_superseded() -> None:
    """A task applies the newest desired contact, not its own run's, and says so."""
    world = planned("security")
    world.contacts.stored[None, SECURITY] = alternate(Name="Newer")
    world.plan(request(dag_run_id="a later run"))
    world.sync(ONE)
    assert world.contacts.stored[ONE, SECURITY] == alternate(Name="Newer")
    outcome = stored(world)
    assert (outcome.status, outcome.detail) == (OutcomeStatus.SKIPPED, OutcomeDetail.SUPERSEDED)
    assert outcome.generation == 2
    assert outcome.changed_fields


def test_superseded_and_failed() -> None:
    """A task that fails to apply a newer generation is failed, not skipped."""
    world = planned("security")
    world.plan(request(dag_run_id="a later run"))
    world.contacts.faults.append(Fault(ThrottledError("PutAlternateContact", "TooManyRequestsException", ONE), "write"))
    failed(world)
    assert stored(world).detail is OutcomeDetail.THROTTLED


def test_verified_later() -> None:
    """A written contact is looked for until AWS shows it, with waits that double."""
    world = planned("security")
    world.contacts.stale_reads = 2
    world.sync(ONE)
    assert methods(world) == ["read", "write", "read", "read", "read"]
    assert world.clock.slept == [0.5, 1.0]
    assert stored(world).detail is OutcomeDetail.UPDATED


def test_never_seen() -> None:
    """A contact that AWS does not show within the bound fails the try, which may be repeated."""
    world = planned("security")
    world.contacts.stale_reads = 4
    error = failed(world)
    assert [type(part) for part in error.errors] == [WriteNotSeenError]
    assert error.retryable
    assert methods(world).count("read") == 5
    assert stored(world).status is OutcomeStatus.FAILED


def test_answer_lost() -> None:
    """A write that arrived although its answer was lost is found by the next try, and not written twice."""
    world = planned("security")
    error = ServiceUnavailableError("PutAlternateContact", "ReadTimeoutError", ONE)
    world.contacts.faults.append(Fault(error, "write", times=1, applied=True))
    failed(world, 1)
    world.sync(ONE, 2)
    assert [call.method for call in world.contacts.changes()] == ["write"]
    assert stored(world).status is OutcomeStatus.SUCCESS


def test_dry_run() -> None:
    """A dry run reads, names the fields that would change, and writes nothing."""
    world = planned("security", "primary", dry_run=True)
    world.contacts.stored[ONE, SECURITY] = alternate(Title="Other")
    world.contacts.stored[ONE, PRIMARY] = primary()
    world.sync(ONE)
    assert world.contacts.changes() == []
    assert {(o.status, o.detail) for o in world.outcomes().values() if o.account_id == ONE} == {
        (OutcomeStatus.SKIPPED, OutcomeDetail.DRY_RUN)
    }
    assert stored(world).changed_fields == ("Title",)
    assert stored(world, PRIMARY).changed_fields == ()


def test_retry_keeps_attempts() -> None:
    """A retry that succeeds keeps the earlier try's record and counts it."""
    world = planned("security")
    fault = Fault(ThrottledError("PutAlternateContact", "TooManyRequestsException", ONE), "write", times=1)
    world.contacts.faults.append(fault)
    failed(world, 1)
    world.clock.sleep(2)
    world.sync(ONE, 2)
    outcome = stored(world)
    assert [(a.try_number, a.detail) for a in outcome.attempts] == [
        (1, OutcomeDetail.THROTTLED),
        (2, OutcomeDetail.UPDATED),
    ]
    assert outcome.retry_count == 1
    assert outcome.attempts[0].started < outcome.attempts[1].started
    assert (outcome.error_code, outcome.error_message) == (None, None)


def test_change_is_remembered() -> None:
    """A retry for another type's sake does not forget what an earlier try of the operation changed."""
    world = planned("primary", "security")
    throttled = ThrottledError("PutAlternateContact", "TooManyRequestsException", ONE)
    world.contacts.faults.append(Fault(throttled, "write", contact_type=SECURITY, times=1))
    world.contacts.stored[ONE, PRIMARY] = primary(City="Elsewhere")
    failed(world, 1)
    world.sync(ONE, 2)
    assert stored(world, PRIMARY).detail is OutcomeDetail.UPDATED
    assert stored(world, PRIMARY).changed_fields == ("City",)


def test_written_but_seen_later() -> None:
    """A contact that this operation wrote, and that only the next try saw, counts as updated."""
    world = planned("security")
    world.contacts.stale_reads = 4
    failed(world, 1)
    world.sync(ONE, 2)
    assert stored(world).detail is OutcomeDetail.UPDATED
    assert stored(world).changed_fields


def test_denied_is_not_repeated() -> None:
    """A retry for another type's sake leaves a type alone that AWS forbids."""
    world = planned("billing", "security")
    world.contacts.faults += [
        Fault(AccessDeniedError("GetAlternateContact", "AccessDeniedException", ONE), "read", contact_type=BILLING),
        Fault(ThrottledError("PutAlternateContact", "TooManyRequestsException", ONE), "write", times=1),
    ]
    failed(world, 1)
    world.contacts.calls.clear()
    failed(world, 2)
    assert BILLING not in {call.contact_type for call in world.contacts.calls}


def test_desired_missing() -> None:
    """Without a stored desired contact nothing is done."""
    world = planned("security")
    world.state.desired.clear()
    assert [type(error) for error in failed(world).errors] == [DesiredContactMissingError]
    assert world.contacts.calls == []


def test_unplanned() -> None:
    """A task of a run without an operation says that the plan did not finish."""
    with pytest.raises(OperationMissingError, match="plan"):
        World.of(1).account_sync.open("unknown run")


def test_pinned_retry_config() -> None:
    """Retries follow the configuration that the run was planned with, although a newer one is there."""
    world = World.of(1, retry_config={"max_attempts": 1})
    world.plan()
    world.configurations.store(configuration(retry_config={"max_attempts": 9}))
    assert world.account_sync.open(RUN)[1].max_attempts == 1


def test_unexpected_account() -> None:
    """An account whose outcome the plan did not store is settled all the same, without a name."""
    world = planned("security")
    world.state.outcomes.clear()
    world.sync(ONE)
    assert replace(stored(world), account_name="").detail is OutcomeDetail.UPDATED


class BlindedContacts(FakeAccountContacts):
    """Contacts whose reads fail from an accepted write on, a number of times."""

    blinding: tuple[Exception, int | None] | None = None

    def write(self, contact_type: ContactType, account_id: str, contact: Contact) -> None:
        """Write, then let reads fail."""
        super().write(contact_type, account_id, contact)
        if self.blinding:
            error, times = self.blinding
            self.faults.append(Fault(error, "read", account_id, contact_type, times))


def blinded(error: Exception, times: int | None) -> World:
    """Return a planned world whose account cannot be read after a write."""
    world = planned("security")
    world.contacts = BlindedContacts(world.contacts.stored)
    world.contacts.blinding = (error, times)
    return world


READ_ERRORS = [
    AccessDeniedError("GetAlternateContact", "AccessDeniedException", ONE),
    ThrottledError("GetAlternateContact", "TooManyRequestsException", ONE),
    ServiceUnavailableError("GetAlternateContact", "InternalServerException", ONE),
    UnexpectedAwsError("GetAlternateContact", "SomethingNewException", ONE),
    RequestInvalidError("GetAlternateContact", "ValidationException", ONE),
]


@pytest.mark.parametrize("error", READ_ERRORS, ids=lambda error: type(error).__name__)
def test_cannot_be_verified(error: AwsCallError) -> None:
    """A write that was accepted but cannot be read back is a write not seen, whatever the read's error says."""
    world = blinded(error, None)
    raised = failed(world)
    assert [type(part) for part in raised.errors] == [WriteNotSeenError]
    assert raised.retryable
    outcome = stored(world)
    assert (outcome.status, outcome.detail, outcome.error_code) == (
        OutcomeStatus.FAILED,
        OutcomeDetail.ERROR,
        "WriteNotSeen",
    )
    fields = ("EmailAddress", "Name", "PhoneNumber", "Title")
    assert outcome.changed_fields == outcome.attempts[-1].written_fields == fields
    assert methods(world) == ["read", "write", *["read"] * 4]


@pytest.mark.parametrize("error", READ_ERRORS, ids=lambda error: type(error).__name__)
def test_verified_by_next_try(error: AwsCallError) -> None:
    """The try after it finds the contact, does not write again, and is credited with the update."""
    world = blinded(error, 4)
    failed(world, 1)
    world.sync(ONE, 2)
    assert [call.method for call in world.contacts.changes()] == ["write"]
    outcome = stored(world)
    assert (outcome.status, outcome.detail) == (OutcomeStatus.SUCCESS, OutcomeDetail.UPDATED)
    assert outcome.changed_fields == ("EmailAddress", "Name", "PhoneNumber", "Title")


@pytest.mark.parametrize("error", READ_ERRORS, ids=lambda error: type(error).__name__)
def test_verified_after_errors(error: AwsCallError) -> None:
    """A look that fails is followed by another one within the same try."""
    world = blinded(error, 3)
    world.sync(ONE)
    assert stored(world).detail is OutcomeDetail.UPDATED
    assert world.clock.slept == [0.5, 1.0, 2.0]


@pytest.mark.parametrize("kind", [ServiceUnavailableError, UnexpectedAwsError])
def test_arrived_without_answer(kind: type[AwsCallError]) -> None:
    """A put that arrived although AWS answered with an error counts as this operation's update."""
    world = planned("security")
    world.contacts.stored[ONE, SECURITY] = alternate(Title="Other")
    world.contacts.faults.append(Fault(kind("PutAlternateContact", "Some", ONE), "write", times=1, applied=True))
    failed(world, 1)
    assert stored(world).attempts[-1].written_fields == ("Title",)
    world.sync(ONE, 2)
    assert [call.method for call in world.contacts.changes()] == ["write"]
    assert (stored(world).status, stored(world).detail) == (OutcomeStatus.SUCCESS, OutcomeDetail.UPDATED)
    assert stored(world).changed_fields == ("Title",)


@pytest.mark.parametrize("kind", [ThrottledError, AccessDeniedError, RequestInvalidError])
def test_refused_wrote_nothing(kind: type[AwsCallError]) -> None:
    """A put that AWS refused wrote nothing, and no later try is credited with it."""
    world = planned("security")
    world.contacts.faults.append(Fault(kind("PutAlternateContact", "Some", ONE), "write", times=1))
    failed(world, 1)
    assert stored(world).attempts[-1].written_fields == ()


def test_deletion_without_answer() -> None:
    """A delete that arrived without an answer is credited as `deleted`."""
    world = World.of(1, contact_types=["security"], deletion={"policy": "propagate"})
    del world.contacts.stored[None, SECURITY]
    world.contacts.stored[ONE, SECURITY] = alternate()
    world.plan()
    lost = ServiceUnavailableError("DeleteAlternateContact", "ReadTimeoutError", ONE)
    world.contacts.faults.append(Fault(lost, "delete", times=1, applied=True))
    failed(world, 1)
    world.sync(ONE, 2)
    assert stored(world).detail is OutcomeDetail.DELETED


class DeniedDesiredContacts(FakeDesiredContacts):
    """Desired contacts that the task's role may not read."""

    def latest(self, contact_type: ContactType) -> DesiredContact | None:
        """Refuse."""
        raise AccessDeniedError("GetItem", f"AccessDeniedException-{contact_type}")


def test_own_table_denied() -> None:
    """A table of ours that may not be read is a failure of the run, not a permission that the account refuses."""
    world = planned("security")
    denied = replace(world.account_sync, desired=DeniedDesiredContacts(world.state))
    found, _ = denied.open(RUN)
    with pytest.raises(AccountsFailedError) as caught:
        denied.sync(found, ONE, 1)
    assert not caught.value.retryable
    assert (stored(world).status, stored(world).detail) == (OutcomeStatus.FAILED, OutcomeDetail.ERROR)
    assert world.contacts.calls == []
    world.sync(ONE, 2)
    assert stored(world).detail is OutcomeDetail.UPDATED


@pytest.mark.parametrize("method", ["read", "write"])
@pytest.mark.parametrize("kind", [AccessDeniedError, RequestInvalidError, ThrottledError, ServiceUnavailableError])
def test_about_no_account(kind: type[AwsCallError], method: str) -> None:
    """An error that names no account, as of a role that cannot be assumed, is none of the account's details."""
    world = planned("security")
    world.contacts.faults.append(Fault(kind("AssumeRole", "AccessDenied"), method))
    failed(world)
    assert (stored(world).status, stored(world).detail) == (OutcomeStatus.FAILED, OutcomeDetail.ERROR)


def test_configuration_denied() -> None:
    """A configuration that may not be read is no account's refused permission either."""
    world = planned("security")
    world.configurations.latest_error = AccessDeniedError("Query", "AccessDeniedException")
    failed(world)
    assert (stored(world).status, stored(world).detail) == (OutcomeStatus.FAILED, OutcomeDetail.ERROR)

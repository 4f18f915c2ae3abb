"""What later looks and later tries make of what earlier ones did."""

from dataclasses import replace

import pytest

from contactsync.contacts import Contact, ContactType
from contactsync.errors import (
    AwsCallError,
    FinalInEarlierTryError,
    ServiceUnavailableError,
    WriteNotSeenError,
)
from contactsync.operations.operation import AccountOutcome, OutcomeDetail, OutcomeStatus, SyncOperation
from tests.support.builders import RUN, alternate, primary
from tests.support.fakes.state import FakeOperations
from tests.support.fakes.surroundings import FakeAccountContacts, Fault
from tests.support.worlds.one_account import (
    ALL_FIELDS,
    BILLING,
    DENIED,
    INVALID,
    ONE,
    PRIMARY,
    SECURITY,
    UNANSWERED,
    UNAVAILABLE,
    UNEXPECTED,
    ending,
    failed,
    methods,
    planned,
    stored,
    wait,
    writes,
)
from tests.support.worlds.world import World


def test_verified_later() -> None:
    """A written contact is looked for until AWS shows it, with waits that double."""
    world = planned(rates={"enabled": False})
    world.contacts.stale_reads = 2
    world.sync(ONE)
    assert methods(world) == ["read", "write", "read", "read", "read"]
    assert world.clock.slept == [0.5, 1.0]
    assert stored(world).detail is OutcomeDetail.UPDATED


def test_never_seen() -> None:
    """A contact that AWS does not show within the bound fails the try, which may be repeated."""
    world = planned()
    world.contacts.stale_reads = 4
    error = failed(world)
    assert [type(part) for part in error.errors] == [WriteNotSeenError]
    assert error.retryable
    assert methods(world).count("read") == 5
    assert stored(world).status is OutcomeStatus.FAILED


def test_written_but_seen_later() -> None:
    """A contact that this operation wrote, and that only the next try saw, counts as updated."""
    world = planned()
    world.contacts.stale_reads = 4
    failed(world, 1)
    world.sync(ONE, 2)
    assert ending(world) == (OutcomeStatus.SUCCESS, OutcomeDetail.UPDATED)
    assert stored(world).changed_fields == ALL_FIELDS


def test_retry_keeps_attempts() -> None:
    """A retry that succeeds keeps the earlier try's record and counts it."""
    world = planned()
    world.contacts.faults.append(Fault(UNAVAILABLE, "write", times=1))
    failed(world, 1)
    world.clock.sleep(2)
    world.sync(ONE, 2)
    outcome = stored(world)
    assert [(a.try_number, a.detail) for a in outcome.attempts] == [
        (1, OutcomeDetail.UNAVAILABLE),
        (2, OutcomeDetail.UPDATED),
    ]
    assert outcome.retry_count == 1
    assert outcome.attempts[0].started < outcome.attempts[1].started
    assert (outcome.error_code, outcome.error_message) == (None, None)


def test_change_is_remembered() -> None:
    """A retry for another type's sake does not forget what an earlier try of the operation changed."""
    world = planned("primary", "security")
    world.contacts.faults.append(Fault(UNAVAILABLE, "write", contact_type=SECURITY, times=1))
    world.contacts.stored[ONE, PRIMARY] = primary(City="Elsewhere")
    failed(world, 1)
    world.sync(ONE, 2)
    assert ending(world, PRIMARY) == (OutcomeStatus.SUCCESS, OutcomeDetail.UPDATED)
    assert stored(world, PRIMARY).changed_fields == ("City",)


@pytest.mark.parametrize("error", [DENIED, INVALID], ids=lambda error: type(error).__name__)
def test_final_is_not_repeated(error: AwsCallError) -> None:
    """A retry for another type's sake leaves a type alone that trying again cannot fix, and says why."""
    world = planned("billing", "security")
    world.contacts.faults += [
        Fault(error, "read", contact_type=BILLING),
        Fault(UNAVAILABLE, "write", contact_type=SECURITY, times=1),
    ]
    failed(world, 1)
    before = stored(world, BILLING)
    world.contacts.calls.clear()
    (final,) = failed(world, 2).errors
    assert isinstance(final, FinalInEarlierTryError)
    assert final.code == error.code
    assert not final.retryable
    assert BILLING not in {call.contact_type for call in world.contacts.calls}
    assert stored(world, BILLING) == before


@pytest.mark.parametrize("error", [DENIED, INVALID], ids=lambda error: type(error).__name__)
def test_final_until_cleared(error: AwsCallError) -> None:
    """A task that was cleared tries again what an earlier try found to be final."""
    world = planned()
    world.contacts.faults.append(Fault(error, "read", times=1))
    failed(world, 1)
    wait(world, 60)
    world.sync(ONE, 2, first_try=2)
    assert ending(world) == (OutcomeStatus.SUCCESS, OutcomeDetail.UPDATED)


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
    world = planned(rates={"enabled": False})
    world.contacts = BlindedContacts(world.contacts.stored)
    world.contacts.blinding = (error, times)
    return world


READ_ERRORS = [UNAVAILABLE, UNEXPECTED, INVALID]


def test_denied_after_write() -> None:
    """A read back that is denied ends the looking at once: something has changed for the account, or for everyone."""
    world = blinded(DENIED, None)
    caught = failed(world)
    assert not caught.retryable
    assert ending(world) == (OutcomeStatus.SKIPPED, OutcomeDetail.PERMISSION_DENIED)
    assert stored(world).attempts[-1].written_fields == ALL_FIELDS
    assert methods(world) == ["read", "write", "read"]


@pytest.mark.parametrize("error", READ_ERRORS, ids=lambda error: type(error).__name__)
def test_cannot_be_verified(error: AwsCallError) -> None:
    """A write that was accepted but cannot be read back is a write not seen, whatever the read's error says."""
    world = blinded(error, None)
    caught = failed(world)
    assert [type(part) for part in caught.errors] == [WriteNotSeenError]
    assert caught.retryable
    outcome = stored(world)
    assert ending(world) == (OutcomeStatus.FAILED, OutcomeDetail.ERROR)
    assert outcome.error_code == "WriteNotSeen"
    assert outcome.changed_fields == outcome.attempts[-1].written_fields == ALL_FIELDS
    assert methods(world) == ["read", "write", *["read"] * 4]


@pytest.mark.parametrize("error", READ_ERRORS, ids=lambda error: type(error).__name__)
def test_verified_by_next_try(error: AwsCallError) -> None:
    """The try after it finds the contact, does not write again, and is credited with the update."""
    world = blinded(error, 4)
    failed(world, 1)
    world.sync(ONE, 2)
    assert writes(world) == ["write"]
    assert ending(world) == (OutcomeStatus.SUCCESS, OutcomeDetail.UPDATED)
    assert stored(world).changed_fields == ALL_FIELDS


@pytest.mark.parametrize("error", READ_ERRORS, ids=lambda error: type(error).__name__)
def test_verified_after_errors(error: AwsCallError) -> None:
    """A look that fails is followed by another one within the same try."""
    world = blinded(error, 3)
    world.sync(ONE)
    assert stored(world).detail is OutcomeDetail.UPDATED
    assert world.clock.slept == [0.5, 1.0, 2.0]


@pytest.mark.parametrize("error", [UNAVAILABLE, UNANSWERED, UNEXPECTED], ids=lambda error: error.code)
@pytest.mark.parametrize("applied", [False, True])
def test_maybe_written(error: AwsCallError, applied: bool) -> None:  # noqa: FBT001 -- a column of the table
    """What a put may have written is told, and the next try ends as this operation's update of those fields."""
    world = planned()
    world.contacts.stored[ONE, SECURITY] = alternate(Title="Other")
    world.contacts.faults.append(Fault(error, "write", times=1, applied=applied))
    failed(world, 1)
    assert stored(world).attempts[-1].written_fields == ("Title",)
    world.sync(ONE, 2)
    assert world.contacts.stored[ONE, SECURITY] == alternate()
    assert ending(world) == (OutcomeStatus.SUCCESS, OutcomeDetail.UPDATED)
    assert stored(world).changed_fields == ("Title",)


@pytest.mark.parametrize("error", [UNAVAILABLE, UNEXPECTED], ids=lambda error: error.code)
def test_answered_failure_is_not_waited_out(error: AwsCallError) -> None:
    """A put that AWS answered is over, whatever the answer: the next try waits for nothing."""
    world = planned(rates={"enabled": False})
    world.contacts.faults.append(Fault(error, "write", times=1, applied=True))
    failed(world, 1)
    world.sync(ONE, 2)
    assert world.clock.slept == []


@pytest.mark.parametrize("error", [DENIED, INVALID], ids=lambda error: type(error).__name__)
def test_refused_wrote_nothing(error: AwsCallError) -> None:
    """A put that AWS refused wrote nothing, and no later try is credited with it."""
    world = planned()
    world.contacts.faults.append(Fault(error, "write", times=1))
    failed(world, 1)
    assert stored(world).attempts[-1].written_fields == ()
    assert stored(world).changed_fields == ()


@pytest.mark.parametrize("error", [UNAVAILABLE, UNANSWERED, UNEXPECTED], ids=lambda error: error.code)
def test_deletion_without_answer(error: AwsCallError) -> None:
    """A delete that arrived without a good answer is credited as `deleted`."""
    world = World.of(1, contact_types=["security"], deletion={"policy": "propagate"})
    del world.contacts.stored[None, SECURITY]
    world.contacts.stored[ONE, SECURITY] = alternate()
    world.plan()
    world.contacts.faults.append(Fault(error, "delete", times=1, applied=True))
    failed(world, 1)
    world.sync(ONE, 2)
    assert ending(world) == (OutcomeStatus.SUCCESS, OutcomeDetail.DELETED)
    assert stored(world).changed_fields == ALL_FIELDS


def test_fields_of_all_tries() -> None:
    """The outcome names what all tries changed, also when the last one wrote again or wrote something else."""
    world = planned()
    world.contacts.stored[ONE, SECURITY] = alternate(Title="Other")
    world.contacts.faults.append(Fault(UNANSWERED, "write", times=1, applied=True))
    failed(world, 1)
    world.contacts.stored[ONE, SECURITY] = alternate(PhoneNumber="+999")
    world.sync(ONE, 2)
    assert stored(world).changed_fields == ("PhoneNumber", "Title")


class FullOperations(FakeOperations):
    """Operations whose outcomes cannot be settled."""

    def settle_outcome(self, operation: SyncOperation, outcome: AccountOutcome) -> None:
        """Refuse."""
        raise ServiceUnavailableError("PutItem", f"InternalServerError-{operation.sync_id}-{outcome.account_id}")


def test_outcome_cannot_be_stored() -> None:
    """When the outcome of a done write cannot be stored the task fails, and the next try finds all well."""
    world = planned()
    step = replace(world.account_sync, operations=FullOperations(world.state))
    with pytest.raises(ServiceUnavailableError) as caught:
        step.sync(*step.open(RUN), ONE, 1)
    assert caught.value.retryable
    assert stored(world).status is OutcomeStatus.PENDING
    world.sync(ONE, 2)
    assert stored(world).status is OutcomeStatus.SUCCESS
    assert writes(world) == ["write"]

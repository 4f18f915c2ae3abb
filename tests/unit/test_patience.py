"""Patience with throttled calls: how long they wait, and what is not waited for."""

from collections.abc import Callable

import pytest

from contactsync.contacts import ContactType
from contactsync.errors import (
    AccessDeniedError,
    AwsCallError,
    RequestInvalidError,
    ServiceUnavailableError,
    ThrottledError,
    UnexpectedAwsError,
)
from contactsync.sync.patience import PatientContacts
from tests.builders import account, alternate
from tests.fakes import FakeAccountContacts, FakeClock, Fault

SECURITY = ContactType.SECURITY
ONE = account(1).account_id
THROTTLED = ThrottledError("PutAlternateContact", "TooManyRequestsException", ONE)

Call = Callable[[PatientContacts], object]
CALLS: dict[str, Call] = {
    "read": lambda contacts: contacts.read(SECURITY, ONE),
    "write": lambda contacts: contacts.write(SECURITY, ONE, alternate()),
    "delete": lambda contacts: contacts.delete(SECURITY, ONE),
}


def patient(*faults: Fault, tries: int = 4, longest_wait: float = 8.0) -> tuple[PatientContacts, FakeAccountContacts]:
    """Return patient contacts, and the fakes that they call: one account with a contact."""
    contacts = FakeAccountContacts({(ONE, SECURITY): alternate(Name="Earlier")}, faults=list(faults))
    return PatientContacts(contacts, FakeClock(), tries=tries, longest_wait=longest_wait), contacts


def slept(contacts: PatientContacts) -> list[float]:
    """Return the waits."""
    assert isinstance(contacts.clock, FakeClock)
    return contacts.clock.slept


@pytest.mark.parametrize("method", CALLS)
def test_at_once(method: str) -> None:
    """A call that is not throttled is made once and waits for nothing."""
    contacts, called = patient()
    CALLS[method](contacts)
    assert [call.method for call in called.calls] == [method]
    assert slept(contacts) == []


@pytest.mark.parametrize("method", CALLS)
def test_waits(method: str) -> None:
    """A throttled call is made again until it is let through, with a wait before each."""
    contacts, called = patient(Fault(THROTTLED, times=3))
    answer = CALLS[method](contacts)
    assert [call.method for call in called.calls] == [method] * 4
    assert len(slept(contacts)) == 3
    if method == "read":
        assert answer == alternate(Name="Earlier")
    else:
        assert called.stored.get((ONE, SECURITY)) == (alternate() if method == "write" else None)


@pytest.mark.parametrize("method", CALLS)
@pytest.mark.parametrize("tries", [1, 4])
def test_bounded(method: str, tries: int) -> None:
    """After the last try AWS's own error goes out, for the task to be tried again, and nothing was changed."""
    contacts, called = patient(Fault(THROTTLED), tries=tries)
    with pytest.raises(ThrottledError) as caught:
        CALLS[method](contacts)
    assert caught.value is THROTTLED
    assert len(called.calls) == tries
    assert len(slept(contacts)) == tries - 1
    assert called.stored == {(ONE, SECURITY): alternate(Name="Earlier")}


def test_longest_wait() -> None:
    """No wait is longer than the bound, however many there are, and they are random."""
    contacts, _ = patient(Fault(THROTTLED), tries=40, longest_wait=2.5)
    with pytest.raises(ThrottledError):
        contacts.read(SECURITY, ONE)
    assert all(0 <= seconds <= 2.5 for seconds in slept(contacts))
    assert max(slept(contacts)) > 0
    assert len(set(slept(contacts))) > 1


@pytest.mark.parametrize("method", CALLS)
@pytest.mark.parametrize("kind", [AccessDeniedError, ServiceUnavailableError, RequestInvalidError, UnexpectedAwsError])
def test_others_pass(method: str, kind: type[AwsCallError]) -> None:
    """Every other error goes out at once: its call may have been carried out, or cannot be."""
    contacts, called = patient(Fault(kind("AnyOperation", "AnyException", ONE)))
    with pytest.raises(kind):
        CALLS[method](contacts)
    assert len(called.calls) == 1
    assert slept(contacts) == []


def test_other_after_throttled() -> None:
    """An error that comes after a wait is not waited for either."""
    denied = AccessDeniedError("GetAlternateContact", "AccessDeniedException", ONE)
    contacts, called = patient(Fault(THROTTLED, times=1), Fault(denied))
    with pytest.raises(AccessDeniedError):
        contacts.read(SECURITY, ONE)
    assert len(called.calls) == 2

"""Refused permissions: one account's own, and causes that concern every account."""

from collections.abc import Callable

import pytest

from contactsync.accounts import AccountState
from contactsync.errors import (
    AccessDeniedError,
    AccountsFailedError,
    ContactSyncError,
    ServiceUnavailableError,
)
from contactsync.operations.operation import OutcomeDetail, OutcomeStatus
from tests.support.builders import account
from tests.support.fakes.surroundings import FakeOrganization, Fault
from tests.support.worlds.one_account import (
    CAUSES,
    CHECK_INTERVAL,
    DENIED,
    HALTED,
    NOT_ACTIVE,
    ONE,
    PERMISSION_DENIED,
    SECURITY,
    THROTTLED,
    TWO,
    ending,
    failed,
    forbid_check,
    halted,
    methods,
    paused,
    planned,
    raised,
    record,
    refused,
    stored,
    switch_off,
    wait,
)
from tests.support.worlds.world import World


class SilentOrganization(FakeOrganization):
    """An organization in which nobody can be asked who is calling."""

    def caller_account(self) -> str:
        """Fail."""
        raise ServiceUnavailableError("GetCallerIdentity", "ServiceUnavailable")


@pytest.mark.parametrize("method", ["read", "write"])
def test_one_account(method: str) -> None:
    """AccessDenied about one account, when all is well for the others, is a permission outcome and final."""
    world = refused(method)
    assert not failed(world).retryable
    assert ending(world) == PERMISSION_DENIED
    assert stored(world).error_code == "AccessDeniedException"
    assert ONE in (stored(world).error_message or "")
    assert (ONE, SECURITY) not in world.contacts.stored
    assert world.operation().halt is None
    assert world.sync(TWO)[0].status is OutcomeStatus.SUCCESS


def test_read_denied_no_write() -> None:
    """AccessDenied on the read never becomes a write."""
    world = refused("read")
    failed(world)
    assert methods(world) == ["read"]
    assert record(world).version == 0


def test_write_denied_leaves_no_mark() -> None:
    """A write that AWS refused is over, so that nobody has to wait it out."""
    world = refused("write")
    failed(world)
    assert record(world).mark is None


def test_one_check() -> None:
    """A thousand accounts that are refused within moments mean one check."""
    world = refused()
    failed(world)
    checked = world.breakers.checked
    assert checked == world.clock.now()
    wait(world, CHECK_INTERVAL - 1)
    world.contacts.faults.append(Fault(DENIED, "read", TWO))
    raised(AccountsFailedError, world, account_id=TWO)
    assert world.breakers.checked == checked


def test_checked_again() -> None:
    """A good answer is trusted for the configuration's time only."""
    world = refused()
    failed(world)
    wait(world, CHECK_INTERVAL + 1)
    world.contacts.faults.append(Fault(DENIED, "read", TWO))
    raised(AccountsFailedError, world, account_id=TWO)
    assert world.breakers.checked == world.clock.now()


@pytest.mark.parametrize("method", ["read", "write"])
@pytest.mark.parametrize(("cause", "kind"), CAUSES)
def test_halted(method: str, cause: Callable[[World], None], kind: type[ContactSyncError]) -> None:
    """A cause that concerns every account halts the operation, with its sentence, and no retry."""
    world = refused(method)
    cause(world)
    error = halted(world)
    assert not error.retryable
    assert error.code == kind.__name__.removesuffix("Error") or issubclass(kind, AccessDeniedError)
    assert ending(world) == HALTED
    assert stored(world).error_message == str(error)
    halt = world.operation().halt
    assert halt is not None
    assert (halt.code, halt.at) == (error.code, world.clock.now())
    assert halt.message in str(error)


def test_halted_by_the_role() -> None:
    """A role that cannot be assumed concerns every account, although the error names none."""
    world = planned()
    world.contacts.faults.append(Fault(AccessDeniedError("AssumeRole", "AccessDenied"), "read"))
    wait(world, 60)
    forbid_check(world)
    halted(world)
    assert ending(world) == HALTED


def test_check_fails() -> None:
    """A check that gets no answer halts nothing: the try fails and is repeated."""
    world = refused()
    world.organization = SilentOrganization(world.organization.members, world.organization.caller)
    assert failed(world).retryable
    assert ending(world) == (OutcomeStatus.FAILED, OutcomeDetail.ERROR)
    assert world.operation().halt is None


@pytest.mark.parametrize("state", [AccountState.SUSPENDED, AccountState.PENDING_CLOSURE, None])
@pytest.mark.parametrize("method", ["read", "write"])
def test_not_active(method: str, state: AccountState | None) -> None:
    """An account that was closed, or left, since the plan is skipped like one that was closed before it."""
    world = refused(method)
    world.organization.members[1:2] = [account(1, state)] if state else []
    world.sync(ONE)
    assert ending(world) == NOT_ACTIVE
    assert stored(world).error_code is None
    assert record(world).mark is None


def test_throttled_is_no_refusal() -> None:
    """Throttling never asks whether contactsync may call at all."""
    world = planned()
    world.contacts.faults.append(Fault(THROTTLED, "read"))
    wait(world, 60)
    switch_off(world)
    paused(world)
    assert world.operation().halt is None

"""Credentials that AWS does not take, and a machine that cannot call: every account is concerned, so the run halts."""

import pytest

from contactsync.errors import (
    AwsCallError,
    AwsSetupError,
    ClockWrongError,
    CredentialsExpiredError,
    CredentialsMissingError,
    CredentialsRefusedError,
    CredentialsUnreachableError,
)
from contactsync.operations.operation import OutcomeDetail, OutcomeStatus
from tests.support.fakes.surroundings import Fault
from tests.support.worlds.one_account import (
    HALTED,
    ONE,
    SECURITY,
    TWO,
    ending,
    failed,
    fix,
    halted,
    planned,
    stored,
    wait,
)
from tests.support.worlds.world import World

PUT = "PutAlternateContact"
CAUSES = [
    CredentialsExpiredError(PUT, "ExpiredTokenException", ONE),
    CredentialsExpiredError("AssumeRole", "ExpiredToken"),
    CredentialsRefusedError(PUT, "InvalidSignatureException", ONE),
    CredentialsMissingError(PUT, "NoCredentials", ONE),
    ClockWrongError(PUT, "RequestExpired", ONE),
    AwsSetupError(PUT, "ProfileNotFound", ONE, problem="there is no AWS profile 'x'", places=("AWS_PROFILE",)),
]


def met(error: AwsCallError, method: str = "read") -> World:
    """Return a world in which a call of the first account meets an error, and access was confirmed a moment ago."""
    world = planned()
    world.breakers.checked = world.clock.now()
    world.contacts.faults.append(Fault(error, method, ONE, SECURITY))
    return world


@pytest.mark.parametrize("method", ["read", "write"])
@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.code)
def test_halts(method: str, cause: AwsCallError) -> None:
    """The first account that meets it halts the run, in its first try, with the cause's own sentence."""
    world = met(cause, method)
    error = halted(world)
    assert not error.retryable
    assert (error.code, ending(world)) == (cause.code, HALTED)
    assert str(cause) in str(error)
    halt = world.operation().halt
    assert halt is not None
    assert halt.message == str(cause)


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.code)
def test_others_make_no_call(cause: AwsCallError) -> None:
    """The other accounts' tasks end with the same cause, without a call."""
    world = met(cause)
    first = halted(world)
    world.contacts.calls.clear()
    assert str(halted(world, account_id=TWO)) == str(first)
    assert world.contacts.calls == []


def test_mended() -> None:
    """Signed in again and cleared, the run goes on."""
    world = met(CAUSES[0])
    halted(world)
    fix(world)
    wait(world, 3600)
    world.sync(ONE, 2, first_try=2)
    assert ending(world) == (OutcomeStatus.SUCCESS, OutcomeDetail.UPDATED)
    assert world.operation().halt is None


def test_unreachable_source() -> None:
    """A machine's source of credentials that does not answer may answer the next time: tried again, nothing halts."""
    world = met(CredentialsUnreachableError(PUT, "MetadataRetrievalError", ONE))
    assert failed(world).retryable
    assert stored(world).error_code == "MetadataRetrievalError"
    assert world.operation().halt is None

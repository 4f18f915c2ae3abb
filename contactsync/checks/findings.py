"""What a check found, in a sentence, with what to do about it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TypeVar

from contactsync.errors import AwsCallError, ContactSyncError, CredentialsError, Reader

Thing = TypeVar("Thing")


class State(StrEnum):
    """What a check can find."""

    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """The check could not be made, for example because a permission is missing."""


class Fix(StrEnum):
    """What a deployment can do itself about a finding."""

    ENABLE_TRUSTED_ACCESS = "enable_trusted_access"
    CREATE_TRAIL = "create_trail"


@dataclass(frozen=True)
class Finding:
    """The result of one check."""

    name: str
    """The check's name, which stays the same: programs read it."""
    state: State
    sentence: str
    remedy: str = ""
    """What to do, in a sentence; empty when nothing needs to be done."""
    fix: Fix | None = None
    """What a deployment does about it: with state ok it was asked to and will, with state failed it may be offered."""

    @property
    def is_ok(self) -> bool:
        """Whether the check found what it should."""
        return self.state is State.OK


def ok(name: str, sentence: str, fix: Fix | None = None) -> Finding:
    """Return the finding of a check that found what it should."""
    return Finding(name, State.OK, sentence, fix=fix)


def failed(name: str, sentence: str, remedy: str, fix: Fix | None = None) -> Finding:
    """Return the finding of a check that found something wrong."""
    return Finding(name, State.FAILED, sentence, remedy, fix)


def unknown(name: str, sentence: str, remedy: str) -> Finding:
    """Return the finding of a check that could not be made."""
    return Finding(name, State.UNKNOWN, sentence, remedy)


def unknown_because(name: str, error: ContactSyncError) -> Finding:
    """Return the finding of a check that an error kept from its answer; a denied call names the permission."""
    if isinstance(error, AwsCallError):
        return unknown(name, f"Could not be checked: {error.facts}", error.advice(Reader.COMMAND))
    return unknown(name, "Could not be checked.", error.sentence_for(Reader.COMMAND))


def looked_at(name: str, look: Callable[[], Finding | Iterable[Finding]]) -> list[Finding]:
    """Make a check; an error of AWS or Airflow is a finding too, but not one about credentials: it is raised.

    With credentials that cannot be used, all other checks would fail too.
    """
    try:
        found = look()
        return [found] if isinstance(found, Finding) else list(found)
    except CredentialsError:
        raise
    except ContactSyncError as error:
        return [unknown_because(name, error)]


def of_each(name: str, things: Iterable[Thing], look: Callable[[Thing], Iterable[Finding]]) -> list[Finding]:
    """Make a check of each thing; one that cannot be looked at does not keep the others from it."""
    return [finding for thing in things for finding in looked_at(name, partial(look, thing))]

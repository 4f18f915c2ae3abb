"""Whether a caller may do what a request asks for, as the middleware asks it."""

from dataclasses import dataclass
from typing import Protocol

from contactsync.sandbox.requests.callers import Caller
from contactsync.sandbox.requests.wire import WireCall, WireError


@dataclass(frozen=True)
class Refusal:
    """The error of a call that is not allowed, and its status."""

    error: WireError
    status: int


class Authorization(Protocol):
    """Says which calls are refused."""

    def refusal(self, call: WireCall, caller: Caller) -> Refusal | None:
        """Return the error of a call that its caller may not make."""

    def refusal_afterwards(self, call: WireCall, caller: Caller, error_code: str | None) -> Refusal | None:
        """Return the error that takes the place of an answer which the caller may not have."""


class EverythingAllowed:
    """Refuses nothing."""

    def refusal(self, call: WireCall, caller: Caller) -> Refusal | None:  # noqa: ARG002 - the protocol's
        """Allow the call."""
        return None

    def refusal_afterwards(self, call: WireCall, caller: Caller, error_code: str | None) -> Refusal | None:  # noqa: ARG002 - the protocol's
        """Show the answer."""
        return None

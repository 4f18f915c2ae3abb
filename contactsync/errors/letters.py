"""Why messages become dead letters without an error of the function that handles them."""

from collections.abc import Sequence
from dataclasses import dataclass

from contactsync.errors.root import ContactSyncError


@dataclass(eq=False)
class ProcessEndedError(ContactSyncError):
    """The process of a subscriber's function ended while it had a message; the cause is not known."""

    how: str
    """How it ended, such as `exit status 1`, `signal SIGKILL`, `no answer within 3 s`."""
    function: str = "the subscriber's function"

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"The process of {self.function} ended while it had this message ({self.how}): it ran out of memory, took "
            "longer than the function's Timeout, or exited. The log of the function shows how it ended. Fix the "
            "cause, or raise MemorySize or Timeout, then redrive the message."
        )


@dataclass(eq=False)
class FunctionTimeoutError(ContactSyncError):
    """A subscriber's function has a timeout that is too short to handle anything; times in seconds."""

    seconds: float
    """Seconds that were left at the start."""
    least: float
    """Seconds that are needed at least."""
    function: str = "the subscriber's function"

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"The Timeout of {self.function} is too short: {self.seconds:.1f} s were left at its start, so it did not "
            f"start to handle the message. Set Timeout to {self.least:.0f} s or more, and the VisibilityTimeout of "
            "its queue to six times that (docs/events.md), then redrive the message."
        )


@dataclass(eq=False)
class EventUnderWayError(ContactSyncError):
    """Another call for the same event has begun and not ended, or its process died."""

    event_id: str

    transient = True

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"Event {self.event_id} is being handled by another call, or the process of that call ended; the message "
            "is delivered again. If the message is a dead letter, redrive it."
        )


@dataclass(eq=False)
class EventsSetAsideError(ContactSyncError):
    """Events that could not be published were taken out of the outbox, and are kept beside it."""

    number: int
    """Number of events."""
    events: Sequence[str]
    """The first events, with type and cause."""

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        more = f" and {self.number - len(self.events)} more" if self.number > len(self.events) else ""
        return (
            f"The bus refused {self.number} events, and trying again does not help. They are set aside: "
            f"{', '.join(self.events)}{more}. `contactsync dead-letters list outbox` shows them; fix the cause and "
            "redrive them, or discard them. All other events are sent."
        )


@dataclass(eq=False)
class ReplayRefusedError(ContactSyncError):
    """A replay was ordered that is not possible, or would not be harmless."""

    problem: str

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return f"Nothing is replayed: {self.problem}. See `contactsync events replay --help`."


@dataclass(eq=False)
class ReplayStoppedError(ContactSyncError):
    """The bus, or a subscriber's queue, could not be reached any more during a replay."""

    cause: str

    transient = True

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"The replay stopped: the bus, or the subscriber's queue, cannot be reached ({self.cause}). To continue "
            "where it stopped, repeat the command with the --since that was printed."
        )

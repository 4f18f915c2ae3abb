"""The ports through which dead letters are read, sent on and deleted."""

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from contactsync.bus.dead_letters.letters import DeadLetter
from contactsync.errors import ContactSyncError


@dataclass(frozen=True)
class QueueCounts:
    """The number of messages in a queue; SQS counts approximately."""

    waiting: int
    """Messages that anybody can receive now."""
    in_flight: int
    """Messages that somebody has taken, and neither deleted nor given back."""


class DeadLetterQueues(Protocol):
    """The queues of messages that could not be delivered or handled, by name."""

    @property
    def names(self) -> Sequence[str]:
        """The names, in a fixed order."""

    def counts(self, queue: str) -> QueueCounts:
        """Count the messages of a queue."""

    def take(self, queue: str, receivers: int = 1) -> Generator[DeadLetter, None, None]:
        """Yield every message of a queue; nobody else gets it for some minutes, or until it is given back.

        At most `receivers` pages are requested at the same time, ahead of what is yielded. When the generator is closed
        early, it gives back what it has not yielded. A message that is still in the queue after those minutes may be
        yielded again: then only its newest receipt is valid.
        """

    def give_back(self, letters: Iterable[DeadLetter]) -> None:
        """Make messages that were only read available to others at once."""

    def send_on(self, letter: DeadLetter) -> None:
        """Send a message to where it should have been handled, and return after it was accepted there.

        Raises DeadLetterUnreadableError for a message that nothing could handle, DeadLetterSourceError when it is not
        known where messages of its queue should have been handled, and an AwsCallError.
        """

    def send_all(self, letters: Sequence[DeadLetter]) -> Mapping[str, ContactSyncError]:
        """Send messages of one queue on in few calls; return the errors of those not accepted, by message id.

        Raises like `send_on` when the error concerns all of them and nothing was accepted.
        """

    def delete(self, letter: DeadLetter) -> None:
        """Delete a message; one that no longer exists is ignored."""

    def delete_all(self, letters: Sequence[DeadLetter]) -> None:
        """Delete messages of one queue in few calls; raise an AwsCallError when one of them could not be deleted."""

"""How dead letters are kept."""

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from contactsync.bus.dead_letters.letters import DeadLetter
from contactsync.errors import ContactSyncError


@dataclass(frozen=True)
class QueueCounts:
    """How many messages a queue holds, approximately."""

    waiting: int
    in_flight: int
    """Taken by somebody and neither deleted nor given back."""


class DeadLetterQueues(Protocol):
    """The queues of what could not be delivered or handled, by their names."""

    @property
    def names(self) -> Sequence[str]:
        """The names, in a fixed order."""

    def counts(self, queue: str) -> QueueCounts:
        """Count the messages of a queue."""

    def take(self, queue: str, receivers: int = 1) -> Generator[DeadLetter, None, None]:
        """Yield every message of a queue; nobody else gets it for some minutes, or until it is given back.

        Up to so many pages are asked for at a time, ahead of what is yielded. Closed half-way it keeps nothing that it
        has not yielded.
        One that is still in the queue after these minutes may be yielded again: only its newest receipt is good then.
        """

    def give_back(self, letters: Iterable[DeadLetter]) -> None:
        """Let others take messages at once that were only looked at."""

    def send_on(self, letter: DeadLetter) -> None:
        """Send a message where it was to be handled, and return when it was accepted there.

        Raises DeadLetterUnreadableError for one that nobody could handle, DeadLetterSourceError when nobody can tell
        where the messages of its queue were to be handled, and an AwsCallError.
        """

    def send_all(self, letters: Sequence[DeadLetter]) -> Mapping[str, ContactSyncError]:
        """Send messages of one queue on in few calls, and return why some were not accepted, by message id.

        Raises as `send_on` does when that concerns all of them, and nothing was accepted.
        """

    def delete(self, letter: DeadLetter) -> None:
        """Delete a message; one that is gone already does not matter."""

    def delete_all(self, letters: Sequence[DeadLetter]) -> None:
        """Delete messages of one queue in few calls; raise an AwsCallError when one of them could not be deleted."""

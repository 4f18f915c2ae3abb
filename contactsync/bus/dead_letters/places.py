"""The places of dead letters: queues of several kinds, used by their names like queues of one kind."""

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass

from contactsync.bus.dead_letters.letters import DeadLetter
from contactsync.bus.dead_letters.ports import DeadLetterQueues, QueueCounts
from contactsync.errors import ContactSyncError, DeadLetterQueueUnknownError


@dataclass(frozen=True)
class DeadLetterPlaces:
    """All dead-letter queues; for each name, the first place that has it is used."""

    places: Sequence[DeadLetterQueues]

    @property
    def names(self) -> Sequence[str]:
        """All names."""
        return tuple(dict.fromkeys(name for place in self.places for name in place.names))

    def counts(self, queue: str) -> QueueCounts:
        """Count the messages of a queue."""
        return self._place(queue).counts(queue)

    def take(self, queue: str, receivers: int = 1) -> Generator[DeadLetter, None, None]:
        """Yield the messages of a queue."""
        return self._place(queue).take(queue, receivers)

    def give_back(self, letters: Iterable[DeadLetter]) -> None:
        """Give each message back to its queue."""
        by_queue: dict[str, list[DeadLetter]] = {}
        for letter in letters:
            by_queue.setdefault(letter.queue, []).append(letter)
        for queue, own in by_queue.items():
            self._place(queue).give_back(own)

    def send_on(self, letter: DeadLetter) -> None:
        """Send a message on."""
        self._place(letter.queue).send_on(letter)

    def send_all(self, letters: Sequence[DeadLetter]) -> Mapping[str, ContactSyncError]:
        """Send messages of one queue on."""
        return self._place(letters[0].queue).send_all(letters) if letters else {}

    def delete(self, letter: DeadLetter) -> None:
        """Delete a message."""
        self._place(letter.queue).delete(letter)

    def delete_all(self, letters: Sequence[DeadLetter]) -> None:
        """Delete messages of one queue."""
        if letters:
            self._place(letters[0].queue).delete_all(letters)

    def _place(self, queue: str) -> DeadLetterQueues:
        for place in self.places:
            if queue in place.names:
                return place
        raise DeadLetterQueueUnknownError(queue=queue, known=self.names)

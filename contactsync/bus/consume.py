"""How subscribers take events off the bus: each is handled once, and set aside when no later try makes it fit."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final, Protocol

from contactsync.bus.advice import Reader, sentence_for
from contactsync.bus.claims import with_data
from contactsync.bus.envelope import Event, parse_event, source_of
from contactsync.bus.ports import Claims, HandledOnce, Quarantine
from contactsync.errors import ClaimRefusedError, ContactSyncError, EventForeignError, EventTypeUnknownError

QUARANTINE_CODE: Final = "quarantine_code"
QUARANTINE_REASON: Final = "quarantine_reason"
"""The attributes that a quarantined message carries beside its own."""

REMEMBERED: Final = timedelta(days=35)
"""For so long an event that was handled is remembered: dead letters live 14 days, and once more after a redrive."""

SENTENCE_LIMIT: Final = 1024
"""Characters of a reason that are kept."""

NAME_LIMIT: Final = 256
"""Characters of an id that a message names, whatever it is."""


@dataclass(frozen=True)
class Subscriber:
    """Somebody who is told events: a name, and a function that raises when it could not do its part.

    The function may be called again with the same event after a crash, so what it does must bear repetition.
    """

    name: str
    handle: Callable[[Event], None]


class Consumed(StrEnum):
    """What became of a message that the subscriber need not see again."""

    HANDLED = "handled"
    """By this call or, for a duplicate, by an earlier one."""
    QUARANTINED = "quarantined"


@dataclass(frozen=True)
class MessageFailure:
    """Why a message failed the last time; it holds no value of the message."""

    code: str
    sentence: str
    receive_count: int


@dataclass(frozen=True)
class Consumer:
    """Takes messages for one subscriber; whatever it raises means that the message is to be delivered again."""

    subscriber: Subscriber
    claims: Claims | None
    once: HandledOnce
    quarantine: Quarantine
    environment: str
    """Whose events are handled; another's are set aside."""

    def consume(self, body: str, attributes: Mapping[str, str]) -> Consumed:
        """Handle the event in a message's body once, or quarantine what no later try makes fit.

        That is an event of an unknown type or version, one of another environment, and one whose data is not there as
        it was published.
        """
        try:
            event = parse_event(body)
            self._check_source(event)
            self.once.run(event, lambda: self.subscriber.handle(with_data(event, self.claims)))
        except (EventTypeUnknownError, EventForeignError, ClaimRefusedError) as error:
            self.quarantine.send(body, {**attributes, **quarantine_attributes(error)})
            return Consumed.QUARANTINED
        return Consumed.HANDLED

    def _check_source(self, event: Event) -> None:
        if (event.source, event.environment) != (source_of(self.environment), self.environment):
            raise EventForeignError(
                event_id=event.id, source=event.source, environment=event.environment, expected=self.environment
            )


def quarantine_attributes(error: ContactSyncError) -> dict[str, str]:
    """Return the attributes that tell why a message was quarantined."""
    return {QUARANTINE_CODE: error.code, QUARANTINE_REASON: printable(str(error))}


def own_attributes(attributes: Mapping[str, str]) -> dict[str, str]:
    """Return a message's attributes as they were before it was quarantined."""
    return {name: value for name, value in attributes.items() if name not in {QUARANTINE_CODE, QUARANTINE_REASON}}


def failure_of(error: BaseException, receive_count: int, reader: Reader | None = None) -> MessageFailure:
    """Return what may be kept of an error: only our own sentences are known to hold no value of the message."""
    reader = reader or Reader()
    if isinstance(error, ContactSyncError):
        return MessageFailure(error.code, printable(sentence_for(error, reader)), receive_count)
    name = type(error).__name__
    return MessageFailure(
        name, f"{name}, an error that is not contactsync's own: see the log of {reader.function}.", receive_count
    )


def printable(text: str) -> str:
    """Return text that every AWS service takes, of bounded length: what a stranger wrote may be in it."""
    cut = text if len(text) <= SENTENCE_LIMIT else f"{text[: SENTENCE_LIMIT - 3]}..."
    return "".join(character if character.isprintable() else "\ufffd" for character in cut)


@dataclass(frozen=True)
class MessageIds:
    """What a message says it is, as far as it says so: it need not be an event."""

    event_id: str | None = None
    event_type: str | None = None
    correlation_id: str | None = None


def names_in(body: str) -> MessageIds:
    """Read the names in a message of the bus, whatever else is wrong with it."""
    found = object_in(body)
    return MessageIds(name_in(found, "id"), name_in(found, "type"), name_in(found, "correlationid"))


def object_in(body: str) -> Mapping[str, Any]:
    """Return the JSON object in a message's body; an empty one when there is none."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def name_in(found: Mapping[str, Any], key: str) -> str | None:
    """Return the text of a member, fit to be shown and stored; None for anything else."""
    value = found.get(key)
    return printable(value[:NAME_LIMIT]) if isinstance(value, str) and value else None


class Failures(Protocol):
    """Why messages failed, by subscriber and SQS message id; forgotten after some weeks."""

    def remember(self, subscriber: str, message_id: str, failure: "MessageFailure") -> None:
        """Keep the latest failure of a message."""

    def find(self, subscriber: str, message_id: str) -> "MessageFailure | None":
        """Return it; None also for one that cannot be read."""

    def find_all(self, subscriber: str, message_ids: Sequence[str]) -> Mapping[str, "MessageFailure"]:
        """Return those of many messages in few calls, by message id; what is not there is left out."""

"""How subscribers receive events: each is handled once, and set aside if no later try can handle it."""

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
"""The attributes that a quarantined message has in addition to its own."""

REMEMBERED: Final = timedelta(days=35)
"""How long a handled event is remembered: dead letters live 14 days, and 14 more after a redrive."""

SENTENCE_LIMIT: Final = 1024
"""Characters of a reason that are kept."""

NAME_LIMIT: Final = 256
"""Characters of an id in a message that are kept."""


@dataclass(frozen=True)
class Subscriber:
    """A receiver of events: a name, and a function that raises when it could not do its work.

    After a crash the function may be called again with the same event, so repeating it must be harmless.
    """

    name: str
    handle: Callable[[Event], None]


class Consumed(StrEnum):
    """What became of a message that need not be delivered again."""

    HANDLED = "handled"
    """Handled by this call or, for a duplicate, by an earlier one."""
    QUARANTINED = "quarantined"


@dataclass(frozen=True)
class MessageFailure:
    """Why a message failed the last time; it holds no value of the message."""

    code: str
    sentence: str
    receive_count: int
    """How often SQS has delivered the message, from 1."""


@dataclass(frozen=True)
class Consumer:
    """The handling of one subscriber's messages; an error that it raises means that SQS delivers the message again."""

    subscriber: Subscriber
    claims: Claims | None
    once: HandledOnce
    quarantine: Quarantine
    environment: str
    """The environment whose events are handled; events of others are set aside."""

    def consume(self, body: str, attributes: Mapping[str, str]) -> Consumed:
        """Handle the event in a message's body once, or quarantine it if no later try can handle it.

        Quarantined are events of an unknown type or version, of another environment, and those whose data is not what
        was published.
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
    """Return the attributes that say why a message was quarantined."""
    return {QUARANTINE_CODE: error.code, QUARANTINE_REASON: printable(str(error))}


def own_attributes(attributes: Mapping[str, str]) -> dict[str, str]:
    """Return a message's attributes as they were before it was quarantined."""
    return {name: value for name, value in attributes.items() if name not in {QUARANTINE_CODE, QUARANTINE_REASON}}


def failure_of(error: BaseException, receive_count: int, reader: Reader | None = None) -> MessageFailure:
    """Return what may be stored of an error: only our own sentences are known to hold no value of the message."""
    reader = reader or Reader()
    if isinstance(error, ContactSyncError):
        return MessageFailure(error.code, printable(sentence_for(error, reader)), receive_count)
    name = type(error).__name__
    return MessageFailure(
        name, f"{name}, an error that is not contactsync's own: see the log of {reader.function}.", receive_count
    )


def printable(text: str) -> str:
    """Return text that every AWS service accepts, of at most SENTENCE_LIMIT characters; it may come from a stranger."""
    cut = text if len(text) <= SENTENCE_LIMIT else f"{text[: SENTENCE_LIMIT - 3]}..."
    return "".join(character if character.isprintable() else "\ufffd" for character in cut)


@dataclass(frozen=True)
class MessageIds:
    """The ids found in a message, which may not be a valid event."""

    event_id: str | None = None
    event_type: str | None = None
    correlation_id: str | None = None


def names_in(body: str) -> MessageIds:
    """Return the ids in a message of the bus, whatever else is wrong with it."""
    fields = object_in(body)
    return MessageIds(name_in(fields, "id"), name_in(fields, "type"), name_in(fields, "correlationid"))


def object_in(body: str) -> Mapping[str, Any]:
    """Return the JSON object in a message's body; an empty one when there is none."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def name_in(fields: Mapping[str, Any], key: str) -> str | None:
    """Return the text of a member, safe to be shown and stored; None for anything else."""
    value = fields.get(key)
    return printable(value[:NAME_LIMIT]) if isinstance(value, str) and value else None


class Failures(Protocol):
    """The reasons why messages failed, by subscriber and SQS message id; removed after some weeks."""

    def remember(self, subscriber: str, message_id: str, failure: "MessageFailure") -> None:
        """Keep the latest failure of a message."""

    def find(self, subscriber: str, message_id: str) -> "MessageFailure | None":
        """Return the stored failure of a message; None if there is none, or it cannot be read."""

    def find_all(self, subscriber: str, message_ids: Sequence[str]) -> Mapping[str, "MessageFailure"]:
        """Return the stored failures of many messages, in few calls, by message id; others are left out."""

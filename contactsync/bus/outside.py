"""Events that other systems publish: checked and cleaned before they are put on the bus."""

import hashlib
import json
import re
import unicodedata
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from contactsync.bus.envelope import EVENT_ID_NAMESPACE, Announcement, announcement, problems_of
from contactsync.bus.events import ExternalEventReported, Severity
from contactsync.errors import EventInvalidError

MASK: Final = "***"
MOST_DETAILS: Final = 20

_EMAIL: Final = re.compile(r"[^\s@<>\"']+(?:@|%40)[^\s@<>\"']+")
_PHONE: Final = re.compile(r"(?<![\w.-])\+?\d[\d ()./-]{5,}\d(?: ?(?:x|ext)\.? ?\d{1,6})?(?![\w.-])", re.IGNORECASE)
_DOTS: Final = frozenset("\u00b7\u2022\u2024\u2027\u2219\u22c5")
"""Characters that people write between the digits of telephone numbers in place of a full stop."""
_ADDRESSED: Final = re.compile(r"[^/:]*@[^/:]*")
"""A part of an ARN that is an e-mail address."""
_NO_PHONE: Final = re.compile(r"\d{12}|\d{4}-\d{2}-\d{2}", re.ASCII)
"""Numbers that are not telephone numbers: an account id, a date."""
SHORTEST_PHONE: Final = 7
"""Digits that a telephone number has at least."""


def cleaned(text: str) -> str:
    """Return text in one line, without control characters, and with what looks like a person's contact masked.

    E-mail addresses and telephone numbers may not be on the bus; account ids and dates (2026-01-31) stay.
    """
    line = " ".join("".join(map(_plain, text)).split())
    return _PHONE.sub(_masked, _EMAIL.sub(MASK, line))


def _plain(letter: str) -> str:
    """Return a letter in ASCII, so that no contact value passes in other letters; "" for an invisible one."""
    category = unicodedata.category(letter)
    if category == "Cf":
        return ""
    if category == "Pd":
        return "-"
    if letter in _DOTS:
        return "."
    same = unicodedata.normalize("NFKC", letter)
    shown = same if len(same) == 1 and same.isascii() else letter
    return shown if shown.isprintable() else " "


def _masked(match: re.Match[str]) -> str:
    digits = sum(letter.isdigit() for letter in match[0])
    return match[0] if digits < SHORTEST_PHONE or _NO_PHONE.fullmatch(match[0]) else MASK


Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Cleaned = AfterValidator(cleaned)
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9._~:+/#=|-]{1,250}$")]
"""What Airflow accepts as a run id (up to 250 of `[A-Za-z0-9_.~:+-]`), ARNs and ticket numbers; no e-mail address."""


class OutsideEvent(BaseModel):
    """What another system sends; anything else is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    system: Name
    kind: Name
    title: Annotated[str, Field(min_length=1, max_length=256), Cleaned]
    severity: Severity = Severity.INFO
    details: Annotated[
        dict[Name, Annotated[str, Field(max_length=1024), Cleaned]],
        Field(default_factory=dict, max_length=MOST_DETAILS),
    ]
    correlation_id: Id | None = None
    id: Id | None = None
    """The other system's id of the event: same id, same content and same role or user mean the same event."""


def announced_outside(data: object, *, reported_by: str, now: datetime) -> Announcement:
    """Return the announcement of another system's event; raise EventInvalidError with all problems."""
    if not isinstance(data, Mapping):
        raise EventInvalidError(event_id=None, problems=["it is not an object"])
    try:
        event = OutsideEvent.model_validate(dict(data))
    except ValidationError as error:
        raise EventInvalidError(event_id=None, problems=problems_of(error)) from None
    own_id = f"{_principal(reported_by)}#{event.system}#{event.id or uuid.uuid4()}"
    return announcement(
        ExternalEventReported(
            system=event.system,
            kind=event.kind,
            title=event.title or MASK,
            priority=event.severity,
            details=event.details,
            reported_by=_named(reported_by),
        ),
        about=f"{own_id}#{_digest(event)}",
        subject=event.system,
        correlation_id=event.correlation_id or str(uuid.uuid5(EVENT_ID_NAMESPACE, own_id)),
        time=now,
    )


def _digest(event: OutsideEvent) -> str:
    """Return a digest of the cleaned content: the same id with other content is another event, and both are kept."""
    content = json.dumps(event.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def _principal(arn: str) -> str:
    """Return the caller without its session: two callers that use the same id do not send the same event."""
    return arn.rpartition("/")[0] if ":assumed-role/" in arn else arn


def _named(arn: str) -> str:
    """Return the caller's ARN without e-mail addresses; users and Identity Center sessions may be named after one."""
    return _ADDRESSED.sub(MASK, arn)


def answer_of(announced: Announcement) -> dict[str, Any]:
    """Return the answer to the sender: the ids under which the event is in the audit trail."""
    return {"event_id": announced.id, "correlation_id": announced.correlation_id}

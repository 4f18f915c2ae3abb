"""What SNS refuses to publish and moto accepts.

https://docs.aws.amazon.com/sns/latest/api/API_Publish.html, API_PublishBatch.html; the size includes names, types and
values of message attributes: https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from moto.sns.exceptions import SNSException, SNSInvalidParameter

SIZE_LIMIT: Final = 262_144
"""Bytes of one message, and of all messages of a batch together."""
BATCH_LIMIT: Final = 10  # messages
_SUBJECT = re.compile(r"[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]{0,99}")
_ENTRY_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")

Attributes = Mapping[str, Mapping[str, Any]]
"""Message attributes as moto stores them: Type and Value by name; binary values are base64 text."""


def check_message(
    message: str | None, subject: str | None, attributes: Attributes | None, structure: str | None
) -> None:
    """Refuse an empty or too large message, a subject that no e-mail can have, and a structure without a default."""
    if not message:
        raise SNSInvalidParameter("Invalid parameter: Empty message")
    if size_of(message, attributes) > SIZE_LIMIT:
        raise SNSInvalidParameter("Invalid parameter: Message too long")
    if subject is not None and not _SUBJECT.fullmatch(subject):
        raise SNSInvalidParameter("Invalid parameter: Subject")
    if structure == "json":
        _check_structure(message)


def check_batch(entries: Sequence[Mapping[str, Any]]) -> None:
    """Refuse a whole batch; single entries of an accepted batch can still be refused later."""
    ids = [str(entry.get("Id")) for entry in entries]
    if not ids:
        raise SNSException("EmptyBatchRequest", "The batch request doesn't contain any entries.")
    if len(ids) > BATCH_LIMIT:
        raise SNSException("TooManyEntriesInBatchRequest", "The batch request contains more entries than permissible.")
    if any(not _ENTRY_ID.fullmatch(entry_id) for entry_id in ids):
        raise SNSException(
            "InvalidBatchEntryId", "The Id of a batch entry in a batch request doesn't abide by the specification."
        )
    if len(set(ids)) < len(ids):
        raise SNSException("BatchEntryIdsNotDistinct", "Two or more batch entries in the request have the same Id.")
    if sum(size_of(str(entry.get("Message")), entry.get("MessageAttributes")) for entry in entries) > SIZE_LIMIT:
        raise SNSException(
            "BatchRequestTooLong", "The length of all the batch messages put together is more than the limit."
        )


def size_of(message: str, attributes: Attributes | None) -> int:
    """Return the size of a message in bytes, as SNS counts it."""
    described = sum(
        len(name.encode()) + len(str(value["Type"]).encode()) + len(_value(value))
        for name, value in (attributes or {}).items()
    )
    return len(message.encode()) + described


def _value(attribute: Mapping[str, Any]) -> bytes:
    text = str(attribute["Value"])
    if str(attribute["Type"]).startswith("Binary"):
        try:
            return base64.b64decode(text)
        except binascii.Error:
            return text.encode()
    return text.encode()


def _check_structure(message: str) -> None:
    try:
        texts = json.loads(message)
    except (ValueError, RecursionError):
        texts = None
    if not isinstance(texts, dict):
        raise SNSInvalidParameter("Invalid parameter: Message Structure - JSON message body failed to parse")
    if not isinstance(texts.get("default"), str):
        message = "Invalid parameter: Message Structure - No default entry in JSON message body"
        raise SNSInvalidParameter(message)

"""The S3 bucket for event data that is too large for a message, and for full lists of failures."""

import re
from collections.abc import Iterable
from contextlib import closing
from typing import TYPE_CHECKING, Final

from contactsync.aws.sdk.error_codes import translated
from contactsync.bus.claims import refused
from contactsync.bus.ports import Claim

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FOLDER: Final = "events"
EXPORTS: Final = "exports"
_EVENT_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,255}", re.ASCII)
"""An id that can be part of an object's key; it cannot be a path such as `..`, which HTTP clients would resolve."""


class S3Claims:
    """Event data as objects, named by event id and digest; objects outlive any message that refers to them."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put(self, claim: Claim, data: bytes) -> str:
        """Store the data; the same data of an event gets the same name again, and other data gets another name."""
        with translated("PutObject"):
            self._client.put_object(Bucket=self._bucket, Key=_key(claim), Body=data, ContentType="application/json")
        return self._reference(claim)

    def get(self, claim: Claim, reference: str) -> bytes:
        """Return the data; a reference to any other place is refused, whoever wrote it into the event."""
        if not _EVENT_ID.fullmatch(claim.event_id) or reference != self._reference(claim):
            raise refused(claim, "dataref does not name this event's object in the bucket for claim checks")
        with translated("GetObject"):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=_key(claim))
            except self._client.exceptions.NoSuchKey:
                raise refused(claim, "the object is not in the bucket (any more)") from None
            with closing(answer["Body"]) as body:
                if answer["ContentLength"] > claim.size:
                    problem = f"the object has {answer['ContentLength']} bytes, but {claim.size} bytes were published"
                    raise refused(claim, problem)
                data: bytes = body.read()
        return data

    def _reference(self, claim: Claim) -> str:
        return f"s3://{self._bucket}/{_key(claim)}"


def _key(claim: Claim) -> str:
    return f"{FOLDER}/{claim.event_id}.{claim.sha256}.json"


class S3Exports:
    """Full lists that are too long for a notice; these objects expire like event data."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put_lines(self, name: str, lines: Iterable[str]) -> str:
        """Store the lines; the same list gets the same name again. Ten thousand lines are about 2 MB."""
        key = f"{EXPORTS}/{name}"
        with translated("PutObject"):
            self._client.put_object(
                Bucket=self._bucket, Key=key, Body="".join(lines).encode(), ContentType="text/csv; charset=utf-8"
            )
        return f"s3://{self._bucket}/{key}"

"""The S3 bucket that keeps event data too large for a message."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from contactsync.aws.error_codes import translated
from contactsync.errors import EventInvalidError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FOLDER: Final = "events"
EXPORTS: Final = "exports"


class S3Claims:
    """Objects named by event id; a rule of the bucket expires them later than any message (infra/bus.yaml)."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        """Take the bucket's name."""
        self._client = client
        self._bucket = bucket

    def put(self, event_id: str, data: bytes) -> str:
        """Store the data; the same event is stored at the same place again."""
        key = f"{FOLDER}/{event_id}.json"
        with translated("PutObject"):
            self._client.put_object(Bucket=self._bucket, Key=key, Body=data, ContentType="application/json")
        return f"s3://{self._bucket}/{key}"

    def get(self, reference: str) -> bytes:
        """Return the data; a reference to anywhere else is refused, whoever wrote it into the event."""
        prefix = f"s3://{self._bucket}/"
        if not reference.startswith(f"{prefix}{FOLDER}/"):
            raise EventInvalidError(event_id=None, problems=["dataref: is not in the bucket for claim checks"])
        with translated("GetObject"):
            answer = self._client.get_object(Bucket=self._bucket, Key=reference.removeprefix(prefix))
            data: bytes = answer["Body"].read()
        return data


class S3Exports:
    """Full lists that a notice has no room for; they expire as claims do."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        """Take the bucket's name."""
        self._client = client
        self._bucket = bucket

    def put_lines(self, name: str, lines: Iterable[str]) -> str:
        """Store the lines; the same list is stored at the same place again. Ten thousand lines are about 2 MB."""
        key = f"{EXPORTS}/{name}"
        with translated("PutObject"):
            self._client.put_object(
                Bucket=self._bucket, Key=key, Body="".join(lines).encode(), ContentType="text/csv; charset=utf-8"
            )
        return f"s3://{self._bucket}/{key}"

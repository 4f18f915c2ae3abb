"""The bucket with DAGs, plugins, functions and the releases before."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from contactsync.aws.sdk.error_codes import code_of, translated
from contactsync.deployment.ports import StoredObject

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DIGEST: Final = "sha256"
"""The name of the note with an object's digest."""
ABSENT: Final = frozenset({"404", "NoSuchKey", "NotFound"})
CHANGED: Final = frozenset({"412", "PreconditionFailed", "ConditionalRequestConflict", "409"})
"""What S3 answers when the condition of a write does not hold; S3 has no key for a condition on an absent object."""
MOST_DELETED: Final = 1000
"""Keys in one call."""


class CodeBucket:
    """A bucket with versions."""

    def __init__(self, client: "S3Client", name: str) -> None:
        self._client = client
        self.name = name

    def listed(self, prefix: str) -> Iterator[StoredObject]:
        """Yield all objects whose keys begin so, without their versions and notes."""
        with translated("ListObjectsV2"):
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix):
                for one in page.get("Contents", []):
                    yield StoredObject(one["Key"], one["ETag"].strip('"'), time=one["LastModified"])

    def look(self, key: str) -> StoredObject | None:
        """Return what is known of an object."""
        with translated("HeadObject"):
            try:
                found = self._client.head_object(Bucket=self.name, Key=key)
            except ClientError as error:
                if code_of(error) in ABSENT:
                    return None
                raise
        return StoredObject(
            key,
            found["ETag"].strip('"'),
            found.get("VersionId", ""),
            found.get("Metadata", {}).get(DIGEST, ""),
            found["LastModified"],
        )

    def read(self, key: str) -> bytes | None:
        """Return an object's content; None when there is none."""
        with translated("GetObject"):
            try:
                return self._client.get_object(Bucket=self.name, Key=key)["Body"].read()
            except ClientError as error:
                if code_of(error) in ABSENT:
                    return None
                raise

    def put(self, key: str, content: bytes, *, sha256: str = "") -> StoredObject:
        """Store an object, with its digest as a note."""
        with translated("PutObject"):
            stored = self._client.put_object(
                Bucket=self.name, Key=key, Body=content, Metadata={DIGEST: sha256} if sha256 else {}
            )
        return StoredObject(key, stored["ETag"].strip('"'), stored.get("VersionId", ""), sha256)

    def put_if(self, key: str, content: bytes, *, etag: str | None) -> StoredObject | None:
        """Store an object only if the present one has this ETag, or, with None, if there is none; else return None."""
        condition: dict[str, Any] = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        with translated("PutObject"):
            try:
                stored = self._client.put_object(Bucket=self.name, Key=key, Body=content, **condition)
            except ClientError as error:
                if code_of(error) in CHANGED or (etag and code_of(error) in ABSENT):
                    return None
                raise
        return StoredObject(key, stored["ETag"].strip('"'), stored.get("VersionId", ""))

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; their earlier versions stay."""
        for start in range(0, len(keys), MOST_DELETED):
            part: Any = [{"Key": key} for key in keys[start : start + MOST_DELETED]]
            with translated("DeleteObjects"):
                answer = self._client.delete_objects(Bucket=self.name, Delete={"Objects": part, "Quiet": True})
                for failed in answer.get("Errors", []):
                    raise ClientError({"Error": {"Code": failed.get("Code", "Unknown")}}, "DeleteObjects")


class CodeBuckets:
    """Buckets by their names, each called in its region."""

    def __init__(self, client: Callable[[str, str], Any]) -> None:
        """Take a function that returns the client of a service in a region."""
        self._client = client

    def bucket(self, name: str, region: str) -> CodeBucket:
        """Return a bucket."""
        return CodeBucket(self._client("s3", region), name)

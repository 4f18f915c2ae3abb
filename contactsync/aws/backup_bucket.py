"""A backup in an S3 bucket: an object for each file, and the manifest as the last one."""

from contextlib import closing
from typing import TYPE_CHECKING, Any

from contactsync.aws.sdk.error_codes import translated
from contactsync.backups.manifest import NAME
from contactsync.errors import BackupPresentError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class BucketTarget:
    """Writes objects below a prefix; without its manifest a backup is not complete."""

    def __init__(self, client: "S3Client", name: str, *, kms_key_id: str | None) -> None:
        """Take the place as `s3://bucket/prefix`, and the KMS key for its objects.

        Without a key they are encrypted as the bucket says.
        """
        self.name = name
        self._client = client
        self._bucket, self._prefix = place_of(name)
        self._encryption: dict[str, Any] = (
            {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key_id} if kms_key_id else {}
        )
        self._has_begun = False

    @property
    def unfinished(self) -> str | None:
        """The place itself, as soon as an object may be there."""
        return self.name if self._has_begun else None

    def begin(self) -> None:
        """Refuse a place with a manifest; what an earlier try left there has other names."""
        manifest = self._prefix + NAME
        with translated("ListObjectsV2"):
            found = self._client.list_objects_v2(Bucket=self._bucket, Prefix=manifest, MaxKeys=1)
        if any(one.get("Key") == manifest for one in found.get("Contents", [])):
            raise BackupPresentError(path=self.name)

    def write(self, name: str, content: bytes) -> None:
        """Put an object."""
        self._has_begun = True
        with translated("PutObject"):
            self._client.put_object(Bucket=self._bucket, Key=self._prefix + name, Body=content, **self._encryption)

    def finish(self, manifest: bytes) -> None:
        """Put the manifest."""
        self.write(NAME, manifest)


class BucketSource:
    """Reads the objects of a backup."""

    def __init__(self, client: "S3Client", name: str) -> None:
        """Take the place as `s3://bucket/prefix`."""
        self.name = name
        self._client = client
        self._bucket, self._prefix = place_of(name)

    def read(self, name: str) -> bytes:
        """Return an object's content; raise FileNotFoundError when there is none."""
        with translated("GetObject"):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=self._prefix + name)
            except self._client.exceptions.NoSuchKey:
                raise FileNotFoundError from None
            with closing(answer["Body"]) as body:
                content: bytes = body.read()
        return content


def place_of(name: str) -> tuple[str, str]:
    """Return the bucket of `s3://bucket/prefix`, and how the keys of the objects begin."""
    bucket, _, prefix = name.removeprefix("s3://").partition("/")
    prefix = prefix.strip("/")
    return bucket, f"{prefix}/" if prefix else ""

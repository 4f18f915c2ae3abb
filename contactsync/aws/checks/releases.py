"""The releases that were deployed, as they are kept in the bucket for code."""

import json
from collections.abc import Iterator
from typing import Any, Final

from contactsync.aws.checks.calls import Calls
from contactsync.checks.health_ports import Released
from contactsync.errors import ResourceMissingError

FOLDER: Final = "releases/"
RECORD: Final = "/release.json"
DIGEST: Final = "sha256"
"""The metadata with an object's digest."""

_BYTES: Final = 1_000_000
"""A record has some kilobytes; more is none."""


class S3Releases:
    """The records that a deployment leaves."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def newest(self, region: str, bucket: str) -> Released | None:
        """Return the newest one that came to its end; ids are in the order of time."""
        for key in sorted(self._keys(region, bucket), reverse=True):
            record = self._read(region, bucket, key)
            if record is not None:
                return record
        return None

    def digest(self, region: str, bucket: str, key: str, version: str) -> str:
        """Return the digest of one version of an object; empty when it is gone, or nobody noted it."""
        try:
            found = self._calls.call("s3", region, "HeadObject", Bucket=bucket, Key=key, VersionId=version)
        except ResourceMissingError:
            return ""
        return str((found.get("Metadata") or {}).get(DIGEST, ""))

    def _keys(self, region: str, bucket: str) -> Iterator[str]:
        # Records are one level below; the folder `files`, with thousands of objects, has none.
        prefixes = self._calls.pages(
            "s3", region, "ListObjectsV2", "CommonPrefixes", Bucket=bucket, Prefix=FOLDER, Delimiter="/"
        )
        return (f"{one['Prefix'].rstrip('/')}{RECORD}" for one in prefixes)

    def _read(self, region: str, bucket: str, key: str) -> Released | None:
        try:
            answer = self._calls.call("s3", region, "GetObject", Bucket=bucket, Key=key)
        except ResourceMissingError:
            return None
        with answer["Body"] as body:
            return _released(body.read(_BYTES))


def _released(content: bytes) -> Released | None:
    try:
        record: Any = json.loads(content)
        if record["is_complete"] is not True:
            return None
        return Released(str(record["version"]), {str(name): str(one) for name, one in record["files"].items()})
    except (ValueError, TypeError, KeyError, AttributeError):
        return None

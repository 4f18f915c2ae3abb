"""What has a name that a deployment would use: buckets, tables and environments."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from contactsync.aws.checks.calls import Calls
from contactsync.checks.ports import NamedResource, ResourceKind
from contactsync.errors import AccessDeniedError, AwsCallError, CredentialsError, ResourceMissingError

STACK_TAG: Final = "aws:cloudformation:stack-name"
"""CloudFormation adds it to everything that a stack makes; it stays when the stack is deleted."""


class AwsNames:
    """The names, at the services that have them."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def find(self, kind: ResourceKind, name: str, region: str) -> NamedResource | None:
        """Return what has this name; None when the name is free."""
        finders: dict[ResourceKind, Callable[[str, str], NamedResource]] = {
            ResourceKind.BUCKET: self._bucket,
            ResourceKind.TABLE: self._table,
            ResourceKind.ENVIRONMENT: self._environment,
        }
        try:
            return finders[kind](name, region)
        except ResourceMissingError:
            return None

    def _bucket(self, name: str, region: str) -> NamedResource:
        try:
            found = self._calls.call("s3", region, "HeadBucket", Bucket=name)
        except CredentialsError:
            raise
        except AccessDeniedError as error:
            # Of another account's bucket, and of one that this caller may not look at, S3 says the same.
            if self._is_own_bucket(name, region, error):
                raise
            return NamedResource(is_own=False)
        tags = self._tags(lambda: self._calls.call("s3", region, "GetBucketTagging", Bucket=name)["TagSet"])
        return NamedResource(_stack_in(tags), region=found.get("BucketRegion"))

    def _is_own_bucket(self, name: str, region: str, denied: AccessDeniedError) -> bool:
        try:
            own = self._calls.pages("s3", region, "ListBuckets", "Buckets", Prefix=name)
            return any(one["Name"] == name for one in own)
        except AwsCallError:
            raise denied from None

    def _table(self, name: str, region: str) -> NamedResource:
        found = self._calls.call("dynamodb", region, "DescribeTable", TableName=name)["Table"]
        arn = found["TableArn"]
        tags = self._tags(lambda: self._calls.pages("dynamodb", region, "ListTagsOfResource", "Tags", ResourceArn=arn))
        keys = sorted(found["KeySchema"], key=lambda key: key["KeyType"] != "HASH")
        return NamedResource(_stack_in(tags), key_attributes=tuple(key["AttributeName"] for key in keys))

    def _environment(self, name: str, region: str) -> NamedResource:
        found = self._calls.call("mwaa", region, "GetEnvironment", Name=name)["Environment"]
        return NamedResource((found.get("Tags") or {}).get(STACK_TAG))

    def _tags(self, read: Callable[[], Iterable[Mapping[str, Any]]]) -> list[Mapping[str, Any]]:
        """Return the tags; a bucket without any, and a permission that is missing, mean that none is known."""
        try:
            return list(read())
        except CredentialsError:
            raise
        except AwsCallError:
            return []


def _stack_in(tags: Iterable[Mapping[str, Any]]) -> str | None:
    return next((str(tag["Value"]) for tag in tags if tag["Key"] == STACK_TAG), None)

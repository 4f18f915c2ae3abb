"""The execution role of an environment, and the bucket that it reads."""

from collections.abc import Iterator, Mapping
from typing import Any

from contactsync.aws.checks.calls import Calls
from contactsync.checks.ports import Role
from contactsync.errors import AwsCallError, CredentialsError, ResourceMissingError

_PUBLIC_ACCESS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


class IamRoles:
    """IAM, which is the same in every region."""

    def __init__(self, calls: Calls, region: str) -> None:
        self._calls = calls
        self._region = region

    def role(self, role_name: str) -> Role | None:
        """Return a role with the services in its trust policy; None when there is no such role."""
        try:
            role = self._calls.call("iam", self._region, "GetRole", RoleName=role_name)["Role"]
        except ResourceMissingError:
            return None
        return Role(role["Arn"].split(":")[4], sorted(_services(role["AssumeRolePolicyDocument"])))

    def denied(self, role_name: str, calls: Mapping[str, str]) -> list[str]:
        """Return the actions that IAM's own simulation of the role's policies does not allow."""
        role = self._calls.call("iam", self._region, "GetRole", RoleName=role_name)["Role"]
        return [action for action, resource in calls.items() if not self._is_allowed(role["Arn"], action, resource)]

    def _is_allowed(self, role: str, action: str, resource: str) -> bool:
        results = self._calls.pages(
            "iam",
            self._region,
            "SimulatePrincipalPolicy",
            "EvaluationResults",
            PolicySourceArn=role,
            ActionNames=[action],
            ResourceArns=[resource],
        )
        return all(result["EvalDecision"] == "allowed" for result in results)


class S3Buckets:
    """Amazon S3."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def problems(self, bucket: str, region: str) -> list[str]:
        """Return what MWAA does not accept about a bucket, each as the end of a sentence."""
        try:
            found = self._calls.call("s3", region, "HeadBucket", Bucket=bucket)
        except ResourceMissingError:
            return ["is not there"]
        return list(self._problems(bucket, region, found.get("BucketRegion")))

    def _problems(self, bucket: str, region: str, there: str | None) -> Iterator[str]:
        if there not in (None, region):
            yield f"is in {there} and not in {region}"
        if self._calls.call("s3", region, "GetBucketVersioning", Bucket=bucket).get("Status") != "Enabled":
            yield "is not versioned"
        if not self._is_private(bucket, region):
            yield "does not block public access"

    def _is_private(self, bucket: str, region: str) -> bool:
        try:
            answer = self._calls.call("s3", region, "GetPublicAccessBlock", Bucket=bucket)
        except CredentialsError:
            raise
        except AwsCallError as error:
            if error.aws_code == "NoSuchPublicAccessBlockConfiguration":
                return False
            raise
        return all(answer["PublicAccessBlockConfiguration"].get(name) for name in _PUBLIC_ACCESS)


def _services(policy: Mapping[str, Any]) -> Iterator[str]:
    statements = policy.get("Statement") or ()
    for statement in [statements] if isinstance(statements, Mapping) else statements:
        principal = statement.get("Principal")
        services = principal.get("Service", ()) if isinstance(principal, Mapping) else ()
        if statement.get("Effect") == "Allow":
            yield from [services] if isinstance(services, str) else services

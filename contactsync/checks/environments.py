"""Whether Amazon MWAA can make the environment: in this region, one more, with this role and this bucket."""

from collections.abc import Iterator, Mapping
from typing import Final

from contactsync.checks.findings import Finding, failed, ok
from contactsync.checks.ports import Buckets, Environments, Roles
from contactsync.checks.wanted import EnvironmentParts

REGION: Final = "region"
QUOTA: Final = "quota"
ROLE: Final = "role"
BUCKET: Final = "bucket"

DEFAULT_QUOTA: Final = 10
"""Environments that AWS allows an account in a region unless it has raised the quota
(https://docs.aws.amazon.com/mwaa/latest/userguide/mwaa-quotas.html)."""

ACCOUNT_OF_AWS: Final = "000000000000"
"""In place of the account in which MWAA has its queues, which nobody knows; policies name it with a `*`."""

TRUSTED: Final = ("airflow.amazonaws.com", "airflow-env.amazonaws.com")
"""The services that must be able to assume the execution role
(https://docs.aws.amazon.com/mwaa/latest/userguide/mwaa-create-role.html)."""


def check_region(environments: Environments, region: str) -> Finding:
    """Look whether the region has MWAA."""
    if environments.is_offered(region):
        return ok(REGION, f"Amazon MWAA is in {region}.")
    return failed(
        REGION,
        f"Amazon MWAA is not in {region}.",
        "Deploy to a region that has it (--region); the trigger calls it from its own region.",
    )


def check_quota(environments: Environments, region: str, environment_name: str) -> Finding:
    """Look whether one more environment may be created."""
    names = environments.names(region)
    if environment_name in names:
        return ok(QUOTA, f"Environment {environment_name} is there already, so no quota is needed.")
    quota = environments.quota(region)
    allowed = DEFAULT_QUOTA if quota is None else quota
    of = "AWS's default, because the account's own quota cannot be read" if quota is None else "the account's quota"
    if len(names) < allowed:
        return ok(QUOTA, f"{len(names)} of {allowed} MWAA environments are used in {region} ({of}).")
    return failed(
        QUOTA,
        f"All {allowed} MWAA environments are used in {region} ({of}).",
        "Have the quota raised in Service Quotas (Amazon MWAA, Environments), delete an environment that nobody needs, "
        "or deploy to another region.",
    )


def check_role(roles: Roles, parts: EnvironmentParts) -> Iterator[Finding]:
    """Look whether MWAA may assume the execution role, and the role may do what MWAA tries when it starts."""
    role = roles.role(parts.role_name)
    if role is None:
        yield failed(ROLE, f"There is no role {parts.role_name}.", "Deploy again: the stack airflow creates the role.")
        return
    if absent := [service for service in TRUSTED if service not in role.trusted_services]:
        yield failed(
            ROLE,
            f"Role {parts.role_name} does not trust {' and '.join(absent)}.",
            "Undo the change of the role's trust policy: infra/airflow.yaml has the right one.",
        )
        return
    if denied := roles.denied(parts.role_name, needed(parts, role.account)):
        yield failed(
            ROLE,
            f"Role {parts.role_name} may not do {', '.join(denied)}.",
            "Compare the role's policies with infra/airflow.yaml, and see whether a service control policy or a "
            "permissions boundary denies it.",
        )
        return
    yield ok(ROLE, f"MWAA may assume role {parts.role_name}, and the role may do what MWAA needs.")


def needed(parts: EnvironmentParts, account: str) -> Mapping[str, str]:
    """Return the actions, with their resources, that an environment cannot start without."""
    aws = f"arn:{parts.partition}"
    log_group = f"{aws}:logs:{parts.region}:{account}:log-group:airflow-{parts.environment_name}-Scheduler:*"
    queue = f"{aws}:sqs:{parts.region}:{ACCOUNT_OF_AWS}:airflow-celery-queue"
    return {
        "s3:GetObject": f"{aws}:s3:::{parts.bucket}/requirements.txt",
        "s3:ListBucket": f"{aws}:s3:::{parts.bucket}",
        "s3:GetAccountPublicAccessBlock": "*",
        "logs:CreateLogStream": log_group,
        "logs:PutLogEvents": log_group,
        "logs:DescribeLogGroups": "*",
        "cloudwatch:PutMetricData": "*",
        "sqs:ReceiveMessage": queue,
        "sqs:SendMessage": queue,
    }


def check_bucket(buckets: Buckets, parts: EnvironmentParts) -> Finding:
    """Look whether MWAA accepts the bucket with the DAGs."""
    if problems := buckets.problems(parts.bucket, parts.region):
        return failed(
            BUCKET,
            f"Bucket {parts.bucket} {' and '.join(problems)}.",
            "Undo the change of the bucket: infra/artifacts.yaml has the right settings.",
        )
    return ok(BUCKET, f"Bucket {parts.bucket} is versioned, private and in {parts.region}.")

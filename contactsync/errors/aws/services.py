"""The AWS services that contactsync calls: one row each, with everything that sentences about a failed call need."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True)
class AwsService:
    """One service, in the words of our sentences."""

    name: str
    calls: frozenset[str] = frozenset()
    """The operations that contactsync or botocore calls; each operation belongs to one service."""
    thing: str = "resource"
    """What its calls are about."""
    more: str = ""
    """What else can deny a call, besides the caller's own policies."""
    actions: Mapping[str, str] = field(default_factory=dict)
    """Permissions whose names differ from the call that needs them."""


def _calls(names: str) -> frozenset[str]:
    return frozenset(names.split())


_TRUST: Final = (
    ", that no service control policy of the account denies it, and that trusted access for account.amazonaws.com is on"
)
_TABLES: Final = (
    "BatchGetItem BatchWriteItem DeleteItem DescribeContinuousBackups DescribeTable DescribeTimeToLive GetItem "
    "ListTagsOfResource PutItem Query Scan TransactGetItems TransactWriteItems UpdateItem"
)
_ORGANIZATION: Final = (
    "DescribeAccount DescribeOrganization DescribeOrganizationalUnit EnableAWSServiceAccess "
    "ListAWSServiceAccessForOrganization ListAccounts ListAccountsForParent ListOrganizationalUnitsForParent "
    "ListParents ListRoots"
)
_STACKS: Final = (
    "ContinueUpdateRollback CreateChangeSet DeleteChangeSet DeleteStack DescribeChangeSet DescribeEvents "
    "DescribeStackDriftDetectionStatus DescribeStackEvents DescribeStackResourceDrifts DescribeStacks DetectStackDrift "
    "ExecuteChangeSet ListStackResources UpdateTerminationProtection"
)
_QUEUES: Final = (
    "ChangeMessageVisibilityBatch DeleteMessage GetQueueAttributes ListDeadLetterSourceQueues ReceiveMessage "
    "SendMessage SendMessageBatch"
)

SERVICES: Final[Mapping[str, AwsService]] = {
    "account": AwsService(
        "Account Management",
        _calls(
            "DeleteAlternateContact GetAlternateContact GetContactInformation PutAlternateContact PutContactInformation"
        ),
        "account",
        _TRUST,
    ),
    "cloudformation": AwsService(
        "CloudFormation",
        _calls(_STACKS),
        "stack",
        more=", and that the caller may read every kind of resource in it",
    ),
    "cloudtrail": AwsService("CloudTrail", _calls("DescribeTrails GetEventSelectors GetTrailStatus"), "trail"),
    "cloudwatch": AwsService("CloudWatch", _calls("DescribeAlarms PutMetricData")),
    "dynamodb": AwsService(
        "DynamoDB",
        _calls(_TABLES),
        "table",
        ", for the table and its indexes, and the use of the table's KMS key",
        {"TransactWriteItems": "dynamodb:PutItem, UpdateItem, DeleteItem and ConditionCheckItem"},
    ),
    "ec2": AwsService("Amazon EC2", _calls("DescribeRouteTables DescribeSecurityGroups DescribeSubnets"), "network"),
    "events": AwsService("EventBridge", _calls("DescribeRule ListTargetsByRule"), "rule"),
    "iam": AwsService("IAM", _calls("GetRole SimulatePrincipalPolicy"), "role"),
    "kms": AwsService("AWS KMS", _calls("Decrypt GenerateDataKey"), "key"),
    "lambda": AwsService(
        "Lambda",
        _calls("GetEventSourceMapping GetFunctionConfiguration Invoke"),
        "function",
        actions={"Invoke": "lambda:InvokeFunction"},
    ),
    "logs": AwsService("CloudWatch Logs", _calls("DescribeLogStreams GetLogEvents"), "log group"),
    "mwaa": AwsService(
        "Amazon MWAA",
        _calls("CreateWebLoginToken GetEnvironment InvokeRestApi ListEnvironments"),
        "environment",
        actions={
            "CreateWebLoginToken": "airflow:CreateWebLoginToken",
            "GetEnvironment": "airflow:GetEnvironment",
            "InvokeRestApi": "airflow:InvokeRestApi",
            "ListEnvironments": "airflow:ListEnvironments",
        },
    ),
    "organizations": AwsService(
        "AWS Organizations",
        _calls(_ORGANIZATION),
        "organization",
        ", and that its account is the organization's management account or a delegated administrator",
    ),
    "s3": AwsService(
        "Amazon S3",
        _calls(
            "DeleteObjects GetBucketTagging GetBucketVersioning GetObject GetPublicAccessBlock HeadBucket HeadObject "
            "ListBuckets ListObjectsV2 PutObject"
        ),
        "bucket",
        (
            ", on the bucket's objects, and the use of its KMS key; if the caller may not list the bucket, S3 also "
            "denies access to an object that does not exist"
        ),
        {
            "GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
            "HeadBucket": "s3:ListBucket",
            "HeadObject": "s3:GetObject",
            "ListBuckets": "s3:ListAllMyBuckets",
            "ListObjectsV2": "s3:ListBucket",
        },
    ),
    "secretsmanager": AwsService(
        "Secrets Manager", _calls("GetSecretValue"), "secret", ", and kms:Decrypt with the secret's key"
    ),
    "service-quotas": AwsService(
        "Service Quotas",
        _calls("ListServiceQuotas"),
        "quota",
        actions={"ListServiceQuotas": "servicequotas:ListServiceQuotas"},
    ),
    "sns": AwsService(
        "Amazon SNS",
        _calls("ListSubscriptionsByTopic Publish PublishBatch"),
        "topic",
        ", that the topic's own policy allows it too, and that the topic's KMS key may be used",
        {"PublishBatch": "sns:Publish"},
    ),
    "sqs": AwsService(
        "Amazon SQS",
        _calls(_QUEUES),
        "queue",
        ", that the queue's own policy allows it too, and that the queue's KMS key may be used",
        {
            "ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
            "SendMessageBatch": "sqs:SendMessage",
        },
    ),
    "ssm": AwsService("Systems Manager", _calls("CreateOpsItem")),
    "sso": AwsService("IAM Identity Center", _calls("GetRoleCredentials")),
    "sso-oidc": AwsService("IAM Identity Center", _calls("CreateToken")),
    "sts": AwsService(
        "AWS STS",
        _calls("AssumeRole AssumeRoleWithSAML AssumeRoleWithWebIdentity GetCallerIdentity"),
        "role",
        ", and that the trust policy of the role names the caller",
    ),
}
"""The services by boto3's names. ListTagsForResource is in none, because two services have it."""

ACCOUNT_OPERATIONS: Final = SERVICES["account"].calls

_BY_CALL: Final = {call: name for name, service in SERVICES.items() for call in service.calls}


def name_of(service: str) -> str:
    """Return people's name for a service with this name in boto3."""
    return SERVICES[service].name if service in SERVICES else service


def service_of(api_operation: str, service: str | None) -> str | None:
    """Return the service of a call: the one that the client named, else the one that has this operation."""
    return service or _BY_CALL.get(api_operation)


def thing_of(api_operation: str, service: str | None) -> str:
    """Return what a call is about, such as a table."""
    return SERVICES.get(service_of(api_operation, service) or "", AwsService("")).thing


def what_to_check(api_operation: str, service: str | None, *, action: str | None, whose: str) -> str:
    """Return a sentence that says which policies can deny the call; `whose` are the policies to look at first."""
    name = service_of(api_operation, service)
    known = SERVICES.get(name or "", AwsService(name or ""))
    action = action or known.actions.get(api_operation) or (f"{name}:{api_operation}" if name else api_operation)
    return f"Check that the policies of {whose} allow {action}{known.more}."

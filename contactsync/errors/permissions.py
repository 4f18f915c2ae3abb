"""What a refused permission is checked by, for each AWS service that contactsync calls."""

from collections.abc import Mapping
from typing import Final

NAMES: Final[Mapping[str, str]] = {
    "account": "Account Management",
    "cloudwatch": "CloudWatch",
    "dynamodb": "DynamoDB",
    "kms": "AWS KMS",
    "lambda": "Lambda",
    "mwaa": "Amazon MWAA",
    "organizations": "AWS Organizations",
    "s3": "Amazon S3",
    "secretsmanager": "Secrets Manager",
    "sns": "Amazon SNS",
    "sqs": "Amazon SQS",
    "ssm": "Systems Manager",
    "sso": "IAM Identity Center",
    "sso-oidc": "IAM Identity Center",
    "sts": "AWS STS",
}
"""Services by the names that boto3 gives them."""

ACCOUNT_OPERATIONS: Final = frozenset(
    {
        "DeleteAlternateContact",
        "GetAlternateContact",
        "GetContactInformation",
        "PutAlternateContact",
        "PutContactInformation",
    }
)

_ACTIONS: Final[Mapping[tuple[str, str], str]] = {
    ("dynamodb", "TransactWriteItems"): "dynamodb:PutItem, UpdateItem, DeleteItem and ConditionCheckItem",
    ("lambda", "Invoke"): "lambda:InvokeFunction",
    ("mwaa", "InvokeRestApi"): "airflow:InvokeRestApi",
    ("sns", "PublishBatch"): "sns:Publish",
    ("sqs", "ChangeMessageVisibilityBatch"): "sqs:ChangeMessageVisibility",
    ("sqs", "SendMessageBatch"): "sqs:SendMessage",
}
"""Permissions that are not named like the call that needs them."""

_MORE: Final[Mapping[str, str]] = {
    "account": (
        ", that no service control policy of the account denies it, and that trusted access for account.amazonaws.com "
        "is on"
    ),
    "dynamodb": ", for the table and its indexes, and the use of the table's KMS key",
    "organizations": ", and that its account is the organization's management account or a delegated administrator",
    "s3": (
        ", on the bucket's objects, and the use of its KMS key; S3 denies access also to an object that does not "
        "exist, when the caller may not list the bucket"
    ),
    "secretsmanager": ", and kms:Decrypt with the secret's key",
    "sns": ", that the topic's own policy does, and the use of its KMS key",
    "sqs": ", that the queue's own policy does, and the use of its KMS key",
    "sts": ", and that the trust policy of the role names the caller",
}


def service_of(operation: str, service: str | None) -> str | None:
    """Return the service of a call; of calls that only Account Management has it is known without being told."""
    return "account" if service is None and operation in ACCOUNT_OPERATIONS else service


def what_to_check(operation: str, service: str | None, *, action: str | None, whose: str) -> str:
    """Return a sentence that says which policies can deny the call; `whose` are the policies to begin with."""
    service = service_of(operation, service)
    action = action or _ACTIONS.get((service or "", operation)) or f"{service}:{operation}" if service else operation
    return f"Check that the policies of {whose} allow {action}{_MORE.get(service or '', '')}."

"""The calls that AWS itself makes for a component, with its role: no call log has them, so each has its reason here."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

ACCOUNT, REGION, PARTITION_REST = "111122223333", "us-east-1", "amazonaws.com"
LAMBDA_LOGS: Final = "Lambda writes the function's log"
LAMBDA_TRACES: Final = "Lambda sends the function's traces"
LAMBDA_POLLS: Final = "Lambda takes messages from the queue for the function"
LAMBDA_KEEPS: Final = "Lambda sends on what the function failed on"
MWAA: Final = "Amazon MWAA, as its user guide asks for (execution role)"
MWAA_CODE: Final = "Amazon MWAA reads DAGs, plugins and requirements"
MWAA_LOGS: Final = "Amazon MWAA writes and shows Airflow's logs"
MWAA_QUEUE: Final = "Amazon MWAA's Celery queue, in an account of AWS"
VIA_DYNAMODB: Final = "DynamoDB uses the table's key with the rights of its caller"
VIA_SECRETS: Final = "Secrets Manager decrypts the fingerprint key with the rights of its caller"

QUEUE: Final = f"arn:aws:sqs:{REGION}:{ACCOUNT}:contactsync-local-"
AIRFLOW_LOGS: Final = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:airflow-contactsync-local-airflow-Task:log-stream:x"
CODE: Final = f"arn:aws:s3:::contactsync-local-code-{ACCOUNT}-{REGION}"
CELERY: Final = f"arn:aws:sqs:{REGION}:444455556666:airflow-celery-1"
FOREIGN_KEY: Final = f"arn:aws:kms:{REGION}:444455556666:key/1"
OWN_KEY: Final = "{DesiredContactsKeyArn}"
"""Outputs of stacks are filled in."""


@dataclass(frozen=True)
class AwsCall:
    """A call that AWS makes with the role of a component."""

    component: str
    action: str
    resource: str
    reason: str
    context: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    denied: bool = False
    """Whether the policies deny it on purpose."""


def _functions() -> Iterator[AwsCall]:
    for name in ("trigger", "audit", "notices", "publisher"):
        log = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/contactsync-local-{name}:log-stream:x"
        for action in ("CreateLogStream", "PutLogEvents"):
            yield AwsCall(name, f"logs:{action}", log, LAMBDA_LOGS)
    for name in ("trigger", "audit", "notices"):
        for action in ("PutTraceSegments", "PutTelemetryRecords"):
            yield AwsCall(name, f"xray:{action}", "*", LAMBDA_TRACES)
    for name in ("audit", "notices"):
        for action in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes"):
            yield AwsCall(name, f"sqs:{action}", f"{QUEUE}{name}", LAMBDA_POLLS)
    yield AwsCall("trigger", "sqs:SendMessage", f"{QUEUE}trigger-dead-letters", LAMBDA_KEEPS)


def _mwaa() -> Iterator[AwsCall]:
    environment = f"arn:aws:airflow:{REGION}:{ACCOUNT}:environment/contactsync-local-airflow"
    yield AwsCall("workers", "airflow:PublishMetrics", environment, MWAA)
    yield AwsCall("workers", "s3:ListAllMyBuckets", "*", MWAA, denied=True)
    yield AwsCall("workers", "s3:GetAccountPublicAccessBlock", "*", MWAA)
    for action, resource in (("GetObjectVersion", f"{CODE}/plugins.zip"), ("GetBucketVersioning", CODE)):
        yield AwsCall("workers", f"s3:{action}", resource, MWAA_CODE)
    yield AwsCall("workers", "s3:ListBucket", CODE, MWAA_CODE)
    for action in ("CreateLogStream", "CreateLogGroup", "PutLogEvents", "GetLogEvents", "GetLogRecord"):
        yield AwsCall("workers", f"logs:{action}", AIRFLOW_LOGS, MWAA_LOGS)
    for action in ("GetLogGroupFields", "GetQueryResults"):
        yield AwsCall("workers", f"logs:{action}", AIRFLOW_LOGS, MWAA_LOGS)
    yield AwsCall("workers", "logs:DescribeLogGroups", "*", MWAA_LOGS)
    for action in ("ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes"):
        yield AwsCall("workers", f"sqs:{action}", CELERY, MWAA_QUEUE)
    for action in ("GetQueueUrl", "ReceiveMessage", "SendMessage"):
        yield AwsCall("workers", f"sqs:{action}", CELERY, MWAA_QUEUE)
    for action in ("Decrypt", "DescribeKey", "GenerateDataKey", "Encrypt"):
        yield AwsCall("workers", f"kms:{action}", FOREIGN_KEY, MWAA_QUEUE, _via("sqs"))


def _keys() -> Iterator[AwsCall]:
    for action in ("Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey", "ReEncryptFrom"):
        yield AwsCall("workers", f"kms:{action}", OWN_KEY, VIA_DYNAMODB, _via("dynamodb"))
    yield AwsCall("workers", "kms:Decrypt", OWN_KEY, VIA_SECRETS, _via("secretsmanager"))
    yield AwsCall("operator", "kms:Decrypt", OWN_KEY, VIA_DYNAMODB, _via("dynamodb"))


def _via(service: str) -> Mapping[str, tuple[str, ...]]:
    return {"kms:viaservice": (f"{service}.{REGION}.{PARTITION_REST}",)}


AWS_CALLS: Final = (*_functions(), *_mwaa(), *_keys())

"""The permissions that a request needs: its actions and the ARNs that it acts on.

The service authorization reference lists each service's actions and resources. A call that is not known here needs the
action of its name on `*`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from contactsync.sandbox.access.conditions import CONTACT_TYPES, NAMESPACE
from contactsync.sandbox.access.policies import Need
from contactsync.sandbox.access.tables import HashKeys, TableRequest

_PREFIXES: Final = {
    "mwaa": "airflow",
    "service-quotas": "servicequotas",
    "sesv2": "ses",
    "stepfunctions": "states",
    "dynamodbstreams": "dynamodb",
}
"""Prefixes of actions that differ from the service's name in the SDK."""

_AIRFLOW_ROLES: Final = ("Admin", "Op", "User", "Viewer", "Public")
_NOT_ASKED: Final = frozenset({("sts", "GetCallerIdentity"), ("sts", "GetSessionToken")})
"""Calls that need no permission."""

_S3_ACTIONS: Final = {
    "HeadObject": "GetObject",
    "HeadBucket": "ListBucket",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "ListBuckets": "ListAllMyBuckets",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "DeleteObjects": "DeleteObject",
    "CopyObject": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
}
_SQS_ACTIONS: Final = {
    "SendMessageBatch": "SendMessage",
    "DeleteMessageBatch": "DeleteMessage",
    "ChangeMessageVisibilityBatch": "ChangeMessageVisibility",
}
_MISSING: Final = frozenset({"404", "HTTP404", "NoSuchKey", "NotFound"})


class Request(Protocol):
    """What is known of a request: as it arrives, and as the call log keeps it."""

    @property
    def service(self) -> str:
        """The service's name in the SDK."""

    @property
    def operation(self) -> str:
        """The operation's name."""

    @property
    def region(self) -> str:
        """The region that it is signed for."""

    @property
    def parameters(self) -> Mapping[str, object]:
        """Its parameters."""


@dataclass(frozen=True)
class Surroundings:
    """What the ARNs of a request need in addition to the request."""

    management_account: str
    organization_id: str
    hash_keys: HashKeys
    partition: str = "aws"


@dataclass(frozen=True)
class _Asked:
    """A request, and the account of its caller."""

    request: Request
    account: str
    around: Surroundings

    def text(self, name: str) -> str:
        """Return a parameter that is a text; empty when it is missing."""
        value = self.request.parameters.get(name)
        return value if isinstance(value, str) else ""

    def arn(self, service: str, resource: str, *, region: str | None = None, account: str | None = None) -> str:
        """Return an ARN in the request's region and the caller's account."""
        region = self.request.region if region is None else region
        account = self.account if account is None else account
        return f"arn:{self.around.partition}:{service}:{region}:{account}:{resource}"

    def need(self, *resources: str, action: str | None = None, context: Mapping[str, tuple[str, ...]] = {}) -> Need:
        """Return the need for the operation's own action, or for another one of the service."""
        prefix = _PREFIXES.get(self.request.service, self.request.service)
        return Need(f"{prefix}:{action or self.request.operation}", resources or ("*",), context)


def needs_of(request: Request, account: str, around: Surroundings) -> tuple[Need, ...]:
    """Return all permissions that the caller's account needs for this request, the first missing one first."""
    if (request.service, request.operation) in _NOT_ASKED:
        return ()
    asked = _Asked(request, account, around)
    if request.service == "dynamodb":
        place = (around.partition, account, request.region, request.operation)
        return TableRequest(*place, request.parameters, around.hash_keys).needs()
    if request.operation == "DescribeStacks" and not asked.text("StackName"):
        return (asked.need(), asked.need(action="ListStacks"))  # AWS: "This requires ListStacks and DescribeStacks"
    of_service = _SERVICES.get(request.service)
    return (of_service(asked),) if of_service else (asked.need(),)


def needs_afterwards(request: Request, error_code: str | None, account: str, around: Surroundings) -> tuple[Need, ...]:
    """Return what a caller needs to learn of the answer: S3 says that an object is missing to those who may list."""
    if request.service != "s3" or request.operation not in ("GetObject", "HeadObject") or error_code not in _MISSING:
        return ()
    asked = _Asked(request, account, around)
    return (asked.need(_bucket(asked), action="ListBucket"),)


def _account(asked: _Asked) -> Need:
    member = asked.text("AccountId")
    if member:
        around = asked.around
        path = f"account/{around.organization_id}/{member}"
        resource = asked.arn("account", path, region="", account=around.management_account)
    else:
        resource = asked.arn("account", "account", region="")
    contact_type = asked.text("AlternateContactType")
    return asked.need(resource, context={CONTACT_TYPES: (contact_type,)} if contact_type else {})


def _organizations(asked: _Asked) -> Need:
    names = ("AccountId", "OrganizationalUnitId", "ParentId", "ChildId", "ResourceId", "TargetId")
    named = next(filter(None, map(asked.text, names)), "")
    kind = {"r": "root", "o": "ou"}.get(named[:1], "account")
    if not named:
        return asked.need()
    around = asked.around
    path = f"{kind}/{around.organization_id}/{named}"
    return asked.need(asked.arn("organizations", path, region="", account=around.management_account))


def _sqs(asked: _Asked) -> Need:
    action = _SQS_ACTIONS.get(asked.request.operation)
    *_, account, name = ["", "", *asked.text("QueueUrl").split("/")]
    if not name:
        name, account = asked.text("QueueName"), asked.account
    return asked.need(*([asked.arn("sqs", name, account=account)] if name else []), action=action)


def _sns(asked: _Asked) -> Need:
    topic = asked.text("TopicArn") or asked.text("TargetArn")
    subscription = asked.text("SubscriptionArn")
    if not topic and subscription.startswith("arn:"):
        topic = subscription.rpartition(":")[0]
    if not topic and asked.request.operation == "CreateTopic":
        topic = asked.arn("sns", asked.text("Name"))
    return asked.need(*filter(None, [topic]), action="Publish" if asked.request.operation == "PublishBatch" else None)


def _bucket(asked: _Asked) -> str:
    return f"arn:{asked.around.partition}:s3:::{asked.text('Bucket')}"


def _s3(asked: _Asked) -> Need:
    operation = asked.request.operation
    action = _S3_ACTIONS.get(operation, operation)
    if not asked.text("Bucket"):
        return asked.need(action=action)
    bucket, key = _bucket(asked), asked.text("Key")
    if operation == "DeleteObjects":
        key = "*"  # its keys are in the body; nobody needs it
    return asked.need(f"{bucket}/{key}" if key else bucket, action=action)


def _secretsmanager(asked: _Asked) -> Need:
    secret = asked.text("SecretId")
    if not secret:
        return asked.need()
    # AWS adds six characters to the name; whoever may read all of them may read this one.
    return asked.need(secret if secret.startswith("arn:") else asked.arn("secretsmanager", f"secret:{secret}-??????"))


def _lambda(asked: _Asked) -> Need:
    function = asked.text("FunctionName")
    if mapping := asked.text("UUID"):
        return asked.need(asked.arn("lambda", f"event-source-mapping:{mapping}"))
    action = "InvokeFunction" if asked.request.operation == "Invoke" else None
    if not function:
        return asked.need(action=action)
    return asked.need(
        function if function.startswith("arn:") else asked.arn("lambda", f"function:{function}"), action=action
    )


def _mwaa(asked: _Asked) -> Need:
    """Return the need for an environment; whoever has any of Airflow's roles in it may use its Airflow."""
    environment = asked.text("Name")
    if asked.request.operation in {"CreateWebLoginToken", "InvokeRestApi"}:
        return asked.need(*(asked.arn("airflow", f"role/{environment}/{role}") for role in _AIRFLOW_ROLES))
    return asked.need(*([asked.arn("airflow", f"environment/{environment}")] if environment else []))


def _cloudformation(asked: _Asked) -> Need:
    stack = asked.text("StackName")
    if stack.startswith("arn:"):
        return asked.need(stack)
    return asked.need(*([asked.arn("cloudformation", f"stack/{stack}/*")] if stack else []))


def _cloudtrail(asked: _Asked) -> Need:
    trail = asked.text("TrailName") or asked.text("Name")
    if not trail:
        return asked.need()
    return asked.need(trail if trail.startswith("arn:") else asked.arn("cloudtrail", f"trail/{trail}"))


def _events(asked: _Asked) -> Need:
    rule = asked.text("Rule") or asked.text("Name")
    return asked.need(*([asked.arn("events", f"rule/{rule}")] if rule else []))


def _iam(asked: _Asked) -> Need:
    arn = asked.text("PolicySourceArn") or asked.text("PolicyArn")
    if not arn and (role := asked.text("RoleName")):
        arn = asked.arn("iam", f"role/{role}", region="")
    return asked.need(*([arn] if arn else []))


def _logs(asked: _Asked) -> Need:
    group, stream = asked.text("logGroupName"), asked.text("logStreamName")
    return asked.need(*([asked.arn("logs", f"log-group:{group}:log-stream:{stream}")] if group else []))


def _cloudwatch(asked: _Asked) -> Need:
    namespace = asked.text("Namespace")
    if asked.request.operation == "DescribeAlarms":
        return asked.need(asked.arn("cloudwatch", "alarm:*"))
    return asked.need(context={NAMESPACE: (namespace,)} if namespace else {})


def _sts(asked: _Asked) -> Need:
    role = asked.text("RoleArn")
    return asked.need(*([role] if role else []))


def _kms(asked: _Asked) -> Need:
    key = asked.text("KeyId")
    if not key:
        return asked.need()
    return asked.need(key if key.startswith("arn:") else asked.arn("kms", key if "/" in key else f"key/{key}"))


def _ssm(asked: _Asked) -> Need:
    name = asked.text("Name")
    if name and "Parameter" in asked.request.operation:
        return asked.need(asked.arn("ssm", f"parameter/{name.lstrip('/')}"))
    return asked.need()


_SERVICES: Final[Mapping[str, Callable[[_Asked], Need]]] = {
    "account": _account,
    "cloudformation": _cloudformation,
    "cloudtrail": _cloudtrail,
    "cloudwatch": _cloudwatch,
    "events": _events,
    "iam": _iam,
    "kms": _kms,
    "lambda": _lambda,
    "logs": _logs,
    "mwaa": _mwaa,
    "organizations": _organizations,
    "s3": _s3,
    "secretsmanager": _secretsmanager,
    "sns": _sns,
    "sqs": _sqs,
    "ssm": _ssm,
    "sts": _sts,
}

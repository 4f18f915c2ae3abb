"""The permissions that a request needs: actions and resources of AWS's own service authorization reference.

cfn-lint brings that reference along as data, for the policies in templates.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import pytest

from contactsync.errors.aws.services import SERVICES
from contactsync.sandbox.access.needs import Surroundings, needs_afterwards, needs_of
from contactsync.sandbox.access.policies import Decision, Need
from contactsync.sandbox.access.refusals import refusal_of

ACCOUNT, MEMBER, ORGANIZATION = "111122223333", "444455556666", "o-aaaaaaaaaa"
REFERENCE: Mapping[str, Any] = json.loads(
    files("cfnlint.data.AdditionalSpecs").joinpath("Policies.json").read_text(encoding="utf-8")
)
AROUND = Surroundings(ACCOUNT, ORGANIZATION, lambda *_: "k")
QUEUE_URL = f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/q"
PARAMETERS: Mapping[str, Mapping[str, Any]] = {
    "account": {"AccountId": MEMBER, "AlternateContactType": "SECURITY"},
    "cloudformation": {"StackName": "s"},
    "cloudtrail": {"TrailName": "t"},
    "cloudwatch": {"Namespace": "N"},
    "dynamodb": {"TableName": "t", "Key": {"k": {"S": "a"}}},
    "events": {"Name": "r"},
    "iam": {"RoleName": "r"},
    "kms": {"KeyId": "1"},
    "lambda": {"FunctionName": "f"},
    "logs": {"logGroupName": "g", "logStreamName": "s"},
    "mwaa": {"Name": "e"},
    "s3": {"Bucket": "b", "Key": "k"},
    "secretsmanager": {"SecretId": "s"},
    "sns": {"TopicArn": f"arn:aws:sns:us-east-1:{ACCOUNT}:t"},
    "sqs": {"QueueUrl": QUEUE_URL},
    "sts": {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/r"},
}
OWN_PARAMETERS: Mapping[str, Mapping[str, Any]] = {
    "BatchGetItem": {"RequestItems": {"t": {"Keys": [{"k": {"S": "a"}}]}}},
    "BatchWriteItem": {"RequestItems": {"t": [{"PutRequest": {"Item": {"k": {"S": "a"}}}}]}},
    "TransactGetItems": {"TransactItems": [{"Get": {"TableName": "t", "Key": {"k": {"S": "a"}}}}]},
    "TransactWriteItems": {
        "TransactItems": [
            {"Put": {"TableName": "t", "Item": {"k": {"S": "a"}}}},
            {"Update": {"TableName": "t", "Key": {"k": {"S": "b"}}}},
            {"Delete": {"TableName": "t", "Key": {"k": {"S": "c"}}}},
            {"ConditionCheck": {"TableName": "t", "Key": {"k": {"S": "d"}}}},
        ]
    },
    "GetEventSourceMapping": {"UUID": "u"},
    "DescribeTrails": {},
    "ListEnvironments": {},
    "ListBuckets": {},
    "ListObjectsV2": {"Bucket": "b"},
    "ListTargetsByRule": {"Rule": "r"},
    "SimulatePrincipalPolicy": {"PolicySourceArn": f"arn:aws:iam::{ACCOUNT}:role/r"},
    "DescribeStackDriftDetectionStatus": {"StackDriftDetectionId": "d"},
    "DescribeAccount": {"AccountId": MEMBER},
    "DescribeOrganizationalUnit": {"OrganizationalUnitId": "ou-aaaa-bbbbbbbb"},
    "ListAccountsForParent": {"ParentId": "r-aaaa"},
    "ListOrganizationalUnitsForParent": {"ParentId": "ou-aaaa-bbbbbbbb"},
    "ListParents": {"ChildId": MEMBER},
    "ListTagsForResource": {"ResourceId": MEMBER},
}
OPTIONAL_RESOURCES = {"cloudwatch:PutMetricData"}
"""Actions that can name a resource (a data set), but not in the calls of the product."""

WITHOUT_POLICY = {"sso", "sso-oidc"}
"""Services to which a session of a role makes no call: they give people their credentials."""


@dataclass(frozen=True)
class Call:
    """A request."""

    service: str
    operation: str
    parameters: Mapping[str, object] = field(default_factory=dict)
    region: str = "us-east-1"


def needs(service: str, operation: str, **parameters: Any) -> list[tuple[str, str]]:
    """Return the actions and resources that a request needs."""
    found = needs_of(Call(service, operation, parameters), ACCOUNT, AROUND)
    return [(need.action, need.resource) for need in found]


CALLS = sorted(
    (name, call) for name, service in SERVICES.items() if name not in WITHOUT_POLICY for call in service.calls
)


@pytest.mark.parametrize(("service", "operation"), CALLS)
def test_reference(service: str, operation: str) -> None:
    """Every call of the product needs actions that AWS has, on resources of the forms that AWS has for them."""
    parameters = OWN_PARAMETERS.get(operation, PARAMETERS.get(service, {}))
    found = needs_of(Call(service, operation, parameters), ACCOUNT, AROUND)
    assert bool(found) is (operation != "GetCallerIdentity")
    for need in found:
        prefix, _, action = need.action.partition(":")
        known = REFERENCE[prefix]
        kinds = known["Actions"][action.lower()].get("Resources", []) if need.action not in OPTIONAL_RESOURCES else []
        assert bool(kinds) is (need.resource != "*"), need
        forms = [form for kind in kinds for form in known["Resources"][kind.lower()]["ARNFormats"]]
        assert not kinds or any(fits(need.resource, form) for form in forms), need


def fits(arn: str, form: str) -> bool:
    """Return whether an ARN has a form, such as arn:${Partition}:sns:${Region}:${Account}:.*."""
    return re.fullmatch(re.sub(r"\$\{\w+\}", "[^:]+", form), arn) is not None


def test_transactions() -> None:
    """A transaction needs what its parts need."""
    parts = OWN_PARAMETERS["TransactWriteItems"]["TransactItems"]
    table = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/t"
    actions = ["PutItem", "UpdateItem", "DeleteItem", "ConditionCheckItem"]
    assert needs("dynamodb", "TransactWriteItems", TransactItems=parts) == [
        (f"dynamodb:{action}", table) for action in actions
    ]
    assert needs("dynamodb", "TransactWriteItems") == [("dynamodb:TransactWriteItems", "*")]
    assert needs("dynamodb", "PutItem", TableName=table) == [("dynamodb:PutItem", table)]


def test_batches() -> None:
    """The batches of SQS and SNS need the action of a single message; those of DynamoDB have actions of their own."""
    queue, topic = f"arn:aws:sqs:us-east-1:{ACCOUNT}:q", str(PARAMETERS["sns"]["TopicArn"])
    for operation in ("SendMessage", "DeleteMessage", "ChangeMessageVisibility"):
        assert needs("sqs", f"{operation}Batch", QueueUrl=QUEUE_URL) == [(f"sqs:{operation}", queue)]
    assert needs("sns", "PublishBatch", TopicArn=topic) == [("sns:Publish", topic)]
    assert needs("sns", "GetSubscriptionAttributes", SubscriptionArn=f"{topic}:1") == [
        ("sns:GetSubscriptionAttributes", topic)
    ]
    two = {"t": [], "u": []}
    assert [action for action, _ in needs("dynamodb", "BatchWriteItem", RequestItems=two)] == [
        "dynamodb:BatchWriteItem"
    ] * 2


def test_accounts() -> None:
    """The own account and a member are resources of different forms, in the management account."""
    assert needs("account", "PutContactInformation") == [
        ("account:PutContactInformation", f"arn:aws:account::{ACCOUNT}:account")
    ]
    resource = f"arn:aws:account::{ACCOUNT}:account/{ORGANIZATION}/{MEMBER}"
    assert needs("account", "PutContactInformation", AccountId=MEMBER) == [("account:PutContactInformation", resource)]


def test_units() -> None:
    """Roots, units and accounts have resources of their own."""
    for named, kind in (("r-aaaa", "root"), ("ou-aaaa-bbbbbbbb", "ou"), (MEMBER, "account")):
        resource = f"arn:aws:organizations::{ACCOUNT}:{kind}/{ORGANIZATION}/{named}"
        assert needs("organizations", "ListTagsForResource", ResourceId=named) == [
            ("organizations:ListTagsForResource", resource)
        ]


def test_all_stacks() -> None:
    """To describe all stacks needs two permissions, on everything (CloudFormation API reference, DescribeStacks)."""
    assert needs("cloudformation", "DescribeStacks") == [
        ("cloudformation:DescribeStacks", "*"),
        ("cloudformation:ListStacks", "*"),
    ]


def test_unknown() -> None:
    """A call that is not known needs the action of its name on everything."""
    assert needs("ec2", "DescribeInstances", InstanceId="i-1") == [("ec2:DescribeInstances", "*")]
    assert needs("s3", "Unknown") == [("s3:Unknown", "*")]


@pytest.mark.parametrize("code", ["NoSuchKey", "404", "HTTP404"])
def test_missing_object(code: str) -> None:
    """To learn that an object is missing needs the right to list its bucket."""
    call = Call("s3", "GetObject", {"Bucket": "b", "Key": "k"})
    (need,) = needs_afterwards(call, code, ACCOUNT, AROUND)
    assert (need.action, need.resource) == ("s3:ListBucket", "arn:aws:s3:::b")
    assert needs_afterwards(call, "SlowDown", ACCOUNT, AROUND) == ()
    assert needs_afterwards(Call("s3", "PutObject", call.parameters), code, ACCOUNT, AROUND) == ()


@pytest.mark.parametrize("service", sorted(set(SERVICES) - WITHOUT_POLICY))
def test_code_means_denied(service: str) -> None:
    """The code of every service's refusal is one that the product takes for a missing permission."""
    from contactsync.errors.aws.codes import CODES, Meaning

    refusal = refusal_of(service, "arn:aws:sts::1:assumed-role/r/s", Need(f"{service}:Act"), Decision(allowed=False))
    assert refusal.error.code in CODES[Meaning.DENIED].split()

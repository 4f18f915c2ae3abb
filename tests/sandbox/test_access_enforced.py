"""The sandbox as sessions of roles see it: what a policy allows, and AWS's words for what none allows."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from contactsync.isolation import isolated_session
from contactsync.sandbox.scenario.scenario import Scenario
from contactsync.sandbox.server import Sandbox
from tests.sandbox.sandbox_clients import ONE_ATTEMPT, UNLIMITED, client, member_session, running

ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/tried"
CALLER = f"arn:aws:sts::{ACCOUNT}:assumed-role/tried/session"
TABLE = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/t"
JSON_CODE, XML_CODE = "AccessDeniedException", "AccessDenied"
KEY = {"k": {"S": "a"}}


def role_session(sandbox: Sandbox, role: str = ROLE) -> boto3.Session:
    """Return a session of a role."""
    sts = client(sandbox, "sts")
    keys = sts.assume_role(RoleArn=role, RoleSessionName="session")["Credentials"]
    return boto3.Session(
        keys["AccessKeyId"],
        keys["SecretAccessKey"],
        keys["SessionToken"],
        region_name="us-east-1",
        botocore_session=isolated_session(),
    )


class Tried:
    """A role, what it is allowed, and clients of its session."""

    def __init__(self, sandbox: Sandbox) -> None:
        """Take a sandbox in which the role is."""
        self.sandbox = sandbox
        self.session = role_session(sandbox)

    def allow(self, *statements: dict[str, Any]) -> None:
        """Give the role these statements in place of earlier ones."""
        document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        client(self.sandbox, "iam").put_role_policy(RoleName="tried", PolicyName="p", PolicyDocument=document)

    def client(self, service: str) -> Any:
        """Return a client of the session."""
        return self.session.client(service, endpoint_url=self.sandbox.endpoint_url, config=ONE_ATTEMPT)

    def refused(self, service: str, method: str, **parameters: Any) -> tuple[str, int, str]:
        """Call, and return the error's code, status and words without the caller."""
        with pytest.raises(ClientError) as raised:
            getattr(self.client(service), method)(**parameters)
        error = raised.value.response
        words = error["Error"]["Message"]
        assert words.startswith(f"User: {CALLER} is not authorized to perform: ")
        return error["Error"]["Code"], error["ResponseMetadata"]["HTTPStatusCode"], words.partition("perform: ")[2]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Run a sandbox with a role, a table, a bucket, a queue and a topic."""
    with running(Scenario.model_validate(UNLIMITED)) as made:
        made_by = {name: client(made, name) for name in ("iam", "dynamodb", "s3", "sqs", "sns")}
        made_by["iam"].create_role(RoleName="tried", AssumeRolePolicyDocument="{}")
        made_by["dynamodb"].create_table(
            TableName="t",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("k", "i")],
            KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "by_i",
                    "KeySchema": [{"AttributeName": "i", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        made_by["s3"].create_bucket(Bucket="bucket")
        made_by["sqs"].create_queue(QueueName="q")
        made_by["sns"].create_topic(Name="t")
        yield made


@pytest.fixture
def tried(sandbox: Sandbox) -> Iterator[Tried]:
    """Give the role, which may do nothing yet."""
    made = Tried(sandbox)
    made.allow({"Effect": "Allow", "Action": "tag:GetResources", "Resource": "*"})
    yield made
    client(sandbox, "iam").delete_role_policy(RoleName="tried", PolicyName="p")


def because(action: str, resource: str) -> str:
    """Return the words for what no policy allows."""
    return f"{action} on resource: {resource} because no identity-based policy allows the {action} action"


def test_words(tried: Tried, sandbox: Sandbox) -> None:
    """Each service answers with its own code, status and spelling."""
    member = sandbox.organization.account_ids()[1]
    organization = sandbox.organization.organization_id
    of_member = {"AccountId": member, "AlternateContactType": "SECURITY"}
    function = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f"
    secret = f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:s-??????"
    account = f"arn:aws:account::{ACCOUNT}:account/{organization}/{member}"
    queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"
    topic = f"arn:aws:sns:us-east-1:{ACCOUNT}:t"
    url = f"{sandbox.endpoint_url}/{ACCOUNT}/q"
    get_secret = "secretsmanager:GetSecretValue"
    ops_item = {"Title": "t", "Description": "d", "Source": "s"}
    metric = {"Namespace": "N", "MetricData": [{"MetricName": "m"}]}
    calls: list[tuple[str, str, dict[str, Any], str, int, str]] = [
        ("dynamodb", "get_item", {"TableName": "t", "Key": KEY}, JSON_CODE, 400, f"dynamodb:GetItem|{TABLE}"),
        ("dynamodb", "list_tables", {}, JSON_CODE, 400, "dynamodb:ListTables|*"),
        ("sqs", "send_message", {"QueueUrl": url, "MessageBody": "m"}, XML_CODE, 403, f"sqs:sendmessage|{queue}"),
        ("sns", "publish", {"TopicArn": topic, "Message": "m"}, "AuthorizationError", 403, f"SNS:Publish|{topic}"),
        ("s3", "put_object", {"Bucket": "b", "Key": "a/b"}, XML_CODE, 403, 's3:PutObject|"arn:aws:s3:::b/a/b"'),
        ("lambda", "invoke", {"FunctionName": "f"}, JSON_CODE, 403, f"lambda:InvokeFunction|{function}"),
        ("account", "get_alternate_contact", of_member, JSON_CODE, 403, f"account:GetAlternateContact|{account}"),
        ("organizations", "list_roots", {}, JSON_CODE, 400, "organizations:ListRoots|*"),
        ("cloudwatch", "put_metric_data", metric, XML_CODE, 403, "cloudwatch:PutMetricData|*"),
        ("cloudformation", "describe_stacks", {}, XML_CODE, 403, "cloudformation:DescribeStacks|*"),
        ("ssm", "create_ops_item", ops_item, JSON_CODE, 400, "ssm:CreateOpsItem|*"),
        ("secretsmanager", "get_secret_value", {"SecretId": "s"}, JSON_CODE, 400, f"{get_secret}|{secret}"),
        ("iam", "list_roles", {}, XML_CODE, 403, "iam:ListRoles|*"),
        ("sts", "assume_role", {"RoleArn": ROLE, "RoleSessionName": "xx"}, XML_CODE, 403, f"sts:AssumeRole|{ROLE}"),
    ]  # fmt: skip
    for service, method, parameters, code, status, what in calls:
        expected = (code, status, because(*what.split("|")))
        assert tried.refused(service, method, **parameters) == expected, service


def test_explicit(tried: Tried) -> None:
    """A call that a statement denies is answered in other words."""
    tried.allow(
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "dynamodb:*", "Resource": TABLE},
    )
    code, _, words = tried.refused("dynamodb", "get_item", TableName="t", Key=KEY)
    assert code == "AccessDeniedException"
    assert words == f"dynamodb:GetItem on resource: {TABLE} with an explicit deny in an identity-based policy"
    assert tried.client("dynamodb").list_tables()["TableNames"] == ["t"]


def test_refused_does_nothing(tried: Tried, sandbox: Sandbox) -> None:
    """What is refused is not carried out, and is in the call log with its error."""
    mark = sandbox.call_log.query()[-1].sequence
    tried.refused("dynamodb", "put_item", TableName="t", Item={**KEY, "refused": {"S": "x"}})
    assert "Item" not in client(sandbox, "dynamodb").get_item(TableName="t", Key=KEY)
    (call,) = sandbox.call_log.query(operation="PutItem", since=mark)
    assert (call.error_code, call.applied, call.caller_arn) == ("AccessDeniedException", False, CALLER)


def test_parts_of_transactions(tried: Tried) -> None:
    """A transaction needs the permission of each of its parts; so do batches, on each of their tables."""
    put = {"Put": {"TableName": "t", "Item": {"k": {"S": "b"}}}}
    check = {"ConditionCheck": {"TableName": "t", "Key": KEY, "ConditionExpression": "attribute_not_exists(k)"}}
    tried.allow({"Effect": "Allow", "Action": ["dynamodb:PutItem", "dynamodb:TransactWriteItems"], "Resource": TABLE})
    words = tried.refused("dynamodb", "transact_write_items", TransactItems=[put, check])[2]
    assert words == because("dynamodb:ConditionCheckItem", TABLE)
    tried.allow({"Effect": "Allow", "Action": ["dynamodb:PutItem", "dynamodb:ConditionCheckItem"], "Resource": TABLE})
    tried.client("dynamodb").transact_write_items(TransactItems=[put, check])
    get = {"Get": {"TableName": "t", "Key": KEY}}
    words = tried.refused("dynamodb", "transact_get_items", TransactItems=[get])[2]
    assert words == because("dynamodb:GetItem", TABLE)
    written = {"t": [{"PutRequest": {"Item": KEY}}], "other": [{"DeleteRequest": {"Key": KEY}}]}
    tried.allow({"Effect": "Allow", "Action": "dynamodb:BatchWriteItem", "Resource": TABLE})
    words = tried.refused("dynamodb", "batch_write_item", RequestItems=written)[2]
    assert words == because("dynamodb:BatchWriteItem", TABLE.replace("/t", "/other"))


def test_indexes(tried: Tried) -> None:
    """A query of an index needs the permission on the index, and none on the table."""
    query = {
        "TableName": "t",
        "KeyConditionExpression": "i = :i",
        "ExpressionAttributeValues": {":i": {"S": "x"}},
        "IndexName": "by_i",
    }
    tried.allow({"Effect": "Allow", "Action": "dynamodb:Query", "Resource": TABLE})
    assert tried.refused("dynamodb", "query", **query)[2] == because("dynamodb:Query", f"{TABLE}/index/by_i")
    tried.allow({"Effect": "Allow", "Action": "dynamodb:Query", "Resource": f"{TABLE}/index/*"})
    assert tried.client("dynamodb").query(**query)["Items"] == []


def test_leading_keys(tried: Tried) -> None:
    """A condition on partition keys is compared with every item that a request names, and with a query's key."""
    condition = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["own#*"]}}
    tried.allow({"Effect": "Allow", "Action": "dynamodb:*", "Resource": f"{TABLE}*", "Condition": condition})
    own, foreign = {"k": {"S": "own#1"}, "i": {"S": "own#i"}}, {"k": {"S": "else#1"}}
    dynamodb = tried.client("dynamodb")
    dynamodb.put_item(TableName="t", Item=own)
    tried.refused("dynamodb", "put_item", TableName="t", Item=foreign)
    tried.refused("dynamodb", "update_item", TableName="t", Key=foreign)
    puts = [{"PutRequest": {"Item": item}} for item in (own, foreign)]
    tried.refused("dynamodb", "batch_write_item", RequestItems={"t": puts})
    tried.refused("dynamodb", "batch_get_item", RequestItems={"t": {"Keys": [{"k": own["k"]}, foreign]}})
    parts = [{"Put": {"TableName": "t", "Item": item}} for item in (own, foreign)]
    tried.refused("dynamodb", "transact_write_items", TransactItems=parts)
    query = {"TableName": "t", "KeyConditionExpression": "#k = :k", "ExpressionAttributeNames": {"#k": "k"}}
    assert dynamodb.query(**query, ExpressionAttributeValues={":k": own["k"]})["Count"] == 1
    tried.refused("dynamodb", "query", **query, ExpressionAttributeValues={":k": foreign["k"]})
    index = {"TableName": "t", "IndexName": "by_i", "KeyConditionExpression": "i=:i"}
    assert dynamodb.query(**index, ExpressionAttributeValues={":i": own["i"]})["Count"] == 1
    tried.refused("dynamodb", "query", **index, ExpressionAttributeValues={":i": foreign["k"]})


def test_attributes(tried: Tried) -> None:
    """A condition on attributes lets only those be read that it names; a read of all attributes names none."""
    condition = {
        "ForAllValues:StringEquals": {"dynamodb:Attributes": ["k", "i"]},
        "Null": {"dynamodb:Attributes": "false"},
    }
    tried.allow({"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": TABLE, "Condition": condition})
    read = {"TableName": "t", "Key": KEY}
    names = {"ExpressionAttributeNames": {"#x": "secret"}}
    tried.client("dynamodb").get_item(**read, ProjectionExpression="k, i")
    tried.refused("dynamodb", "get_item", **read)
    tried.refused("dynamodb", "get_item", **read, ProjectionExpression="k, secret.part")
    tried.refused("dynamodb", "get_item", **read, ProjectionExpression="k, #x", **names)


def test_contact_types(tried: Tried, sandbox: Sandbox) -> None:
    """A condition on contact types lets other types be, and another organization's accounts are other resources."""
    resource = f"arn:aws:account::{ACCOUNT}:account/{sandbox.organization.organization_id}/*"
    condition = {"ForAnyValue:StringEquals": {"account:AlternateContactTypes": ["SECURITY"]}}
    tried.allow({"Effect": "Allow", "Action": "account:*", "Resource": resource, "Condition": condition})
    member = sandbox.organization.account_ids()[1]
    tried.client("account").get_alternate_contact(AccountId=member, AlternateContactType="SECURITY")
    tried.refused("account", "get_alternate_contact", AccountId=member, AlternateContactType="BILLING")
    tried.refused("account", "get_alternate_contact", AlternateContactType="SECURITY")
    tried.refused("account", "get_contact_information", AccountId=member)


def test_missing_object(tried: Tried) -> None:
    """Whoever may not list a bucket learns nothing about a missing object."""
    tried.allow({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket/*"})
    for method in ("get_object", "head_object"):
        with pytest.raises(ClientError) as raised:
            getattr(tried.client("s3"), method)(Bucket="bucket", Key="absent")
        assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    tried.allow({"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "arn:aws:s3:::bucket*"})
    with pytest.raises(ClientError) as raised:
        tried.client("s3").get_object(Bucket="bucket", Key="absent")
    assert raised.value.response["Error"]["Code"] == "NoSuchKey"


def test_attached_policy(tried: Tried, sandbox: Sandbox) -> None:
    """An attached policy counts in its default version, from the next call on."""
    iam = client(sandbox, "iam")
    read = {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": TABLE}
    arn = iam.create_policy(
        PolicyName="attached", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [read]})
    )["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="tried", PolicyArn=arn)
    tried.client("dynamodb").get_item(TableName="t", Key=KEY)
    denied = json.dumps({"Version": "2012-10-17", "Statement": [{**read, "Effect": "Deny"}]})
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=denied, SetAsDefault=True)
    tried.refused("dynamodb", "get_item", TableName="t", Key=KEY)
    iam.detach_role_policy(RoleName="tried", PolicyArn=arn)


def test_unreadable_policy(tried: Tried, caplog: pytest.LogCaptureFixture) -> None:
    """With a policy that the sandbox cannot read a role may do nothing, and the log says why."""
    tried.allow(
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::${aws:username}"},
    )
    tried.refused("dynamodb", "list_tables")
    assert "policy variable" in caplog.text


def test_who_is_free(tried: Tried, sandbox: Sandbox) -> None:
    """Who is who is never denied; keys of no role, and sessions of roles that are not there, may do everything."""
    assert tried.client("sts").get_caller_identity()["Arn"] == CALLER
    member = sandbox.organization.account_ids()[1]
    for session in (sandbox.session(), member_session(sandbox, member), role_session(sandbox, f"{ROLE}-absent")):
        session.client("dynamodb", endpoint_url=sandbox.endpoint_url).list_tables()


def test_throttled_first(tried: Tried, sandbox: Sandbox) -> None:
    """A scripted fault comes before the permission, as trouble at AWS does."""
    from contactsync.sandbox.requests.faults import FaultSettings

    fault = sandbox.conditions.faults.add(
        FaultSettings(service="dynamodb", operation="ListTables", error="ThrottlingException")
    )
    try:
        with pytest.raises(ClientError, match="ThrottlingException"):
            tried.client("dynamodb").list_tables()
    finally:
        sandbox.conditions.faults.remove(fault.id)


def test_garbage(tried: Tried, sandbox: Sandbox) -> None:
    """Requests that make no sense are refused like others, and never with an error of the sandbox."""
    import requests

    signed = {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={tried.session.get_credentials().access_key}"  # type: ignore[union-attr] # there are some
        "/20260131/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=x",
        "Content-Type": "application/x-amz-json-1.0",
    }
    for operation in ("GetItem", "Query", "BatchWriteItem", "TransactWriteItems", "PutItem"):
        for body in (
            "", "{", "[]", "{}", '{"TableName": 1}', '{"TableName": "t", "Item": 1}', '{"RequestItems": [1]}',
            '{"RequestItems": {"t": [1]}}', '{"RequestItems": {"t": {"Keys": [1]}}}', '{"TransactItems": [{"Put": 1}]}',
            '{"TransactItems": 1}', '{"TransactItems": [{"Put": {"TableName": "absent", "Item": []}}]}',
            '{"TableName": "absent", "IndexName": [], "KeyConditionExpression": {}, "ProjectionExpression": 1}',
        ):  # fmt: skip
            headers = {**signed, "X-Amz-Target": f"DynamoDB_20120810.{operation}"}
            answer = requests.post(sandbox.endpoint_url, data=body, headers=headers, timeout=30)
            assert answer.status_code == 400, (operation, body, answer.text)


@pytest.mark.parametrize("enforced", [True, False])
def test_setting(sandbox: Sandbox, *, enforced: bool) -> None:
    """Enforcement is on unless a scenario switches it off."""
    del sandbox
    scenario = Scenario.model_validate({"permissions": {"enforced": enforced}})
    assert scenario.permissions.enforced is enforced
    assert Scenario().permissions.enforced
    refusing = type(Sandbox(scenario).conditions.authorization).__name__
    assert refusing == ("RolePolicies" if enforced else "EverythingAllowed")

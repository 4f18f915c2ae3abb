"""CloudFormation's stacks as their clients see them: create, update, delete, describe."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sandbox.loop_sandbox import SmallSandbox, small_sandbox
from tests.sandbox.stack_calls import STACK, StackCalls, body, queue, table

SIZED = {
    "Parameters": {
        "Name": {"Type": "String", "Default": "tried", "AllowedPattern": "[a-z]+"},
        "Seconds": {"Type": "Number", "Default": 30, "MinValue": 1, "MaxValue": 40},
        "Hidden": {"Type": "String", "Default": "x", "NoEcho": True},
    },
    "Outputs": {"Url": {"Value": {"Ref": "Queue"}, "Description": "where it is", "Export": {"Name": "url"}}},
}
QUEUE = body({"Queue": queue({"Ref": "Name"}, VisibilityTimeout={"Ref": "Seconds"})}, **SIZED)


@pytest.fixture
def sandbox() -> Iterator[SmallSandbox]:
    """Give each test an empty sandbox."""
    with small_sandbox() as running:
        yield running


@pytest.fixture
def stacks(sandbox: SmallSandbox) -> StackCalls:
    """Return the calls of CloudFormation."""
    return StackCalls(sandbox)


def given(**values: str) -> list[dict[str, str]]:
    """Return parameters as the API takes them."""
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]


def test_create(stacks: StackCalls) -> None:
    """A stack has its resources, outputs and parameters, and an event for every state of each resource."""
    assert stacks.create(QUEUE, Tags=[{"Key": "team", "Value": "a"}]) == "CREATE_COMPLETE"
    (stack,) = stacks.client.describe_stacks(StackName=STACK)["Stacks"]
    (resource,) = stacks.client.list_stack_resources(StackName=STACK)["StackResourceSummaries"]
    assert stack["Outputs"] == [
        {
            "OutputKey": "Url",
            "OutputValue": resource["PhysicalResourceId"],
            "Description": "where it is",
            "ExportName": "url",
        }
    ]
    assert {item["ParameterKey"]: item["ParameterValue"] for item in stack["Parameters"]} == {
        "Name": "tried",
        "Seconds": "30",
        "Hidden": "****",
    }
    assert stack["Tags"] == [{"Key": "team", "Value": "a"}]
    assert stacks.events() == [
        (STACK, "CREATE_IN_PROGRESS"),
        ("Queue", "CREATE_IN_PROGRESS"),
        ("Queue", "CREATE_IN_PROGRESS"),
        ("Queue", "CREATE_COMPLETE"),
        (STACK, "CREATE_COMPLETE"),
    ]


def test_answers_about_resources(stacks: StackCalls) -> None:
    """Resources, the template and exports can be read in each way that the API has."""
    stacks.create(QUEUE)
    client = stacks.client
    detail = client.describe_stack_resource(StackName=STACK, LogicalResourceId="Queue")["StackResourceDetail"]
    (by_id,) = client.describe_stack_resources(PhysicalResourceId=detail["PhysicalResourceId"])["StackResources"]
    assert (by_id["StackName"], by_id["LogicalResourceId"], by_id["ResourceStatus"]) == (
        STACK,
        "Queue",
        "CREATE_COMPLETE",
    )
    assert client.get_template(StackName=STACK)["TemplateBody"]["Resources"]["Queue"]["Type"] == "AWS::SQS::Queue"
    assert client.list_exports()["Exports"][0]["Name"] == "url"
    assert client.get_template_summary(StackName=STACK)["ResourceTypes"] == ["AWS::SQS::Queue"]
    keys = [item["ParameterKey"] for item in client.validate_template(TemplateBody=QUEUE)["Parameters"]]
    assert keys == ["Name", "Seconds", "Hidden"]


def test_pages(stacks: StackCalls, sandbox: SmallSandbox) -> None:
    """Long listings come in pages, newest events first, and an invalid token is refused."""
    sandbox.control("PUT", "/stack-settings", {"page_size": 2})
    for name in ("one", "two", "three"):
        stacks.client.create_stack(StackName=name, TemplateBody=body({"Queue": queue(name)}))
    first = stacks.client.describe_stacks()
    second = stacks.client.describe_stacks(NextToken=first["NextToken"])
    names = [stack["StackName"] for page in (first, second) for stack in page["Stacks"]]
    assert (names, "NextToken" in second) == (["three", "two", "one"], False)
    page = stacks.client.describe_stack_events(StackName="one")
    assert [event["ResourceStatus"] for event in page["StackEvents"]] == ["CREATE_COMPLETE", "CREATE_COMPLETE"]
    assert len(stacks.events("one")) == len(stacks.events("two")) == 5
    assert stacks.refused("describe_stacks", NextToken="9999")[0] == "ValidationError"


def test_describe_events(stacks: StackCalls) -> None:
    """DescribeEvents gives the events of one operation, or of all."""
    stacks.create(QUEUE)
    operation = stacks.client.update_stack(StackName=STACK, UsePreviousTemplate=True, Parameters=given(Seconds="31"))[
        "OperationId"
    ]
    events = stacks.client.describe_events(StackName=STACK, OperationId=operation)["OperationEvents"]
    assert [(event["LogicalResourceId"], event["ResourceStatus"]) for event in reversed(events)] == [
        (STACK, "UPDATE_IN_PROGRESS"),
        ("Queue", "UPDATE_IN_PROGRESS"),
        ("Queue", "UPDATE_COMPLETE"),
        (STACK, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"),
        (STACK, "UPDATE_COMPLETE"),
    ]
    assert events[0]["OperationStatus"] == "SUCCEEDED"
    assert len(stacks.client.describe_events(StackName=STACK)["OperationEvents"]) == 10


def test_update(stacks: StackCalls, sandbox: SmallSandbox) -> None:
    """An update changes the resource in place, adds and removes; the same once more is refused."""
    stacks.create(body({"Queue": queue("kept"), "Gone": queue("gone")}))
    changed = body({"Queue": queue("kept", VisibilityTimeout=77), "Added": queue("added")})
    assert stacks.update(changed) == "UPDATE_COMPLETE"
    sqs = sandbox.client("sqs")
    urls = [url.rpartition("/")[2] for url in sqs.list_queues()["QueueUrls"]]
    url = sqs.get_queue_url(QueueName="kept")["QueueUrl"]
    assert sorted(urls) == ["added", "kept"]
    assert sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"] == {
        "VisibilityTimeout": "77"
    }
    assert stacks.refused("update_stack", StackName=STACK, TemplateBody=changed) == (
        "ValidationError",
        "No updates are to be performed.",
    )


def test_replacement(stacks: StackCalls) -> None:
    """A renamed table is a new one; the old one is deleted at the end, or kept by its policy."""
    stacks.create(body({"Kept": table("one", UpdateReplacePolicy="Retain"), "Table": table("two")}))
    stacks.update(body({"Kept": table("three", UpdateReplacePolicy="Retain"), "Table": table("four")}))
    assert stacks.tables() == ["four", "one", "three"]
    events = stacks.events()
    cleanup = events.index((STACK, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"))
    assert [event for event in events[cleanup:] if "DELETE" in event[1]] == [
        ("Table", "DELETE_IN_PROGRESS"),
        ("Table", "DELETE_COMPLETE"),
        ("Kept", "DELETE_SKIPPED"),
    ]


def test_custom_name_cannot_be_replaced(stacks: StackCalls) -> None:
    """A replacement that keeps the name fails, and the update is rolled back."""
    stacks.create(body({"Table": table("one")}))
    keys = {"KeySchema": [{"AttributeName": "other", "KeyType": "HASH"}]}
    assert stacks.update(body({"Table": table("one", Properties=keys)})) == "UPDATE_ROLLBACK_COMPLETE"
    assert "Rename one and update the stack again" in stacks.reason("Table", "UPDATE_FAILED")


def test_delete(stacks: StackCalls) -> None:
    """A deleted stack is found by its id only; policies say what stays."""
    resources = {
        "Table": table("gone"),
        "Kept": table("kept", DeletionPolicy="Retain"),
        "Also": table("also", DeletionPolicy="RetainExceptOnCreate"),
    }
    stacks.create(body(resources))
    stack_id = stacks.client.describe_stacks(StackName=STACK)["Stacks"][0]["StackId"]
    stacks.client.delete_stack(StackName=STACK)
    assert stacks.tables() == ["also", "kept"]
    assert stacks.refused("describe_stacks", StackName=STACK) == (
        "ValidationError",
        f"Stack with id {STACK} does not exist",
    )
    assert stacks.status(stack_id) == "DELETE_COMPLETE"
    kept = {logical_id for logical_id, status in stacks.events(stack_id) if status == "DELETE_SKIPPED"}
    assert kept == {"Kept", "Also"}
    listed = stacks.client.list_stacks(StackStatusFilter=["DELETE_COMPLETE"])["StackSummaries"]
    assert [item["StackName"] for item in listed] == [STACK]
    stacks.client.delete_stack(StackName=STACK)


def test_termination_protection(stacks: StackCalls) -> None:
    """A protected stack is not deleted until the protection is off."""
    stacks.create(QUEUE, EnableTerminationProtection=True)
    assert stacks.refused("delete_stack", StackName=STACK) == (
        "ValidationError",
        f"Stack [{STACK}] cannot be deleted while TerminationProtection is enabled",
    )
    stacks.client.update_termination_protection(StackName=STACK, EnableTerminationProtection=False)
    stacks.client.delete_stack(StackName=STACK)
    assert stacks.client.describe_stacks()["Stacks"] == []


def test_delete_fails(stacks: StackCalls) -> None:
    """A protected table cannot be deleted; the next attempt can leave it behind."""
    protected = {"DeletionProtectionEnabled": True}
    stacks.create(body({"Table": table("one", Properties=protected), "Queue": queue()}))
    arguments = {"StackName": STACK, "RetainResources": ["Table"]}
    assert "only when the stack is in the DELETE_FAILED state" in stacks.refused("delete_stack", **arguments)[1]
    stacks.client.delete_stack(StackName=STACK)
    assert stacks.status() == "DELETE_FAILED"
    assert "protected against deletion" in stacks.reason("Table", "DELETE_FAILED")
    stacks.client.delete_stack(**arguments)
    assert (stacks.client.describe_stacks()["Stacks"], stacks.tables()) == ([], ["one"])


@pytest.mark.parametrize(
    ("template", "parameters", "message"),
    [
        (QUEUE, given(Name="UPPER"), "Parameter 'Name' must match pattern [a-z]+"),
        (QUEUE, given(Seconds="41"), "Parameter 'Seconds' must be a number not greater than 40"),
        (QUEUE, given(Seconds="many"), "Parameter 'Seconds' must be a number"),
        (QUEUE, given(Size="1"), "Parameters: [Size] do not exist in the template"),
        (
            body({"Queue": queue()}, Parameters={"Needed": {"Type": "String"}}),
            [],
            "Parameters: [Needed] must have values",
        ),
        (body({"Queue": queue({"Ref": "Nobody"})}), [], "Unresolved resource dependencies [Nobody]"),
        (body({"Odd": {"Type": "AWS::Odd::Type"}}), [], "Unrecognized resource types: [AWS::Odd::Type]"),
        (body({}), [], "At least one Resources member must be defined"),
        ("{", [], "Template format error"),
        (body({"Queue": 1}), [], "Template format error"),
        (body({"Queue": queue() | {"Properties": []}}), [], "[/Resources/Queue/Properties] has the wrong type"),
        (body({"Queue": queue() | {"DependsOn": [{}]}}), [], "Template error"),
        (body({"Queue": queue()}, Rules={"Odd": []}), [], "[/Rules] must be a map of maps"),
        (body({"Queue": queue()}, Outputs={"Odd": {"Value": {"Ref": "Nobody"}}}), [], "[Nobody] in the Outputs block"),
        (body({"Queue": queue()}, Conditions={"Odd": {"Fn::If": 1}}), [], "Template error"),
        ("Resources: 3", [], "Template format error"),
        (
            body({"A": queue({"Fn::GetAtt": ["B", "QueueName"]}), "B": queue({"Fn::GetAtt": ["A", "QueueName"]})}),
            [],
            "Circular dependency between resources: [A, B]",
        ),
        (
            body(
                {"Queue": queue()},
                Rules={"Odd": {"Assertions": [{"Assert": {"Fn::Equals": ["a", "b"]}, "AssertDescription": "No way"}]}},
            ),
            [],
            "No way",
        ),
        ("x" * 51_201, [], "less than or equal to 51200"),
    ],
)
def test_refused_templates(stacks: StackCalls, template: str, parameters: list[Any], message: str) -> None:
    """What a template or its parameters get wrong is said before anything is created."""
    refusal = stacks.refused("create_stack", StackName=STACK, TemplateBody=template, Parameters=parameters)
    assert refusal[0] == "ValidationError"
    assert message in refusal[1]
    assert stacks.client.describe_stacks()["Stacks"] == []


def test_capabilities(stacks: StackCalls) -> None:
    """A template with a named role needs the capability for it."""
    role = {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "r", "AssumeRolePolicyDocument": {"Statement": []}}}
    assert stacks.refused("create_stack", StackName=STACK, TemplateBody=body({"Role": role})) == (
        "InsufficientCapabilitiesException",
        "Requires capabilities : [CAPABILITY_NAMED_IAM]",
    )
    assert stacks.create(body({"Role": role}), Capabilities=["CAPABILITY_NAMED_IAM"]) == "CREATE_COMPLETE"


def test_policies(stacks: StackCalls, sandbox: SmallSandbox) -> None:
    """A managed policy changes in place, is attached to roles, and a role loses what its template no longer has."""

    def template(action: str, **role: Any) -> str:
        document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]}
        policy = {"ManagedPolicyName": "p", "PolicyDocument": document}
        properties = {"RoleName": "r", "AssumeRolePolicyDocument": {"Statement": []}} | role
        return body(
            {
                "Policy": {"Type": "AWS::IAM::ManagedPolicy", "Properties": policy},
                "Role": {"Type": "AWS::IAM::Role", "Properties": properties},
            }
        )

    iam, arn = sandbox.client("iam"), "arn:aws:iam::123456789012:policy/p"
    arguments = {"Capabilities": ["CAPABILITY_NAMED_IAM"]}
    own = {"Policies": [{"PolicyName": "own", "PolicyDocument": {"Version": "2012-10-17", "Statement": []}}]}
    stacks.create(template("s3:Get0", ManagedPolicyArns=[{"Ref": "Policy"}], **own), **arguments)
    attached = iam.list_attached_role_policies(RoleName="r")["AttachedPolicies"]
    assert [policy["PolicyArn"] for policy in attached] == [arn]
    for number in range(1, 7):
        assert stacks.update(template(f"s3:Get{number}"), **arguments) == "UPDATE_COMPLETE"
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    current = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    assert current["Statement"][0]["Action"] == "s3:Get6"
    assert iam.list_attached_role_policies(RoleName="r")["AttachedPolicies"] == []
    assert iam.list_role_policies(RoleName="r")["PolicyNames"] == []
    stacks.client.delete_stack(StackName=STACK)
    assert iam.list_policies(Scope="Local")["Policies"] == []


def test_existing_and_missing_stacks(stacks: StackCalls) -> None:
    """A second stack of a name is refused, and so is everything about a stack that is not there."""
    stacks.create(QUEUE)
    again = stacks.refused("create_stack", StackName=STACK, TemplateBody=QUEUE)
    assert again == ("AlreadyExistsException", f"Stack [{STACK}] already exists")
    for operation in ("describe_stack_events", "list_stack_resources", "get_template", "detect_stack_drift"):
        assert stacks.refused(operation, StackName="nobody") == ("ValidationError", "Stack [nobody] does not exist")
    stacks.client.delete_stack(StackName="nobody")


def test_template_in_s3(stacks: StackCalls, sandbox: SmallSandbox) -> None:
    """A template is read from a bucket, by either form of its address, and in the version that it names."""
    s3 = sandbox.client("s3")
    s3.create_bucket(Bucket="templates")
    s3.put_bucket_versioning(Bucket="templates", VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket="templates", Key="a/one.json", Body=QUEUE.encode())["VersionId"]
    s3.put_object(Bucket="templates", Key="a/one.json", Body=body({"Table": table()}).encode())
    for url in (
        "https://templates.s3.us-east-1.amazonaws.com/a/one.json",
        "https://s3.amazonaws.com/templates/a/one.json",
    ):
        for address, type_name in ((url, "AWS::DynamoDB::Table"), (f"{url}?versionId={version}", "AWS::SQS::Queue")):
            stacks.client.create_stack(StackName=STACK, TemplateURL=address)
            (resource,) = stacks.client.list_stack_resources(StackName=STACK)["StackResourceSummaries"]
            assert resource["ResourceType"] == type_name
            stacks.client.delete_stack(StackName=STACK)
    refusal = stacks.refused("create_stack", StackName=STACK, TemplateURL=f"{url}x")
    assert refusal[0] == "ValidationError"


def test_regions(sandbox: SmallSandbox) -> None:
    """Stacks, their resources and names belong to one region; a bucket keeps versions of its objects."""
    here, there = StackCalls(sandbox), StackCalls(sandbox, "eu-west-1")
    template = body(
        {
            "Table": table("one"),
            "Bucket": {
                "Type": "AWS::S3::Bucket",
                "Properties": {"BucketName": "code-eu", "VersioningConfiguration": {"Status": "Enabled"}},
            },
        },
        Outputs={"Arn": {"Value": {"Fn::GetAtt": ["Table", "Arn"]}}},
    )
    assert there.create(template) == "CREATE_COMPLETE"
    assert here.client.describe_stacks()["Stacks"] == []
    assert here.create(body({"Table": table("one")})) == "CREATE_COMPLETE"
    (stack,) = there.client.describe_stacks()["Stacks"]
    assert ":eu-west-1:" in stack["StackId"]
    assert ":eu-west-1:" in stack["Outputs"][0]["OutputValue"]
    s3 = sandbox.client("s3", region_name="eu-west-1")
    versions = {s3.put_object(Bucket="code-eu", Key="a", Body=text)["VersionId"] for text in (b"1", b"2")}
    assert len(versions) == 2
    there.client.delete_stack(StackName=STACK)
    assert "not empty" in there.reason("Bucket", "DELETE_FAILED")
    assert here.tables() == ["one"]


def test_code_of_another_region(stacks: StackCalls, sandbox: SmallSandbox) -> None:
    """Lambda reads no code from a bucket of another region."""
    s3 = sandbox.client("s3", region_name="eu-west-1")
    s3.create_bucket(Bucket="code-eu", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="code-eu", Key="a.zip", Body=b"")
    function = {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Code": {"S3Bucket": "code-eu", "S3Key": "a.zip"},
            "Handler": "a.b",
            "Role": "arn:aws:iam::123456789012:role/tried-role",
            "Runtime": "python3.12",
        },
    }
    assert stacks.create(body({"Function": function})) == "ROLLBACK_COMPLETE"
    assert "The bucket is in this region: eu-west-1" in stacks.reason("Function", "CREATE_FAILED")


def test_drift(stacks: StackCalls, sandbox: SmallSandbox) -> None:
    """A resource that somebody has changed or deleted is found, and what cannot be compared is said."""
    permission = {
        "Type": "AWS::SQS::QueuePolicy",
        "Properties": {"Queues": [{"Ref": "Queue"}], "PolicyDocument": {"Statement": []}},
    }
    stacks.create(
        body({"Queue": queue(VisibilityTimeout=30), "Table": table(), "Same": table("same"), "Policy": permission})
    )
    sqs = sandbox.client("sqs")
    url = sqs.get_queue_url(QueueName="tried")["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "5"})
    sandbox.client("dynamodb").delete_table(TableName="tried")
    detection = stacks.client.detect_stack_drift(StackName=STACK)["StackDriftDetectionId"]
    status = stacks.client.describe_stack_drift_detection_status(StackDriftDetectionId=detection)
    assert (status["DetectionStatus"], status["StackDriftStatus"], status["DriftedStackResourceCount"]) == (
        "DETECTION_COMPLETE",
        "DRIFTED",
        2,
    )
    drifts = stacks.client.describe_stack_resource_drifts(StackName=STACK)["StackResourceDrifts"]
    assert {item["LogicalResourceId"]: item["StackResourceDriftStatus"] for item in drifts} == {
        "Queue": "MODIFIED",
        "Table": "DELETED",
        "Same": "IN_SYNC",
        "Policy": "NOT_CHECKED",
    }
    (difference,) = next(item for item in drifts if item["LogicalResourceId"] == "Queue")["PropertyDifferences"]
    assert (difference["ExpectedValue"], difference["ActualValue"]) == ("30", "5")

"""Change sets: what they show, and what executing them does."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.sandbox.loop_sandbox import small_sandbox
from tests.sandbox.stack_calls import STACK, StackCalls, body, queue, table

NO_CHANGES = "The submitted information didn't contain changes. Submit different information to create a change set."
SIZED = {"Parameters": {"Name": {"Type": "String", "Default": "tried"}, "Seconds": {"Type": "Number", "Default": 30}}}
QUEUE = body({"Queue": queue({"Ref": "Name"}, VisibilityTimeout={"Ref": "Seconds"})}, **SIZED)
RETAINED = {"DeletionPolicy": "RetainExceptOnCreate"}


@pytest.fixture
def stacks() -> Iterator[StackCalls]:
    """Give each test the calls of CloudFormation of an empty sandbox."""
    with small_sandbox() as running:
        yield StackCalls(running)


def changes(described: dict[str, Any]) -> list[tuple[str, str, str | None]]:
    """Return the actions, logical ids and replacements of a change set."""
    shown = [change["ResourceChange"] for change in described["Changes"]]
    return [(change["Action"], change["LogicalResourceId"], change.get("Replacement")) for change in shown]


def details(described: dict[str, Any]) -> list[dict[str, Any]]:
    """Return all details of a change set."""
    return [detail for change in described["Changes"] for detail in change["ResourceChange"]["Details"]]


def test_new_stack(stacks: StackCalls) -> None:
    """A new stack stays in review until its change set is executed."""
    described = stacks.change_set(QUEUE, "CREATE")
    assert (described["Status"], described["ExecutionStatus"], stacks.status()) == (
        "CREATE_COMPLETE",
        "AVAILABLE",
        "REVIEW_IN_PROGRESS",
    )
    assert changes(described) == [("Add", "Queue", None)]
    assert stacks.client.list_stack_resources(StackName=STACK)["StackResourceSummaries"] == []
    assert stacks.execute() == "CREATE_COMPLETE"
    assert stacks.described()["ExecutionStatus"] == "EXECUTE_COMPLETE"
    assert stacks.client.describe_stacks(StackName=STACK)["Stacks"][0]["ChangeSetId"] == described["ChangeSetId"]


def test_review_can_be_ended(stacks: StackCalls) -> None:
    """A stack in review can get another change set, or be deleted at once."""
    stacks.change_set(QUEUE, "CREATE", "one")
    stacks.change_set(QUEUE, "CREATE", "two")
    listed = stacks.client.list_change_sets(StackName=STACK)["Summaries"]
    assert [item["ChangeSetName"] for item in listed] == ["one", "two"]
    stacks.client.delete_change_set(StackName=STACK, ChangeSetName="one")
    assert stacks.refused("describe_change_set", StackName=STACK, ChangeSetName="one")[0] == "ChangeSetNotFound"
    stacks.client.delete_stack(StackName=STACK)
    assert stacks.client.describe_stacks()["Stacks"] == []


def test_parameter(stacks: StackCalls) -> None:
    """A changed parameter is a change of the properties that use it, with both values and the parameter's name."""
    stacks.create(QUEUE)
    parameters = [
        {"ParameterKey": "Seconds", "ParameterValue": "31"},
        {"ParameterKey": "Name", "UsePreviousValue": True},
    ]
    described = stacks.change_set(QUEUE, Parameters=parameters)
    (change,) = described["Changes"]
    assert changes(described) == [("Modify", "Queue", "False")]
    assert change["ResourceChange"]["Scope"] == ["Properties"]
    assert details(described) == [
        {
            "Target": {
                "Attribute": "Properties",
                "Name": "VisibilityTimeout",
                "RequiresRecreation": "Never",
                "Path": "/Properties/VisibilityTimeout",
                "BeforeValue": "30",
                "AfterValue": "31",
                "AttributeChangeType": "Modify",
            },
            "Evaluation": "Static",
            "ChangeSource": "ParameterReference",
            "CausingEntity": "Seconds",
        }
    ]
    assert json.loads(change["ResourceChange"]["AfterContext"])["Properties"]["VisibilityTimeout"] == "31"
    plain = stacks.client.describe_change_set(StackName=STACK, ChangeSetName="change")["Changes"][0]["ResourceChange"]
    assert "BeforeContext" not in plain
    assert "BeforeValue" not in plain["Details"][0]["Target"]
    assert stacks.execute() == "UPDATE_COMPLETE"


@pytest.mark.parametrize(
    "template",
    [
        QUEUE,
        body({"Queue": queue("tried", VisibilityTimeout=30)}),
        body({"Queue": queue("tried", VisibilityTimeout="30")}),
        json.dumps(json.loads(QUEUE) | {"Description": "Only text"}),
    ],
)
def test_no_changes(stacks: StackCalls, template: str) -> None:
    """The same values, however they are written, are no change: the change set fails, and cannot be executed."""
    stacks.create(QUEUE)
    described = stacks.change_set(template)
    assert (described["Status"], described["StatusReason"], described["ExecutionStatus"], described["Changes"]) == (
        "FAILED",
        NO_CHANGES,
        "UNAVAILABLE",
        [],
    )
    refusal = stacks.refused("execute_change_set", StackName=STACK, ChangeSetName="change")
    assert refusal[0] == "InvalidChangeSetStatus"
    assert "[FAILED]" in refusal[1]
    stacks.client.delete_change_set(StackName=STACK, ChangeSetName="change")
    assert stacks.status() == "CREATE_COMPLETE"


def test_outputs_only(stacks: StackCalls) -> None:
    """A change of outputs changes no resource, but can be executed."""
    stacks.create(QUEUE)
    described = stacks.change_set(json.dumps(json.loads(QUEUE) | {"Outputs": {"Url": {"Value": {"Ref": "Queue"}}}}))
    assert (described["Status"], described["Changes"]) == ("CREATE_COMPLETE", [])
    assert stacks.execute() == "UPDATE_COMPLETE"
    assert stacks.client.describe_stacks(StackName=STACK)["Stacks"][0]["Outputs"][0]["OutputKey"] == "Url"


def test_replacement(stacks: StackCalls) -> None:
    """A renamed table is replaced; what refers to it may be, because its new value is not known yet."""
    policy = {"PolicyDocument": {"Statement": []}}
    resources = {
        "Table": table("one", UpdateReplacePolicy="Retain"),
        "Alarm": {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                "AlarmName": {"Fn::Sub": "${Table}-alarm"},
                "ComparisonOperator": "GreaterThanThreshold",
                "EvaluationPeriods": 1,
            },
        },
        "Queue": queue("q"),
        "Policy": {"Type": "AWS::SQS::QueuePolicy", "Properties": {"Queues": [{"Ref": "Queue"}], **policy}},
    }
    stacks.create(body(resources))
    renamed = resources | {"Table": table("two", UpdateReplacePolicy="Retain"), "More": queue("more")}
    del renamed["Policy"]
    described = stacks.change_set(body(renamed))
    assert changes(described) == [
        ("Modify", "Table", "True"),
        ("Modify", "Alarm", "Conditional"),
        ("Add", "More", None),
        ("Remove", "Policy", None),
    ]
    by_name = {
        change["ResourceChange"]["LogicalResourceId"]: change["ResourceChange"] for change in described["Changes"]
    }
    assert by_name["Table"]["PolicyAction"] == "ReplaceAndRetain"
    assert by_name["Policy"]["PolicyAction"] == "Delete"
    (detail,) = by_name["Alarm"]["Details"]
    assert (detail["Evaluation"], detail["CausingEntity"], detail["Target"]["AfterValue"]) == (
        "Dynamic",
        "Table",
        "{{changeSet:KNOWN_AFTER_APPLY}}-alarm",
    )


def test_attributes(stacks: StackCalls) -> None:
    """A changed policy is shown as an attribute, and changes the resource in nothing else."""
    stacks.create(body({"Table": table()}))
    described = stacks.change_set(body({"Table": table(DeletionPolicy="Retain", UpdateReplacePolicy="Retain")}))
    assert changes(described) == [("Modify", "Table", "False")]
    assert described["Changes"][0]["ResourceChange"]["Scope"] == ["DeletionPolicy", "UpdateReplacePolicy"]
    assert [detail["Target"]["AttributeChangeType"] for detail in details(described)] == ["Add", "Add"]
    stacks.execute()
    stacks.client.delete_stack(StackName=STACK)
    assert stacks.tables() == ["tried"]


def test_tags(stacks: StackCalls) -> None:
    """Another tag of the stack changes its resources' tags."""
    stacks.create(QUEUE)
    described = stacks.change_set(QUEUE, Tags=[{"Key": "release", "Value": "2"}])
    assert described["Changes"][0]["ResourceChange"]["Scope"] == ["Tags"]
    stacks.execute()
    assert stacks.client.describe_stacks(StackName=STACK)["Stacks"][0]["Tags"] == [{"Key": "release", "Value": "2"}]


def test_pages(stacks: StackCalls) -> None:
    """The changes of a change set come in pages."""
    stacks.script(page_size=2)
    described = stacks.change_set(body({name: queue(name) for name in ("a", "b", "c")}), "CREATE")
    more = stacks.client.describe_change_set(StackName=STACK, ChangeSetName="change", NextToken=described["NextToken"])
    assert ([len(part["Changes"]) for part in (described, more)], "NextToken" in more) == ([2, 1], False)


def test_refusals(stacks: StackCalls) -> None:
    """A change set for a stack that is not there, or of the wrong type, or of a name that is taken, is refused."""
    arguments = {"StackName": STACK, "ChangeSetName": "one", "TemplateBody": QUEUE}
    assert stacks.refused("create_change_set", **arguments)[1] == f"Stack [{STACK}] does not exist"
    assert stacks.client.describe_stacks()["Stacks"] == []
    stacks.create(QUEUE)
    refusal = stacks.refused("create_change_set", **arguments, ChangeSetType="CREATE")
    assert refusal[1] == f"Stack [{STACK}] already exists and cannot be created again with the changeSet [one]."
    other = arguments | {"TemplateBody": body({"Queue": table()})}
    assert (
        "modifies resource type of the following resources: [Queue]" in stacks.refused("create_change_set", **other)[1]
    )
    stacks.change_set(QUEUE, name="one")
    assert stacks.refused("create_change_set", **arguments)[0] == "AlreadyExistsException"
    assert (
        "nested"
        in stacks.refused("create_change_set", **arguments | {"ChangeSetName": "n"}, IncludeNestedStacks=True)[1]
    )


def test_other_change_sets_end(stacks: StackCalls) -> None:
    """Executing a change set deletes the others of the stack; one is executed once."""
    stacks.create(QUEUE)
    for name, seconds in (("one", 1), ("two", 2)):
        stacks.change_set(body({"Queue": queue("tried", VisibilityTimeout=seconds)}), name=name)
    assert stacks.execute("one") == "UPDATE_COMPLETE"
    assert [item["ChangeSetName"] for item in stacks.client.list_change_sets(StackName=STACK)["Summaries"]] == ["one"]
    refusal = stacks.refused("execute_change_set", StackName=STACK, ChangeSetName="one")
    assert refusal[0] == "InvalidChangeSetStatus"


def test_taken_name(stacks: StackCalls) -> None:
    """The validation finds a name that is taken; without it, the deployment fails on it and leaves nothing behind."""
    stacks.client.create_stack(StackName="first", TemplateBody=body({"Table": table("taken")}))
    template = body({"Queue": queue("new"), "Table": table("taken")})
    described = stacks.change_set(template, "CREATE")
    assert described["Status"] == "FAILED"
    assert "AWS::EarlyValidation::ResourceExistenceCheck" in described["StatusReason"]
    (event,) = stacks.client.describe_events(StackName=STACK, ChangeSetName="change")["OperationEvents"]
    assert (event["EventType"], event["ValidationName"], event["ValidationPath"]) == (
        "VALIDATION_ERROR",
        "NAME_CONFLICT_VALIDATION",
        "/Resources/Table",
    )
    stacks.change_set(template, "CREATE", "unchecked", DisableValidation=True)
    assert stacks.execute("unchecked") == "ROLLBACK_COMPLETE"
    assert "'taken' already exists." in stacks.reason("Table", "CREATE_FAILED")
    assert stacks.tables() == ["taken"]
    assert stacks.sandbox.client("sqs").list_queues().get("QueueUrls", []) == []
    again = stacks.refused("create_change_set", StackName=STACK, ChangeSetName="next", TemplateBody=template)
    assert "is in ROLLBACK_COMPLETE state and can not be updated." in again[1]


def test_import_existing(stacks: StackCalls) -> None:
    """A kept table is adopted with its items when the change set may import, and its policy keeps it."""
    template = body(
        {"Table": table("kept", **RETAINED), "Queue": queue("new")}, Outputs={"Name": {"Value": {"Ref": "Table"}}}
    )
    stacks.create(template)
    dynamodb = stacks.sandbox.client("dynamodb")
    dynamodb.put_item(TableName="kept", Item={"pk": {"S": "a"}})
    stacks.client.delete_stack(StackName=STACK)
    described = stacks.change_set(template, "CREATE", ImportExistingResources=True)
    assert changes(described) == [("Import", "Table", None), ("Add", "Queue", None)]
    assert described["Changes"][0]["ResourceChange"]["PhysicalResourceId"] == "kept"
    assert stacks.execute() == "CREATE_COMPLETE"
    assert ("Table", "IMPORT_COMPLETE") in stacks.events()
    assert dynamodb.scan(TableName="kept")["Count"] == 1
    assert stacks.update(body({"Queue": queue("new")})) == "UPDATE_COMPLETE"
    assert stacks.tables() == ["kept"]


def test_import_needs_a_policy(stacks: StackCalls) -> None:
    """Without a policy that keeps it, an existing resource is not adopted, and the change set says which."""
    stacks.client.create_stack(StackName="first", TemplateBody=body({"Table": table("taken")}))
    described = stacks.change_set(body({"Table": table("taken")}), "CREATE", ImportExistingResources=True)
    assert described["Status"] == "FAILED"
    assert "The affected resources are Table ({TableName=taken})" in described["StatusReason"]


def test_import_named(stacks: StackCalls) -> None:
    """A change set of type IMPORT adopts the named resources only, and has statuses of its own."""
    stacks.client.create_stack(StackName="first", TemplateBody=body({"Table": table("kept", **RETAINED)}))
    stacks.client.delete_stack(StackName="first")
    named = [
        {
            "ResourceType": "AWS::DynamoDB::Table",
            "LogicalResourceId": "Table",
            "ResourceIdentifier": {"TableName": "kept"},
        }
    ]
    template = body({"Table": table("kept", **RETAINED)})
    described = stacks.change_set(template, "IMPORT", ResourcesToImport=named)
    assert changes(described) == [("Import", "Table", None)]
    assert stacks.execute() == "IMPORT_COMPLETE"
    other = {"StackName": "other", "ChangeSetName": "c", "ChangeSetType": "IMPORT", "ResourcesToImport": named}
    refusal = stacks.refused("create_change_set", **other, TemplateBody=body({"Table": table("kept")}))
    assert "must have DeletionPolicy attribute" in refusal[1]
    missing = [named[0] | {"ResourceIdentifier": {"TableName": "nobody"}}]
    refusal = stacks.refused("create_change_set", **other | {"ResourcesToImport": missing}, TemplateBody=template)
    assert "does not exist" in refusal[1]

"""Deploying templates: the project's own, and those that must be refused."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from contactsync.sandbox.stacks.templates import local_parameters
from contactsync.stacks.templates import TemplateError
from tests.sandbox import loop_template
from tests.sandbox.loop_sandbox import ACCOUNT, SmallSandbox, small_sandbox
from tests.sandbox.queue_template import queue_policy

INFRA = Path(__file__).parents[2] / "infra"
PARAMETERS = local_parameters(ACCOUNT)


@pytest.fixture
def sandbox() -> Iterator[SmallSandbox]:
    """Give each test an empty sandbox."""
    with small_sandbox(INFRA.parent) as running:
        yield running


def written(directory: Path, resources: dict[str, Any], **sections: Any) -> Path:
    """Write one template."""
    (directory / "one.yaml").write_text(yaml.safe_dump({"Resources": resources} | sections))
    return directory


def test_infra(sandbox: SmallSandbox) -> None:
    """The project's own templates deploy without a warning: tables, rule and pattern, function, queues, policies."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Tried to parse")
        stacks = sandbox.deploy(INFRA, **PARAMETERS)
    outputs = {key: value for stack in stacks for key, value in stack.outputs.items()}
    tables = sandbox.client("dynamodb").list_tables()["TableNames"]
    function = sandbox.client("lambda").get_function_configuration(FunctionName=outputs["FunctionName"])
    (target,) = sandbox.client("events").list_targets_by_rule(Rule="contactsync-local-contact-change")["Targets"]
    policy = sandbox.client("sqs").get_queue_attributes(
        QueueUrl=outputs["RuleDeadLettersUrl"], AttributeNames=["Policy"]
    )["Attributes"]["Policy"]
    assert [stack.name for stack in stacks][:4] == [
        "contactsync-local-artifacts",
        "contactsync-local-alarms",
        "contactsync-local-state",
        "contactsync-local-bus",
    ]
    assert {outputs["ConfigTableName"], outputs["StateTableName"], outputs["DesiredContactsTableName"]} <= set(tables)
    assert function["Environment"]["Variables"]["CONTACTSYNC_MANAGEMENT_ACCOUNT_ID"] == ACCOUNT
    assert target["Arn"] == function["FunctionArn"]
    assert outputs["RuleArn"] in policy


def test_infra_selects(sandbox: SmallSandbox) -> None:
    """The deployed pattern selects the management account's own changes and no other event."""
    sandbox.deploy(INFRA, **PARAMETERS)
    sandbox.control("PUT", "/event-settings", {"delay": 3600})
    sandbox.put()
    sandbox.put(requestParameters={"AccountId": ACCOUNT})
    sandbox.put(errorCode="AccessDeniedException")
    sandbox.put(eventName="GetAlternateContact")
    assert [event["matched"] for event in sandbox.control("GET", "/events")["events"]] == [True, False, False, False]


def test_unknown_type(sandbox: SmallSandbox, tmp_path: Path) -> None:
    """A type that moto would skip is refused by name before anything is created."""
    directory = written(
        tmp_path,
        {
            "Queue": {"Type": "AWS::SQS::Queue"},
            "Odd": {"Type": "AWS::Scheduler::ScheduleGroups", "Properties": {}},
        },
    )
    with pytest.raises(TemplateError, match=r"one.yaml: .*Odd \(AWS::Scheduler::ScheduleGroups\)"):
        sandbox.deploy(directory)
    assert sandbox.client("sqs").list_queues().get("QueueUrls", []) == []


def test_short_condition(sandbox: SmallSandbox, tmp_path: Path) -> None:
    """The short form of a condition means the same as the long one."""
    conditions = "Conditions: {A: !Equals [a, a], B: !Or [!Condition A, !Condition A], C: !Not [!Condition B]}"
    queues = "{One: {Type: AWS::SQS::Queue, Condition: B}, Other: {Type: AWS::SQS::Queue, Condition: C}}"
    (tmp_path / "one.yaml").write_text(f"{conditions}\nResources: {queues}\n")
    sandbox.deploy(tmp_path)
    (url,) = sandbox.client("sqs").list_queues()["QueueUrls"]
    assert "/contactsync-one-One-" in url


def test_bad_pattern(sandbox: SmallSandbox, tmp_path: Path) -> None:
    """A rule with a filter that EventBridge does not know fails the stack and names the field."""
    pattern = {"source": [{"starts-with": "aws."}]}
    rule = {"Type": "AWS::Events::Rule", "Properties": {"EventPattern": pattern}}
    with pytest.raises(TemplateError, match="source: unknown filter 'starts-with'"):
        sandbox.deploy(written(tmp_path, {"Rule": rule}))


@pytest.mark.parametrize(
    ("declaration", "given", "message"),
    [
        ({"Type": "String"}, {}, "no value for the parameters Size"),
        ({"Type": "String", "AllowedValues": ["s", "m"]}, {"Size": "xl"}, "'xl' is not one of s, m"),
        ({"Type": "String", "AllowedPattern": "[a-z]+"}, {"Size": "9"}, r"'9' does not match \[a-z\]\+"),
    ],
)
def test_parameters(
    sandbox: SmallSandbox, tmp_path: Path, declaration: dict[str, Any], given: dict[str, str], message: str
) -> None:
    """Parameters are checked against their declaration."""
    directory = written(tmp_path, {"Queue": {"Type": "AWS::SQS::Queue"}}, Parameters={"Size": declaration})
    with pytest.raises(TemplateError, match=message):
        sandbox.deploy(directory, **given)


def test_conditions_and_added_types(sandbox: SmallSandbox, tmp_path: Path) -> None:
    """Conditions decide what is created; subscriptions, alarms and policies take effect; outputs can be read."""
    resources = {
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "topic"}},
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "queue"}},
        "Absent": {"Type": "AWS::SQS::Queue", "Condition": "Large", "Properties": {"QueueName": "absent"}},
        "QueuePolicy": queue_policy("Queue", "Topic"),
        "Subscription": {
            "Type": "AWS::SNS::Subscription",
            "Properties": {
                "TopicArn": {"Ref": "Topic"},
                "Protocol": "sqs",
                "Endpoint": {"Fn::GetAtt": ["Queue", "Arn"]},
                "RawMessageDelivery": True,
                "FilterPolicy": {"kind": ["a"]},
            },
        },
        "TopicPolicy": {
            "Type": "AWS::SNS::TopicPolicy",
            "Properties": {"Topics": [{"Ref": "Topic"}], "PolicyDocument": {"Statement": []}},
        },
        "Alarm": {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                "AlarmName": "deep",
                "Namespace": "AWS/SQS",
                "MetricName": "ApproximateNumberOfMessagesVisible",
                "Dimensions": [{"Name": "QueueName", "Value": {"Fn::GetAtt": ["Queue", "QueueName"]}}],
                "Statistic": "Maximum",
                "Period": 60,
                "EvaluationPeriods": 1,
                "Threshold": 0,
                "ComparisonOperator": "GreaterThanThreshold",
                "AlarmActions": [{"Ref": "Topic"}],
            },
        },
        "Dashboard": {"Type": "AWS::CloudWatch::Dashboard", "Properties": {"DashboardBody": "{}"}},
    }
    sections = {
        "Parameters": {"Size": {"Type": "String", "Default": "s"}},
        "Conditions": {"Large": {"Fn::Equals": [{"Ref": "Size"}, "l"]}},
        "Outputs": {
            "TopicArn": {"Value": {"Ref": "Topic"}, "Export": {"Name": "topic"}},
            "AlarmArn": {"Value": {"Fn::GetAtt": ["Alarm", "Arn"]}},
        },
    }
    (stack,) = sandbox.deploy(written(tmp_path, resources, **sections))
    attributes = {"kind": {"DataType": "String", "StringValue": "a"}}
    sns = sandbox.client("sns")
    sns.publish(TopicArn=stack.outputs["TopicArn"], Message="wanted", MessageAttributes=attributes)
    sns.publish(TopicArn=stack.outputs["TopicArn"], Message="filtered")
    alarms = sandbox.client("cloudwatch").describe_alarms(AlarmNames=["deep"])["MetricAlarms"]
    assert [message["Body"] for message in sandbox.messages("queue")] == ["wanted"]
    assert len(sandbox.client("sqs").list_queues()["QueueUrls"]) == 1
    assert (alarms[0]["AlarmActions"], alarms[0]["AlarmArn"]) == (
        [stack.outputs["TopicArn"]],
        stack.outputs["AlarmArn"],
    )


def test_stack_updates(sandbox: SmallSandbox, tmp_path: Path) -> None:
    """A stack can be updated and deleted through CloudFormation."""
    sandbox.deploy(loop_template.write(tmp_path, "echo"))
    loop_template.write(tmp_path, "echo", variables={"COLOUR": "red"})
    client = sandbox.client("cloudformation")
    client.update_stack(StackName="contactsync-trigger", TemplateBody=(tmp_path / "trigger.yaml").read_text())
    function = sandbox.client("lambda").get_function_configuration(FunctionName=loop_template.NAME)
    assert function["Environment"]["Variables"] == {"COLOUR": "red"}
    assert client.describe_stack_resources(StackName="contactsync-trigger")["StackResources"]
    client.delete_stack(StackName="contactsync-trigger")
    assert sandbox.client("lambda").list_functions()["Functions"] == []

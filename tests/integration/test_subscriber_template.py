"""infra/subscriber.yaml: a subscriber made with it is as the ones of infra/bus.yaml, whatever its parameters are."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from contactsync.lambdas.subscriber import LEAST_TIMEOUT
from contactsync.sandbox.scenario.scenario import Scenario
from contactsync.sandbox.server import Sandbox
from contactsync.stacks.templates import TemplateError, load

ROOT = Path(__file__).parents[2]
BUS = load(ROOT / "infra" / "bus.yaml")
TEMPLATE = load(ROOT / "infra" / "subscriber.yaml")
RESOURCES: dict[str, dict[str, Any]] = TEMPLATE["Resources"]
NAMED = {
    '"Ref": "EventsTopic"': '"Ref": "EventsTopicArn"',
    '{"Fn::GetAtt": ["IdempotencyTable", "Arn"]}': json.dumps(
        {
            "Fn::Sub": "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${IdempotencyTableName}",
        }
    ),
    '"Ref": "IdempotencyTable"': '"Ref": "IdempotencyTableName"',
    '"Ref": "ClaimBucket"': '"Ref": "ClaimBucketName"',
    '{"Fn::GetAtt": ["ClaimBucket", "Arn"]}': '{"Fn::Sub": "arn:${AWS::Partition}:s3:::${ClaimBucketName}"}',
    "${ClaimBucket.Arn}": "arn:${AWS::Partition}:s3:::${ClaimBucketName}",
    '{"Fn::If": ["HasAlarmTopic", {"Ref": "AlarmTopicArn"}, {"Ref": "AlarmsTopic"}]}': '{"Ref": "AlarmTopicArn"}',
    '"Fn::Sub": "contactsync-${Environment}-audit': '"Fn::Sub": "contactsync-${Environment}-${SubscriberName}',
    "/aws/lambda/contactsync-${Environment}-audit": "/aws/lambda/contactsync-${Environment}-${SubscriberName}",
    '"Audit': '"',
}
"""How a resource of the audit is named where a parameter takes the place of a resource or of a name."""

OWN = {
    "Queue": {"VisibilityTimeout"},
    "Subscription": {"FilterPolicy"},
    "Function": {"Description", "Handler", "MemorySize", "Timeout", "Environment"},
    "Mapping": {"BatchSize"},
    "Role": {"ManagedPolicyArns", "Policies"},
    "DeadLettersAlarm": {"AlarmDescription"},
    "AgeAlarm": {"AlarmDescription", "Threshold"},
}
"""The properties that the parameters decide, or that the audit has for its own part."""


def of_the_audit(name: str) -> dict[str, Any]:
    """Return the audit's resource, with the parameters in the place of its names."""
    text = json.dumps(BUS["Resources"][f"Audit{name}"])
    for one, other in NAMED.items():
        text = text.replace(one, other)
    resource: dict[str, Any] = json.loads(text)
    return resource


def shared(name: str, resource: dict[str, Any]) -> dict[str, Any]:
    """Return a resource without the properties that are its own."""
    own = OWN.get(name, set())
    return {**resource, "Properties": {key: one for key, one in resource["Properties"].items() if key not in own}}


def test_resources() -> None:
    """The template makes what bus.yaml makes for the audit, its table apart."""
    assert set(RESOURCES) == {name.removeprefix("Audit") for name in BUS["Resources"] if name.startswith("Audit")} - {
        "Table"
    }


@pytest.mark.parametrize("name", RESOURCES)
def test_like_the_audit(name: str) -> None:
    """A resource is the audit's, but for what the parameters decide."""
    assert shared(name, RESOURCES[name]) == shared(name, of_the_audit(name))


def test_permissions() -> None:
    """The role may do what the audit's may, but write the audit trail; the rest comes with policies that are named."""
    (given,) = RESOURCES["Role"]["Properties"]["Policies"]
    (audit,) = of_the_audit("Role")["Properties"]["Policies"]
    statements = [one for one in audit["PolicyDocument"]["Statement"] if one.get("Sid") != "AppendToTheTrail"]
    assert given["PolicyDocument"]["Statement"] == statements


def test_environment() -> None:
    """The function has the audit's variables, its own settings in the place of the audit's."""
    variables = RESOURCES["Function"]["Properties"]["Environment"]["Variables"]
    audit = of_the_audit("Function")["Properties"]["Environment"]["Variables"]
    own = {"CONTACTSYNC_SUBSCRIBER_SETTINGS": {"Ref": "Settings"}}
    assert variables == {name: one for name, one in audit.items() if not name.startswith("CONTACTSYNC_AUDIT_")} | own


def test_timeouts() -> None:
    """Every Timeout that can be chosen is enough for a message, and the alarm waits for longer than three tries."""
    allowed = TEMPLATE["Parameters"]["Timeout"]["AllowedValues"]
    numbers = TEMPLATE["Mappings"]["ByTimeout"]
    assert set(allowed) == set(numbers)
    for timeout in allowed:
        assert int(timeout) >= LEAST_TIMEOUT
        assert numbers[timeout]["Visibility"] == 6 * int(timeout)
        assert numbers[timeout]["WaitingSeconds"] > 3 * numbers[timeout]["Visibility"]


def test_outputs_of_the_bus() -> None:
    """What the template takes from bus.yaml is an output there, under the same name."""
    taken = {name for name, one in TEMPLATE["Parameters"].items() if f"output {name} of bus.yaml" in one["Description"]}
    assert taken == {"AlarmTopicArn", "ClaimBucketName", "EventsTopicArn", "IdempotencyTableName"} & set(BUS["Outputs"])


def infra_with(folder: Path, **files: str) -> Path:
    """Return a copy of the templates with subscribers of these names and parameters."""
    infra = folder / "infra"
    shutil.copytree(ROOT / "infra", infra)
    for name, content in files.items():
        (infra / "subscribers" / f"{name}.yaml").write_text(content, encoding="utf-8")
    return infra


def test_many(tmp_path: Path) -> None:
    """Each file is a stack, with all the parameters that it gives, and none gets into another's way."""
    tickets = "SubscriberName: tickets\nHandler: contactsync.lambdas.audit.handler\n"
    chosen = (
        "EventTypePrefix: contactsync.account.\nSecondEventTypePrefix: contactsync.notice.requested\nTimeout: 90\n"
        "BatchSize: 1\nMemorySize: 512\n"
        "PolicyArns: 'arn:aws:iam::aws:policy/One,arn:aws:iam::aws:policy/Two'\nSettings: x\n"
    )
    infra = infra_with(tmp_path, tickets=tickets, board=tickets.replace("tickets", "board") + chosen)
    with Sandbox(Scenario.model_validate({"organization": {"accounts": 1}}), templates=infra) as sandbox:
        stacks = {stack.name: stack for stack in sandbox.stacks if stack.template == "subscriber.yaml"}
        assert set(stacks) == {"contactsync-local-subscriber-board", "contactsync-local-subscriber-tickets"}
        client = {
            name: sandbox.session().client(name, endpoint_url=sandbox.endpoint_url)
            for name in ("sns", "sqs", "lambda", "iam", "cloudwatch")
        }
        board = stacks["contactsync-local-subscriber-board"].outputs
        name, _, url = board["DeadLetterQueue"].partition("=")
        assert (name, url) == ("board", board["DeadLettersUrl"])
        queue = client["sqs"].get_queue_attributes(QueueUrl=board["QueueUrl"], AttributeNames=["All"])["Attributes"]
        assert queue["VisibilityTimeout"] == "540"
        function = client["lambda"].get_function_configuration(FunctionName="contactsync-local-board")
        assert (function["Timeout"], function["MemorySize"]) == (90, 512)
        assert function["Environment"]["Variables"]["CONTACTSYNC_SUBSCRIBER_SETTINGS"] == "x"
        (mapping,) = client["lambda"].list_event_source_mappings(FunctionName="contactsync-local-board")[
            "EventSourceMappings"
        ]
        assert mapping["BatchSize"] == 1
        (alarm,) = client["cloudwatch"].describe_alarms(AlarmNames=["contactsync-local-board-age"])["MetricAlarms"]
        assert alarm["Threshold"] == 1800
        assert alarm["AlarmActions"] == [sandbox.outputs["AlarmTopicArn"]]
        policies = filter_policies(client["sns"], sandbox.outputs["EventsTopicArn"])
        assert policies["contactsync-local-board"] == {
            "type": [{"prefix": "contactsync.account."}, {"prefix": "contactsync.notice.requested"}]
        }
        assert policies["contactsync-local-tickets"] == {"type": [{"prefix": "contactsync."}]}
        assert policies["contactsync-local-audit"] == {}


def filter_policies(sns: Any, topic: str) -> dict[str, Any]:
    """Return the filter policies of a topic's queues, by the queue's name."""
    found = {}
    for one in sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]:
        if one["Protocol"] == "sqs":
            attributes = sns.get_subscription_attributes(SubscriptionArn=one["SubscriptionArn"])["Attributes"]
            found[one["Endpoint"].rpartition(":")[2]] = json.loads(attributes.get("FilterPolicy", "{}"))
    return found


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "it holds parameters of subscriber.yaml, a line NAME: VALUE for each"),
        ("- tickets\n", "it holds parameters of subscriber.yaml"),
        ("{", "not YAML"),
        ("SubscriberName: tickets\n", "no value for the parameters Handler"),
        ("Name: tickets\n", "Name is no parameter of subscriber.yaml; there are Environment, SubscriberName"),
        ("SubscriberName: [tickets]\n", "SubscriberName: a text or a whole number is expected"),
        ("SubscriberName: true\n", "SubscriberName: a text or a whole number is expected"),
        ("SubscriberName: audit\nHandler: a.b\n", "parameter SubscriberName: 'audit' does not match"),
        ("SubscriberName: Tickets\nHandler: a.b\n", "parameter SubscriberName: 'Tickets' does not match"),
        ("SubscriberName: tickets\nHandler: handler\n", "parameter Handler: 'handler' does not match"),
        ("SubscriberName: tickets\nHandler: a.b\nTimeout: 20\n", "parameter Timeout: '20' is not one of 10, 30"),
        ("SubscriberName: tickets\nHandler: a.b\nEventTypePrefix: other.\n", "parameter EventTypePrefix: 'other.'"),
    ],
)
def test_refused(tmp_path: Path, content: str, reason: str) -> None:
    """A file that cannot be deployed is named, with what to correct."""
    sandbox = Sandbox(
        Scenario.model_validate({"organization": {"accounts": 1}}), templates=infra_with(tmp_path, tickets=content)
    )
    with pytest.raises(TemplateError) as refused:
        sandbox.start()
    assert str(refused.value).startswith("subscribers/tickets.yaml: ")
    assert reason in str(refused.value)

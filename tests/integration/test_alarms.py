"""Every alarm of the templates reaches a topic that exists, with default parameters only, and has its runbook."""

import re
from pathlib import Path
from typing import Any

import pytest

from contactsync.sandbox.scenario.scenario import Scenario
from contactsync.sandbox.server import Sandbox
from contactsync.stacks.stack_file import read_stacks
from contactsync.stacks.stacks import OutputOf

ROOT = Path(__file__).parents[2]
TEMPLATES: dict[str, Any] = {
    name.removesuffix(".yaml"): template for name, template in read_stacks(ROOT / "infra").templates.items()
}
ALARMS = [
    (stack, name)
    for stack, template in TEMPLATES.items()
    for name, resource in template["Resources"].items()
    if resource["Type"] in {"AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"}
]
OWN_TOPIC = [(stack, name) for stack, name in ALARMS if "AlarmsTopic" in TEMPLATES[stack]["Resources"]]
ACTIONS = ("AlarmActions", "OKActions")
NO_VALUE = {"Ref": "AWS::NoValue"}
RUNBOOKS = "docs/operations.md"
DESCRIPTION = re.compile(rf"(P[1-4]): (\S.*[.]) Runbook: {re.escape(RUNBOOKS)}#([a-z0-9-]+)")
LONGEST_DESCRIPTION = 1024
SILENCE = {"HousekeepingRuns", "SchedulerHeartbeat"}
"""Metrics that somebody records all the time: no data is the trouble."""


class Deployed:
    """A template as CloudFormation reads it: its conditions under given parameters, the rest at their defaults."""

    def __init__(self, stack: str, **parameters: str) -> None:
        """Take the parameters that are given."""
        self.template = TEMPLATES[stack]
        defaults = {name: one.get("Default", "given") for name, one in self.template.get("Parameters", {}).items()}
        self.parameters = {**defaults, **parameters}

    def value(self, given: Any) -> Any:
        """Return what a Ref of a parameter, or an Fn::If, comes to; a Ref of a resource stays."""
        match given:
            case {"Fn::If": [condition, then, otherwise]}:
                return self.value(then if self.holds({"Condition": condition}) else otherwise)
            case {"Ref": name} if name in self.parameters:
                return self.parameters[name]
            case list():
                return [found for one in given if (found := self.value(one)) not in (NO_VALUE, "")]
            case _:
                return given

    def holds(self, condition: Any) -> bool:
        """Tell whether a condition holds."""
        match condition:
            case {"Condition": name}:
                return self.holds(self.template["Conditions"][name])
            case {"Fn::Equals": [one, other]}:
                return bool(self.value(one) == self.value(other))
            case {"Fn::Not": [one]}:
                return not self.holds(one)
            case {"Fn::And": parts}:
                return all(map(self.holds, parts))
            case {"Fn::Or": parts}:
                return any(map(self.holds, parts))
        raise AssertionError(condition)

    def exists(self, name: str) -> bool:
        """Tell whether a resource is made."""
        resource = self.template["Resources"][name]
        return "Condition" not in resource or self.holds({"Condition": resource["Condition"]})

    def subscribed(self, topic: str) -> list[Any]:
        """Return the endpoints that are subscribed to a topic of the template."""
        return [
            self.value(resource["Properties"]["Endpoint"])
            for name, resource in self.template["Resources"].items()
            if resource["Type"] == "AWS::SNS::Subscription"
            and resource["Properties"]["TopicArn"] == {"Ref": topic}
            and self.exists(name)
        ]


def test_there_are_alarms() -> None:
    """Both templates whose queues keep dead letters have alarms."""
    assert {"bus", "trigger"} <= {stack for stack, _ in ALARMS}


@pytest.mark.parametrize(("stack", "name"), OWN_TOPIC)
@pytest.mark.parametrize("kind", ACTIONS)
def test_acts_by_default(stack: str, name: str, kind: str) -> None:
    """Without any parameter an alarm acts on a topic that the template makes, to which an address is subscribed."""
    deployed = Deployed(stack)
    if not deployed.exists(name):
        return
    actions = deployed.value(deployed.template["Resources"][name]["Properties"].get(kind))
    assert actions
    for action in actions:
        topic = action["Ref"]
        assert deployed.template["Resources"][topic]["Type"] == "AWS::SNS::Topic"
        assert deployed.exists(topic)
        assert "KmsMasterKeyId" not in deployed.template["Resources"][topic]["Properties"]
        assert Deployed(stack, NoticesEmail="on-call@example.com").subscribed(topic) == ["on-call@example.com"]


@pytest.mark.parametrize(("stack", "name"), ALARMS)
def test_acts_where_told(stack: str, name: str) -> None:
    """An alarm acts on the topic that is given, and on no other; no topic is made then."""
    deployed = Deployed(stack, AlarmTopicArn="arn:given", NoticesEmail="on-call@example.com")
    for kind in ACTIONS:
        assert deployed.value(deployed.template["Resources"][name]["Properties"][kind]) == ["arn:given"]
    assert (stack, name) not in OWN_TOPIC or not deployed.exists("AlarmsTopic")
    assert deployed.subscribed("AlarmsTopic") == []


def test_acts_on_the_topic_of_the_bus() -> None:
    """A template without a topic for alarms cannot be deployed without one: it is an output of other templates."""
    without = {stack for stack, _ in ALARMS} - {stack for stack, _ in OWN_TOPIC}
    assert without == {"monitoring", "subscriber"}
    assert "AlarmTopicArn" in TEMPLATES["bus"]["Outputs"]
    assert "AlarmTopicArn" in TEMPLATES["alarms"]["Outputs"]
    for stack in without:
        assert "Default" not in TEMPLATES[stack]["Parameters"]["AlarmTopicArn"]


def test_topics_apart() -> None:
    """Where the templates are in one region, their topics for alarms have different names."""
    stacks = ("alarms", "bus", "trigger")
    names = [TEMPLATES[stack]["Resources"]["AlarmsTopic"]["Properties"]["TopicName"] for stack in stacks]
    assert len({str(name) for name in names}) == len(names)


def test_encrypted_topic() -> None:
    """The topic of alarms.yaml has a key that CloudWatch may use, and takes the alarms of its environment only."""
    resources = TEMPLATES["alarms"]["Resources"]
    assert resources["AlarmsTopic"]["Properties"]["KmsMasterKeyId"] == {"Fn::GetAtt": ["AlarmsKey", "Arn"]}
    (using,) = [
        one for one in resources["AlarmsKey"]["Properties"]["KeyPolicy"]["Statement"] if one["Action"] != "kms:*"
    ]
    assert using["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert using["Action"] == ["kms:Decrypt", "kms:GenerateDataKey*"]
    first, *others = resources["AlarmsTopicPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert (first["Principal"], first["Action"]) == ({"Service": "cloudwatch.amazonaws.com"}, "sns:Publish")
    alarms = first["Condition"]["ArnLike"]["aws:SourceArn"]["Fn::Sub"]
    assert all(alarms.rpartition(":")[2].rstrip("*") in alarm_name(*one) for one in ALARMS)
    assert not [one for one in others if one["Effect"] == "Allow" and "sns:Publish" in one["Action"]]
    assert Deployed("alarms").subscribed("AlarmsTopic") == []
    assert Deployed("alarms", NoticesEmail="on-call@example.com").subscribed("AlarmsTopic") == ["on-call@example.com"]


def test_deployed_with_the_encrypted_topic() -> None:
    """In the list of stacks, each stack with alarms gets the topic of alarms.yaml in its own region."""
    listed = read_stacks(ROOT / "infra")
    with_alarms = {stack for stack, _ in ALARMS}
    for stack in listed.stacks:
        if stack.template.removesuffix(".yaml") in with_alarms:
            (first, *_) = stack.parameters["AlarmTopicArn"]
            assert isinstance(first, OutputOf)
            assert first.stack in {"alarms", "alarms-trigger", "bus"}
            assert listed.regions[first.stack] is stack.region


def test_deployed_alarms() -> None:
    """In the sandbox every alarm acts on that topic, and nobody makes another one."""
    with Sandbox(Scenario.model_validate({"organization": {"accounts": 1}}), templates=ROOT / "infra") as sandbox:
        client = {
            name: sandbox.session().client(name, endpoint_url=sandbox.endpoint_url) for name in ("cloudwatch", "sns")
        }
        alarms = client["cloudwatch"].describe_alarms()["MetricAlarms"]
        topics = [one["TopicArn"] for one in client["sns"].list_topics()["Topics"] if "alarms" in one["TopicArn"]]
        assert topics == [sandbox.outputs["AlarmTopicArn"]]
        assert {action for alarm in alarms for action in alarm["AlarmActions"]} == set(topics)
        silent = [one["AlarmName"] for one in alarms if one["InsufficientDataActions"]]
        assert "contactsync-local-silent" in silent


@pytest.mark.parametrize(
    ("region", "regions"), [("us-east-1", ["us-east-1"]), ("eu-west-1", ["us-east-1", "eu-west-1"])]
)
def test_forwarded(region: str, regions: list[str]) -> None:
    """User Notifications forwards the alarms of both templates, wherever bus.yaml is."""
    deployed = Deployed("user-notifications", AlarmRegion=region)
    rule = deployed.template["Resources"]["PipelineRule"]["Properties"]
    assert deployed.value(rule["Regions"]) == regions


def test_every_dead_letter_queue() -> None:
    """Every queue that keeps dead letters has an alarm for its first message."""
    watched = {
        (stack, str(alarm["Dimensions"][0]["Value"]))
        for stack, name in ALARMS
        for alarm in [TEMPLATES[stack]["Resources"][name]["Properties"]]
        if alarm.get("MetricName") == "ApproximateNumberOfMessagesVisible"
    }
    kept = {
        (stack, str({"Fn::GetAtt": [name, "QueueName"]}))
        for stack, template in TEMPLATES.items()
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::SQS::Queue" and "RedrivePolicy" not in resource["Properties"]
    }
    assert kept == watched


def properties(stack: str, name: str) -> dict[str, Any]:
    """Return an alarm's properties."""
    found: dict[str, Any] = TEMPLATES[stack]["Resources"][name]["Properties"]
    return found


def described(stack: str, name: str) -> tuple[str, str, str]:
    """Return an alarm's priority, the sentences about what happened, and the anchor of its runbook."""
    text = text_of(properties(stack, name)["AlarmDescription"])
    found = DESCRIPTION.fullmatch(text)
    assert found, text
    assert len(text) <= LONGEST_DESCRIPTION
    priority, happened, anchor = found.groups()
    return priority, happened, anchor


def alarm_name(stack: str, name: str) -> str:
    """Return an alarm's name before its parameters have values."""
    return text_of(properties(stack, name)["AlarmName"])


def text_of(given: Any) -> str:
    """Return a text, or the one in which Fn::Sub puts values."""
    text: str = given["Fn::Sub"] if isinstance(given, dict) else given
    return text


def runbooks() -> dict[str, str]:
    """Return the runbooks by their anchors."""
    page = (ROOT / RUNBOOKS).read_text(encoding="utf-8")
    (section,) = re.findall(r"^## Alarms\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    parts = re.split(r"^### (\S+)\n", section, flags=re.MULTILINE)
    return {heading.lower(): text for heading, text in zip(parts[1::2], parts[2::2], strict=True)}


@pytest.mark.parametrize(("stack", "name"), ALARMS)
def test_description(stack: str, name: str) -> None:
    """An alarm says its priority, what happened, and its runbook, which has the alarm's name and the same priority."""
    priority, _, anchor = described(stack, name)
    assert f"contactsync-${{Environment}}-{anchor}" == alarm_name(stack, name).replace(
        "${SubscriberName}", "subscriber"
    )
    assert runbooks()[anchor].strip().startswith(f"Priority {priority}.\n")


def test_every_runbook() -> None:
    """There is a runbook for each alarm and for nothing else; it says what is the matter, and what to do about it."""
    found = runbooks()
    assert set(found) == {described(stack, name)[2] for stack, name in ALARMS}
    for anchor, text in found.items():
        assert re.findall(r"^- \*\*([A-Za-z ]+):\*\* ", text, re.MULTILINE) == ["Means", "Look", "Do", "OK again"], (
            anchor
        )


@pytest.mark.parametrize(("stack", "name"), ALARMS)
def test_priority(stack: str, name: str) -> None:
    """Dead letters and silence are P1, and nothing else is: nobody is called at night for less."""
    alarm = properties(stack, name)
    is_first = alarm.get("MetricName") in {"ApproximateNumberOfMessagesVisible", *SILENCE}
    assert (described(stack, name)[0] == "P1") is is_first


@pytest.mark.parametrize(("stack", "name"), ALARMS)
def test_first_deployment(stack: str, name: str) -> None:
    """Without data no alarm goes to ALARM; where silence is the trouble, the state without data sends the message."""
    alarm = properties(stack, name)
    if alarm.get("MetricName") in SILENCE:
        assert alarm["TreatMissingData"] == "missing"
        assert alarm["InsufficientDataActions"] == alarm["AlarmActions"] == alarm["OKActions"]
    else:
        assert alarm["TreatMissingData"] == "notBreaching"
        assert "InsufficientDataActions" not in alarm


@pytest.mark.parametrize(("stack", "name"), [("bus", "SilentAlarm"), ("monitoring", "SchedulerSilentAlarm")])
def test_silence(stack: str, name: str) -> None:
    """An alarm on silence waits for six times as long as its metric takes to come: a late run raises none."""
    silent = properties(stack, name)
    assert (silent["Period"], silent["EvaluationPeriods"]) == (300, 6)
    assert (silent["Statistic"], silent["Threshold"]) == ("Sum", 1)


def test_silence_is_forwarded() -> None:
    """User Notifications forwards the state of silence, beside ALARM."""
    rule = TEMPLATES["user-notifications"]["Resources"]["PipelineRule"]["Properties"]
    assert '"state": {"value": ["ALARM", "INSUFFICIENT_DATA"]}' in rule["EventPattern"]["Fn::Sub"]

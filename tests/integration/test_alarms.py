"""Every alarm of the templates reaches a topic that exists, with nothing but default parameters."""

from pathlib import Path
from typing import Any

import pytest

from contactsync.stacks.stack_file import read_stacks

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
    """A template without a topic for alarms cannot be deployed without one: it is an output of bus.yaml."""
    without = {stack for stack, _ in ALARMS} - {stack for stack, _ in OWN_TOPIC}
    assert without == {"subscriber"}
    assert "AlarmTopicArn" in TEMPLATES["bus"]["Outputs"]
    for stack in without:
        assert "Default" not in TEMPLATES[stack]["Parameters"]["AlarmTopicArn"]


def test_topics_apart() -> None:
    """Where both templates are in one region, their topics for alarms have different names."""
    names = [TEMPLATES[stack]["Resources"]["AlarmsTopic"]["Properties"]["TopicName"] for stack in ("bus", "trigger")]
    assert len({str(name) for name in names}) == len(names)


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
        if alarm["MetricName"] == "ApproximateNumberOfMessagesVisible"
    }
    kept = {
        (stack, str({"Fn::GetAtt": [name, "QueueName"]}))
        for stack, template in TEMPLATES.items()
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::SQS::Queue" and "RedrivePolicy" not in resource["Properties"]
    }
    assert kept == watched

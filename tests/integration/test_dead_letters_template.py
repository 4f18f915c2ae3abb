"""Every path of the templates on which something can get lost ends in a queue that keeps it."""

import json
from pathlib import Path
from typing import Any

import pytest

from contactsync.stacks.stack_file import read_stacks

TEMPLATES: Any = read_stacks(Path(__file__).parents[2] / "infra").templates
SYNCHRONOUS = "apigateway.amazonaws.com"
KEPT_BY_AWS = ("email", "sms")
"""Protocols whose dead letters nobody could send again: SNS retries, and an alarm counts the failures."""


def found(kind: str) -> list[Any]:
    """Return the templates and properties of the resources of a type, as cases with the resources' names."""
    return [
        pytest.param(template, one.get("Properties", {}), id=name)
        for template in TEMPLATES
        for name, one in TEMPLATES[template]["Resources"].items()
        if one["Type"] == kind
    ]


def check_queue(template: str, target: Any) -> None:
    """Assert that a target is a queue of the template that keeps messages for 14 days, the longest time."""
    logical_id, attribute = target["Fn::GetAtt"]
    queue = TEMPLATES[template]["Resources"][logical_id]
    assert (queue["Type"], attribute) == ("AWS::SQS::Queue", "Arn")
    assert queue["Properties"]["MessageRetentionPeriod"] == 1_209_600
    assert "RedrivePolicy" not in queue["Properties"]


@pytest.mark.parametrize(("template", "rule"), found("AWS::Events::Rule"))
def test_rules(template: str, rule: dict[str, Any]) -> None:
    """What a rule cannot deliver is kept, for each of its targets."""
    assert rule["Targets"]
    for target in rule["Targets"]:
        check_queue(template, target["DeadLetterConfig"]["Arn"])


@pytest.mark.parametrize(("template", "subscription"), found("AWS::SNS::Subscription"))
def test_subscriptions(template: str, subscription: dict[str, Any]) -> None:
    """What SNS cannot deliver to a queue is kept; people's addresses have retries of SNS only."""
    if subscription["Protocol"] in KEPT_BY_AWS:
        assert "RedrivePolicy" not in subscription
        return
    check_queue(template, subscription["RedrivePolicy"]["deadLetterTargetArn"])


@pytest.mark.parametrize(("template", "mapping"), found("AWS::Lambda::EventSourceMapping"))
def test_sources(template: str, mapping: dict[str, Any]) -> None:
    """A message that its function cannot handle leaves the queue for one that keeps it."""
    logical_id, _ = mapping["EventSourceArn"]["Fn::GetAtt"]
    redrive = TEMPLATES[template]["Resources"][logical_id]["Properties"]["RedrivePolicy"]
    assert int(redrive["maxReceiveCount"]) > 1
    check_queue(template, redrive["deadLetterTargetArn"])


@pytest.mark.parametrize(("template", "permission"), found("AWS::Lambda::Permission"))
def test_invocations(template: str, permission: dict[str, Any]) -> None:
    """A function that somebody invokes asynchronously keeps what it has failed on."""
    if permission["Principal"] == SYNCHRONOUS:
        return
    configs = {
        json.dumps(one["Properties"]["FunctionName"]): one["Properties"]
        for one in TEMPLATES[template]["Resources"].values()
        if one["Type"] == "AWS::Lambda::EventInvokeConfig"
    }
    config = configs[json.dumps(permission["FunctionName"])]
    check_queue(template, config["DestinationConfig"]["OnFailure"]["Destination"])


def test_all_paths() -> None:
    """There are paths of every kind, so that none of these tests is empty."""
    for kind in ("AWS::Events::Rule", "AWS::SNS::Subscription", "AWS::Lambda::EventSourceMapping"):
        assert found(kind), kind
    assert any(case.values[1]["Principal"] != SYNCHRONOUS for case in found("AWS::Lambda::Permission"))

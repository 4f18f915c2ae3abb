"""A template in the manner of infra/bus.yaml: topic, queue with dead letters, function and mapping between them."""

from pathlib import Path
from typing import Any

import yaml

from tests.sandbox.loop_sandbox import ACCOUNT

NAME = "subscriber"
QUEUE, DEAD_LETTERS, TOPIC = "subscriber-queue", "subscriber-dead-letters", "events"
QUEUE_ARN = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{QUEUE}"
TOPIC_ARN = f"arn:aws:sns:us-east-1:{ACCOUNT}:{TOPIC}"


def write(directory: Path, handler: str, *, mapping: dict[str, Any] | None = None, **changes: Any) -> Path:
    """Write bus.yaml; `mapping` adds to the mapping's properties, `changes` replace resources, and None removes one."""
    timeout, variables = changes.pop("timeout", 5), changes.pop("variables", {})
    resources = {
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": TOPIC}},
        "Queue": _queue(),
        "DeadLetters": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": DEAD_LETTERS}},
        "QueuePolicy": queue_policy("Queue", "Topic"),
        "Subscription": subscription(),
        "Function": _function(handler, timeout, variables),
        "Mapping": _mapping(mapping or {}),
    } | changes
    template = {"Resources": {name: resource for name, resource in resources.items() if resource is not None}}
    (directory / "bus.yaml").write_text(yaml.safe_dump(template), encoding="utf-8")
    return directory


def subscription(**properties: Any) -> dict[str, Any]:
    """Describe a raw subscription of the queue."""
    return {
        "Type": "AWS::SNS::Subscription",
        "Properties": {
            "TopicArn": {"Ref": "Topic"},
            "Protocol": "sqs",
            "Endpoint": {"Fn::GetAtt": ["Queue", "Arn"]},
            "RawMessageDelivery": True,
        }
        | properties,
    }


def queue_policy(queue: str, topic: str, **statement: Any) -> dict[str, Any]:
    """Describe a policy that lets SNS send to the queue on behalf of the topic; `statement` replaces parts of it."""
    allowed = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": {"Fn::GetAtt": [queue, "Arn"]},
        "Condition": {"ArnEquals": {"aws:SourceArn": {"Ref": topic}}},
    }
    return {
        "Type": "AWS::SQS::QueuePolicy",
        "Properties": {
            "Queues": [{"Ref": queue}],
            "PolicyDocument": {"Version": "2012-10-17", "Statement": [allowed | statement]},
        },
    }


def _queue() -> dict[str, Any]:
    redrive = {"deadLetterTargetArn": {"Fn::GetAtt": ["DeadLetters", "Arn"]}, "maxReceiveCount": 3}
    return {
        "Type": "AWS::SQS::Queue",
        "Properties": {"QueueName": QUEUE, "VisibilityTimeout": 30, "RedrivePolicy": redrive},
    }


def _function(handler: str, timeout: int, variables: dict[str, str]) -> dict[str, Any]:
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "FunctionName": NAME,
            "Runtime": "python3.12",
            "Handler": f"queue_handlers.{handler}",
            "Role": f"arn:aws:iam::{ACCOUNT}:role/tried-role",
            "Code": {"ZipFile": "# the checkout is run instead"},
            "Timeout": timeout,
            "Environment": {"Variables": variables},
        },
    }


def _mapping(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "Type": "AWS::Lambda::EventSourceMapping",
        "Properties": {
            "EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]},
            "FunctionName": {"Ref": "Function"},
            "BatchSize": 10,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
        }
        | properties,
    }

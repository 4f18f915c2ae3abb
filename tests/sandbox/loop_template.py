"""A small template in the manner of infra/trigger.yaml, with the parts that a test wants to change."""

from pathlib import Path
from typing import Any

import yaml

NAME = "tried"


def write(directory: Path, handler: str, **changes: Any) -> Path:
    """Write trigger.yaml with a rule and a function; `changes` replace resources, and None removes one."""
    variables = changes.pop("variables", {})
    timeout = changes.pop("timeout", 10)
    retry = changes.pop("retry", {"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 86400})
    resources: dict[str, Any] = {
        "Rule": _rule(retry),
        "Permission": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "FunctionName": {"Ref": "Function"},
                "Action": "lambda:InvokeFunction",
                "Principal": "events.amazonaws.com",
                "SourceArn": {"Fn::GetAtt": ["Rule", "Arn"]},
            },
        },
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "FunctionName": NAME,
                "Runtime": "python3.12",
                "Handler": f"loop_handlers.{handler}",
                "Role": "arn:aws:iam::123456789012:role/tried-role",
                "Code": {"ZipFile": "# the checkout is run instead"},
                "Timeout": timeout,
                "Environment": {"Variables": variables},
            },
        },
        "Invocations": {
            "Type": "AWS::Lambda::EventInvokeConfig",
            "Properties": {
                "FunctionName": {"Ref": "Function"},
                "Qualifier": "$LATEST",
                "DestinationConfig": {"OnFailure": {"Destination": {"Fn::GetAtt": ["FunctionDeadLetters", "Arn"]}}},
            },
        },
        "FunctionDeadLetters": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "function-dead-letters"}},
        "RuleDeadLetters": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "rule-dead-letters"}},
        "RuleDeadLettersPolicy": _queue_policy(),
    }
    resources.update(changes)
    template = {"Resources": {name: resource for name, resource in resources.items() if resource is not None}}
    (directory / "trigger.yaml").write_text(yaml.safe_dump(template), encoding="utf-8")
    return directory


def _rule(retry: dict[str, int]) -> dict[str, Any]:
    return {
        "Type": "AWS::Events::Rule",
        "Properties": {
            "Name": NAME,
            "State": "ENABLED",
            "EventPattern": {
                "source": ["aws.account"],
                "detail": {
                    "errorCode": [{"exists": False}],
                    "requestParameters": {"accountId": [{"exists": False}], "AccountId": [{"exists": False}]},
                },
            },
            "Targets": [
                {
                    "Id": "function",
                    "Arn": {"Fn::GetAtt": ["Function", "Arn"]},
                    "RetryPolicy": retry,
                    "DeadLetterConfig": {"Arn": {"Fn::GetAtt": ["RuleDeadLetters", "Arn"]}},
                }
            ],
        },
    }


def _queue_policy() -> dict[str, Any]:
    return {
        "Type": "AWS::SQS::QueuePolicy",
        "Properties": {
            "Queues": [{"Ref": "RuleDeadLetters"}],
            "PolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "events.amazonaws.com"},
                        "Action": "sqs:SendMessage",
                        "Resource": {"Fn::GetAtt": ["RuleDeadLetters", "Arn"]},
                        "Condition": {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": ["Rule", "Arn"]}}},
                    }
                ],
            },
        },
    }

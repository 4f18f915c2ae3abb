"""What the tests of the sandbox's CloudFormation share: templates as data, and calls in the order of a deployment."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.loop_sandbox import SmallSandbox

STACK = "tried"


def table(name: Any = "tried", **attributes: Any) -> dict[str, Any]:
    """Return a table; keywords are its attributes beside Properties."""
    properties = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    }
    return {"Type": "AWS::DynamoDB::Table", "Properties": properties | attributes.pop("Properties", {})} | attributes


def queue(name: Any = "tried", **properties: Any) -> dict[str, Any]:
    """Return a queue."""
    return {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": name, **properties}}


def body(resources: dict[str, Any], **sections: Any) -> str:
    """Return a template as text."""
    return json.dumps({"Resources": resources} | sections)


class StackCalls:
    """CloudFormation of one region, for the stack `tried`."""

    def __init__(self, sandbox: SmallSandbox, region: str = "us-east-1") -> None:
        """Call a running sandbox."""
        self.sandbox = sandbox
        self.client = sandbox.client("cloudformation", region_name=region)

    def status(self, stack: str = STACK) -> str:
        """Return the stack's status."""
        return str(self.client.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"])

    def create(self, template: str, **arguments: Any) -> str:
        """Create the stack, and return its status."""
        self.client.create_stack(StackName=STACK, TemplateBody=template, **arguments)
        return self.status()

    def update(self, template: str, **arguments: Any) -> str:
        """Update the stack, and return its status."""
        self.client.update_stack(StackName=STACK, TemplateBody=template, **arguments)
        return self.status()

    def change_set(self, template: str, kind: str = "UPDATE", name: str = "change", **arguments: Any) -> dict[str, Any]:
        """Create a change set, and describe it with its values."""
        self.client.create_change_set(
            StackName=STACK, ChangeSetName=name, ChangeSetType=kind, TemplateBody=template, **arguments
        )
        return self.described(name)

    def described(self, name: str = "change") -> dict[str, Any]:
        """Describe a change set with its values."""
        return dict(self.client.describe_change_set(StackName=STACK, ChangeSetName=name, IncludePropertyValues=True))

    def execute(self, name: str = "change", **arguments: Any) -> str:
        """Execute a change set, and return the stack's status."""
        self.client.execute_change_set(StackName=STACK, ChangeSetName=name, **arguments)
        return self.status()

    def events(self, stack: str = STACK) -> list[tuple[str, str]]:
        """Return what happened, oldest first: logical ids and statuses."""
        pages = self.client.get_paginator("describe_stack_events").paginate(StackName=stack)
        events = [event for page in pages for event in page["StackEvents"]]
        return [(event["LogicalResourceId"], event["ResourceStatus"]) for event in reversed(events)]

    def reason(self, logical_id: str, status: str, stack: str = STACK) -> str:
        """Return the reason of the latest event of a resource with this status."""
        events = self.client.describe_stack_events(StackName=stack)["StackEvents"]
        return str(
            next(
                event["ResourceStatusReason"]
                for event in events
                if (event["LogicalResourceId"], event["ResourceStatus"]) == (logical_id, status)
            )
        )

    def refused(self, operation: str, **arguments: Any) -> tuple[str, str]:
        """Call an operation that must fail, and return the code and the message."""
        with pytest.raises(ClientError) as refusal:
            getattr(self.client, operation)(**arguments)
        error = refusal.value.response["Error"]
        return error["Code"], error["Message"]

    def script(self, **settings: Any) -> None:
        """Change the scripts for resources."""
        self.sandbox.control("PUT", "/stack-settings", settings)

    def tables(self) -> list[str]:
        """Return the names of the tables."""
        region = self.client.meta.region_name
        return sorted(self.sandbox.client("dynamodb", region_name=region).list_tables()["TableNames"])

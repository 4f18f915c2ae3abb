"""The stacks that CloudFormation has in a region."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from contactsync.aws.sdk.error_codes import translated
from contactsync.stacks.outputs import DeployedStack

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient


def deployed_stacks(client: "CloudFormationClient") -> Iterator[DeployedStack]:
    """Yield all stacks of the client's account and region, page by page; deleted ones are not listed."""
    with translated("DescribeStacks"):
        for page in client.get_paginator("describe_stacks").paginate():
            for stack in page["Stacks"]:
                yield DeployedStack(
                    stack["StackName"],
                    {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", [])},
                    {one["ParameterKey"]: one.get("ParameterValue", "") for one in stack.get("Parameters", [])},
                )

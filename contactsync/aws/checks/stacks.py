"""The stacks of an environment, what they made, and CloudFormation's look for drift."""

from collections.abc import Iterator
from typing import Final

from contactsync.aws.checks.calls import Calls
from contactsync.checks.health_ports import Drift, DriftStatus, LiveStack, StackResource
from contactsync.stacks.stacks import stack_name

GONE: Final = frozenset({"DELETE_COMPLETE", "REVIEW_IN_PROGRESS"})
"""Statuses of stacks that have nothing: deleted, or never begun."""

_STATUSES: Final = {"DETECTION_IN_PROGRESS": DriftStatus.IN_PROGRESS, "DETECTION_COMPLETE": DriftStatus.COMPLETE}
_DRIFTED: Final = ("MODIFIED", "DELETED")


class CloudFormationStacks:
    """CloudFormation."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def stacks(self, environment: str, region: str) -> Iterator[LiveStack]:
        """Yield the stacks of an environment; `prod` has none of those of `prod-eu`."""
        prefix = stack_name(environment, "")
        for stack in self._calls.pages("cloudformation", region, "DescribeStacks", "Stacks"):
            parameters = {one["ParameterKey"]: one.get("ParameterValue", "") for one in stack.get("Parameters") or ()}
            own = parameters.get("Environment", environment) == environment
            if stack["StackName"].startswith(prefix) and own and stack["StackStatus"] not in GONE:
                yield LiveStack(
                    stack["StackName"].removeprefix(prefix),
                    stack["StackName"],
                    region,
                    stack["StackStatus"],
                    stack.get("StackStatusReason") or "",
                    parameters,
                    {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs") or ()},
                )

    def resources(self, stack: LiveStack) -> Iterator[StackResource]:
        """Yield what a stack has made, without what it could not make."""
        name, key = "ListStackResources", "StackResourceSummaries"
        for one in self._calls.pages("cloudformation", stack.region, name, key, StackName=stack.full_name):
            if one.get("PhysicalResourceId") and one["ResourceStatus"] != "DELETE_COMPLETE":
                yield StackResource(stack, one["LogicalResourceId"], one["ResourceType"], one["PhysicalResourceId"])

    def look_for_drift(self, stack: LiveStack) -> str:
        """Begin; the look goes on by itself, and its result stays at CloudFormation."""
        answer = self._calls.call("cloudformation", stack.region, "DetectStackDrift", StackName=stack.full_name)
        return str(answer["StackDriftDetectionId"])

    def drift(self, stack: LiveStack, look: str) -> Drift:
        """Return how far it is, and the resources that were changed."""
        answer = self._calls.call(
            "cloudformation", stack.region, "DescribeStackDriftDetectionStatus", StackDriftDetectionId=look
        )
        status = _STATUSES.get(answer["DetectionStatus"], DriftStatus.FAILED)
        reason = answer.get("DetectionStatusReason") or ""
        if answer.get("StackDriftStatus") != "DRIFTED":
            return Drift(status, reason)
        return Drift(status, reason, tuple(self._drifted(stack)))

    def _drifted(self, stack: LiveStack) -> Iterator[str]:
        """Yield the resources, page by page; this call has no paginator in the AWS SDK."""
        token: dict[str, str] = {}
        while True:
            answer = self._calls.call(
                "cloudformation",
                stack.region,
                "DescribeStackResourceDrifts",
                StackName=stack.full_name,
                StackResourceDriftStatusFilters=list(_DRIFTED),
                **token,
            )
            yield from (one["LogicalResourceId"] for one in answer["StackResourceDrifts"])
            if not answer.get("NextToken"):
                return
            token = {"NextToken": answer["NextToken"]}

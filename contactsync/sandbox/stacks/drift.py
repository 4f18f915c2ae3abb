"""Drift: whether the resources of a stack are still as it made them, for those that the sandbox can read."""

import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from contactsync.sandbox.stacks.found_resources import FINDERS, found
from contactsync.sandbox.stacks.resource_changes import is_true
from contactsync.sandbox.stacks.stack_answers import Answer
from contactsync.sandbox.stacks.stack_plans import is_there
from contactsync.sandbox.stacks.stack_records import Resource, Stack, StackError, now
from contactsync.sandbox.stacks.template_values import plain, same

_DRIFTED = ("MODIFIED", "DELETED")
Reader = Callable[[Any], Mapping[str, Any]]


class DriftDetections:
    """The detections so far; each is complete at once."""

    def __init__(self) -> None:
        self._done: dict[str, Answer] = {}
        self._drifts: dict[str, list[Answer]] = {}

    def detect(self, stack: Stack) -> str:
        """Compare the stack's resources, and return the id of the detection."""
        drifts = [_compared(stack, resource) for resource in list(stack.resources.values()) if is_there(resource)]
        drifted = [drift for drift in drifts if drift["StackResourceDriftStatus"] in _DRIFTED]
        stack.drift, stack.drift_checked = "DRIFTED" if drifted else "IN_SYNC", now()
        identifier = str(uuid.uuid4())
        self._drifts[stack.id] = drifts
        self._done[identifier] = {
            "StackId": stack.id,
            "StackDriftDetectionId": identifier,
            "StackDriftStatus": stack.drift,
            "DetectionStatus": "DETECTION_COMPLETE",
            "DriftedStackResourceCount": len(drifted),
            "Timestamp": stack.drift_checked,
        }
        return identifier

    def status(self, identifier: str) -> Answer:
        """Describe a detection."""
        if identifier not in self._done:
            raise StackError(f"Drift detection status for {identifier} does not exist")
        return self._done[identifier]

    def drifts(self, stack: Stack) -> list[Answer]:
        """Return what the last detection found; resources that were not compared have the status NOT_CHECKED."""
        return self._drifts.get(stack.id, [])


def _compared(stack: Stack, resource: Resource) -> Answer:
    answer = {
        "StackId": stack.id,
        "LogicalResourceId": resource.logical_id,
        "PhysicalResourceId": resource.physical_id,
        "ResourceType": resource.type,
        "ExpectedProperties": json.dumps(plain(resource.properties)),
        "Timestamp": now(),
    }
    resource.drift, differences = _drift(stack, resource)
    answer["StackResourceDriftStatus"] = resource.drift
    if resource.drift in ("IN_SYNC", "MODIFIED"):
        actual = {
            **plain(resource.properties),
            **{item["PropertyPath"][1:]: item["ActualValue"] for item in differences},
        }
        answer |= {"PropertyDifferences": differences, "ActualProperties": json.dumps(actual)}
    return answer


def _drift(stack: Stack, resource: Resource) -> tuple[str, list[Answer]]:
    if resource.type not in FINDERS:
        return "NOT_CHECKED", []
    model = found(resource.type, resource.physical_id, stack.place)
    if model is None:
        return "DELETED", []
    reader = _READERS.get(resource.type)
    if reader is None:
        return "NOT_CHECKED", []
    differences = []
    for name, actual in reader(model).items():
        expected = resource.properties.get(name)
        if expected is not None and not same(expected, actual):
            differences.append(
                {
                    "PropertyPath": f"/{name}",
                    "ExpectedValue": _shown(expected),
                    "ActualValue": _shown(actual),
                    "DifferenceType": "NOT_EQUAL",
                }
            )
    return ("MODIFIED" if differences else "IN_SYNC"), differences


def _shown(value: Any) -> str:  # noqa: ANN401 - any JSON
    text = plain(value)
    return text if isinstance(text, str) else json.dumps(text)


def _table(table: Any) -> Mapping[str, Any]:  # noqa: ANN401 - moto's object
    recovery = table.continuous_backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]
    expiry = {"AttributeName": table.ttl.get("AttributeName"), "Enabled": table.ttl["TimeToLiveStatus"] == "ENABLED"}
    return {
        "BillingMode": table.billing_mode,
        "DeletionProtectionEnabled": is_true(table.deletion_protection_enabled),
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": recovery == "ENABLED"},
        "TimeToLiveSpecification": expiry,
    }


_READERS: Mapping[str, Reader] = {
    "AWS::DynamoDB::Table": _table,
    "AWS::Events::Rule": lambda rule: {"State": rule.state},
    "AWS::Lambda::Function": lambda function: {
        "Handler": function.handler,
        "MemorySize": function.memory_size,
        "Timeout": function.timeout,
        "Environment": {"Variables": function.environment_vars},
    },
    "AWS::Logs::LogGroup": lambda group: {"RetentionInDays": group.retention_in_days},
    "AWS::S3::Bucket": lambda bucket: {"VersioningConfiguration": {"Status": bucket.versioning_status}},
    "AWS::SNS::Topic": lambda topic: {"DisplayName": topic.display_name, "KmsMasterKeyId": topic.kms_master_key_id},
    "AWS::SQS::Queue": lambda queue: {
        "VisibilityTimeout": queue.visibility_timeout,
        "MessageRetentionPeriod": queue.message_retention_period,
    },
}
"""The properties that can be read back, by type; a property that the template does not have is not compared."""

"""What CloudFormation answers about stacks, their resources and events."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from contactsync.sandbox.stacks.stack_plans import shown
from contactsync.sandbox.stacks.stack_records import STACK_TYPE, ChangeSet, Design, Event, Resource, Stack, StackError
from contactsync.sandbox.stacks.template_values import plain

T = TypeVar("T")
Answer = dict[str, Any]
_HIDDEN = "****"
_OPERATION_ENDS = {"FAILED": ("FAILED", "ROLLBACK_COMPLETE"), "SUCCEEDED": ("_COMPLETE",)}


def page(items: Sequence[T], token: object, size: int) -> tuple[list[T], str | None]:
    """Return one page and the token of the next one; a token is the number of items before the page."""
    if token is not None and not (str(token).isdecimal() and int(str(token)) <= len(items)):
        raise StackError("The specified NextToken is not valid.")
    start = int(str(token or 0))
    end = start + size
    return list(items[start:end]), str(end) if end < len(items) else None


def stack_answer(stack: Stack) -> Answer:
    """Describe a stack as DescribeStacks does."""
    answer = {
        "StackId": stack.id,
        "StackName": stack.name,
        "Description": stack.description or None,
        "Parameters": parameters_answer(stack.design),
        "CreationTime": stack.created,
        "DeletionTime": stack.deleted,
        "LastUpdatedTime": stack.updated,
        "StackStatus": stack.status,
        "StackStatusReason": stack.reason or None,
        "DisableRollback": stack.disables_rollback,
        "NotificationARNs": list(stack.notification_arns),
        "Capabilities": list(stack.design.capabilities),
        "Outputs": list(stack.outputs) or None,
        "RoleARN": stack.role or None,
        "Tags": tags_answer(stack.design),
        "EnableTerminationProtection": stack.is_protected,
        "DriftInformation": _stack_drift(stack),
        "ChangeSetId": stack.executed or None,
    }
    return _given(answer)


def summary_answer(stack: Stack) -> Answer:
    """Describe a stack as ListStacks does."""
    return _given(
        {
            "StackId": stack.id,
            "StackName": stack.name,
            "TemplateDescription": stack.description or None,
            "CreationTime": stack.created,
            "LastUpdatedTime": stack.updated,
            "DeletionTime": stack.deleted,
            "StackStatus": stack.status,
            "StackStatusReason": stack.reason or None,
            "DriftInformation": _stack_drift(stack),
        }
    )


def parameters_answer(design: Design) -> list[Answer]:
    """List the parameters; those with NoEcho have no values."""
    declared = design.template.get("Parameters") or {}
    return [
        {"ParameterKey": name, "ParameterValue": _HIDDEN if _is_hidden(declared.get(name)) else value}
        for name, value in design.parameters.items()
    ]


def tags_answer(design: Design) -> list[Answer]:
    """List the tags."""
    return [{"Key": key, "Value": value} for key, value in design.tags.items()]


def resource_answer(stack: Stack, resource: Resource) -> Answer:
    """Describe a resource as DescribeStackResources does."""
    return {"StackName": stack.name, "StackId": stack.id, "Timestamp": resource.changed} | _resource(resource)


def resource_summary(resource: Resource) -> Answer:
    """Describe a resource as ListStackResources does."""
    return {"LastUpdatedTimestamp": resource.changed} | _resource(resource)


def resource_detail(stack: Stack, resource: Resource) -> Answer:
    """Describe a resource as DescribeStackResource does."""
    metadata = resource.definition.get("Metadata")
    detail = {"StackName": stack.name, "StackId": stack.id} | resource_summary(resource)
    return detail | ({"Metadata": json.dumps(plain(metadata))} if metadata else {})


def event_answer(stack: Stack, event: Event) -> Answer:
    """Describe an event as DescribeStackEvents does."""
    return _given(
        {
            "StackId": stack.id,
            "StackName": stack.name,
            "EventId": event.id,
            "OperationId": event.operation or None,
            "LogicalResourceId": event.logical_id,
            "PhysicalResourceId": event.physical_id,
            "ResourceType": event.type,
            "Timestamp": event.time,
            "ResourceStatus": event.status,
            "ResourceStatusReason": event.reason or None,
            "ResourceProperties": event.properties or None,
            "ClientRequestToken": event.token or None,
        }
    )


def operation_events(stack: Stack) -> list[Answer]:
    """Return all events as DescribeEvents shows them, newest first, with the validations of change sets."""
    events = [_operation_event(stack, event) for event in list(stack.events)]
    events += [item for change_set in list(stack.change_sets.values()) for item in validation_events(stack, change_set)]
    events.reverse()  # events of the same instant stay in their order
    return sorted(events, key=lambda event: event["Timestamp"], reverse=True)


def validation_events(stack: Stack, change_set: ChangeSet) -> list[Answer]:
    """Return the events of the creation of a change set: one for each problem that the validation has found."""
    return [
        {
            "EventId": f"{change_set.operation}-{problem.logical_id}",
            "StackId": stack.id,
            "OperationId": change_set.operation,
            "OperationType": "CREATE_CHANGESET",
            "EventType": "VALIDATION_ERROR",
            "LogicalResourceId": problem.logical_id,
            "PhysicalResourceId": problem.physical_id,
            "ResourceType": problem.type,
            "Timestamp": change_set.created,
            "ValidationFailureMode": "FAIL",
            "ValidationName": problem.name,
            "ValidationStatus": "FAILED",
            "ValidationStatusReason": problem.reason,
            "ValidationPath": problem.path,
        }
        for problem in change_set.problems
    ]


def change_set_answer(stack: Stack, change_set: ChangeSet, changes: Sequence[Any], *, with_values: bool) -> Answer:
    """Describe a change set with one page of its changes."""
    return {
        "ChangeSetName": change_set.name,
        "ChangeSetId": change_set.id,
        "StackId": stack.id,
        "StackName": stack.name,
        "Parameters": parameters_answer(change_set.design),
        "Capabilities": list(change_set.design.capabilities),
        "Tags": tags_answer(change_set.design),
        "NotificationARNs": list(change_set.notification_arns),
        "Changes": [shown(change, with_values=with_values) for change in changes],
        "IncludeNestedStacks": False,
        "ImportExistingResources": change_set.imports_existing,
        **({"OnStackFailure": change_set.on_failure} if change_set.on_failure else {}),
        **_change_set(change_set),
    }


def change_set_summary(stack: Stack, change_set: ChangeSet) -> Answer:
    """Describe a change set as ListChangeSets does."""
    return {
        "StackId": stack.id,
        "StackName": stack.name,
        "ChangeSetId": change_set.id,
        "ChangeSetName": change_set.name,
        "IncludeNestedStacks": False,
        "ImportExistingResources": change_set.imports_existing,
        **_change_set(change_set),
    }


def _change_set(change_set: ChangeSet) -> Answer:
    return _given(
        {
            "ExecutionStatus": change_set.execution,
            "Status": change_set.status,
            "StatusReason": change_set.reason or None,
            "CreationTime": change_set.created,
            "Description": change_set.description or None,
        }
    )


def _operation_event(stack: Stack, event: Event) -> Answer:
    is_stack = event.type == STACK_TYPE
    failed = event.status.endswith("FAILED")
    answer = event_answer(stack, event) | {
        "OperationType": event.operation_type or None,
        "EventType": "STACK_EVENT" if is_stack or not failed else "PROVISIONING_ERROR",
        "OperationStatus": _operation_status(event.status) if is_stack else None,
    }
    del answer["StackName"]
    return _given(answer)


def _operation_status(status: str) -> str | None:
    if status.endswith("_IN_PROGRESS"):
        return "IN_PROGRESS"
    return next(result for result, ends in _OPERATION_ENDS.items() if status.endswith(ends))


def _resource(resource: Resource) -> Answer:
    return _given(
        {
            "LogicalResourceId": resource.logical_id,
            "PhysicalResourceId": resource.physical_id or None,
            "ResourceType": resource.type,
            "ResourceStatus": resource.status,
            "ResourceStatusReason": resource.reason or None,
            "DriftInformation": {"StackResourceDriftStatus": resource.drift},
        }
    )


def _stack_drift(stack: Stack) -> Answer:
    return _given({"StackDriftStatus": stack.drift, "LastCheckTimestamp": stack.drift_checked})


def _is_hidden(declaration: Mapping[str, Any] | None) -> bool:
    return str((declaration or {}).get("NoEcho", "")).lower() == "true"


def _given(answer: Mapping[str, Any]) -> Answer:
    return {name: value for name, value in answer.items() if value is not None}

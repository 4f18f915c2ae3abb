"""CloudFormation's API in front of the sandbox's stacks, in the place of moto's."""

from collections.abc import Callable, Mapping
from typing import Any

from moto.cloudformation.responses import CloudFormationResponse
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import camelcase_to_underscores

from contactsync.sandbox.handover import Attribute, Handover
from contactsync.sandbox.stacks import change_sets_api, stack_answers
from contactsync.sandbox.stacks.change_sets import check_design
from contactsync.sandbox.stacks.drift import DriftDetections
from contactsync.sandbox.stacks.stack_answers import Answer, page
from contactsync.sandbox.stacks.stack_operations import Operation
from contactsync.sandbox.stacks.stack_plans import changes_of, is_no_update
from contactsync.sandbox.stacks.stack_records import Design, Place, Stack, StackError
from contactsync.sandbox.stacks.stack_requests import check_stack_name, design_of, read_template, template_text
from contactsync.sandbox.stacks.stack_service import ON_FAILURE, StackService

Params = Mapping[str, Any]
Action = Callable[[Params, Place], Answer]
_DELETABLE_AT_ONCE = ("REVIEW_IN_PROGRESS",)
_NOT_DELETABLE = ("UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")


class StacksApi:
    """Answers CloudFormation's operations, each by its name."""

    def __init__(self, service: StackService) -> None:
        """Answer for these stacks."""
        self._service = service
        self._change_sets = change_sets_api.ChangeSetsApi(service)
        self._drift = DriftDetections()
        self.actions: dict[str, Action] = {
            "CreateStack": self._create_stack,
            "UpdateStack": self._update_stack,
            "DeleteStack": self._delete_stack,
            "DescribeStacks": self._describe_stacks,
            "ListStacks": self._list_stacks,
            "DescribeStackResource": self._describe_stack_resource,
            "DescribeStackResources": self._describe_stack_resources,
            "ListStackResources": self._list_stack_resources,
            "DescribeStackEvents": self._describe_stack_events,
            "DescribeEvents": self._describe_events,
            "GetTemplate": self._get_template,
            "GetTemplateSummary": self._get_template_summary,
            "ValidateTemplate": self._validate_template,
            "ListExports": self._list_exports,
            "UpdateTerminationProtection": self._update_termination_protection,
            "ContinueUpdateRollback": self._continue_update_rollback,
            "RollbackStack": self._rollback_stack,
            "CancelUpdateStack": self._cancel_update_stack,
            "DetectStackDrift": self._detect_stack_drift,
            "DescribeStackDriftDetectionStatus": self._describe_drift_detection,
            "DescribeStackResourceDrifts": self._describe_resource_drifts,
            **self._change_sets.actions,
        }

    def answer(self, operation: str, params: Params, place: Place) -> Answer:
        """Answer a request, or raise StackError."""
        return self.actions[operation](params, place)

    def _create_stack(self, params: Params, place: Place) -> Answer:
        name = str(params["StackName"])
        check_stack_name(name)
        design = design_of(params, place)
        on_failure = str(params.get("OnFailure") or "ROLLBACK")
        if params.get("DisableRollback"):
            on_failure = "DO_NOTHING"
        if on_failure not in ON_FAILURE:
            raise StackError(f"OnFailure must be one of {', '.join(ON_FAILURE)}")
        with self._service.lock:
            if self._service.find(name, place) is not None:
                raise StackError(f"Stack [{name}] already exists", "AlreadyExistsException")
            stack = self._service.add(name, place)
            try:
                check_design(stack, design, self._service.exports(place))
            except StackError:
                self._service.forget(stack)
                raise
            stack.is_protected = bool(params.get("EnableTerminationProtection"))
            stack.notification_arns = tuple(params.get("NotificationARNs") or ())
            stack.role = str(params.get("RoleARN") or "")
            operation = self._service.create(
                stack,
                design,
                on_failure=on_failure,
                token=_token(params),
                deletes_retained=bool(params.get("RetainExceptOnCreate")),
            )
        return _started(stack, operation)

    def _update_stack(self, params: Params, place: Place) -> Answer:
        with self._service.lock:
            stack = self._existing(params, place)
            self._service.check_updatable(stack)
            design = design_of(params, place, stack.design)
            exports = self._service.exports(place)
            check_design(stack, design, exports)
            if is_no_update(stack, design, changes_of(stack, design, exports, {}), exports):
                raise StackError("No updates are to be performed.")
            operation = self._service.update(
                stack,
                design,
                rolls_back=not params.get("DisableRollback"),
                token=_token(params),
                deletes_retained=bool(params.get("RetainExceptOnCreate")),
            )
        return _started(stack, operation)

    def _delete_stack(self, params: Params, place: Place) -> Answer:
        with self._service.lock:
            stack = self._service.find(str(params["StackName"]), place)
            if stack is None or stack.deleted is not None:
                return {}
            _check_deletable(stack, params)
            if stack.status == "REVIEW_IN_PROGRESS" and not stack.resources:
                stack.change_sets = {}
            if stack.status == "DELETE_IN_PROGRESS":
                return {}
            operation = self._service.delete(stack, frozenset(params.get("RetainResources") or ()), _token(params))
        operation.start()
        return {}

    def _describe_stacks(self, params: Params, place: Place) -> Answer:
        if params.get("StackName"):
            return {"Stacks": [stack_answers.stack_answer(self._described(str(params["StackName"]), place))]}
        stacks = [stack for stack in self._service.all(place) if stack.deleted is None]
        return self._paged("Stacks", [stack_answers.stack_answer(stack) for stack in stacks], params)

    def _list_stacks(self, params: Params, place: Place) -> Answer:
        wanted = params.get("StackStatusFilter") or ()
        stacks = [stack for stack in self._service.all(place) if not wanted or stack.status in wanted]
        return self._paged("StackSummaries", [stack_answers.summary_answer(stack) for stack in stacks], params)

    def _describe_stack_resource(self, params: Params, place: Place) -> Answer:
        stack = self._existing(params, place)
        logical_id = str(params["LogicalResourceId"])
        if logical_id not in stack.resources:
            raise StackError(f"Resource {logical_id} does not exist for stack {stack.name}")
        return {"StackResourceDetail": stack_answers.resource_detail(stack, stack.resources[logical_id])}

    def _describe_stack_resources(self, params: Params, place: Place) -> Answer:
        physical_id = params.get("PhysicalResourceId")
        stack = self._owner_of(str(physical_id), place) if physical_id else self._existing(params, place)
        wanted = params.get("LogicalResourceId")
        resources = [item for item in list(stack.resources.values()) if wanted in (None, item.logical_id)]
        return {"StackResources": [stack_answers.resource_answer(stack, resource) for resource in resources]}

    def _list_stack_resources(self, params: Params, place: Place) -> Answer:
        stack = self._existing(params, place)
        resources = [stack_answers.resource_summary(resource) for resource in list(stack.resources.values())]
        return self._paged("StackResourceSummaries", resources, params)

    def _describe_stack_events(self, params: Params, place: Place) -> Answer:
        stack = self._existing(params, place)
        events = [stack_answers.event_answer(stack, event) for event in reversed(list(stack.events))]
        return self._paged("StackEvents", events, params)

    def _describe_events(self, params: Params, place: Place) -> Answer:
        if params.get("ChangeSetName"):
            stack, change_set = self._change_sets.find(params, place)
            events = stack_answers.validation_events(stack, change_set)
        else:
            stack = self._existing(params, place)
            events = stack_answers.operation_events(stack)
        if params.get("OperationId"):
            events = [event for event in events if event.get("OperationId") == params["OperationId"]]
        if (params.get("Filters") or {}).get("FailedEvents"):
            events = [event for event in events if event["EventType"] != "STACK_EVENT"]
        return self._paged("OperationEvents", events, params)

    def _get_template(self, params: Params, place: Place) -> Answer:
        if params.get("ChangeSetName"):
            _, change_set = self._change_sets.find(params, place)
            design: Design = change_set.design
        else:
            design = self._existing(params, place).design
        return {"TemplateBody": design.text, "StagesAvailable": ["Original", "Processed"]}

    def _get_template_summary(self, params: Params, place: Place) -> Answer:
        named = params.get("StackName")
        template = read_template(self._existing(params, place).design.text if named else template_text(params, place))
        types = sorted({str(item["Type"]) for item in template["Resources"].values()})
        return {"Parameters": _declared(template, "ParameterType"), "ResourceTypes": types} | _description(template)

    def _validate_template(self, params: Params, place: Place) -> Answer:
        template = read_template(template_text(params, place))
        return {"Parameters": _declared(template)} | _description(template)

    def _list_exports(self, params: Params, place: Place) -> Answer:
        exports = [
            {"ExportingStackId": stack.id, "Name": output["ExportName"], "Value": output["OutputValue"]}
            for stack in self._service.all(place)
            if stack.deleted is None
            for output in stack.outputs
            if "ExportName" in output
        ]
        return self._paged("Exports", exports, params)

    def _update_termination_protection(self, params: Params, place: Place) -> Answer:
        stack = self._existing(params, place)
        stack.is_protected = bool(params["EnableTerminationProtection"])
        return {"StackId": stack.id}

    def _continue_update_rollback(self, params: Params, place: Place) -> Answer:
        with self._service.lock:
            stack = self._existing(params, place)
            skipped = params.get("ResourcesToSkip") or ()
            operation = self._service.continue_rollback(stack, skipped, _token(params))
        operation.start()
        return {}

    def _rollback_stack(self, params: Params, place: Place) -> Answer:
        with self._service.lock:
            stack = self._existing(params, place)
            operation = self._service.roll_back(stack, _token(params))
        return _started(stack, operation)

    def _cancel_update_stack(self, params: Params, place: Place) -> Answer:
        self._service.cancel_update(self._existing(params, place))
        return {}

    def _detect_stack_drift(self, params: Params, place: Place) -> Answer:
        stack = self._existing(params, place)
        if stack.is_busy:
            raise StackError(f"Drift detection cannot be performed on stack [{stack.id}] in state {stack.status}")
        return {"StackDriftDetectionId": self._drift.detect(stack)}

    def _describe_drift_detection(self, params: Params, place: Place) -> Answer:
        del place
        return self._drift.status(str(params["StackDriftDetectionId"]))

    def _describe_resource_drifts(self, params: Params, place: Place) -> Answer:
        stack = self._existing(params, place)
        wanted = params.get("StackResourceDriftStatusFilters") or ()
        drifts = [
            item for item in self._drift.drifts(stack) if not wanted or item["StackResourceDriftStatus"] in wanted
        ]
        return self._paged("StackResourceDrifts", drifts, params)

    def _existing(self, params: Params, place: Place) -> Stack:
        name = str(params["StackName"])
        stack = self._service.find(name, place)
        if stack is None:
            raise StackError(f"Stack [{name}] does not exist")
        return stack

    def _described(self, name: str, place: Place) -> Stack:
        stack = self._service.find(name, place)
        if stack is None:
            raise StackError(f"Stack with id {name} does not exist")
        return stack

    def _owner_of(self, physical_id: str, place: Place) -> Stack:
        for stack in self._service.all(place):
            if any(resource.physical_id == physical_id for resource in list(stack.resources.values())):
                return stack
        raise StackError(f"Stack for {physical_id} does not exist")

    def _paged(self, name: str, items: list[Answer], params: Params) -> Answer:
        shown, token = page(items, params.get("NextToken"), self._service.scripts.settings.page_size)
        return {name: shown} | ({"NextToken": token} if token else {})


def _check_deletable(stack: Stack, params: Params) -> None:
    if stack.is_protected:
        raise StackError(f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled")
    if stack.status in _NOT_DELETABLE:
        raise StackError(f"Stack [{stack.id}] cannot be deleted while in status {stack.status}")
    if params.get("RetainResources") and stack.status != "DELETE_FAILED":
        raise StackError(
            f"Invalid operation on stack [{stack.id}]. When you delete a stack, specify which resources to retain only "
            "when the stack is in the DELETE_FAILED state."
        )


def _started(stack: Stack, operation: Operation) -> Answer:
    answer = {"StackId": stack.id, "OperationId": stack.operation}
    operation.start()
    return answer


def _token(params: Params) -> str:
    return str(params.get("ClientRequestToken") or "")


def _declared(template: Mapping[str, Any], type_name: str = "") -> list[Answer]:
    parameters = []
    for name, declaration in (template.get("Parameters") or {}).items():
        answer = {"ParameterKey": name, "NoEcho": str(declaration.get("NoEcho", "")).lower() == "true"}
        optional = {"DefaultValue": declaration.get("Default"), "Description": declaration.get("Description")}
        if type_name:
            optional[type_name] = declaration.get("Type")
        parameters.append(answer | {key: str(value) for key, value in optional.items() if value is not None})
    return parameters


def _description(template: Mapping[str, Any]) -> Answer:
    return {"Description": str(template["Description"])} if "Description" in template else {}


def _responder(operation: str) -> Callable[[CloudFormationResponse], ActionResult]:
    def respond(response: CloudFormationResponse) -> ActionResult:
        api = handover.part
        if api is None:
            raise NotImplementedError
        answer = api.answer(operation, dict(response.params), Place(response.current_account, response.region))
        return ActionResult(answer) if answer else EmptyResult()

    return respond


_OPERATIONS = (
    "CreateStack", "UpdateStack", "DeleteStack", "DescribeStacks", "ListStacks", "DescribeStackResource",
    "DescribeStackResources", "ListStackResources", "DescribeStackEvents", "DescribeEvents", "GetTemplate",
    "GetTemplateSummary", "ValidateTemplate", "ListExports", "UpdateTerminationProtection", "ContinueUpdateRollback",
    "RollbackStack", "CancelUpdateStack", "DetectStackDrift", "DescribeStackDriftDetectionStatus",
    "DescribeStackResourceDrifts", "CreateChangeSet", "DescribeChangeSet", "ExecuteChangeSet", "DeleteChangeSet",
    "ListChangeSets",
)  # fmt: skip
_STACK_SETS = {
    key: value for key, value in CloudFormationResponse.RESPONSE_KEY_PATH_TO_TRANSFORMER.items() if "StackSet" in key
}
handover: Handover[StacksApi] = Handover(
    *(Attribute(CloudFormationResponse, camelcase_to_underscores(name), _responder(name)) for name in _OPERATIONS),
    Attribute(CloudFormationResponse, "RESPONSE_KEY_PATH_TO_TRANSFORMER", _STACK_SETS),
)
"""Lets moto's CloudFormation answer with the sandbox's stacks; stack sets and the rest stay moto's."""
